"""Where the stop may be raised and where not, with a signal as the one who tells."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from actors.errors import AttemptStopped, RequestError
from actors.model import OutcomeKind, StopReason
from actors.runners.context import Context
from actors.runners.driving import Execution
from actors.runners.notes import Mailbox
from actors.runners.stopping import Control
from tests.runners.attempts_at_hand import execution, job

Signalled = Callable[[Control], None]


@pytest.fixture
def listen() -> Iterator[Signalled]:
    """``listen(control)``: from now on SIGUSR1 tells that attempt to stop, as in a worker."""
    before = signal.getsignal(signal.SIGUSR1)

    def listen(control: Control) -> None:
        def handle(_number: int, _frame: Any) -> None:
            control.tell(StopReason.PREEMPT)
            control.raise_here()

        signal.signal(signal.SIGUSR1, handle)

    yield listen
    signal.signal(signal.SIGUSR1, before)


def stop_me() -> None:
    os.kill(os.getpid(), signal.SIGUSR1)


def run(listen: Signalled, action: Callable[[Context], Any]) -> Any:
    at_hand = execution(action)
    listen(at_hand.control)
    return at_hand.run()


def test_a_signal_raises_right_where_the_action_is(listen: Signalled) -> None:
    lines: list[str] = []

    def act(_ctx: Context) -> None:
        lines.append("before")
        stop_me()
        lines.append("after")

    outcome = run(listen, act)

    assert (outcome.kind, lines) == (OutcomeKind.STOPPED, ["before"])


def test_a_signal_after_the_action_has_returned_raises_nothing(listen: Signalled) -> None:
    at_hand = execution(lambda _ctx: "done")
    listen(at_hand.control)
    outcome = at_hand.run()
    stop_me()

    assert outcome.result == "done"


def test_a_signal_before_the_first_line_means_it_never_runs(listen: Signalled) -> None:
    ran: list[int] = []
    at_hand = execution(lambda _ctx: ran.append(1))
    listen(at_hand.control)
    stop_me()

    outcome = at_hand.run()

    assert (outcome.kind, outcome.began, ran) == (OutcomeKind.STOPPED, None, [])


class ToldAtTheLastInstant(Control):
    """Told after the driver has looked for the last time, and before the first line."""

    _inside = False

    @property
    def inside(self) -> bool:
        return self._inside

    @inside.setter
    def inside(self, value: bool) -> None:
        if value:
            self.tell(StopReason.PREEMPT)
        self._inside = value


def test_an_action_told_at_the_last_instant_does_not_run_its_first_line() -> None:
    ran: list[int] = []

    outcome = execution(lambda _ctx: ran.append(1), control=ToldAtTheLastInstant()).run()

    assert (outcome.kind, ran) == (OutcomeKind.STOPPED, [])


class Swallowing:
    """An object whose end swallows whatever is raised in it, as Python does in ``__del__``."""

    def __del__(self) -> None:
        stop_me()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_stop_swallowed_by_a_finaliser_is_raised_by_the_next_signal(listen: Signalled) -> None:
    lines: list[str] = []

    def act(_ctx: Context) -> None:
        thing = Swallowing()
        del thing
        lines.append("swallowed")
        stop_me()
        lines.append("not reached")

    outcome = run(listen, act)

    assert (outcome.kind, lines) == (OutcomeKind.STOPPED, ["swallowed"])


def test_signals_do_not_disturb_the_cleaning_up(listen: Signalled) -> None:
    lines: list[str] = []

    def act(ctx: Context) -> None:
        try:
            stop_me()
        finally:
            stop_me()
            ctx.checkpoint({"rows": 1})
            try:
                raise KeyError("in the cleaning up")
            except KeyError:
                stop_me()
            lines.append("clean")

    outcome = run(listen, act)

    assert (outcome.kind, outcome.checkpoint, lines) == (OutcomeKind.STOPPED, {"rows": 1}, ["clean"])


def test_a_swallowed_stop_rises_at_the_next_safe_point(listen: Signalled) -> None:
    def act(ctx: Context) -> None:
        for number in range(1, 4):
            try:
                ctx.checkpoint(number)
                stop_me()
            except AttemptStopped:
                continue
        ctx.checkpoint("end")

    outcome = run(listen, act)

    # The value is kept, and then the stop rises.
    assert (outcome.kind, outcome.checkpoint) == (OutcomeKind.STOPPED, "end")


class Interrupted(Mailbox):
    def checkpoint(self, value: Any) -> None:
        stop_me()
        super().checkpoint(value)


def test_a_signal_in_the_middle_of_a_checkpoint_does_not_cut_it_short(listen: Signalled) -> None:
    lines: list[str] = []

    def act(ctx: Context) -> None:
        ctx.checkpoint({"rows": 1})
        lines.append("not reached")

    control = Control()
    listen(control)
    outcome = Execution(job(), act, notes=Interrupted(lambda _note: None), control=control).run()

    assert (outcome.kind, outcome.checkpoint, lines) == (OutcomeKind.STOPPED, {"rows": 1}, [])


def test_shields_may_be_nested_and_the_outermost_counts(listen: Signalled) -> None:
    lines: list[str] = []

    def act(ctx: Context) -> None:
        with ctx.shield():
            with ctx.shield():
                stop_me()
                lines.append("inner")
            lines.append("outer")
        lines.append("not reached")

    outcome = run(listen, act)

    assert (outcome.kind, lines) == (OutcomeKind.STOPPED, ["inner", "outer"])


def test_an_error_that_leaves_a_shield_is_not_replaced_by_the_stop(listen: Signalled) -> None:
    def act(ctx: Context) -> None:
        with ctx.shield():
            stop_me()
            raise ValueError("mine")

    outcome = run(listen, act)

    assert outcome.kind is OutcomeKind.FAILED
    assert outcome.error.message == "mine"


def test_a_shield_of_a_helper_thread_does_not_shield_the_action(listen: Signalled) -> None:
    entered, leave = threading.Event(), threading.Event()

    def helper(ctx: Context) -> None:
        with contextlib.suppress(AttemptStopped), ctx.shield():
            entered.set()
            leave.wait(10)

    def act(ctx: Context) -> None:
        thread = threading.Thread(target=helper, args=(ctx,))
        thread.start()
        try:
            entered.wait(10)
            stop_me()
        finally:
            leave.set()
            thread.join()

    assert run(listen, act).kind is OutcomeKind.STOPPED


def test_everybody_who_sleeps_wakes(listen: Signalled) -> None:
    woken: list[str] = []
    asleep = threading.Semaphore(0)

    def helper(ctx: Context) -> None:
        asleep.release()
        try:
            ctx.sleep(60)
        except AttemptStopped:
            woken.append("helper")

    def act(ctx: Context) -> None:
        threads = [threading.Thread(target=helper, args=(ctx,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in threads:
            asleep.acquire()
        killer = threading.Timer(0.02, stop_me)
        killer.start()
        try:
            ctx.sleep(60)
        finally:
            killer.join()
            for thread in threads:
                thread.join()

    begun = time.monotonic()
    assert run(listen, act).kind is OutcomeKind.STOPPED
    assert woken == ["helper"] * 3
    assert time.monotonic() - begun < 10


def test_a_sleep_that_nobody_ends_takes_its_time() -> None:
    def act(ctx: Context) -> float:
        begun = time.monotonic()
        ctx.sleep(0.02)
        return time.monotonic() - begun

    assert execution(act).run().result >= 0.02


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), "1", None, True])
def test_a_sleep_of_no_length_in_time_is_refused(seconds: Any) -> None:
    def act(ctx: Context) -> None:
        with pytest.raises(RequestError, match=r"ctx\.sleep takes seconds"):
            ctx.sleep(seconds)

    assert execution(act).run().kind is OutcomeKind.COMPLETED


def test_the_first_reason_stays() -> None:
    control = Control()
    control.tell(StopReason.PREEMPT)
    control.tell(StopReason.SHUTDOWN)

    assert control.reason is StopReason.PREEMPT
