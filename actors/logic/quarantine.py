"""What must follow from a message that crashed the keeper twice and will not be acted on.

Nothing may be stuck for the lack of it: a task whose report is lost fails as poison (``unknown``
if it may have begun and must not run twice), and the scheduler gets what it waits for, so that
neither agent nor place stays held. An action that still runs is told to stop.
"""

from __future__ import annotations

from actors.effects import SCHEDULER
from actors.logic import late
from actors.logic.books import Books
from actors.logic.judging import Verdict
from actors.logic.workflows import Instance, Run
from actors.messages import (
    AttemptAssigned,
    AttemptClosed,
    AttemptParked,
    AttemptSetAside,
    BackoffOver,
    CancelTask,
    NoteReceived,
    NoteTaken,
    QueueTimeoutDue,
    TasksRevised,
    TaskWithdrawn,
    ToKeeper,
    ValidityOver,
)
from actors.model import AttemptId, Delivery, ErrorInfo, InstanceKey, Instant, TaskKey


class Quarantine:
    def __init__(self, books: Books) -> None:
        self._books = books

    def instead_of(self, message: ToKeeper, error: ErrorInfo, now: Instant) -> None:
        """Requests from outside and reads change nothing: the shell tells who asked."""
        poison = poisoned(error)
        match message:
            case AttemptClosed():
                self._closed(message, poison, now)
            case AttemptAssigned(attempt, agent, at, resumed):
                found = self._books.instances.find_attempt(attempt)
                if found is not None:
                    instance, run = found
                    instance.started = True
                    run.attempt.agent, run.attempt.assigned = agent, run.attempt.assigned or at
                    # Not resumed and ``at_most_once``, it waits for a release that never comes.
                    self._stop(run, instance)
                    self._fail(instance, run, poison, now, may_have_begun=resumed)
            case AttemptParked(attempt):
                self._books.attempts.given_up_parked(message)
                self._stop_and_fail(attempt, poison, now)
            case NoteReceived(attempt):
                self._books.out.send(SCHEDULER, NoteTaken(attempt))
                self._stop_and_fail(attempt, poison, now)
            case AttemptSetAside(attempt):  # It has been told to stop, and does not.
                found = self._books.instances.find_attempt(attempt)
                if found is not None:
                    self._fail(*found, poison, now, may_have_begun=True)
            case TaskWithdrawn(task):
                self._withdrawn(task, poison, now)
            case BackoffOver(task):
                found = self._books.instances.find(task)
                if found is not None and found[1].open and not found[1].in_line:
                    self._fail(*found, poison, now, may_have_begun=False)
            case QueueTimeoutDue(task):
                found = self._books.instances.find(task)
                if found is not None and found[1].in_line and not any(a.assigned for a in found[1].attempts):
                    self._stop(found[1], found[0])
                    self._fail(*found, poison, now, may_have_begun=False)
            case ValidityOver(key):
                self._expired(key, poison, now)
            case TasksRevised(key, taken):
                self._revised(key, taken=taken)
            case _:
                return

    def _closed(self, message: AttemptClosed, poison: ErrorInfo, now: Instant) -> None:
        self._books.out.recorded.append(message.attempt)
        found = self._books.instances.find_attempt(message.attempt)
        if found is None:
            late.heard_of(self._books.state, message.attempt)  # It is in no account, whoever tells of it again.
            return
        instance, run = found
        outcome, attempt = message.outcome, run.attempt
        attempt.outcome, attempt.started, attempt.ended = outcome.kind, outcome.began, outcome.ended
        attempt.reason, attempt.error = message.reason, poison
        run.in_line = False
        self._fail(instance, run, poison, now, may_have_begun=outcome.began is not None)

    def _withdrawn(self, task: TaskKey, poison: ErrorInfo, now: Instant) -> None:
        found = self._books.instances.find(task)
        if found is None or not found[1].in_line:
            late.withdrawn(self._books.state, task)
            return
        instance, run = found
        run.in_line = False
        run.attempts = run.attempts[:-1]
        self._fail(instance, run, poison, now, may_have_begun=False)

    def _expired(self, key: InstanceKey, poison: ErrorInfo, now: Instant) -> None:
        instance = self._books.instances.live.get(key)
        if instance is None or instance.started or instance.deadline is None or now < instance.deadline:
            return
        self._books.state.touch_whole(instance)
        left = [run for run in instance.runs if not run.over]
        run = next((run for run in left if run.open), left[0])
        if run.in_line:
            self._stop(run, instance)
        self._fail(instance, run, poison, now, may_have_begun=False)

    def _revised(self, key: InstanceKey, *, taken: bool) -> None:
        """What the scheduler took is acted on; the rest is offered with the next event, or goes on after the end."""
        instance = self._books.instances.live.get(key)
        revising = None if instance is None else instance.revising
        if instance is None or revising is None or revising.offered is None:
            return
        self._books.state.touch_instance(instance)
        if taken:
            instance.event, instance.confirmed = revising.offered, revising.offered_revision
            instance.merged += revising.offered_merged
        else:
            revising.newest = revising.newest or revising.offered
            revising.newest_merged += revising.offered_merged
        revising.offered = None

    def _stop_and_fail(self, attempt: AttemptId, poison: ErrorInfo, now: Instant) -> None:
        found = self._books.instances.find_attempt(attempt)
        if found is not None:
            self._stop(found[1], found[0])
            self._fail(*found, poison, now, may_have_begun=True)

    def _stop(self, run: Run, instance: Instance) -> None:
        self._books.out.send(SCHEDULER, CancelTask(instance.task_key(run.task)))

    def _fail(self, instance: Instance, run: Run, poison: ErrorInfo, now: Instant, *, may_have_begun: bool) -> None:
        if run.over:
            return
        books = self._books
        if may_have_begun and run.task.delivery is Delivery.AT_MOST_ONCE:
            books.attempts.count(Verdict.UNKNOWN)
            books.endings.leave_unknown(instance, run, poison, now)
        else:
            books.attempts.count(Verdict.FAILED)
            books.endings.fail(instance, run, poison, now)


def poisoned(error: ErrorInfo) -> ErrorInfo:
    """What is recorded of a crash where its work failed."""
    text = f"quarantined: the engine could not act on it: {error.type}: {error.message[:1_000]}"
    return ErrorInfo("Poison", text, error.traceback, retryable=False)
