"""How attempts end in a real engine: failures, retries, losses, timeouts, unknown outcomes, stopping."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors import Engine, Event
from actors.errors import RefusedError, RequestError
from actors.views import ChangeType, InstanceView
from tests.engine.conftest import ACTIONS, BOUND_S, Watched, one_task


def finish(watched: Watched) -> InstanceView:
    run = watched.engine.wait(watched.engine.publish(Event("DATA_READY", "X")), BOUND_S)
    assert run is not None
    return run


def test_a_task_that_fails_is_retried_as_told_and_then_completes(start: Callable[..., Watched]) -> None:
    flow = one_task("fail_until", params={"attempt": 3}, retry=2, isolation="thread", backoff={"initial_ms": 1})

    run = finish(start(flow))

    task = run.tasks[0]
    assert (run.status, task.result, task.retries, task.error) == ("completed", 3, 2, None)
    assert [a.outcome for a in task.attempts] == ["failed", "failed", "completed"]
    assert task.attempts[0].error is not None
    assert task.attempts[0].error.message == "not yet, this is attempt 1"
    assert "fail_until" in task.attempts[0].error.traceback


def test_a_task_whose_retries_are_used_up_fails_its_instance_and_entity_and_frees_its_agent(
    start: Callable[..., Watched],
) -> None:
    flow = {
        "id": "flow",
        "tasks": [
            {"id": "a", "action": "fail_until", "params": {"attempt": 9}, "retry": 1, "isolation": "thread"},
            {"id": "b", "action": "quick", "depends_on": ["a"], "isolation": "thread"},
        ],
    }
    watched = start(flow, agents=1)

    runs = [finish(watched) for _ in range(5)]  # Five failures stopped the design's own code for good.

    run = runs[-1]

    assert [run.status, *[t.status for t in run.tasks]] == ["failed", "failed", "cancelled"]
    assert run.tasks[0].retries == 1
    assert watched.engine.entity("X").status == "failed"
    assert watched.engine.stats()["agents"]["idle"] == 1


def test_non_retryable_is_not_retried(start: Callable[..., Watched]) -> None:
    run = finish(start(one_task("fail_for_good", retry=5, isolation="thread")))

    assert (run.status, run.tasks[0].retries, len(run.tasks[0].attempts)) == ("failed", 0, 1)


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_a_timeout_is_enforced_and_counts_as_a_failure(start: Callable[..., Watched], isolation: str) -> None:
    flow = one_task("count", params={"to": 3, "at": 2}, retry=1, isolation=isolation) | {}
    flow["tasks"][0]["timeout"] = 50

    run = finish(start(flow))

    task = run.tasks[0]
    assert (run.status, task.retries, task.preemptions) == ("completed", 1, 0)
    assert [(a.outcome, a.reason) for a in task.attempts] == [("stopped", "timeout"), ("completed", None)]
    assert task.result["from"] == 2, "a retry continues from the checkpoint too"


def test_a_crashing_process_is_an_infra_loss_and_fails_as_poison_in_the_end(start: Callable[..., Watched]) -> None:
    run = finish(start(one_task("crash", isolation="process")))

    task = run.tasks[0]
    assert (run.status, task.infra_losses, task.retries, len(task.attempts)) == ("failed", 3, 0, 4)
    assert task.error is not None
    assert task.error.type == "Poison"
    assert "exit status 7" in task.error.message


def test_a_result_that_is_not_json_is_a_failure_that_says_what_it_is(start: Callable[..., Watched]) -> None:
    for isolation in ("thread", "process"):
        watched = start(one_task("returns_a_set", isolation=isolation))
        run = finish(watched)
        assert run.status == "failed"
        assert run.tasks[0].error is not None
        assert "set" in run.tasks[0].error.message
        assert watched.engine.stats()["agents"]["idle"] == 5


def test_at_most_once_that_times_out_is_unknown_until_a_person_resolves_it(start: Callable[..., Watched]) -> None:
    flow = one_task("sleep", params={"seconds": 30}, delivery="at_most_once", preemptible=False, isolation="process")
    flow["tasks"][0]["timeout"] = 50
    flow["tasks"].append({"id": "after", "action": "quick", "depends_on": ["task"], "isolation": "thread"})
    watched = start(flow)

    run = finish(watched)

    assert (run.status, run.tasks[0].status, run.tasks[1].status) == ("running", "unknown", "pending")
    watched.engine.wait_idle(BOUND_S)  # An unknown outcome is nobody's work but a person's.
    assert "resolve" in watched.engine.why(run.tasks[0].id)["why"]
    with pytest.raises(RequestError, match="say one of"):
        watched.engine.resolve(run.tasks[0].id, "done")
    with pytest.raises(RefusedError, match="nothing to resolve"):
        watched.engine.resolve(run.tasks[1].id, "completed")
    watched.engine.resolve(run.tasks[0].id, "completed")
    done = watched.engine.wait(run.id, BOUND_S)
    assert done is not None
    assert done.status == "completed"


def test_cancelling_stops_what_runs_and_takes_out_what_waits(start: Callable[..., Watched], tmp_path: Path) -> None:
    flow = one_task("wait_for_file", params={"file": str(tmp_path / "go")}, isolation="thread")
    watched = start(flow, agents=1)
    running, waiting = watched.engine.publish_many([Event("DATA_READY", "A"), Event("DATA_READY", "B")])
    watched.until(ChangeType.TASK_STARTED)

    for receipt in (waiting, running):
        watched.engine.cancel(receipt.instances[0])
        run = watched.engine.wait(receipt, BOUND_S)
        assert run is not None
        assert run.status == "cancelled"

    watched.engine.wait_idle(BOUND_S)
    assert [watched.engine.entity(name).status for name in "AB"] == ["failed", "failed"]
    assert watched.engine.instance(waiting.instances[0]).tasks[0].attempts == ()


def test_a_command_gets_json_and_its_last_line_is_the_result(start: Callable[..., Watched], tmp_path: Path) -> None:
    folder = tmp_path / "flow"
    folder.mkdir()
    (folder / "flow.yaml").write_text(
        "id: flow\ntasks:\n  - id: c\n    run: [sh, -c, 'cat; echo; echo 5']\n    params: {a: 1}\n"
        "  - {id: d, run: [sh, -c, 'exit 3'], depends_on: [c]}\n"
    )
    with Engine(folder) as engine:
        run = engine.wait(engine.publish(Event("DATA_READY", "X")), BOUND_S)

    assert run is not None
    assert (run.tasks[0].result, run.tasks[0].action, run.tasks[1].status) == (5, "sh", "failed")
    assert run.tasks[1].error is not None
    assert "3" in run.tasks[1].error.message


def test_stopping_lets_attempts_end_within_the_grace(tmp_path: Path) -> None:
    flow = one_task("wait_for_file", params={"file": str(tmp_path / "go")}, isolation="thread")
    engine = Engine(flow, actions=ACTIONS).start()
    watched = Watched(engine)
    receipt = engine.publish(Event("DATA_READY", "X"))
    watched.until(ChangeType.TASK_STARTED)
    stopper = threading.Thread(target=engine.stop, kwargs={"grace": BOUND_S})
    stopper.start()

    (tmp_path / "go").touch()

    stopper.join(BOUND_S)
    assert not stopper.is_alive()
    ended = watched.until(ChangeType.TASK_COMPLETED)
    assert ended[0].instance_id == receipt.instances[0]


def test_stopping_names_a_thread_that_ignores_its_stop(tmp_path: Path) -> None:
    inside, release = threading.Event(), threading.Event()

    def deaf(ctx: Any) -> None:
        with ctx.shield():
            inside.set()
            release.wait(BOUND_S)

    engine = Engine(one_task("deaf", isolation="thread", grace_ms=10), actions={"deaf": deaf}).start()
    engine.publish(Event("DATA_READY", "X"))
    assert inside.wait(BOUND_S)
    try:
        left = engine.stop(grace=0.0)
    finally:
        release.set()

    assert len(left) == 1
    assert left[0].startswith("task_X_")
