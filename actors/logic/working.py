"""An agent's logic: one attempt at a time, and the ladder that stops it.

Told, then after its grace killed; where killing is impossible, given up for stuck and, by the
scheduler's leave, set aside. An end is reported as it happened: a completion that wins the
race against a cancel is a completion. What was set aside reports under its old incarnation.
"""

from __future__ import annotations

from typing import assert_never

from actors.effects import (
    SCHEDULER,
    Abandon,
    ClearTimer,
    Credit,
    Effect,
    Interrupt,
    Kill,
    Probe,
    Reply,
    Resume,
    Send,
    SetTimer,
    Start,
    Suspend,
)
from actors.messages import (
    ActionEnded,
    ActionNoted,
    ActionProbed,
    ActionSuspended,
    AgentReady,
    AttemptEnded,
    AttemptNoted,
    AttemptStuck,
    AttemptSuspended,
    CancelAttempt,
    EndSuspended,
    GraceOver,
    NoteTaken,
    ReadStats,
    ResumeAttempt,
    RunAttempt,
    SetAside,
    SuspendAttempt,
    TimeoutDue,
    ToAgent,
)
from actors.model import (
    NS_PER_MS,
    AgentName,
    AttemptId,
    ErrorInfo,
    Instant,
    Isolation,
    Job,
    Millis,
    Outcome,
    OutcomeKind,
    StopReason,
)

KILLABLE = frozenset({Isolation.PROCESS, Isolation.COMMAND, Isolation.RAY})
"""Isolations whose attempts can be killed whatever they do; the others are set aside."""
BEGIN_BOUND_MS: Millis = 30_000
"""An attempt whose action has not begun by then is stopped as timed out: its runner hangs."""


