"""Wasted work: what stopped or lost attempts did since their newest checkpoint, each counted once, by why."""

from __future__ import annotations

from typing import Any

import pytest

from actors.effects import KEEPER, SCHEDULER
from actors.logic.accounts import Accounts, ran
from actors.messages import AttemptClosed, StopAgents
from actors.model import AttemptId, Instant, Isolation, OnPreempt, Outcome, OutcomeKind, StopReason, TaskKey
from tests.logic.floor_rules import check_work
from tests.logic.worlds import World, full_world, task, workflow

PROCESS: dict[str, Any] = {"isolation": Isolation.PROCESS}
SUSPEND: dict[str, Any] = {**PROCESS, "on_preempt": OnPreempt.SUSPEND}
MS = 1_000_000


def accounts(world: World) -> dict[str, Any]:
    check_work(world)
    stats = world.stats(KEEPER)
    return {name: stats[name] for name in ("ran_ms", "wasted_ms", "wasted_by", "cut_short", "preemptions")}


def one_study(**fields: Any) -> World:
    world = World(workflow("study", task("study", **fields), priority=5), workflow("order", priority=0), agents=1)
    world.run("study", "s")
    return world


def test_work_that_ends_by_itself_wastes_nothing() -> None:
    world = one_study(retry=1)
    world.pass_ms(30)
    world.fail("study@s")
    world.pass_ms(12)
    world.end("study@s")

    assert accounts(world) == {"ran_ms": 42, "wasted_ms": 0, "wasted_by": {}, "cut_short": {}, "preemptions": 0}


def test_what_is_preempted_wastes_what_it_did_since_its_first_line() -> None:
    world = one_study()
    world.pass_ms(30)
    world.run("order", "now")
    world.pass_ms(5)
    world.end("order@now")
    world.pass_ms(40)
    world.end("study@s")

    assert accounts(world) == {
        "ran_ms": 75, "wasted_ms": 30, "wasted_by": {"preempt": 30}, "cut_short": {"preempt": 1}, "preemptions": 1,
    }  # fmt: skip


def test_or_since_its_newest_checkpoint() -> None:
    world = one_study()
    world.pass_ms(30)
    world.checkpoint("study@s", 1)
    world.pass_ms(7)
    world.run("order", "now")

    assert accounts(world)["wasted_by"] == {"preempt": 7}
    assert accounts(world)["ran_ms"] == 37


def test_a_checkpoint_of_an_earlier_attempt_saves_nothing_of_this_one() -> None:
    world = one_study()
    world.pass_ms(30)
    world.checkpoint("study@s", 1)
    world.run("order", "now")
    world.end("order@now")
    world.pass_ms(20)
    world.run("order", "again")

    assert accounts(world)["wasted_by"] == {"preempt": 20}


def test_the_time_until_it_stops_is_wasted_too() -> None:
    world = one_study(**PROCESS, grace_ms=70)
    world.deaf.add("study")
    world.pass_ms(30)
    world.run("order", "now")
    world.pass_ms(100)

    assert accounts(world)["wasted_by"] == {"preempt": 100}


def test_an_attempt_that_never_began_did_nothing() -> None:
    world = one_study()
    world.pass_ms(1)
    world.end("study@s")
    world.slow_to_begin.add("study")
    world.run("study", "t")
    world.pass_ms(30)
    world.run("order", "now")

    assert accounts(world)["ran_ms"] == 1
    assert accounts(world)["cut_short"] == {"preempt": 1}


@pytest.mark.parametrize("how", ["cancel", "timeout", "lost", "shutdown"])
def test_every_other_end_that_is_not_its_own_counts_under_its_reason(how: str) -> None:
    world = one_study(**PROCESS, timeout_ms=50, retry=1)
    world.pass_ms(20)
    match how:
        case "cancel":
            world.cancel("s")
        case "timeout":
            world.pass_ms(30)
        case "lost":
            world.lose("study@s")
        case _:
            world.promise(SCHEDULER, StopAgents(0, world.now))
            world.settle()

    wasted = 50 if how == "timeout" else 20
    assert (accounts(world)["wasted_by"], accounts(world)["cut_short"]) == ({how: wasted}, {how: 1})


def test_what_completes_although_it_was_told_to_stop_is_not_wasted_and_made_no_way() -> None:
    world = one_study()
    world.deaf.add("study")
    world.pass_ms(20)
    world.run("order", "now")
    world.pass_ms(5)
    world.end("study@s")

    assert accounts(world)["wasted_ms"] == 0
    assert accounts(world)["preemptions"] == 0


