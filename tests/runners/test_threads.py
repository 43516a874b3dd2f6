"""What the thread runner promises beyond the contract: warm threads, exact injection."""

from __future__ import annotations

import asyncio
import inspect
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

from actors.clock import SystemClock
from actors.errors import AttemptStopped
from actors.messages import ActionEnded, FromRunner
from actors.model import AttemptId, Isolation, Outcome, OutcomeKind, StopReason
from actors.runners.context import Context
from actors.runners.threads import ThreadControl, ThreadRunner, _inject
from tests.conformance.runners_under_test import Subject, World
from tests.runners.attempts_at_hand import execution, job

Make = Callable[..., World]
# A stop that lands in a finaliser, which the garbage collector may run in any thread, is swallowed by
# Python with this warning, and comes again.
pytestmark = pytest.mark.filterwarnings("ignore:(?s).*AttemptStopped:pytest.PytestUnraisableExceptionWarning")

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


def test_the_thread_that_became_idle_last_is_taken_first(threads: Make) -> None:
    """Its caches are warm; in a line, every thread would be woken from a long sleep."""
    meet = threading.Barrier(4)

    def act(ctx: Context) -> int:
        if ctx.params["together"]:
            meet.wait(10)
        return threading.get_ident()

    world = threads(act=act)
    for attempt in [world.start("act", together=True) for _ in range(4)]:
        world.ended(attempt)
    idents = {world.ended(world.start("act", together=False)).result for _ in range(20)}

    assert len(idents) == 1


def test_what_a_report_starts_runs_in_the_thread_that_reports() -> None:
    runner = ThreadRunner({"act": lambda _ctx: threading.get_ident()}, clock=SystemClock())
    idents: list[int] = []
    over = threading.Event()

    def report(message: FromRunner) -> None:
        assert isinstance(message, ActionEnded)
        idents.append(message.outcome.result)
        if len(idents) < 10:
            runner.start(job(number=len(idents) + 1), report)
        else:
            over.set()

    runner.start(job(), report)
    assert over.wait(10)
    assert runner.close(time.monotonic_ns() + 10**10) == []

    assert len(set(idents)) == 1


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


def test_a_value_that_was_returned_is_kept_though_a_stop_was_on_its_way(threads: Make) -> None:
    """The action is one call into C: the stop can land only once it has returned, in our lines."""
    results: queue.SimpleQueue[str] = queue.SimpleQueue()
    world = threads(act=results.get)  # called with ``ctx``, which it takes for "block: yes"
    for _ in range(20):
        attempt = world.start("act")
        while world.runner.began(attempt) is None:
            spin(0.0001)
        world.nothing_or_end(attempt)
        world.runner.interrupt(attempt, StopReason.PREEMPT)
        results.put("worth keeping")

        outcome = world.ended(attempt)
        assert (outcome.kind, outcome.result) == (OutcomeKind.COMPLETED, "worth keeping")


@pytest.mark.parametrize("how", ["by checkpoint", "by yield"])
def test_a_stop_does_not_rise_in_a_report(threads: Make, how: str) -> None:
    """A note is reported from the action's thread; that is the engine's code."""

    def checkpoint(ctx: Context) -> None:
        ctx.checkpoint(1)
        spin(60)

    def generate(ctx: Context) -> Iterator[int]:
        yield 1
        spin(60)

    lines: list[str] = []
    runner = ThreadRunner({"act": checkpoint if how == "by checkpoint" else generate}, clock=SystemClock())
    ended = threading.Event()

    def report(message: FromRunner) -> None:
        telling = threading.Thread(target=runner.interrupt, args=(message.attempt, StopReason.PREEMPT))
        telling.start()
        telling.join()
        spin(0.05)
        lines.append(type(message).__name__)
        if isinstance(message, ActionEnded):
            lines.append(message.outcome.kind)
            ended.set()

    runner.start(job(), report)
    assert ended.wait(10)
    runner.close(time.monotonic_ns() + 10**9)

    assert lines == ["ActionNoted", "ActionEnded", "stopped"]


def waits_for_lock(thread: int) -> bool:
    """Whether that thread stands at the ``with`` of ``ThreadControl.settle``: it leaves the interpreter only there."""
    frame, settle = sys._current_frames().get(thread), ThreadControl.settle
    lines, first = inspect.getsourcelines(settle)
    line = first + next(number for number, text in enumerate(lines) if "with self._lock" in text)
    return frame is not None and frame.f_code is settle.__code__ and frame.f_lineno == line


def test_a_stop_under_way_is_taken_back_before_a_checkpoint_is_saved() -> None:
    """The one who tells has just seen that it may inject, when the action enters ``ctx.checkpoint``."""
    control = ThreadControl(time.monotonic_ns)
    begun, told = threading.Event(), threading.Event()
    outcomes: list[Outcome] = []

    def act(ctx: Context) -> None:
        begun.set()
        told.wait(10)
        ctx.checkpoint("saved")

    running = threading.Thread(target=lambda: outcomes.append(execution(act, control=control).run()))
    running.start()
    assert begun.wait(10)
    with control._lock:
        control.reason = StopReason.PREEMPT
        told.set()
        end = time.monotonic() + 10
        while not waits_for_lock(control.thread) and time.monotonic() < end:
            time.sleep(0)
        _inject(control.thread, AttemptStopped)
    running.join(10)

    assert [(each.kind, each.checkpoint) for each in outcomes] == [(OutcomeKind.STOPPED, "saved")]


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


def traced_calls() -> int:
    """How many functions a tracer sees begin, of the two that are called here."""
    begun: list[str] = []

    def traced() -> None:
        sys.settrace(lambda frame, _event, _argument: begun.append(frame.f_code.co_name))
        spin(0.001)
        spin(0.001)
        sys.settrace(None)

    tracing = threading.Thread(target=traced, daemon=True)
    tracing.start()
    tracing.join(5)
    stuck = tracing.is_alive()
    if stuck:
        with suppress(AttemptStopped):  # What rises lets it go.
            _inject(threading.get_ident(), AttemptStopped)
        tracing.join(5)
    assert not stuck, "it looks at the flag for ever"
    return len(begun)


@pytest.mark.parametrize("how", ["in its lines", "after its last line", "at a safe point"])
def test_whoever_traces_goes_on_after_an_attempt_was_stopped(threads: Make, how: str) -> None:
    """A debugger or coverage: CPython 3.11 lets them begin no function while its flag for injections is up."""
    results: queue.SimpleQueue[str] = queue.SimpleQueue()

    def act(ctx: Context) -> str:
        ctx.log.info("here")
        if how == "at a safe point":
            ctx.sleep(60)
        if how == "in its lines":
            spin(60)
        return results.get()

    world = threads(act=act)
    attempt = world.start("act")
    world.said(attempt)
    world.runner.interrupt(attempt, StopReason.PREEMPT)
    results.put("late")
    world.ended(attempt)

    assert traced_calls() == 2


def test_whoever_traces_goes_on_while_a_stop_waits_for_a_call_into_c(threads: Make) -> None:
    gate = threading.Lock()
    gate.acquire()

    def act(ctx: Context) -> None:
        ctx.log.info("here")
        gate.acquire()

    world = threads(act=act)
    attempt = world.start("act")
    world.said(attempt)
    world.runner.interrupt(attempt, StopReason.PREEMPT)

    begun = traced_calls()
    gate.release()

    assert begun == 2
    assert world.ended(attempt).kind is OutcomeKind.STOPPED
