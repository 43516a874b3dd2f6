"""What the thread runner promises beyond the contract: warm threads, exact injection."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

from actors.clock import SystemClock
from actors.errors import AttemptStopped
from actors.model import AttemptId, Isolation, OutcomeKind, StopReason
from actors.runners.context import Context
from actors.runners.threads import ThreadRunner
from tests.conformance.runners_under_test import Subject, World

Make = Callable[..., World]
VARIABLE: ContextVar[int] = ContextVar("variable", default=0)


@pytest.fixture
def threads(tmp_path: Path) -> Iterator[Make]:
    """``threads(act=function, ...)`` is a world whose runner has these actions."""
    worlds: list[World] = []

    def make(**actions: Callable[[Context], Any]) -> World:
        subject = Subject("threads", Isolation.THREAD, lambda: ThreadRunner(actions, clock=SystemClock()))
        worlds.append(World(subject, tmp_path))
        return worlds[-1]

    yield make
    for world in worlds:
        world.release()
        assert world.close() == []
        world.check()


def spin(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        sum(range(50))


def test_attempts_one_after_the_other_run_in_the_same_thread(threads: Make) -> None:
    world = threads(act=lambda _ctx: threading.get_ident())

    idents = {world.ended(world.start("act")).result for _ in range(50)}

    assert len(idents) == 1


def test_there_are_as_many_threads_as_attempts_ever_ran_at_once(threads: Make) -> None:
    meet = threading.Barrier(4)

    def act(_ctx: Context) -> int:
        meet.wait(10)
        return threading.get_ident()

    world = threads(act=act)
    idents = set()
    for _ in range(5):
        attempts = [world.start("act") for _ in range(4)]
        idents |= {world.ended(attempt).result for attempt in attempts}

    assert len(idents) == 4


def test_context_variables_of_one_attempt_are_not_the_next_ones(threads: Make) -> None:
    def act(_ctx: Context) -> int:
        VARIABLE.set(VARIABLE.get() + 1)
        return VARIABLE.get()

    world = threads(act=act)

    assert [world.ended(world.start("act")).result for _ in range(3)] == [1, 1, 1]


def test_a_long_clean_up_is_left_in_peace_however_often_it_is_told(threads: Make) -> None:
    """The stop is repeated meanwhile; it must not rise in code that handles it."""

    def act(ctx: Context) -> None:
        ctx.log.info("here")
        try:
            spin(60)
        finally:
            spin(0.1)
            try:
                raise KeyError("within")
            except KeyError:
                spin(0.1)
            ctx.checkpoint("clean")

    world = threads(act=act)
    attempt = world.start("act")
    world.said(attempt)
    end = time.monotonic() + 10
    while world.told[attempt].outcome is None and time.monotonic() < end:
        world.runner.interrupt(attempt, StopReason.PREEMPT)
        world.nothing_or_end(attempt)

    outcome = world.ended(attempt)
    assert (outcome.kind, outcome.checkpoint) == (OutcomeKind.STOPPED, "clean")


def test_a_shield_is_respected_however_often_it_is_told(threads: Make) -> None:
    lines: list[str] = []

    def act(ctx: Context) -> None:
        ctx.log.info("here")
        while not ctx.cancelled:
            with ctx.shield():
                spin(0.1)
                lines.append("whole")
        lines.append("not reached")

    world = threads(act=act)
    attempt = world.start("act")
    world.said(attempt)
    end = time.monotonic() + 10
    while world.told[attempt].outcome is None and time.monotonic() < end:
        world.runner.interrupt(attempt, StopReason.PREEMPT)
        world.nothing_or_end(attempt)

    assert world.ended(attempt).kind is OutcomeKind.STOPPED
    assert lines
    assert set(lines) == {"whole"}


def test_a_stop_that_meets_a_checkpoint_rises_once(threads: Make) -> None:
    """An injected stop and the safe point's own, at the same moment, are one."""

    def act(ctx: Context) -> Any:
        twice = False
        ctx.log.info("here")
        try:
            while True:
                ctx.checkpoint(1)
        except AttemptStopped:
            try:
                spin(0.001)
            except AttemptStopped:
                twice = True
        return twice

    world = threads(act=act)
    for _ in range(100):
        attempt = world.start("act")
        world.said(attempt)
        world.runner.interrupt(attempt, StopReason.PREEMPT)
        outcome = world.ended(attempt)
        assert (outcome.kind, outcome.result) == (OutcomeKind.COMPLETED, False)


def test_a_stop_at_any_instant_leaves_a_whole_outcome_and_a_sound_thread(threads: Make) -> None:
    """Short actions, stops at every distance from their end: each completes whole or stops, none is mixed up."""

    def act(ctx: Context) -> dict[str, int]:
        total = 0
        for number in range(ctx.params["rounds"]):
            total += number
            if number % 7 == 0:
                ctx.checkpoint(number)
        return {"rounds": ctx.params["rounds"], "total": total}

    world = threads(act=act)
    kinds = set()
    pause = threading.Event()
    for number in range(1, 600):
        attempt = world.start("act", task=1, number=number, rounds=number % 40)
        pause.wait(number % 30 * 0.00002)
        world.runner.interrupt(attempt, StopReason.PREEMPT)
        outcome = world.ended(attempt)
        kinds.add(outcome.kind)
        rounds = number % 40
        if outcome.kind is OutcomeKind.COMPLETED:
            assert outcome.result == {"rounds": rounds, "total": sum(range(rounds))}
        else:
            assert (outcome.kind, outcome.result, outcome.error) == (OutcomeKind.STOPPED, None, None)
    assert kinds == {OutcomeKind.COMPLETED, OutcomeKind.STOPPED}
    # All of them ran in one thread, which is still there.
    assert len(world.runner._seats) == 1  # type: ignore[attr-defined]


def test_a_coroutine_in_a_thread_is_stopped_at_its_await(threads: Make) -> None:
    async def act(ctx: Context) -> None:
        ctx.log.info("here")
        await asyncio.sleep(60)

    world = threads(act=act)
    attempt = world.start("act")
    world.said(attempt)
    world.runner.interrupt(attempt, StopReason.PREEMPT)

    assert world.ended(attempt).kind is OutcomeKind.STOPPED


def test_a_blocking_call_is_not_interrupted_and_the_stop_rises_after_it(threads: Make) -> None:
    gate = threading.Lock()
    gate.acquire()
    lines: list[str] = []

    def act(ctx: Context) -> None:
        ctx.log.info("here")
        gate.acquire()
        lines.append("not reached")

    world = threads(act=act)
    attempt = world.start("act")
    world.said(attempt)
    world.runner.interrupt(attempt, StopReason.PREEMPT)
    world.nothing_more(attempt)
    gate.release()

    assert world.ended(attempt).kind is OutcomeKind.STOPPED
    assert lines == []


def test_an_attempt_stopped_for_one_task_leaves_another_of_the_same_kind_alone(threads: Make) -> None:
    def act(ctx: Context) -> None:
        ctx.log.info("here")
        while True:
            sum(range(50))

    world = threads(act=act)
    one, other = world.start("act"), world.start("act")
    world.said(one)
    world.said(other)
    world.runner.interrupt(one, StopReason.PREEMPT)
    assert world.ended(one).kind is OutcomeKind.STOPPED
    world.nothing_more(other)
    world.runner.interrupt(AttemptId(other.task, 99), StopReason.PREEMPT)
    world.nothing_more(other)
    world.runner.interrupt(other, StopReason.PREEMPT)
    assert world.ended(other).kind is OutcomeKind.STOPPED