def test_what_is_lost_while_it_is_being_stopped_is_lost_and_made_no_way() -> None:
    world = one_study(**PROCESS)
    world.deaf.add("study")
    world.pass_ms(20)
    world.run("order", "now")
    world.pass_ms(5)
    world.lose("study@s")

    assert accounts(world)["wasted_by"] == {"lost": 25}
    assert accounts(world)["preemptions"] == 0


def test_what_is_suspended_wastes_nothing_and_its_standing_still_is_no_work() -> None:
    world = one_study(**SUSPEND)
    world.pass_ms(20)
    world.run("order", "now")
    world.pass_ms(100)
    world.end("order@now")
    world.pass_ms(15)
    world.end("study@s")

    assert accounts(world) == {
        "ran_ms": 135, "wasted_ms": 0, "wasted_by": {}, "cut_short": {}, "preemptions": 1
    }  # fmt: skip


def test_what_is_killed_while_it_stands_still_wastes_what_it_had_done() -> None:
    world = one_study(**SUSPEND)
    world.pass_ms(20)
    world.run("order", "now")
    world.pass_ms(100)
    world.cancel("s")

    assert accounts(world)["wasted_by"] == {"cancel": 20}
    assert accounts(world)["preemptions"] == 1


def test_a_checkpoint_between_two_pauses_parts_what_is_kept_from_what_is_wasted() -> None:
    world = one_study(**SUSPEND)
    for _ in range(2):
        world.pass_ms(10)
        world.run("order", "now")
        world.pass_ms(100)
        world.end("order@now")
        world.pass_ms(3)
        world.checkpoint("study@s", 1)
        world.pass_ms(4)
    world.run("order", "last")
    world.pass_ms(50)
    world.cancel("s")

    shown = world.stats(KEEPER)
    assert shown["ran_ms"] == 2 * 17 + 2 * 100
    assert shown["wasted_by"] == {"cancel": 4}


def test_what_was_set_aside_counts_when_it_ends_and_once() -> None:
    world = World(workflow("deaf", task("deaf", timeout_ms=50, grace_ms=10), priority=5), agents=1)
    world.deaf.add("deaf")
    world.run("deaf", "d")
    world.pass_ms(200)
    assert world.instance("d").status == "failed"
    assert accounts(world)["ran_ms"] == 0

    world.end("deaf@d")  # Too late, and so for nothing.

    assert accounts(world)["wasted_by"] == {"timeout": 200}
    assert accounts(world)["cut_short"] == {"timeout": 1}


def test_the_account_does_not_die_with_the_scheduler() -> None:
    world = full_world(workflow("order", priority=0), agents=2)
    world.run("order", "now")

    assert "wasted_ms" not in world.stats(SCHEDULER)
    assert accounts(world)["preemptions"] == 1


def closed(began: Instant | None, ended: Instant, **fields: Any) -> AttemptClosed:
    reason = fields.pop("reason", None)
    outcome = Outcome(fields.pop("kind", OutcomeKind.STOPPED), began=began, ended=ended, **fields)
    return AttemptClosed(AttemptId(TaskKey(1), 1), None, outcome, reason)


def test_stopped_without_having_been_asked_is_its_own_doing() -> None:
    ours = Accounts()

    ours.closed(closed(5 * MS, 9 * MS), ())

    assert (ours.ran_ns, ours.useful_ns, ours.wasted_ns.total()) == (4 * MS, 4 * MS, 0)


def test_whoever_still_stands_still_at_its_end_has_stood_until_then() -> None:
    ours = Accounts()

    ours.closed(closed(10, 100, reason=StopReason.CANCEL, saved=40), ((20, 30), (50, 60), (80, None)))

    assert (ours.ran_ns, ours.useful_ns, ours.wasted_ns["cancel"]) == (50, 20, 30)
    assert ran(0, 10, ((20, 30), (40, None))) == 10


def test_an_end_that_is_told_again_counts_once_also_when_its_instance_is_over() -> None:
    world = one_study()
    world.pass_ms(30)
    world.end("study@s")
    (end,) = world.messages(AttemptClosed, KEEPER)

    world.tell(KEEPER, end)

    assert world.stats(KEEPER)["ran_ms"] == 30
    assert not world.keeping.state.late


def test_what_was_given_up_and_ends_after_its_instance_counts_once() -> None:
    world = one_study()
    world.deaf.add("study")
    world.pass_ms(30)
    world.cancel("s")
    world.pass_ms(1000)  # Beyond its grace: it is set aside, and its instance is over.
    assert world.instance("s").status == "cancelled"
    world.end("study@s")
    end = world.messages(AttemptClosed, KEEPER)[-1]

    world.tell(KEEPER, end)

    stats = world.stats(KEEPER)
    assert (stats["ran_ms"], stats["wasted_by"]) == (1030, {"cancel": 1030})
    assert not world.keeping.state.late
