"""Coroutine attempts: one event loop in one thread for all of them.

A coroutine is stopped by cancelling it, which it sees at its ``await``. One that computes
without awaiting, or makes a blocking call, blocks the loop and with it all others. When an
attempt is abandoned and its loop does not answer, the loop is given up:

- the attempt whose step blocks it stays there, and its end is reported when it comes;
- all others are cut off where they stand and reported as lost. They never run another line,
  not even a ``finally``, as if their process had been killed: their next step, if the old
  loop comes to it, waits for ever;
- those that had not begun, and what is started from then on, run in a new loop.
"""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import threading
from collections.abc import Mapping, Sequence
from contextvars import Context as Variables
from types import AsyncGeneratorType, CoroutineType

from actors.errors import EngineError
from actors.messages import ActionEnded, ActionNoted, Note
from actors.model import AttemptId, ErrorInfo, Instant, Job, Outcome, OutcomeKind, StopReason
from actors.ports import Clock, Report
from actors.runners.context import MAX_BYTES
from actors.runners.coroutines import CoroutineRun, adopting
from actors.runners.driving import Action, Execution
from actors.runners.notes import Mailbox
from actors.runners.stopping import Control

ANSWER_S = 0.2
"""A loop that takes longer than this to answer is blocked."""

_keep_for_ever = ctypes.PyDLL(None).Py_IncRef
_keep_for_ever.argtypes, _keep_for_ever.restype = (ctypes.py_object,), None


