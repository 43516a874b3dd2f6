"""What the scheduler reports about attempts, and the timers that go with them.

A task is given to the scheduler again only after its old attempt is known to have ended;
reports about anything but the newest attempt change nothing.
"""

from __future__ import annotations

from actors.effects import SCHEDULER
from actors.logic import late
from actors.logic.endings import Endings
from actors.logic.instances import Instances
from actors.logic.judging import Judgement, Verdict, judge
from actors.logic.outbox import Outbox
from actors.logic.state import State
from actors.logic.workflows import Instance, Run, Withdrawal, error_text
from actors.messages import (
    AttemptAssigned,
    AttemptClosed,
    AttemptParked,
    AttemptSetAside,
    BackoffOver,
    NoteReceived,
    NoteTaken,
    ReleaseAttempt,
    WithdrawTask,
)
from actors.model import (
    NS_PER_MS,
    Delivery,
    ErrorInfo,
    InstanceKey,
    Instant,
    StopReason,
    TaskKey,
    TaskStatus,
)
from actors.views import ChangeType


class Attempts:
    def __init__(
        self, state: State, instances: Instances, endings: Endings, out: Outbox, *, max_infra_losses: int
    ) -> None:
        self._state = state
        self._instances = instances
        self._endings = endings
        self._out = out
        self._max_losses = max_infra_losses
        self.counts = state.attempts_by_verdict
        self.accounts = state.accounts

    def assigned(self, message: AttemptAssigned, now: Instant) -> None:
        found = self._instances.find_attempt(message.attempt)
        if found is None or found[1].over:
            return
        instance, run = found
        if run.status is not TaskStatus.PENDING:
            run.attempt.agent = message.agent  # A rebuilt scheduler tells again what it found running.
            return
        run.withdrawing = None if run.withdrawing is Withdrawal.QUEUE_TIMEOUT else run.withdrawing
        run.attempt.agent = message.agent
        run.attempt.assigned = run.attempt.assigned or message.at
        run.attempt.go_on(message.at)
        run.move(TaskStatus.RUNNING)
        if not instance.started:
            instance.started = True
            if instance.deadline is not None:
                self._out.clear_timer(("valid", instance.key))
            for other in instance.roots():  # Taken out for expiry while this one got its agent.
                waits_again = other.withdrawing is Withdrawal.EXPIRED and not other.in_line
                if waits_again and other.status is TaskStatus.PENDING:  # Not one that was cancelled meanwhile.
                    self._state.touch_run(other)
                    other.withdrawing = None
                    self._instances.make_ready(instance, other, now)
        if run.task.queue_timeout_ms is not None:
            self._out.clear_timer(("queue", message.attempt.task))
        if run.task.delivery is Delivery.AT_MOST_ONCE and not message.resumed:
            self._out.send(SCHEDULER, ReleaseAttempt(message.attempt))
        type_ = ChangeType.TASK_RESUMED if message.resumed else ChangeType.TASK_STARTED
        if self._out.wants(type_):
            self._out.task_change(type_, now, instance, run)

    def parked(self, message: AttemptParked, now: Instant) -> None:
        found = self._instances.find_attempt(message.attempt)
        if found is None or found[1].over or found[1].status is not TaskStatus.RUNNING or message.agent is None:
            self.given_up_parked(message)
            return
        instance, run = found
        run.move(TaskStatus.PENDING)
        run.attempt.stand_still(message.agent, message.at)
        if not message.again:
            run.preemptions += 1
            self._state.touch_accounts()
            self.accounts.suspended()
        by = self._preempted(run, message.preempted_by, message.at)
        self._out.task_change(ChangeType.TASK_SUSPENDED, now, instance, run, by)

    def given_up_parked(self, message: AttemptParked) -> None:
        """Nothing follows from it, but that it has to be ended where it stands still."""
        found = self._instances.find_attempt(message.attempt)
        if found is None:
            late.parked(self._state, message)
        elif message.agent is not None:
            found[1].attempt.stand_still(message.agent, message.at)

    def closed(self, message: AttemptClosed, now: Instant) -> None:
        """Record how an attempt ended, and go on from there; the scheduler is told in any case."""
        self._out.recorded.append(message.attempt)
        found = self._instances.find_attempt(message.attempt)
        if found is None:
            self._closed_late(message)
            return
        instance, run = found
        self._state.touch_accounts()
        self.accounts.closed(message, run.attempt.stood)
        outcome, attempt = message.outcome, run.attempt
        attempt.outcome, attempt.reason, attempt.started = outcome.kind, message.reason, outcome.began
        attempt.ended, attempt.error, attempt.killed = outcome.ended, outcome.error, outcome.killed
        self._preempted(run, message.preempted_by, now)
        run.in_line = False
        if run.over:
            if run.status is TaskStatus.UNKNOWN:
                run.result = outcome.result  # Late, but a person who has to decide will want to see it.
            return  # It was given up while the attempt would not stop.
        if outcome.checkpoint is not None:
            run.restored = outcome.checkpoint
        judgement = judge(run, outcome, message.reason, self._max_losses)
        self._apply(instance, run, judgement, message, now)

    def _closed_late(self, message: AttemptClosed) -> None:
        """What was given up long ago: what it ran counts, how it ended does not. What is told twice counts once."""
        known = late.heard_of(self._state, message.attempt)
        if known is not None:
            self._state.touch_accounts()
            self.accounts.closed(message, known.stood)

    def count(self, verdict: Verdict) -> None:
        self._state.will_change(self.counts)
        self.counts[verdict] += 1

    def _apply(self, instance: Instance, run: Run, judgement: Judgement, message: AttemptClosed, now: Instant) -> None:
        verdict = judgement.verdict
        comes_back = verdict in (Verdict.RETRY, Verdict.PREEMPTED, Verdict.LOST, Verdict.AGAIN)
        if comes_back and (instance.failing or instance.cancelling):
            verdict = Verdict.CANCELLED
        self.count(verdict)
        match verdict:
            case Verdict.COMPLETED:
                self._endings.complete(instance, run, message.outcome.result, now)
            case Verdict.FAILED:
                self._endings.fail(instance, run, judgement.error, now)
            case Verdict.CANCELLED:
                self._endings.give_up(instance, run, now)
            case Verdict.UNKNOWN:
                self._endings.leave_unknown(instance, run, judgement.error, now)
            case _:
                self._bring_back(instance, run, judgement, message, now)

    def _bring_back(
        self, instance: Instance, run: Run, judgement: Judgement, message: AttemptClosed, now: Instant
    ) -> None:
        if run.status is TaskStatus.RUNNING:
            run.move(TaskStatus.PENDING)
        detail: dict[str, object] = {}
        match judgement.verdict:
            case Verdict.RETRY:
                run.retries += 1
                run.error = judgement.error
                type_ = ChangeType.TASK_RETRIED
                detail = {"retry": run.retries, "max_retry": run.task.retry, "error": error_text(judgement.error)}
            case Verdict.PREEMPTED:
                run.preemptions += 1
                type_ = ChangeType.TASK_PREEMPTED
                if message.preempted_by is not None and run.attempt.preempted_by is not None:
                    detail = {"by": run.attempt.preempted_by}
            case Verdict.LOST:
                run.losses += 1
                type_ = ChangeType.TASK_LOST
                detail = {"error": error_text(judgement.error)}
            case _ if message.agent is None and message.outcome.began is None:
                self._instances.make_ready(instance, run, now)  # No agent was ever told of it.
                return
            case _:
                return  # The engine stops; it stays pending.
        if message.outcome.saved is not None:
            detail["saved_ns"] = message.outcome.saved  # What was done until then need not be done again.
        self._out.task_change(type_, now, instance, run, detail)
        if judgement.delay:
            key = instance.task_key(run.task)
            run.due = now + judgement.delay * NS_PER_MS
            self._out.set_timer(("backoff", key), run.due, BackoffOver(key))
        else:
            self._instances.make_ready(instance, run, now)

    def backoff_over(self, task: TaskKey, now: Instant) -> None:
        found = self._instances.find(task)
        if found is not None and found[1].open and not found[1].in_line:
            self._instances.make_ready(*found, now)

    def set_aside(self, message: AttemptSetAside, now: Instant) -> None:
        """Its attempt will not stop. What cannot run again anyway ends now; a late end changes nothing."""
        found = self._instances.find_attempt(message.attempt)
        if found is None or found[1].over:
            return
        instance, run = found
        if run.status not in (TaskStatus.PENDING, TaskStatus.RUNNING):
            return  # Set aside for one reason, and told again for another: it has ended.
        final = message.reason is StopReason.CANCEL or instance.failing or instance.cancelling
        timed_out = message.reason is StopReason.TIMEOUT and run.retries >= run.task.retry
        error = ErrorInfo("Timeout", f"took longer than its timeout of {run.task.timeout_ms} ms and does not stop")
        run.attempt.reason = message.reason
        if run.task.delivery is Delivery.AT_MOST_ONCE and (final or timed_out):
            self._endings.leave_unknown(instance, run, error, now)
        elif final:
            self._endings.give_up(instance, run, now)
        elif timed_out:
            run.attempt.error = error
            self._endings.fail(instance, run, error, now)

    def withdrawn(self, task: TaskKey, now: Instant) -> None:
        found = self._instances.find(task)
        if found is None or not found[1].in_line:
            late.withdrawn(self._state, task)
            return
        instance, run = found
        run.in_line = False
        run.attempts = run.attempts[:-1]  # It was never assigned.
        why = run.withdrawing
        if run.over:
            return
        if instance.failing or instance.cancelling or why is Withdrawal.CANCELLED:
            self._endings.give_up(instance, run, now)
        elif why is Withdrawal.QUEUE_TIMEOUT:
            error = ErrorInfo("QueueTimeout", f"waited longer than {run.task.queue_timeout_ms} ms for an agent")
            self._endings.fail(instance, run, error, now)
        elif instance.started:  # It, or another task of it, began just before: that was in time.
            run.withdrawing = None
            self._instances.make_ready(instance, run, now)
        elif not any(other.in_line for other in instance.runs):
            self._endings.expire(instance, now)

    def queue_timeout(self, task: TaskKey) -> None:
        found = self._instances.find(task)
        if found is not None and found[1].in_line and not any(a.assigned for a in found[1].attempts):
            found[1].withdrawing = Withdrawal.QUEUE_TIMEOUT
            self._out.send(SCHEDULER, WithdrawTask(task))

    def validity_over(self, key: InstanceKey, now: Instant) -> None:
        instance = self._instances.live.get(key)
        if instance is None or instance.started or instance.deadline is None or now < instance.deadline:
            return
        self._state.touch_whole(instance)
        waiting = [run for run in instance.runs if run.in_line]
        for run in waiting:
            run.withdrawing = Withdrawal.EXPIRED
            self._out.send(SCHEDULER, WithdrawTask(instance.task_key(run.task)))
        if not waiting:
            self._endings.expire(instance, now)

    def noted(self, message: NoteReceived, now: Instant) -> None:
        """What it says while it runs; the newest checkpoint is what its next attempt continues from."""
        self._out.send(SCHEDULER, NoteTaken(message.attempt))
        found = self._instances.find_attempt(message.attempt)
        if found is None:
            return
        instance, run = found
        if message.number and message.number == run.attempt.noted:
            return  # It was recorded, and its credit was lost in a crash.
        run.attempt.noted = message.number
        note = message.note
        if note.checkpoint is not None:
            run.restored = note.checkpoint
        if note.progress is not None:
            run.progress = note.progress
        if self._out.wants(ChangeType.TASK_NOTED):
            lines = [[int(level), text] for level, text in note.lines]
            detail = {"progress": note.progress, "lines": lines, "lost_lines": note.lost_lines}
            self._out.task_change(ChangeType.TASK_NOTED, now, instance, run, detail)

    def _preempted(self, run: Run, by: TaskKey | None, now: Instant) -> dict[str, object]:
        """Note for whom its newest attempt made way, by name: that one may be over when somebody asks."""
        found = None if by is None else self._instances.find(by)
        if found is None:
            return {}
        run.attempt.preempted_by, run.attempt.preempted_at = found[0].task_id(found[1].task), now
        return {"by": run.attempt.preempted_by}
