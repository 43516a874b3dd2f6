"""Preemption with real threads, processes and an event loop: what is interrupted, and what continues."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors import Engine, Event
from actors.views import ChangeType, InstanceView
from tests.engine.conftest import ACTIONS, BOUND_S, Watched


def low_and_urgent(low: dict[str, Any], *, isolation: str, urgent_tasks: int = 1) -> dict[str, Any]:
    """``low`` at priority 2 for every entity; ``urgent``, by hand, a chain of quick tasks at priority 0."""
    chain = [
        {
            "id": f"u{number}",
            "action": "quick",
            "isolation": isolation if isolation != "async" else "thread",
            "depends_on": [f"u{number - 1}"] if number else [],
        }
        for number in range(urgent_tasks)
    ]
    return {
        "workflows": {
            "low": {"priority": 2, "tasks": [{"id": "low", "timeout": 60_000, "isolation": isolation, **low}]},
            "urgent": {"priority": 0, "trigger": "manual", "tasks": chain},
        }
    }


def occupy(watched: Watched, agents: int, waiting: int = 0) -> None:
    """Give every agent a low task, and let some wait."""
    watched.engine.put_entity("U", phase="none")
    watched.engine.publish_many([Event("DATA_READY", f"L{n}") for n in range(agents + waiting)])
    watched.until(ChangeType.TASK_STARTED, agents, workflow="low")


def urgent(engine: Engine) -> InstanceView:
    run = engine.wait(engine.run("urgent", "U"), BOUND_S)
    assert run is not None
    assert run.status == "completed"
    return run


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_an_urgent_chain_over_a_backlog_costs_one_preemption(
    start: Callable[..., Watched], tmp_path: Path, isolation: str
) -> None:
    low = {"action": "wait_for_file", "params": {"file": str(tmp_path / "go")}}
    watched = start(low_and_urgent(low, isolation=isolation, urgent_tasks=3), agents=3)
    occupy(watched, 3, waiting=6)

    urgent(watched.engine)

    assert watched.engine.stats()["preemptions"] == 1
    (tmp_path / "go").touch()
    watched.engine.wait_idle(BOUND_S)
    assert watched.engine.stats()["instances"]["completed"] == 10


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_a_preempted_generator_continues_from_its_last_yield(start: Callable[..., Watched], isolation: str) -> None:
    low = {"action": "count", "params": {"to": 10, "at": 6}}
    watched = start(low_and_urgent(low, isolation=isolation), agents=1)
    occupy(watched, 1)
    watched.until(ChangeType.TASK_NOTED, workflow="low")

    urgent(watched.engine)
    watched.engine.wait_idle(BOUND_S)

    (run,) = watched.engine.instances(workflow="low")
    task = run.tasks[0]
    assert task.result["to"] == 10
    assert task.result["attempt"] == 2
    assert 1 <= task.result["from"] <= 6
    assert (task.preemptions, task.retries) == (1, 0)
    assert [(a.outcome, a.reason) for a in task.attempts] == [("stopped", "preempt"), ("completed", None)]


def test_a_preempted_coroutine_continues_from_its_checkpoint(start: Callable[..., Watched]) -> None:
    watched = start(low_and_urgent({"action": "wait_async"}, isolation="async"), agents=1)
    occupy(watched, 1)
    watched.until(ChangeType.TASK_NOTED, workflow="low")

    urgent(watched.engine)
    watched.engine.wait_idle(BOUND_S)

    (run,) = watched.engine.instances(workflow="low")
    assert run.tasks[0].result == 5
    assert run.tasks[0].preemptions == 1


def test_a_suspended_process_goes_on_where_it_was_and_loses_nothing(
    start: Callable[..., Watched], tmp_path: Path
) -> None:
    low = {"action": "wait_for_file", "params": {"file": str(tmp_path / "go")}, "on_preempt": "suspend"}
    watched = start(low_and_urgent(low, isolation="process"), agents=1)
    occupy(watched, 1)

    urgent(watched.engine)
    watched.until(ChangeType.TASK_RESUMED)
    (tmp_path / "go").touch()
    watched.engine.wait_idle(BOUND_S)

    (run,) = watched.engine.instances(workflow="low")
    assert [(a.number, a.outcome) for a in run.tasks[0].attempts] == [(1, "completed")]
    assert run.tasks[0].preemptions == 1
    assert watched.engine.stats()["wasted_ms"] == 0


@pytest.mark.parametrize("action", ["sleep", "spin"])
def test_a_process_that_never_looks_at_its_ctx_gives_way_all_the_same(
    start: Callable[..., Watched], action: str
) -> None:
    low = {"action": action, "params": {"seconds": 60}}
    watched = start(low_and_urgent(low, isolation="process"), agents=2)
    occupy(watched, 2)

    run = urgent(watched.engine)

    attempt = run.tasks[0].attempts[0]
    assert attempt.started is not None
    # Its grace of 100 ms and 50 more are promised; this is on whatever machine runs the tests.
    assert (attempt.started.ns - attempt.ready.ns) / 1e9 < 5


def test_a_deaf_thread_is_set_aside_and_its_agent_goes_on(start: Callable[..., Watched]) -> None:
    inside, release = threading.Event(), threading.Event()

    def deaf(ctx: Any) -> str:
        with ctx.shield():
            inside.set()
            release.wait(BOUND_S)
        return "late"

    low = {"action": "deaf", "grace_ms": 20}
    watched = start(low_and_urgent(low, isolation="thread"), agents=1, actions={**ACTIONS, "deaf": deaf})
    occupy(watched, 1)
    assert inside.wait(BOUND_S)
    try:
        urgent(watched.engine)

        (agent,) = watched.engine.agents()
        assert agent["incarnation"] == 2
        assert watched.engine.stats()["agents"]["set_aside"] == 1
        (run,) = watched.engine.instances(workflow="low")
        assert len(run.tasks[0].attempts) == 1, "it may not run again before its old attempt has ended"
    finally:
        release.set()
    watched.engine.wait_idle(BOUND_S)
    (run,) = watched.engine.instances(workflow="low")
    assert [a.outcome for a in run.tasks[0].attempts] == ["stopped", "completed"]


def test_what_may_not_be_preempted_is_waited_for(start: Callable[..., Watched], tmp_path: Path) -> None:
    low = {"action": "wait_for_file", "params": {"file": str(tmp_path / "go")}, "preemptible": False}
    watched = start(low_and_urgent(low, isolation="thread"), agents=1)
    occupy(watched, 1)
    receipt = watched.engine.run("urgent", "U")
    task = watched.engine.instance(receipt.instances[0]).tasks[0]

    why = watched.engine.why(task.id)

    assert why["blocked_by"] == "agents"
    assert why["place"] == 1
    assert watched.engine.stats()["preemptions"] == 0
    (tmp_path / "go").touch()
    assert watched.engine.wait(receipt, BOUND_S) is not None


def test_raising_a_waiting_tasks_priority_makes_it_preempt(start: Callable[..., Watched], tmp_path: Path) -> None:
    low = {"action": "wait_for_file", "params": {"file": str(tmp_path / "go")}}
    watched = start(low_and_urgent(low, isolation="thread"), agents=1)
    occupy(watched, 1, waiting=1)
    waiting = next(i for i in watched.engine.instances() if i.tasks[0].status == "pending")

    watched.engine.set_priority(waiting.id, 1)

    watched.until(ChangeType.TASK_PREEMPTED)
    watched.until(ChangeType.TASK_STARTED, instance_id=waiting.id)
    (tmp_path / "go").touch()
    watched.engine.wait_idle(BOUND_S)
    assert watched.engine.instance(waiting.id).priority == 1


def test_high_priority_arrived_raises_what_waits_for_the_entity(start: Callable[..., Watched], tmp_path: Path) -> None:
    low = {"action": "wait_for_file", "params": {"file": str(tmp_path / "go")}}
    watched = start(low_and_urgent(low, isolation="thread"), agents=1)
    occupy(watched, 1, waiting=1)
    waiting = next(i for i in watched.engine.instances() if i.tasks[0].status == "pending")

    watched.engine.publish(Event("HIGH_PRIORITY_ARRIVED", waiting.entity_id, priority=0))

    watched.until(ChangeType.TASK_STARTED, instance_id=waiting.id)
    assert watched.engine.entity(waiting.entity_id).priority == 0
    assert watched.engine.stats()["preemptions"] == 1
    (tmp_path / "go").touch()
    watched.engine.wait_idle(BOUND_S)
