"""The keys of what commands print as JSON: an interface, pinned here once for all of them."""

from __future__ import annotations

from typing import Any

import pytest

from actors.commands.tree import COMMANDS
from tests.commands.conftest import CommandLine

INSTANCE = (
    "completed_at created_at entity_id event id merged params priority retried_by retry_of status tasks version "
    "workflow"
)
TASK = (
    "action attempts checkpoint error id infra_losses max_retry preemptions priority progress result "
    "retries status task "
).strip()
ENTITY = "data id last_processed_at name phase priority status"
RECEIPT = "duplicate event_id instances"
STATS = (
    "agents cut_short entities events instances latency_ms paused preemptions queues ran_ms supervision tasks "
    "wasted_by wasted_ms"
)
DONE_TO_AGENT = "draining name"
KEYS: dict[str, str] = {
    "put A phase=idle": ENTITY,
    "put B phase=idle": ENTITY,
    "put C phase=idle": ENTITY,
    "inject DATA_READY A id=e1 price=1": RECEIPT,
    "run slow B": RECEIPT,
    "run flow C --wait": INSTANCE,
    "ps": f"{TASK} entity_id instance_id workflow",
    "runs": INSTANCE,
    "queues": "depth oldest_ms priority",
    "agents": "capabilities incarnation inherited_from name priority state task",
    "entities": ENTITY,
    "show B": ENTITY,
    "show INSTANCE": INSTANCE,
    "show TASK": f"{TASK} entity_id instance_id workflow",
    "why TASK": "status task_id why",
    "stats": STATS,
    "settings": "default name source value",
    "actors": "dead_letters generation handled inbox_depth name oldest_waiting_ms quarantined refused restarts state",
    "dead": "at event id kind retryable why",
    "dead drop 1": "dropped id",
    "inspect keeper": "dead_letters entities instances",
    "send scheduler ReadQueues": "answer ok",
    "send keeper PauseWorkflow workflow=flow paused=false": "answer ok",
    "tap router --count 1": "actor at fields message skipped",
    "events --since 0-0 --count 1": "id ns sequence type utc",
    "reprio INSTANCE 1": "id priority",
    "pause flow": "paused workflow",
    "resume flow": "paused workflow",
    "drain agent_1": DONE_TO_AGENT,
    "undrain agent_1": DONE_TO_AGENT,
    "resolve UNKNOWN completed": "outcome task_id",
    "cancel INSTANCE": "cancelled id",
    "wait 20": "idle",
    "wait 20 --for INSTANCE": INSTANCE,
    "retry ENDED": RECEIPT,
    "top": "agents preemptions queues rates stats",
}
"""By command, in the order they are run.

INSTANCE and TASK are the slow workflow's, ENDED and UNKNOWN are in that state.
"""
AT_LEAST = ("agents", "why TASK", "stats", "inspect keeper", "events --since 0-0 --count 1", "dead")
"""What these hold beside depends on the state of things."""
STATUS = {"wait 20 --for INSTANCE": 1}
"""It was cancelled before."""
ELSEWHERE = {
    "start",
    "shell",
    "validate",
    "simulate",
    "schema",
    "help",
    "completion",
    "watch",
    "replay",
    "graph",
    "init",
    "trace",
    "doctor",
    "reload",
}
"""Commands that print no data of the engine, and those whose keys other tests pin."""


def keys_of(found: Any) -> set[str]:
    if isinstance(found, list):
        assert found
        return set(found[0])
    return set(found)


def test_every_command_prints_these_keys(run: CommandLine) -> None:
    ids = dict.fromkeys(("INSTANCE", "TASK", "ENDED", "UNKNOWN"), "")
    for line, expected in KEYS.items():
        with run.prepared_for(line):
            arguments = [ids.get(word, word) for word in line.split()]
            printed = run(*arguments, "-o", "json")
        assert printed.status == STATUS.get(line, 0), (line, printed.err)
        keys = keys_of(printed.json)
        if line in AT_LEAST:
            assert set(expected.split()) <= keys, line
        else:
            assert keys == set(expected.split()), line
        if line == "run slow B":
            ids["INSTANCE"] = printed.json["instances"][0]
            ids["TASK"] = run.engine.instance(ids["INSTANCE"]).tasks[0].id
        if line == "run flow C --wait":
            ids["ENDED"] = printed.json["id"]
        if line == "undrain agent_1":
            ids["UNKNOWN"] = run.unknown_task()


def test_no_command_is_forgotten() -> None:
    pinned = {line.split()[0] for line in KEYS}

    assert pinned | ELSEWHERE >= set(COMMANDS)
    assert not pinned & ELSEWHERE


@pytest.mark.parametrize("form", ["json", "jsonl", "yaml", "name"])
def test_an_empty_list_is_empty_in_every_form_and_no_message(run: CommandLine, form: str) -> None:
    printed = run("runs", "-o", form)

    assert printed.status == 0
    assert printed.err == ""
    assert printed.out.strip() == {"json": "[]", "yaml": "[]"}.get(form, "")
