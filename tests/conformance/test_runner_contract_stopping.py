"""What ``ports.Runner`` promises about stopping, killing and suspending, for every runner."""

from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path

import pytest

from actors.messages import ActionEnded, ActionSuspended
from actors.model import Isolation, OutcomeKind, StopReason
from tests.conformance.runners_under_test import World, can_kill, cannot_kill, only, with_ctx

# A stop that lands in a finaliser, which the garbage collector may run in any thread, is swallowed by
# Python with this warning, and comes again.
pytestmark = pytest.mark.filterwarnings("ignore:(?s).*AttemptStopped:pytest.PytestUnraisableExceptionWarning")

# --- told to stop --------------------------------------------------------------------------------


@with_ctx
@pytest.mark.parametrize("reason", list(StopReason))
def test_an_action_that_is_told_learns_why(world: World, reason: StopReason) -> None:
    attempt = world.start("waits")
    world.said(attempt)
    world.runner.interrupt(attempt, reason)

    outcome = world.ended(attempt)

    assert (outcome.kind, outcome.result, outcome.error) == (OutcomeKind.STOPPED, None, None)
    assert not outcome.killed
    assert world.ledger(attempt) == [f"stopped {reason} {reason} True"]


@pytest.mark.parametrize("behaviour", ["waits", "computes"])
def test_a_stop_takes_milliseconds_and_not_the_rest_of_a_sleep(world: World, behaviour: str) -> None:
    attempt = world.start(behaviour)
    world.said(attempt)
    begun = time.monotonic()
    world.runner.interrupt(attempt, StopReason.PREEMPT)

    assert world.ended(attempt).kind is OutcomeKind.STOPPED
    assert time.monotonic() - begun < 2.0


@only(Isolation.PROCESS)
def test_a_stop_interrupts_a_blocking_call(world: World) -> None:
    attempt = world.start("waits_in_c")
    world.said(attempt)
    world.runner.interrupt(attempt, StopReason.PREEMPT)

    assert world.ended(attempt).kind is OutcomeKind.STOPPED


def test_an_attempt_that_is_told_at_once_is_stopped_wherever_it_has_come_to(world: World) -> None:
    for _ in range(20):
        attempt = world.start("waits")
        world.runner.interrupt(attempt, StopReason.PREEMPT)

        assert world.ended(attempt).kind is OutcomeKind.STOPPED


@cannot_kill
def test_an_attempt_that_is_told_before_it_begins_never_begins(world: World) -> None:
    """A busy loop has not come to it; a thread may be quicker, and then it has begun."""
    busy = world.start("stays")
    world.said(busy)
    attempt = world.start("waits")
    world.runner.interrupt(attempt, StopReason.PREEMPT)
    world.release()

    outcome = world.ended(attempt)

    assert outcome.kind is OutcomeKind.STOPPED
    if world.subject.isolation is Isolation.ASYNC:
        assert outcome.began is None
        assert world.ledger(attempt) == []


def test_a_second_stop_changes_nothing(world: World) -> None:
    attempt = world.start("waits")
    world.said(attempt)
    world.runner.interrupt(attempt, StopReason.PREEMPT)
    world.runner.interrupt(attempt, StopReason.SHUTDOWN)

    assert world.ended(attempt).kind is OutcomeKind.STOPPED
    if world.subject.isolation is not Isolation.COMMAND:
        assert world.ledger(attempt) == ["stopped preempt preempt True"]


def test_a_completion_that_wins_the_race_is_a_completion(world: World) -> None:
    attempt = world.start("finishes_anyway")
    world.said(attempt)
    world.runner.interrupt(attempt, StopReason.PREEMPT)

    outcome = world.ended(attempt)

    assert (outcome.kind, outcome.result) == (OutcomeKind.COMPLETED, "finished all the same")


@with_ctx
def test_cleaning_up_is_not_interrupted_and_its_checkpoints_count(world: World) -> None:
    attempt = world.start("cleans_up")
    world.said(attempt)
    for _ in range(3):
        world.runner.interrupt(attempt, StopReason.PREEMPT)

    outcome = world.ended(attempt)

    assert outcome.kind is OutcomeKind.STOPPED
    assert outcome.checkpoint == {"rows": 3}
    assert world.ledger(attempt) == ["cleaned up"]


