"""A small definitions folder that runs, each line of it explained: what ``engine init`` writes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from actors.errors import RefusedError, RequestError

ENGINE = """\
# What the engine itself is told. Everything here has a default.

agents: 2                # so many tasks run at once
store: memory            # state ends with the engine

# The state table at the start: a row that is data_ready and pending starts workflows by itself.
entities:
  - {id: A, name: the first, phase: data_ready, priority: 2}
  - {id: B, name: the second, phase: data_ready, priority: 2}

# What happens later: half a second on, C is urgent, and a study of the others makes way for it.
events:
  - {after_ms: 500, type: HIGH_PRIORITY_ARRIVED, entity_id: C, priority: 0}
"""
STUDY = """\
# Background work: every row that is ready, unless it is urgent.

id: study
priority: 2              # 0 is the most important
when: entity.priority > 0

tasks:
  - id: collect
    action: collect      # a function of actions.py, marked with @action
    timeout: 1000        # milliseconds, from the action's first line
    retry: 2             # so often it is tried again when it fails; preemptions do not count

  - id: analyse
    action: analyse
    depends_on: [collect]
    timeout: 10000
    params: {steps: 20}
"""
URGENT = """\
# What must not wait: it takes an agent from background work at once.

id: urgent
priority: 0
when: entity.priority == 0

tasks:
  - id: react
    action: react
    timeout: 1000
    preemptible: false   # once begun, it is not interrupted itself
"""
ACTIONS = '''\
"""The actions that tasks name. They run in processes of their own, and files here may import each other."""

from actors import Context, action


@action("collect")
def collect(ctx: Context) -> dict:
    """What it returns is the task's result, and an input of the tasks that depend on it."""
    ctx.sleep(0.1)
    return {"entity": ctx.entity.id, "values": [1, 2, 3]}


@action("analyse")
def analyse(ctx: Context) -> dict:
    """Long work in steps: a checkpoint after each, so that it goes on from there when it was interrupted."""
    values = ctx.inputs["collect"]["values"]
    done, total = ctx.restored or [0, 0]
    if done:
        ctx.log.info("goes on", after_step=done)
    while done < ctx.params["steps"]:
        ctx.sleep(0.1)  # A safe place to be interrupted, like ctx.checkpoint.
        total += sum(values)
        done += 1
        ctx.checkpoint([done, total])
    return {"total": total}


@action("react")
def react(ctx: Context) -> str:
    ctx.sleep(0.05)
    return "done for " + ctx.entity.id
'''
FILES: Mapping[str, str] = {
    "engine.yaml": ENGINE,
    "study.yaml": STUDY,
    "urgent.yaml": URGENT,
    "actions.py": ACTIONS,
    ".gitignore": ".engine/\n__pycache__/\n",
}


def write(folder: Path) -> list[Path]:
    """Write the files; return them. Raises ``RefusedError`` if anything is there already, and then writes nothing."""
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise RefusedError(f"{folder} is there already, and nothing is written over; name a new folder")
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for name, text in FILES.items():
            path = folder / name
            opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            with open(opened, "w", encoding="utf-8") as file:
                file.write(text)
            written.append(path)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise RequestError(f"{folder} cannot be written: {why}; name another folder") from error
    return written
