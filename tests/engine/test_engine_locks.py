"""Locks with real threads and processes: nobody runs beside the holder, and people see why and for whom."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from actors.views import ChangeType
from tests.engine.conftest import BOUND_S, Watched


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_a_lock_keeps_two_workflows_apart_and_its_holder_counts_as_who_waits(
    start: Callable[..., Watched], tmp_path: Path, isolation: str
) -> None:
    common = {"timeout": 60_000, "isolation": isolation, "lock": "{entity.id}"}
    holds = {"id": "holds", "action": "wait_for_file", "params": {"file": str(tmp_path / "go")}, **common}
    workflows = {
        "low": {"priority": 5, "trigger": "manual", "tasks": [holds]},
        "high": {"priority": 1, "trigger": "manual", "tasks": [{"id": "wants", "action": "quick", **common}]},
    }
    watched = start({"workflows": workflows}, agents=2)
    engine = watched.engine
    for entity in ("X", "Y"):
        engine.put_entity(entity, phase="none")
    low = engine.run("low", "X")
    watched.until(ChangeType.TASK_STARTED, 1, workflow="low")

    high, other = engine.run("high", "X"), engine.run("high", "Y")

    assert engine.wait(other, BOUND_S) is not None, "another entity, another lock"
    wants, held = engine.instance(high.instances[0]).tasks[0], engine.instance(low.instances[0]).tasks[0]
    facts = engine.why(wants.id)
    assert (facts["blocked_by"], facts["lock"], facts["held_by"]) == ("lock", "X", held.id)
    shown = {agent["task"]: (agent["priority"], agent["inherited_from"]) for agent in engine.agents()}
    assert shown[held.id] == (1, wants.id)
    (tmp_path / "go").touch()
    ended, began = engine.wait(low, BOUND_S), engine.wait(high, BOUND_S)
    assert ended is not None
    assert began is not None
    before, after = ended.tasks[0].attempts[0].ended, began.tasks[0].attempts[0].started
    assert before is not None
    assert after is not None
    assert before.ns <= after.ns
