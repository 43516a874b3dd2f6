"""The keys of what commands print as JSON: an interface, pinned here once for all of them."""

from __future__ import annotations

from typing import Any

import pytest

from actors.commands.tree import COMMANDS
from tests.commands.conftest import CommandLine

INSTANCE = "completed_at created_at entity_id id merged priority retried_by retry_of status tasks version workflow"
TASK = "action attempts checkpoint error id infra_losses max_retry preemptions priority progress result retries status task"
ENTITY = "data id last_processed_at name phase priority status"
RECEIPT = "duplicate event_id instances"
STATS = (
    "agents cut_short entities events instances latency_ms paused preemptions queues ran_ms supervision tasks "
    "wasted_by wasted_ms"
)
KEYS: dict[str, str] = {
    "inject DATA_READY A id=e1 price=1": RECEIPT,
    "put B phase=idle": ENTITY,
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
    "reprio INSTANCE 1": "id priority",
    "pause flow": "paused workflow",
    "resume flow": "paused workflow",
    "cancel INSTANCE": "cancelled id",
    "wait 20": "idle",
    "top": "agents preemptions queues rates stats",
}
"""By command, in the order they are run: INSTANCE and TASK are of the slow workflow's instance."""
AT_LEAST = ("agents", "why TASK", "stats")
"""What these hold beside depends on the state of things."""
ELSEWHERE = {
    "start", "shell", "validate", "simulate", "schema", "help", "completion", "watch",  # print no data of the engine
    "graph", "init", "trace", "doctor",
    "replay", "events", "resolve", "retry", "drain", "undrain", "dead", "settings", "actors", "send", "tap", "inspect",
}  # fmt: skip
"""Commands whose keys are pinned by tests of their own."""


def keys_of(found: Any) -> set[str]:
    if isinstance(found, list):
        assert found
        return set(found[0])
    return set(found)


def test_every_command_prints_these_keys(run: CommandLine) -> None:
    ids = {"INSTANCE": "", "TASK": ""}
    for line, expected in KEYS.items():
        if line == "queues":
            run("pause", "slow")
            run("run", "slow", "D")
        arguments = [ids.get(word, word) for word in line.split()]
        printed = run(*arguments, "-o", "json")
        assert printed.status == 0, (line, printed.err)
        keys = keys_of(printed.json)
        if line in AT_LEAST:
            assert set(expected.split()) <= keys, line
        else:
            assert keys == set(expected.split()), line
        if line == "run slow B":
            ids["INSTANCE"] = printed.json["instances"][0]
            ids["TASK"] = run.engine.instance(ids["INSTANCE"]).tasks[0].id
        if line == "queues":
            for instance in run.engine.instances("running"):
                if instance.entity_id == "D":
                    run("cancel", instance.id)
            run("resume", "slow")


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