class Working:
    def __init__(self, name: AgentName) -> None:
        self.name = name
        self.incarnation = 1
        self._job: Job | None = None
        self._assigned: Instant = 0
        self._due: Instant = 0
        """When what runs may have used up its time, as far as that is known."""
        self._timer_at: Instant | None = None
        """When the one timer for timeouts rings: early for most attempts, and then it is set again.

        So an attempt that ends in time, as nearly all do, sets and clears no timer of its own.
        """
        self._paused = 0
        self._stopping: StopReason | None = None
        self._grace_at: Instant = 0
        self._suspending = False
        self._aside: dict[AttemptId, tuple[int, StopReason | None]] = {}
        self._ending: dict[AttemptId, StopReason] = {}
        self._ran = 0

    def begin(self) -> list[Effect]:
        """Announce that it is free for work."""
        return [Send(SCHEDULER, AgentReady(self.name, self.incarnation))]

    def receive(self, message: ToAgent, now: Instant) -> list[Effect]:
        """Take one message; return what must happen because of it."""
        match message:
            case RunAttempt(job, incarnation):
                if not self._fit(incarnation):
                    return self._refuse(job, incarnation, now)
                return [Start(job), *self._take(job, now, paused=0)]
            case ActionEnded(attempt, outcome):
                return self._ended(attempt, outcome)
            case CancelAttempt(attempt, reason, grace):
                # The attempt may have ended while this message was on its way.
                return self._stop(reason, grace, now) if self._runs(attempt) else []
            case SuspendAttempt(attempt):
                if not self._runs(attempt) or self._stopping is not None:
                    return []
                self._suspending = True
                return [Suspend(attempt)]
            case ActionSuspended(attempt):
                return self._suspended(attempt)
            case ResumeAttempt(job, incarnation, paused):
                if not self._fit(incarnation):
                    return self._refuse(job, incarnation, now)
                # How much of its time is left depends on when it began, long ago.
                return [Resume(job), *self._take(job, now, paused=paused), Probe(job.attempt)]
            case EndSuspended(attempt, reason):
                self._ending[attempt] = reason
                return [Kill(attempt)]
            case SetAside(attempt):
                return self._set_aside(attempt)
            case TimeoutDue():
                self._timer_at = None
                return self._timer_rang(now)
            case ActionProbed(attempt, began):
                return self._check_time(attempt, began, now)
            case GraceOver(attempt):
                return self._grace_over(attempt)
            case ActionNoted(attempt, note):
                return [Send(SCHEDULER, AttemptNoted(self.name, self.incarnation, attempt, note))]
            case NoteTaken(attempt):
                return [Credit(attempt)]
            case ReadStats(reply):
                return [Reply(reply, {"attempts": self._ran, "incarnation": self.incarnation})]
            case _:
                assert_never(message)

    def settle(self, now: Instant) -> list[Effect]:  # noqa: ARG002 - every logic has this face
        return []

    def _fit(self, incarnation: int) -> bool:
        return self._job is None and incarnation == self.incarnation

    def _runs(self, attempt: AttemptId) -> bool:
        return self._job is not None and self._job.attempt == attempt

    def _refuse(self, job: Job, incarnation: int, now: Instant) -> list[Effect]:
        error = ErrorInfo("Refused", f"{self.name} was not free for it")
        outcome = Outcome(OutcomeKind.LOST, error=error, ended=now)
        return [Send(SCHEDULER, AttemptEnded(self.name, incarnation, job.attempt, outcome))]

    def _take(self, job: Job, now: Instant, *, paused: int) -> list[Effect]:
        self._job = job
        self._assigned = now
        self._paused = paused
        self._stopping = None
        self._suspending = False
        self._ran += 1
        self._due = now + job.task.timeout_ms * NS_PER_MS
        return self._set_timer(self._due)

    def _set_timer(self, due: Instant) -> list[Effect]:
        if self._timer_at is not None and self._timer_at <= due:
            return []
        self._timer_at = due
        return [SetTimer("timeout", due, TimeoutDue())]

    def _timer_rang(self, now: Instant) -> list[Effect]:
        if self._job is None or self._stopping is not None or self._suspending:
            return []
        return [Probe(self._job.attempt)] if now >= self._due else self._set_timer(self._due)

    def _check_time(self, attempt: AttemptId, began: Instant | None, now: Instant) -> list[Effect]:
        """Time counts from the action's first line and stands still while suspended."""
        if not self._runs(attempt) or self._stopping is not None or self._job is None:
            return []
        timeout = self._job.task.timeout_ms * NS_PER_MS
        if began is None:
            due = self._assigned + max(timeout, BEGIN_BOUND_MS * NS_PER_MS)
            again = now + max(timeout, NS_PER_MS)
        else:
            due = again = began + timeout + self._paused
        if now >= due:
            return self._stop(StopReason.TIMEOUT, self._job.task.grace_ms, now)
        self._due = min(again, due)
        return self._set_timer(self._due)

    def _stop(self, reason: StopReason, grace: Millis, now: Instant) -> list[Effect]:
        assert self._job is not None
        attempt = self._job.attempt
        deadline = now + grace * NS_PER_MS
        first = self._stopping is None
        if first or reason is not StopReason.PREEMPT:
            self._stopping = reason  # A cancel or shutdown that follows a preemption decides what comes after.
        if self._suspending:
            return [Kill(attempt)]  # A stopped process cannot be told.
        effects: list[Effect] = [Interrupt(attempt, reason)] if first else []
        if not first and now >= self._grace_at:
            return self._grace_over(attempt)  # Still stuck, and now for another reason.
        if first or deadline < self._grace_at:
            self._grace_at = deadline
            if grace == 0:
                return [*effects, *self._grace_over(attempt)]
            effects.append(SetTimer("grace", deadline, GraceOver(attempt)))
        return effects

    def _grace_over(self, attempt: AttemptId) -> list[Effect]:
        if not self._runs(attempt) or self._job is None:
            return []
        if self._job.task.isolation in KILLABLE:
            return [Kill(attempt)]
        return [Send(SCHEDULER, AttemptStuck(self.name, self.incarnation, attempt))]

    def _set_aside(self, attempt: AttemptId) -> list[Effect]:
        if not self._runs(attempt):
            # It ended just before; this agent is free as it is.
            return [Send(SCHEDULER, AgentReady(self.name, self.incarnation))]
        self._aside[attempt] = (self.incarnation, self._stopping)
        self.incarnation += 1
        self._job = None
        return [
            Abandon(attempt),
            ClearTimer("grace"),
            Send(SCHEDULER, AgentReady(self.name, self.incarnation)),
        ]

    def _suspended(self, attempt: AttemptId) -> list[Effect]:
        if not self._runs(attempt) or self._stopping is not None:
            return []  # Being killed: its end follows.
        self._job = None
        return [Send(SCHEDULER, AttemptSuspended(self.name, self.incarnation, attempt))]

    def _ended(self, attempt: AttemptId, outcome: Outcome) -> list[Effect]:
        incarnation, reason = self.incarnation, self._stopping
        effects: list[Effect] = []
        if self._runs(attempt):
            self._job = None
            if reason is not None:
                effects.append(ClearTimer("grace"))
        elif attempt in self._aside:
            incarnation, reason = self._aside.pop(attempt)
        elif attempt in self._ending:
            reason = self._ending.pop(attempt)
        else:
            return []
        return [Send(SCHEDULER, AttemptEnded(self.name, incarnation, attempt, outcome, reason)), *effects]
