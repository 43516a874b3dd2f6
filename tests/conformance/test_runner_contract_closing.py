"""What ``ports.Runner`` promises about setting an attempt aside and about closing, for every runner."""

from __future__ import annotations

import time

from actors.model import Isolation, OutcomeKind, StopReason
from tests.conformance.runners_under_test import Subject, World, cannot_kill


@cannot_kill
def test_what_follows_an_abandoned_attempt_runs_while_that_still_does(world: World) -> None:
    stuck = world.start("stays")
    world.said(stuck)
    world.runner.interrupt(stuck, StopReason.TIMEOUT)
    world.runner.abandon(stuck)

    assert world.ended(world.start("gives", value="elsewhere")).result == "elsewhere"
    assert world.told[stuck].outcome is None
    world.release()
    assert world.ended(stuck).checkpoint == {"rows": 7}


def test_the_end_of_an_abandoned_attempt_is_still_reported(world: World) -> None:
    attempt = world.start("waits")
    world.said(attempt)
    world.runner.abandon(attempt)
    world.runner.interrupt(attempt, StopReason.CANCEL)

    assert world.ended(attempt).kind is OutcomeKind.STOPPED


def test_closing_ends_everything(world: World) -> None:
    attempts = [world.start("waits") for _ in range(3)]
    for attempt in attempts:
        world.said(attempt)

    assert world.close() == []

    # World.check finds one end for each, and the check after each test no thread and no process.
    assert all(world.told[attempt].outcome is not None for attempt in attempts)


def test_closing_a_runner_that_never_ran_anything_does_nothing(world: World) -> None:
    assert world.close() == []
    assert world.close() == []


def test_closing_again_does_nothing(world: World) -> None:
    world.ended(world.start("gives", value=1))

    assert world.close() == []
    assert world.close() == []


def test_what_is_started_after_closing_ends_without_beginning(world: World) -> None:
    world.close()

    outcome = world.ended(world.start("gives", value=1))

    assert outcome.kind in (OutcomeKind.STOPPED, OutcomeKind.LOST)
    assert outcome.began is None


@cannot_kill
def test_closing_returns_at_the_deadline_and_names_what_is_left(world: World) -> None:
    stuck = world.start("stays")
    world.said(stuck)
    begun = time.monotonic()

    left = world.close(seconds=0.1)

    assert left == [world.told[stuck].job.task_id]
    assert time.monotonic() - begun < 5
    world.release()
    world.ended(stuck)


def test_a_runner_says_what_it_can(subject: Subject, world: World) -> None:
    strong = subject.isolation in (Isolation.PROCESS, Isolation.COMMAND)

    assert (world.runner.can_kill, world.runner.can_suspend) == (strong, strong)
