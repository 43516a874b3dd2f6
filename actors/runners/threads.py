"""Attempts in threads of the engine's own process: the quickest start, the weakest stop.

A stop is raised in a thread by injection: the interpreter raises it at the next bytecode of
that thread. It cannot interrupt a C call: ``time.sleep``, a query or ``recv`` run to their end
first (``ctx.sleep`` does not), and nothing can be killed. A thread that does not end is left to
itself; the next attempt takes another.
"""

from __future__ import annotations

import ctypes
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import Context as Variables
from threading import get_ident

from actors.errors import AttemptStopped
from actors.messages import ActionEnded, ActionNoted, Note
from actors.model import AttemptId, ErrorInfo, Instant, Job, Outcome, OutcomeKind, StopReason
from actors.ports import Clock, Report
from actors.runners.context import MAX_BYTES
from actors.runners.driving import Action, Execution
from actors.runners.failures import describe
from actors.runners.notes import Mailbox
from actors.runners.pauses import pauses
from actors.runners.stopping import Control

REPEAT_S, REPEAT_MAX_S = 0.02, 1.0
"""From the shortest to the longest pause before a stop that was not followed by the end is injected again."""

_api = ctypes.PyDLL(None)
_inject = _api.PyThreadState_SetAsyncExc
_inject.argtypes, _inject.restype = (ctypes.c_ulong, ctypes.py_object), ctypes.c_int


def _injectable(why: StopReason) -> type[AttemptStopped]:
    """A class per reason: what is injected is a class, which the interpreter calls without arguments."""

    class Injected(AttemptStopped):
        def __init__(self, reason: StopReason = why) -> None:
            super().__init__(reason)

    Injected.__name__ = Injected.__qualname__ = AttemptStopped.__name__
    Injected.__module__ = AttemptStopped.__module__
    return Injected


_INJECTED: Mapping[StopReason, type[AttemptStopped]] = {reason: _injectable(reason) for reason in StopReason}


class _Lowered(BaseException):
    """A thread injects it into itself and catches it on the spot: so the interpreter's flag is lowered.

    CPython 3.11 has one flag for all threads. Each injection raises it, also one that takes another back (of
    NULL), and only an exception that rises lowers it. While it is up every check of every thread takes the
    slow way, and a thread that is traced (by a debugger, by coverage) can begin no function: it looks at the
    flag for ever. A thread that a stop is on its way to raises the flag again as soon as it takes the GIL.
    """


def _lower_flag() -> None:
    me = get_ident()
    try:
        while _inject(me, _Lowered):
            pass
    except _Lowered:
        return


class ThreadControl(Control):
    """Injects the stop into the action's thread, under a lock that says it still runs this attempt.

    Only the action's thread writes ``inside`` and ``held``, by plain stores without the lock.
    Whoever tells writes ``reason`` first and reads them afterwards; the action's thread reads
    ``reason`` after it has written them, and if it is set takes the lock and takes back what
    may have been injected (``settle``). One of the two always sees the other.
    """

    __slots__ = ("_lock", "_next", "_pause", "_pauses")

    def __init__(self, now: Callable[[], Instant]) -> None:
        super().__init__(now)
        self._lock = threading.Lock()
        self._next = 0.0
        self._pauses = pauses(REPEAT_S, REPEAT_MAX_S)
        self._pause = REPEAT_S

    def tell(self, reason: StopReason) -> None:
        with self._lock:
            first = self.reason is None
            if first:
                self.reason = reason
                self._raise_there()
        if not first:
            self.tell_again()
        self._wake()
        if self.side is not None:
            self.side.cancel()

    def tell_again(self) -> float:
        """Inject again if the last one was swallowed; return the instant to look again (``time.monotonic``)."""
        with self._lock:
            if time.monotonic() >= self._next and not _handles_stop(self.thread, self):
                self._raise_there()
            return self._next

    def settle(self) -> None:
        if self.reason is None:
            return
        # Before the lock: once it is held, taking back must be the first call, as a stop lands after any call.
        me = get_ident()
        with self._lock:
            try:
                while _inject(me, _Lowered):  # In the place of what was on its way; it rises as the call returns.
                    pass
            except _Lowered:
                pass
            self._next = time.monotonic() + self._pause

    def _raise_there(self) -> None:
        """Inject, unless the thread is in code that may not be stopped. The lock is held."""
        self._pause = next(self._pauses)
        self._next = time.monotonic() + self._pause
        if self.reason is None or not self.inside or self.held or self.shielded() or self.side is not None:
            return
        # 0: there is no such thread any more, and so nothing to stop.
        _inject(self.thread, _INJECTED[self.reason])
        if self.thread != get_ident():
            _lower_flag()


def _handles_stop(thread: int, control: Control) -> bool:
    """Whether that thread is in an ``except`` or ``finally`` that handles the stop."""
    handled: object = sys._current_exceptions().get(thread)
    error = handled[1] if isinstance(handled, tuple) else handled  # an exception alone from Python 3.12 on
    return isinstance(error, BaseException) and control.chained_stop(error)


class _Run:
    """One attempt, from ``start`` to its report."""

    __slots__ = ("action", "control", "job", "notes", "over", "report")

    def __init__(self, job: Job, action: Action, report: Report, control: ThreadControl) -> None:
        self.job = job
        self.action = action
        self.report = report
        self.control = control
        self.notes = Mailbox(self._emit)
        self.over = False

    def _emit(self, note: Note) -> None:
        self.report(ActionNoted(self.job.attempt, note))


class _Seat:
    """A thread that runs one attempt after the other."""

    __slots__ = ("inbox", "thread")

    def __init__(self, name: str, serve: Callable[[_Seat], None]) -> None:
        self.inbox: queue.SimpleQueue[_Run | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=serve, args=(self,), name=name, daemon=True)


