"""At most once, and what is lost: when a task may run again, and when nobody can know."""

from __future__ import annotations

from typing import Any

from actors.effects import KEEPER, SCHEDULER
from actors.model import Delivery, Isolation, OutcomeKind
from tests.logic.worlds import World, task, workflow

PROCESS = Isolation.PROCESS


# --- at most once ------------------------------------------------------------------------------

ORDER: dict[str, Any] = {"delivery": Delivery.AT_MOST_ONCE, "preemptible": False}


def test_at_most_once_runs_only_after_its_assignment_is_recorded() -> None:
    world = World(workflow("order", task("order", **ORDER)))
    world.run("order", "a", settle=False)
    world.deliver(KEEPER, SCHEDULER, "agent_0")
    assert world.told.started == []

    world.deliver(KEEPER, SCHEDULER, "agent_0")

    assert world.told.started == ["order@a"]


def test_at_most_once_that_times_out_is_unknown_and_its_instance_stays_running() -> None:
    world = World(workflow("order", task("order", timeout_ms=100, **ORDER), task("next", after=("order",))))
    world.run("order", "a")

    world.pass_ms(100)

    assert world.task("order@a").status == "unknown"
    assert world.instance("a").status == "running"
    assert world.idle()


def test_at_most_once_whose_process_is_gone_is_unknown_and_never_runs_again() -> None:
    world = World(workflow("order", task("order", **ORDER)))
    world.run("order", "a")

    world.lose("order@a")
    world.pass_ms(100_000)

    assert world.told.started == ["order@a"]
    assert world.task("order@a").status == "unknown"


def test_at_most_once_that_was_lost_before_its_first_line_may_run_again() -> None:
    world = World(workflow("order", task("order", **ORDER)))
    world.slow_to_begin.add("order")
    world.run("order", "a")

    world.lose("order@a")

    assert world.told.started == ["order@a", "order@a"]


def test_at_most_once_that_fails_by_itself_has_failed() -> None:
    world = World(workflow("order", task("order", **ORDER)))
    world.run("order", "a")

    world.fail("order@a")

    assert world.task("order@a").status == "failed"


def test_at_most_once_that_is_cancelled_after_its_first_line_is_unknown() -> None:
    world = World(workflow("order", task("order", **ORDER)))
    world.run("order", "a")

    world.cancel("a")

    assert world.task("order@a").status == "unknown"


def test_a_late_result_of_an_unknown_task_is_kept_beside_it() -> None:
    world = World(workflow("order", task("order", timeout_ms=100, **ORDER)))
    world.deaf.add("order")
    world.run("order", "a")
    world.pass_ms(200)
    assert world.task("order@a").status == "unknown"

    world.end("order@a", {"order_id": "ORDER_123"})

    task_ = world.task("order@a")
    assert (task_.status, task_.result) == ("unknown", {"order_id": "ORDER_123"})
    assert task_.attempts[0].outcome is OutcomeKind.STOPPED


def test_resolve_moves_an_unknown_task_on_and_its_instance_with_it() -> None:
    ends = {"completed": "completed", "failed": "failed", "cancelled": "cancelled"}
    for outcome, status in ends.items():
        world = World(workflow("order", task("order", timeout_ms=100, **ORDER)))
        world.run("order", "a")
        world.pass_ms(100)

        world.resolve("order@a", outcome)

        assert (world.task("order@a").status, world.instance("a").status) == (outcome, status)


def test_resolve_as_completed_lets_the_tasks_after_it_run() -> None:
    world = World(workflow("order", task("order", timeout_ms=100, **ORDER), task("next", after=("order",))))
    world.run("order", "a")
    world.pass_ms(100)

    world.resolve("order@a", "completed")

    assert world.running() == ["next@a"]


def test_resolve_as_retry_runs_it_again() -> None:
    world = World(workflow("order", task("order", timeout_ms=100, **ORDER)))
    world.run("order", "a")
    world.pass_ms(100)

    world.resolve("order@a", "retry")
    world.end("order@a", "done")

    assert world.instance("a").status == "completed"


# --- losses ------------------------------------------------------------------------------------


def test_a_task_whose_process_dies_runs_again_three_times_and_is_poison_then() -> None:
    world = World(workflow("work"))
    world.run("work", "a")
    for _ in range(3):
        world.lose("work@a")
        assert world.running() == ["work@a"]

    world.lose("work@a")

    poisoned = world.task("work@a")
    assert poisoned.error is not None
    assert (poisoned.status, poisoned.error.type, poisoned.infra_losses) == ("failed", "Poison", 3)
    assert "signal 11" in poisoned.error.message


def test_max_infra_losses_is_a_setting() -> None:
    world = World(workflow("work"), max_infra_losses=0)
    world.run("work", "a")

    world.lose("work@a")

    assert world.task("work@a").status == "failed"


def test_a_loss_goes_on_from_the_last_checkpoint_that_was_told() -> None:
    world = World(workflow("work"))
    world.run("work", "a")
    world.checkpoint("work@a", 5)

    world.lose("work@a")

    assert world.live("work@a").job.restored == 5
