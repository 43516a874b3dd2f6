"""Retries, pauses, drained agents and dead letters, on an engine that runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors import Event
from actors.errors import EngineStopped, NotFoundError, RefusedError, RequestError
from actors.views import ChangeType
from tests.engine.conftest import BOUND_S, Watched, one_task

THREAD = {"isolation": "thread"}


def held(tmp_path: Path, **fields: Any) -> dict[str, Any]:
    """A workflow that runs until a file is there."""
    return one_task("wait_for_file", params={"file": str(tmp_path / "go")}, isolation="thread") | fields


# --- retries -----------------------------------------------------------------------------------


def test_an_ended_instance_is_retried_by_its_own_id_and_by_a_tasks(start: Callable[..., Watched]) -> None:
    engine = start(one_task("fail_for_good", isolation="thread")).engine
    old = engine.wait(engine.publish(Event("DATA_READY", "X", data=1, id="mine")), BOUND_S)
    assert old is not None

    for id in (old.id, old.tasks[0].id):
        new = engine.wait(engine.retry(id), BOUND_S)
        assert new is not None
        assert (new.retry_of, new.status) == (old.id, "failed")
        assert new.event == old.event == Event("DATA_READY", "X", None, 1, id="mine")
        assert engine.instance(old.id).retried_by == new.id


def test_what_runs_or_is_unknown_cannot_be_retried(start: Callable[..., Watched], tmp_path: Path) -> None:
    watched = start(held(tmp_path))
    receipt = watched.engine.publish(Event("DATA_READY", "X"))
    (begun,) = watched.until(ChangeType.TASK_STARTED)

    for id in (receipt.instances[0], begun.task_id):
        with pytest.raises(RefusedError, match=f"{receipt.instances[0]} has not ended"):
            watched.engine.retry(id)
    with pytest.raises(NotFoundError, match="no instance or task 'nothing'"):
        watched.engine.retry("nothing")
    with pytest.raises(RequestError):
        watched.engine.retry(7)  # type: ignore[arg-type]
    (tmp_path / "go").touch()


def test_an_instance_is_found_by_any_task_of_it_before_and_after_its_end(
    start: Callable[..., Watched], tmp_path: Path
) -> None:
    watched = start(held(tmp_path))
    receipt = watched.engine.publish(Event("DATA_READY", "X"))
    (begun,) = watched.until(ChangeType.TASK_STARTED)

    for _ in range(2):
        for id in (receipt.instances[0], begun.task_id):
            assert watched.engine.instance_of(id) == watched.engine.instance(receipt.instances[0])
        (tmp_path / "go").touch()
        watched.engine.wait(receipt, BOUND_S)
    assert watched.engine.instance_of(begun.task_id).status == "completed"
    with pytest.raises(NotFoundError, match="no instance or task 'task_X_1'"):
        watched.engine.instance_of("task_X_1")


# --- pauses ------------------------------------------------------------------------------------


def test_a_paused_engine_starts_nothing_and_says_so(start: Callable[..., Watched]) -> None:
    watched = start(one_task("quick", isolation="thread"), agents=1)
    engine = watched.engine
    engine.pause()
    receipt = engine.publish(Event("DATA_READY", "X"))
    (ready,) = watched.until(ChangeType.TASK_READY)

    assert engine.stats()["paused"] == ["*"]
    assert engine.why(ready.task_id)["why"] == "the engine is paused"
    engine.pause("flow")
    engine.resume()
    assert engine.stats()["paused"] == ["flow"]
    engine.resume("flow")

    run = engine.wait(receipt, BOUND_S)
    assert run is not None
    assert run.status == "completed"


# --- agents ------------------------------------------------------------------------------------


def test_a_drained_agent_ends_what_it_runs_and_takes_nothing_more(
    start: Callable[..., Watched], tmp_path: Path
) -> None:
    watched = start(held(tmp_path), agents=1)
    engine = watched.engine
    receipt = engine.publish(Event("DATA_READY", "X"))
    watched.until(ChangeType.TASK_STARTED)
    engine.drain("agent_0")
    assert [agent["state"] for agent in engine.agents()] == ["draining"]
    waits = engine.publish(Event("DATA_READY", "Y"))

    (tmp_path / "go").touch()
    engine.wait(receipt, BOUND_S)

    assert [agent["state"] for agent in engine.agents()] == ["drained"]
    task = engine.instance(waits.instances[0]).tasks[0]
    assert engine.why(task.id)["why"] == "every agent that could run it is drained: agent_0"
    engine.undrain("agent_0")
    engine.wait(waits, BOUND_S)
    with pytest.raises(NotFoundError, match="agent_0 to agent_0"):
        engine.drain("agent_1")


# --- dead letters ------------------------------------------------------------------------------


def test_a_dead_letter_is_retried_when_its_cause_is_gone_or_dropped(start: Callable[..., Watched]) -> None:
    settings = {"on_unknown_entity": "reject"}
    engine = start({"workflows": [one_task("quick", isolation="thread")], "settings": settings}).engine
    for name in ("a", "b"):
        with pytest.raises(RefusedError):
            engine.publish(Event("DATA_READY", name, data=name))
    first, second = (letter["id"] for letter in engine.dead_letters())
    with pytest.raises(RefusedError, match="put it first"):
        engine.retry_dead_letter(first)
    engine.put_entity("a", phase="closed")

    run = engine.wait(engine.retry_dead_letter(first), BOUND_S)
    engine.drop_dead_letter(second)

    assert run is not None
    assert run.event is not None
    assert run.event.data == "a"
    assert engine.dead_letters() == ()
    for refused in (engine.retry_dead_letter, engine.drop_dead_letter):
        with pytest.raises(NotFoundError, match=f"no dead letter {first}"):
            refused(first)
        with pytest.raises(RequestError, match="a dead letter's id is a whole number"):
            refused("1")  # type: ignore[arg-type]


def test_nothing_is_retried_in_an_engine_that_has_stopped(start: Callable[..., Watched]) -> None:
    engine = start(one_task("quick", isolation="thread")).engine
    engine.stop(grace=0.0)

    for refused in (lambda: engine.retry("x"), lambda: engine.retry_dead_letter(1), engine.pause):
        with pytest.raises(EngineStopped):
            refused()


# --- why ---------------------------------------------------------------------------------------


def test_why_finds_an_ended_task_by_its_id_among_many_without_looking_at_the_others(
    start: Callable[..., Watched], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = start(one_task("quick", isolation="thread")).engine
    engine.publish_many(Event("DATA_READY", f"e{number}") for number in range(50))
    engine.wait_idle(BOUND_S)
    chosen = engine.instances()[20]
    monkeypatch.setattr(engine._running().store, "newest", None)

    facts = engine.why(chosen.tasks[0].id)

    assert (facts["instance_id"], facts["ended_by"], facts["blocked_by"]) == (chosen.id, "completion", None)
    with pytest.raises(RefusedError, match=f"{chosen.id} is an instance"):
        engine.why(chosen.id)
    with pytest.raises(NotFoundError, match="no instance or task 'task_e99_1'"):
        engine.why("task_e99_1")


def test_why_of_an_ended_task_says_who_preempted_it_though_that_one_is_over(
    start: Callable[..., Watched], tmp_path: Path
) -> None:
    hold = {"id": "hold", "action": "wait_for_file", "params": {"file": str(tmp_path / "go")}, "isolation": "thread"}
    flows = {
        "low": {"priority": 5, "trigger": "manual", "tasks": [hold]},
        "urgent": {"priority": 0, "trigger": "manual", "tasks": [{"id": "now", "action": "quick", **THREAD}]},
    }
    watched = start({"workflows": flows}, agents=1)
    low = watched.engine.run("low", "X")
    watched.until(ChangeType.TASK_STARTED, workflow="low")
    urgent = watched.engine.wait(watched.engine.run("urgent", "Y"), BOUND_S)
    (tmp_path / "go").touch()
    ended = watched.engine.wait(low, BOUND_S)
    assert urgent is not None
    assert ended is not None

    facts = watched.engine.why(ended.tasks[0].id)

    assert facts["preempted_by"] == urgent.tasks[0].id == ended.tasks[0].attempts[0].preempted_by
    assert facts["why"].endswith(", attempt 2, after 1 preemption")
