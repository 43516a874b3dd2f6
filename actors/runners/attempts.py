"""Attempts on worker processes: the promises of ``ports.Runner``, for functions and for commands.

An attempt has ended when its worker says so and nothing that it started is left, or when the
worker and everything below it is gone. Reports are made one at a time, in the order of their
causes.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from actors.errors import DefinitionError, EngineError, Fault
from actors.messages import ActionEnded, ActionNoted, ActionSuspended, FromRunner
from actors.model import AttemptId, ErrorInfo, Instant, Job, Json, Outcome, OutcomeKind, StopReason
from actors.ports import Clock, Report
from actors.runners import kernel
from actors.runners.board import Word
from actors.runners.crew import Crew
from actors.runners.hand import Ended, Hand
from actors.runners.jobs import job_to_json, outcome_from_json
from actors.runners.nursery import Terms
from actors.runners.pauses import pauses
from actors.runners.reactor import Reactor
from actors.runners.run import Phase, Run, nice_for
from actors.runners.wire import Garbled

_REPEAT_S = (0.0005, 0.1)
"""From the shortest to the longest pause before a stop is sent again."""
_REPORTS_NS = 500_000_000
_LOOKS = 5
_LOOK_S = 0.0001

_log = logging.getLogger(__name__)


class WorkerRunner:
    """A ``Runner`` on worker processes, which are started by a helper process of its own."""

    can_kill = True

    def __init__(self, terms: Terms, *, clock: Clock, name: str) -> None:
        self._terms = terms
        self._clock = clock
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._runs: dict[AttemptId, Run] = {}
        self._by_hand: dict[int, Run] = {}
        self._reports: deque[tuple[Report, FromRunner]] = deque()
        self._reporting = False
        self._name = name
        self._reactor: Reactor | None = None
        self._crew: Crew | None = None
        self._closed = False

    @property
    def can_suspend(self) -> bool:
        return kernel.LINUX

    # --- the port ---

    def start(self, job: Job, report: Report) -> None:
        with self.locked():
            if job.attempt in self._runs:
                return
            try:
                crew = self._started()
                hand = crew.take(nice_for(job.priority), job.task.limits)
            except (OSError, EngineError) as error:
                self._refuse(job, report, OutcomeKind.LOST, ErrorInfo(type(error).__name__, str(error)))
                return
            started = self._clock.now()
            try:
                reading = crew.give(hand, job_to_json(job))
            except (TypeError, ValueError, RecursionError) as error:
                crew.put_back(hand)
                text = f"what {job.task_id} is given is not JSON: {error}"
                self._refuse(job, report, OutcomeKind.FAILED, ErrorInfo("RequestError", text, retryable=False))
                return
            run = Run(job, report, hand, reading, hand.turn, started)
            self._runs[job.attempt] = self._by_hand[hand.number] = run

    def interrupt(self, attempt: AttemptId, reason: StopReason) -> None:
        with self.locked():
            run = self._runs.get(attempt)
            if run is None or run.over or run.told:
                return
            run.told = True
            run.hand.tell(reason)
            run.hand.hasten()
            run.hand.send_stop()
            self._repeat_later(run, pauses(*_REPEAT_S))

    def kill(self, attempt: AttemptId) -> None:
        with self.locked():
            run = self._runs.get(attempt)
            if run is None:
                return
            run.killed = True
            if run.over:
                self._close_run(run)
            elif self._crew is not None:
                self._crew.bury(run.hand)

    def suspend(self, attempt: AttemptId) -> None:
        with self.locked():
            run = self._runs.get(attempt)
            if run is None or run.over or run.phase is not Phase.RUNNING or not self.can_suspend:
                return
            run.phase = Phase.SUSPENDING
            run.suspended_at = self._clock.now()
            run.hand.signal_group(signal.SIGSTOP)
            if run.hand.pid is not None:
                self._see_suspended(run, run.hand.pid)

    def resume(self, attempt: AttemptId, report: Report) -> None:
        with self.locked():
            run = self._runs.get(attempt)
            if run is None:
                return
            run.report = report
            if run.phase is not Phase.RUNNING:
                self._continue(run)
            if run.over:
                self._close_run(run)

    def began(self, attempt: AttemptId) -> Instant | None:
        with self.locked():
            run = self._runs.get(attempt)
            if run is None:
                return None
            return run.outcome.began if run.over and run.outcome is not None else run.began(self._clock.now())

    def credit(self, attempt: AttemptId) -> None:
        with self.locked():
            run = self._runs.get(attempt)
            if run is not None:
                run.credit = True
                self._note(run)

    def abandon(self, attempt: AttemptId) -> None:
        """Never needed: whatever runs here can be killed."""

    def close(self, deadline: Instant) -> Sequence[str]:
        with self.locked():
            self._closed = True
            reactor, crew = self._reactor, self._crew
            for run in list(self._runs.values()):
                self.kill(run.job.attempt)
            if crew is not None:
                crew.close()
        if reactor is None or crew is None:
            return ()
        left: list[str] = []
        if not self._wait(deadline):
            with self.locked():
                left = crew.left()
                crew.end_by_force()
            # By now everything is killed; what is still due are the reports.
            self._wait(self._clock.now() + _REPORTS_NS)
        reactor.stop()
        if not reactor.join(max((deadline - self._clock.now()) / 1e9, 0.5)):
            left.append(f"thread {self._name}")
        return left

    # --- before the first attempt ---

    def take_output(self) -> None:
        """Have what actions print be log lines of theirs, instead of going to this program's standard output."""
        self._terms = replace(self._terms, takes_output=True)

    def warm(self, nice_levels: Iterable[int] = (0,), *, timeout: float = 30.0) -> None:
        """Start the helper process and one idle worker for each level given, and wait for the imports.

        Raises ``DefinitionError`` that names every action that cannot be loaded, and
        ``EngineError`` when the helper process does not come up.
        """
        with self.locked():
            crew = self._started()
            try:
                crew.warm(nice_levels)
            except OSError as error:
                raise EngineError(f"worker processes cannot be started: {error}") from error
        if not crew.ready.wait(timeout):
            raise EngineError(f"the helper process has not imported the actions within {timeout:g} s")
        with self.locked():
            if crew.trouble is not None:
                raise crew.trouble
            if crew.faults:
                raise DefinitionError([_fault(name, error) for name, error in crew.faults.items()])

    # --- what the crew tells ---

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One at a time; what is to be reported is reported before the next one comes."""
        with self._lock:
            yield
            if self._reporting:
                return
            self._reporting = True
            try:
                while self._reports:
                    report, message = self._reports.popleft()
                    try:
                        report(message)
                    except Exception:  # noqa: BLE001 - a report that breaks its promise must not lose those behind it
                        _log.exception("a report failed")
            finally:
                self._reporting = False
            if self._closed:
                self._changed.notify_all()

    def hand_began(self, hand: Hand) -> None:
        run = self._by_hand.get(hand.number)
        if run is None:
            return
        if run.phase is Phase.SUSPENDING and hand.pid is not None:
            hand.signal_group(signal.SIGSTOP)
            self._see_suspended(run, hand.pid)
        if run.told:
            hand.send_stop()

    def hand_said(self, hand: Hand, frames: list[Json]) -> None:
        for frame in frames:
            run = self._by_hand.get(hand.number)
            try:
                match frame:
                    case ["note"] if run is not None:
                        run.called = True
                        self._note(run)
                    case ["note"]:
                        pass  # of an attempt that has ended
                    case ["end", int(turn), outcome, bool(clean)] if run is not None and turn == run.turn:
                        self._said_ended(run, outcome_from_json(outcome), clean=clean)
                    case _:
                        raise Garbled(f"an unknown message: {str(frame)[:80]}")
            except Garbled as error:
                if self._crew is not None:
                    self._crew.condemn(hand, str(error))
                return

    def hand_gone(self, hand: Hand, ended: Ended) -> None:
        run = self._by_hand.get(hand.number)
        if run is None:
            return
        if run.outcome is None:
            run.outcome = run.death(ended, self._clock.now())
        self._close_run(run)

    # --- inside ---

    def _started(self) -> Crew:
        """The crew, with its thread, from the first attempt on."""
        if self._closed:
            raise EngineError("the process runner is closed")
        if self._crew is None:
            self._reactor = Reactor(self._name)
            self._reactor.start()
            self._crew = Crew(self, self._terms, self._reactor)
        return self._crew

    def _refuse(self, job: Job, report: Report, kind: OutcomeKind, error: ErrorInfo) -> None:
        """End an attempt that never got a worker."""
        outcome = Outcome(kind, error=error, ended=self._clock.now())
        self._reports.append((report, ActionEnded(job.attempt, outcome)))

    def _note(self, run: Run) -> None:
        """Report what the action said, if it said something and the last note was taken in."""
        if run.called and run.credit and not run.over:
            run.called = False
            run.hand.board.words[Word.CALLED] = 0
            note = run.reading.note()
            if note is not None:
                run.credit = False
                self._reports.append((run.report, ActionNoted(run.job.attempt, note)))

    def _said_ended(self, run: Run, outcome: Outcome, *, clean: bool) -> None:
        """The action is over. What is left of it, if anything is, goes before that is reported."""
        run.outcome = run.said(outcome, self._clock.now())
        if run.phase is Phase.SUSPENDING:
            # It ended before the stop signal had its effect, which must not hit what comes next.
            self._continue(run)
        elif run.phase is Phase.SUSPENDED:
            # Likewise, but it counts as suspended already, and its end is reported when it is resumed.
            run.hand.signal_group(signal.SIGCONT)
        if clean:
            self._close_run(run)
        elif self._crew is not None:
            self._crew.bury(run.hand)

    def _close_run(self, run: Run) -> None:
        """Nothing of it runs any more: report its end, and let its worker go on."""
        if not run.over:
            run.over = True
            self._read_board(run)
            del self._by_hand[run.hand.number]
            if self._crew is not None:
                self._crew.put_back(run.hand)
        if run.phase is Phase.SUSPENDED and not run.killed:
            return  # reported when it is resumed or killed
        if run.outcome is not None and self._runs.pop(run.job.attempt, None) is not None:
            self._reports.append((run.report, ActionEnded(run.job.attempt, run.outcome)))

    def _read_board(self, run: Run) -> None:
        """Take from the board what the outcome needs, and report what the action still had to say."""
        note = run.reading.note()
        if note is not None and (note.lines or note.lost_lines or note.progress is not None):
            self._reports.append((run.report, ActionNoted(run.job.attempt, note)))
        if run.outcome is not None and (newest := run.reading.checkpoint()) is not None:
            run.outcome = replace(run.outcome, checkpoint=newest[0], saved=newest[1])

    # --- stopping again, standing still ---

    def _runs_on(self, run: Run) -> bool:
        return self._by_hand.get(run.hand.number) is run and not run.hand.buried

    def _repeat_later(self, run: Run, rests: Iterator[float]) -> None:
        """Send the stop once more after a pause: it may have come where it could not be raised, or been swallowed."""
        if self._reactor is not None:
            self._reactor.later(next(rests), lambda: self._repeat(run, rests))

    def _repeat(self, run: Run, rests: Iterator[float]) -> None:
        with self.locked():
            if self._runs_on(run):
                if run.phase is Phase.RUNNING:
                    run.hand.send_stop()
                self._repeat_later(run, rests)

    def _see_suspended(self, run: Run, pid: int) -> None:
        """Report the suspension when the worker is seen to stand still, or has had time to.

        One that computes and has no processor at this moment is seen to stand still only when
        its turn comes, milliseconds later where several compute. It executes nothing more all
        the same: the signal cannot be refused, and comes before its next instruction.
        """
        if any(kernel.is_stopped(pid) for _ in range(_LOOKS)):
            self._suspended(run)
        elif self._reactor is not None:
            since = run.suspended_at

            def later() -> None:
                with self.locked():
                    if run.suspended_at == since:
                        self._suspended(run)

            self._reactor.later(_LOOK_S, later)

    def _suspended(self, run: Run) -> None:
        if self._crew is not None and self._runs_on(run):
            # It may have ended just before: then that is what is reported.
            self._crew.read(run.hand)
        if run.phase is Phase.SUSPENDING and self._runs_on(run):
            run.phase = Phase.SUSPENDED
            self._reports.append((run.report, ActionSuspended(run.job.attempt)))

    def _continue(self, run: Run) -> None:
        run.phase = Phase.RUNNING
        if run.over:
            return
        run.paused_ns += self._clock.now() - run.suspended_at
        run.hand.board.words[Word.PAUSED] = run.paused_ns
        run.hand.signal_group(signal.SIGCONT)

    def _wait(self, deadline: Instant) -> bool:
        """Wait until nothing is left, or the deadline."""
        with self._lock:
            while self._runs or (self._crew is not None and not self._crew.over):
                left = (deadline - self._clock.now()) / 1e9
                if left <= 0:
                    return False
                self._changed.wait(left)
        return True


def _fault(name: str, error: ErrorInfo) -> Fault:
    return Fault(file="", line=0, column=0, path=f"actions.{name}", message=error.message)