class _Home:
    """One loop, its thread, and the attempts that live there."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.loop.set_task_factory(adopting)
        self.lock = threading.Lock()
        """Guards what follows, and the beginning of every step."""
        self.runs: dict[AttemptId, _Run] = {}
        self.stepping: _Run | None = None
        """The attempt whose code runs right now."""
        self.given_up = False
        self.closing = False
        self.thread = threading.Thread(target=self._live, name=name, daemon=True)
        self.thread.start()

    def leave_when_empty(self) -> None:
        """In the loop: end the thread once nothing lives here any more and nothing will move in."""
        if self.closing and not self.runs:
            self.loop.stop()

    def _live(self) -> None:
        loop = self.loop
        try:
            while not (self.closing and not self.runs):
                try:
                    loop.run_forever()
                except (SystemExit, KeyboardInterrupt):
                    # Raised by a task that an action started; whoever awaits that task sees it.
                    continue
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            loop.close()


class _Run:
    """One attempt, from ``start`` to its report; the gate of its steps."""

    def __init__(self, job: Job, report: Report, execution: Execution, notes: Mailbox) -> None:
        self.job = job
        self.report = report
        self.execution = execution
        self.notes = notes
        self.home: _Home | None = None
        self.begun = False
        self.cut_off = False
        self.task: asyncio.Task[None] | None = None

    def enter(self) -> bool:
        assert self.home is not None
        with self.home.lock:
            if self.cut_off:
                return False
            self.home.stepping = self
            return True

    def leave(self) -> None:
        assert self.home is not None
        self.home.stepping = None


class EventLoopRunner:
    """Runs coroutine and async generator actions in one event loop, in a daemon thread.

    ``actions`` has the functions by the names that tasks use. What an action leaves running in
    the loop (tasks it created) is cancelled and awaited before its end is reported; threads it
    started by ``asyncio.to_thread`` are not waited for.
    """

    can_kill = False
    can_suspend = False

    def __init__(
        self, actions: Mapping[str, Action], *, clock: Clock, max_bytes: int = MAX_BYTES, name: str = "actors-loop"
    ) -> None:
        self._actions = actions
        self._now = clock.now
        self._max_bytes = max_bytes
        self._name = name
        self._lock = threading.Lock()
        """Guards where the next attempt moves in. Taken before a home's lock, never after."""
        self._home: _Home | None = None
        self._homes: list[_Home] = []
        self._runs: dict[AttemptId, _Run] = {}
        self._checks: list[threading.Thread] = []
        self._numbers = itertools.count()
        self._closed = False

    def start(self, job: Job, report: Report) -> None:
        action = self._actions.get(job.task.action or "")
        if action is None:
            error = ErrorInfo("LookupError", f"no function was given for action {job.task.action!r}", retryable=False)
            report(ActionEnded(job.attempt, Outcome(OutcomeKind.FAILED, error=error, ended=self._now())))
            return
        attempt = job.attempt

        def emit(note: Note) -> None:
            report(ActionNoted(attempt, note))

        notes, control = Mailbox(emit), Control(self._now)
        execution = Execution(job, action, notes=notes, control=control, max_bytes=self._max_bytes)
        self._move_in(_Run(job, report, execution, notes))

    def interrupt(self, attempt: AttemptId, reason: StopReason) -> None:
        """Cancel the coroutine; again from time to time, if it swallows that."""
        run = self._runs.get(attempt)
        if run is not None:
            run.execution.control.tell(reason)

    def kill(self, attempt: AttemptId) -> None:
        """Do nothing: a coroutine cannot be killed."""

    def suspend(self, attempt: AttemptId) -> None:
        """Do nothing: a coroutine cannot be suspended from outside."""

    def resume(self, attempt: AttemptId, report: Report) -> None:
        """Do nothing: a coroutine cannot be suspended from outside."""

    def began(self, attempt: AttemptId) -> Instant | None:
        run = self._runs.get(attempt)
        return run.execution.control.began if run is not None else None

    def credit(self, attempt: AttemptId) -> None:
        run = self._runs.get(attempt)
        if run is not None:
            run.notes.credit()

    def abandon(self, attempt: AttemptId) -> None:
        """Find out, in a thread for that, whether the attempt or its whole loop is stuck.

        An attempt that merely does not stop stays in its loop, which serves the others. A loop
        that does not answer is given up, as told at the top of this file.
        """
        run = self._runs.get(attempt)
        home = run.home if run is not None else None
        if home is None or home.given_up:
            return
        check = threading.Thread(target=self._check, args=(home,), name=f"{self._name}-check", daemon=True)
        with self._lock:
            self._checks = [*(thread for thread in self._checks if thread.is_alive()), check]
            check.start()

    def close(self, deadline: Instant) -> Sequence[str]:
        """Cancel everything; return the task ids of what is still there at the deadline."""
        with self._lock:
            self._closed = True
            homes, checks = list(self._homes), list(self._checks)
        for attempt in list(self._runs):
            self.interrupt(attempt, StopReason.SHUTDOWN)
        for home in homes:
            home.closing = True
            self._tell(home)
        for thread in (*checks, *(home.thread for home in homes)):
            thread.join(max(0.0, (deadline - self._now()) / 1e9))
        left = [run.job.task_id for run in list(self._runs.values())]
        # No attempt is left but its loop is: it waits for threads that actions started.
        return left or [home.thread.name for home in homes if home.thread.is_alive()]

    # --- moving in and out ---

    def _move_in(self, run: _Run) -> None:
        with self._lock:
            if not self._closed:
                home = self._home
                if home is None:
                    home = self._home = _Home(f"{self._name}-{next(self._numbers)}")
                    self._homes = [*(other for other in self._homes if other.thread.is_alive()), home]
                run.home = home
                home.runs[run.job.attempt] = self._runs[run.job.attempt] = run
                home.loop.call_soon_threadsafe(self._begin, run, home)
                return
        self._runs.pop(run.job.attempt, None)
        run.report(ActionEnded(run.job.attempt, Outcome(OutcomeKind.STOPPED, ended=self._now())))

    def _begin(self, run: _Run, home: _Home) -> None:
        """In the loop."""
        with home.lock:
            if run.home is not home:
                return  # the loop was given up before it came to this; the attempt has moved
            run.begun = True
        run.task = home.loop.create_task(self._attempt(run, home), context=Variables())

    async def _attempt(self, run: _Run, home: _Home) -> None:
        execution = run.execution
        value, error = None, None
        if not run.enter():
            return  # reported as lost
        try:
            begun = execution.begin()
            if begun:
                value, error = execution.call()
        finally:
            run.leave()
        if isinstance(value, CoroutineType | AsyncGeneratorType):
            coroutine = CoroutineRun(execution.control, run.notes, max_bytes=self._max_bytes, gate=run)
            value, error = await coroutine.drive(value)
        elif begun and error is None:
            text = f"the action returned a {type(value).__name__}, not a coroutine"
            value, error = None, TypeError(f"{text}; use async def, or another isolation")
        with home.lock:
            if home.runs.pop(run.job.attempt, None) is None:
                return  # the loop was given up, and this reported as lost, just before
        self._report(run, execution.ended(value, error))
        home.leave_when_empty()

    def _report(self, run: _Run, outcome: Outcome) -> None:
        self._runs.pop(run.job.attempt, None)
        run.report(ActionEnded(run.job.attempt, outcome))

    # --- a loop that is blocked ---

    def _check(self, home: _Home) -> None:
        answered = threading.Event()
        try:
            home.loop.call_soon_threadsafe(answered.set)
        except RuntimeError:
            return  # closed: everything in it has ended
        if not answered.wait(ANSWER_S):
            self._give_up(home)

    def _give_up(self, home: _Home) -> None:
        with self._lock, home.lock:
            if home.given_up:
                return
            home.given_up = home.closing = True
            if self._home is home:
                self._home = None
            blocker = home.stepping
            leaving = [run for run in home.runs.values() if run is not blocker]
            for run in leaving:
                del home.runs[run.job.attempt]
                run.cut_off = run.begun
                run.home = home if run.begun else None
        self._tell(home)
        for run in leaving:
            if run.begun:
                self._lose(run, blocker)
            else:
                self._move_in(run)

    def _lose(self, run: _Run, blocker: _Run | None) -> None:
        # Were it freed, Python would run the coroutine's ``finally`` blocks, after its end was reported.
        _keep_for_ever(run.task)
        who = f"task {blocker.job.task_id}" if blocker is not None else "a callback"
        error = EngineError(f"its event loop was blocked by {who}, and it was cut off where it stood")
        info = ErrorInfo("LoopBlocked", str(error))
        run.notes.close()
        control = run.execution.control
        outcome = Outcome(
            OutcomeKind.LOST, None, info, run.notes.newest, control.began, self._now(), saved=control.saved
        )
        self._report(run, outcome)

    def _tell(self, home: _Home) -> None:
        try:
            home.loop.call_soon_threadsafe(home.leave_when_empty)
        except RuntimeError:
            return  # closed already