@with_ctx
def test_a_shield_holds_the_stop_off_until_it_is_left(world: World) -> None:
    attempt = world.start("shields")
    world.said(attempt)
    world.runner.interrupt(attempt, StopReason.PREEMPT)

    outcome = world.ended(attempt)

    assert outcome.kind is OutcomeKind.STOPPED
    assert outcome.checkpoint == {"safe": True}
    assert world.ledger(attempt) == ["shielded to the end"]


@with_ctx
def test_a_stop_that_is_swallowed_comes_again(world: World) -> None:
    attempt = world.start("swallows", times=3)
    world.said(attempt)
    world.runner.interrupt(attempt, StopReason.TIMEOUT)

    assert world.ended(attempt).kind is OutcomeKind.STOPPED
    assert world.ledger(attempt) == ["swallowed 0", "swallowed 1", "swallowed 2"]


@with_ctx
def test_stops_that_come_again_fall_into_step_with_nothing(world: World) -> None:
    """One that keeps step is swallowed for ever by a destructor that comes round as often."""
    attempt = world.start("swallows_in_step")
    world.said(attempt)
    world.runner.interrupt(attempt, StopReason.PREEMPT)

    assert world.ended(attempt).kind is OutcomeKind.STOPPED


@with_ctx
def test_a_generator_is_stopped_at_its_yield(world: World) -> None:
    attempt = world.start("yields", numbers=[1, 2], wait=True)
    world.said(attempt)
    world.runner.interrupt(attempt, StopReason.PREEMPT)

    outcome = world.ended(attempt)

    assert (outcome.kind, outcome.checkpoint) == (OutcomeKind.STOPPED, {"number": 2})


@with_ctx
def test_a_stop_that_a_library_wraps_in_its_own_error_is_a_stop(world: World) -> None:
    attempt = world.start("wraps")
    world.said(attempt)
    world.runner.interrupt(attempt, StopReason.PREEMPT)

    assert world.ended(attempt).kind is OutcomeKind.STOPPED


@with_ctx
def test_an_error_while_cleaning_up_is_a_failure(world: World) -> None:
    attempt = world.start("fails_cleaning_up")
    world.said(attempt)
    world.runner.interrupt(attempt, StopReason.PREEMPT)

    outcome = world.ended(attempt)

    assert outcome.kind is OutcomeKind.FAILED
    assert outcome.error is not None
    assert outcome.error.message == "the disk is full"


def test_a_stop_never_hits_the_attempt_that_follows(world: World) -> None:
    """Stops are aimed at attempts that are just ending, on workers that are used again at once."""
    chance = random.Random(11)
    # A worker process takes a while to be stopped, so fewer rounds there.
    rounds = 40 if world.runner.can_kill else 400
    previous = None
    for number in range(1, rounds):
        attempt = world.start("gives", task=1, number=number, value=number)
        if previous is not None:
            world.runner.interrupt(previous, StopReason.PREEMPT)
        if chance.random() < 0.5:
            wait = threading.Event()
            wait.wait(chance.random() * 0.0005)
            world.runner.interrupt(attempt, StopReason.PREEMPT)
            outcome = world.ended(attempt)
            assert outcome.kind in (OutcomeKind.COMPLETED, OutcomeKind.STOPPED)
            assert outcome.result == (number if outcome.kind is OutcomeKind.COMPLETED else None)
        else:
            assert world.ended(attempt).result == number
        previous = attempt


# --- killed --------------------------------------------------------------------------------------


@can_kill
@pytest.mark.parametrize("behaviour", ["stays", "blocks_all_signals"])
def test_a_kill_ends_any_code_and_keeps_the_checkpoint(world: World, behaviour: str) -> None:
    attempt = world.start(behaviour)
    world.said(attempt)
    world.runner.interrupt(attempt, StopReason.PREEMPT)
    world.nothing_more(attempt)
    world.runner.kill(attempt)

    outcome = world.ended(attempt)

    assert (outcome.kind, outcome.killed) == (OutcomeKind.STOPPED, True)
    assert outcome.began is not None
    if world.subject.isolation is Isolation.PROCESS:
        assert outcome.checkpoint == {"rows": 7}
    assert world.ended(world.start("gives", value="next")).result == "next"