class ThreadRunner:
    """Runs attempts in daemon threads, which are reused; the last to become idle goes first.

    ``actions`` has the functions by the names that tasks use. There are as many threads as
    attempts ever ran at once. ``AttemptStopped`` may rise at any line of the action that is not
    under ``ctx.shield()``; what swallows it gets it again. A coroutine action runs in an event
    loop of its own and is stopped at its next ``await``.
    """

    can_kill = False
    can_suspend = False

    def __init__(
        self, actions: Mapping[str, Action], *, clock: Clock, max_bytes: int = MAX_BYTES, name: str = "actors-thread"
    ) -> None:
        self._actions = actions
        self._now = clock.now
        self._max_bytes = max_bytes
        self._name = name
        self._lock = threading.Lock()
        """Between ``start`` and ``close``: no attempt goes to a thread that was told to end."""
        self._seats: list[_Seat] = []
        self._idle: list[_Seat] = []
        self._runs: dict[AttemptId, _Run] = {}
        self._told: queue.SimpleQueue[_Run | None] = queue.SimpleQueue()
        self._repeater: threading.Thread | None = None
        self._closed = False
        self._over = False

    def start(self, job: Job, report: Report) -> None:
        action = self._actions.get(job.task.action or "")
        if action is None:
            error = ErrorInfo("LookupError", f"no function was given for action {job.task.action!r}", retryable=False)
            report(ActionEnded(job.attempt, Outcome(OutcomeKind.FAILED, error=error, ended=self._now())))
            return
        run = _Run(job, action, report, ThreadControl(self._now))
        with self._lock:
            if not self._closed:
                self._runs[job.attempt] = run
                seat = self._idle.pop() if self._idle else self._grow()
                seat.inbox.put(run)
                return
        report(ActionEnded(job.attempt, Outcome(OutcomeKind.STOPPED, ended=self._now())))

    def interrupt(self, attempt: AttemptId, reason: StopReason) -> None:
        """Raise the stop in the action; again and again, ever more slowly, until it ends."""
        run = self._runs.get(attempt)
        if run is None:
            return
        told = run.control.reason is not None
        run.control.tell(reason)
        if not told and not run.over:
            self._repeat(run)

    def kill(self, attempt: AttemptId) -> None:
        """Do nothing: a thread cannot be killed."""

    def suspend(self, attempt: AttemptId) -> None:
        """Do nothing: a thread cannot be suspended."""

    def resume(self, attempt: AttemptId, report: Report) -> None:
        """Do nothing: a thread cannot be suspended."""

    def began(self, attempt: AttemptId) -> Instant | None:
        run = self._runs.get(attempt)
        return run.control.began if run is not None else None

    def credit(self, attempt: AttemptId) -> None:
        run = self._runs.get(attempt)
        if run is not None:
            run.notes.credit()

    def abandon(self, attempt: AttemptId) -> None:
        """Nothing to do: its thread is not idle before it ends, so what follows takes another."""

    def close(self, deadline: Instant) -> Sequence[str]:
        """Stop everything; return the task ids of the threads that are still busy at the deadline."""
        with self._lock:
            self._closed = True
            seats = list(self._seats)
        for attempt in list(self._runs):
            self.interrupt(attempt, StopReason.SHUTDOWN)
        for seat in seats:
            seat.inbox.put(None)
        for seat in seats:
            seat.thread.join(max(0.0, (deadline - self._now()) / 1e9))
        left = [run.job.task_id for run in list(self._runs.values())]
        with self._lock:
            self._over = True
            repeater = self._repeater
        if repeater is not None:
            self._told.put(None)
            repeater.join(max(REPEAT_S, (deadline - self._now()) / 1e9))
        return left

    def _serve(self, seat: _Seat) -> None:
        while (run := seat.inbox.get()) is not None:
            try:
                # Context variables that an action sets are gone with it.
                outcome = Variables().run(self._run, run)
            except BaseException as error:  # noqa: BLE001 - ours, and still the attempt's end must be reported
                outcome = Outcome(OutcomeKind.FAILED, error=describe(error), ended=self._now())
            run.over = True
            del self._runs[run.job.attempt]
            report, ended = run.report, ActionEnded(run.job.attempt, outcome)
            del run, outcome
            # Idle before the report, which brings the next attempt: it is to find this thread, the warmest.
            self._idle.append(seat)
            report(ended)
            del report, ended

    def _run(self, run: _Run) -> Outcome:
        execution = Execution(run.job, run.action, notes=run.notes, control=run.control, max_bytes=self._max_bytes)
        return execution.run()

    def _grow(self) -> _Seat:
        seat = _Seat(f"{self._name}-{len(self._seats)}", self._serve)
        self._seats.append(seat)
        seat.thread.start()
        return seat

    def _repeat(self, run: _Run) -> None:
        """Have the stop repeated. The thread for that starts with the first stop ever, and blocks when idle."""
        with self._lock:
            if self._repeater is None and not self._over:
                self._repeater = threading.Thread(target=self._watch, name=f"{self._name}-repeater", daemon=True)
                self._repeater.start()
        self._told.put(run)

    def _watch(self) -> None:
        told: list[_Run] = []
        pause: float | None = None
        while True:
            try:
                run = self._told.get(timeout=pause)
            except queue.Empty:
                run = None
            else:
                if run is None:
                    return
                told.append(run)
            del run
            told = [run for run in told if not run.over]
            upcoming = [run.control.tell_again() for run in told]
            pause = max(0.0, min(upcoming) - time.monotonic()) if upcoming else None