@can_kill
def test_a_kill_ends_all_processes_of_the_attempt(world: World) -> None:
    attempt = world.start("has_children")
    world.said(attempt)
    children = [int(line.split()[1]) for line in world.ledger(attempt)]
    assert len(children) == 2
    assert all(Path("/proc", str(pid)).exists() for pid in children)

    world.runner.kill(attempt)
    world.ended(attempt)

    assert [pid for pid in children if alive(pid)] == []


def alive(pid: int) -> bool:
    try:
        return Path("/proc", str(pid), "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@cannot_kill
def test_where_nothing_can_be_killed_a_kill_does_nothing(world: World) -> None:
    attempt = world.start("waits")
    world.said(attempt)
    world.runner.kill(attempt)
    world.runner.suspend(attempt)
    world.runner.resume(attempt, world.report("second"))

    world.nothing_more(attempt)
    world.runner.interrupt(attempt, StopReason.CANCEL)
    world.ended(attempt)
    assert set(world.told[attempt].to) == {"first"}


# --- suspended -----------------------------------------------------------------------------------


@can_kill
def test_a_suspended_attempt_stands_still_until_it_is_resumed(world: World) -> None:
    attempt = world.start("counts")
    world.said(attempt)
    world.runner.suspend(attempt)
    world.suspended(attempt)
    then = len(world.ledger(attempt))
    world.nothing_more(attempt)
    assert len(world.ledger(attempt)) == then

    world.runner.resume(attempt, world.report("second"))
    world.release()

    outcome = world.ended(attempt)
    assert outcome.kind is OutcomeKind.COMPLETED
    # No work was lost and none was done twice.
    lines = world.ledger(attempt)
    assert lines == [f"at {number}" for number in range(1, len(lines) + 1)]
    assert outcome.result == len(lines)
    assert world.told[attempt].to[-1] == "second"


@can_kill
def test_a_suspended_attempt_can_be_killed(world: World) -> None:
    attempt = world.start("stays")
    world.said(attempt)
    world.runner.suspend(attempt)
    world.suspended(attempt)
    world.runner.kill(attempt)

    outcome = world.ended(attempt)
    assert (outcome.kind, outcome.killed) == (OutcomeKind.STOPPED, True)


@can_kill
def test_an_attempt_suspended_and_resumed_many_times_loses_nothing(world: World) -> None:
    attempt = world.start("counts")
    world.said(attempt)
    for number in range(10):
        world.runner.suspend(attempt)
        world.until(lambda number=number: count(world, attempt) == number + 1, "suspension")  # type: ignore[misc]
        world.runner.resume(attempt, world.report(str(number)))
    world.release()

    assert world.ended(attempt).result == len(world.ledger(attempt))


def count(world: World, attempt: object) -> int:
    told = next(each for key, each in world.told.items() if key == attempt)
    return sum(isinstance(each, ActionSuspended) for each in told.messages)


@can_kill
def test_what_ends_before_it_is_suspended_is_reported_as_ended(world: World) -> None:
    for _ in range(10):
        attempt = world.start("gives", value=1)
        world.runner.suspend(attempt)
        world.until(lambda attempt=attempt: world.told[attempt].messages, "suspension or end")  # type: ignore[misc]
        if isinstance(world.told[attempt].messages[-1], ActionSuspended):
            world.runner.resume(attempt, world.report("second"))
        assert world.ended(attempt).result == 1
        ends = [each for each in world.told[attempt].messages if isinstance(each, ActionEnded)]
        assert len(ends) == 1


@only(Isolation.PROCESS)
def test_a_suspended_attempt_that_dies_is_reported_when_it_is_resumed(world: World) -> None:
    attempt = world.start("has_pid")
    world.said(attempt)
    world.runner.suspend(attempt)
    world.suspended(attempt)
    os.kill(int(world.ledger(attempt)[0]), 9)
    world.nothing_more(attempt)
    world.runner.resume(attempt, world.report("second"))

    assert world.ended(attempt).kind is OutcomeKind.LOST
    assert world.told[attempt].to[-1] == "second"
