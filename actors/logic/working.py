"""An agent's logic: one attempt at a time, and the ladder that stops it.

Told, then after its grace killed; where killing is impossible, given up for stuck and, by the
scheduler's leave, set aside. An end is reported as it happened: a completion that wins the
race against a cancel is a completion. What was set aside reports under its old incarnation.
An agent whose logic crashed comes back as its next incarnation, after what the old one left
behind has ended or was set aside.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
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
from actors.logic import describing
from actors.logic.detached import Detached
from actors.logic.reaping import KILLABLE, Death, Orphan, Reaping
from actors.logic.time_limit import TimeLimit
from actors.messages import (
    UNASKED,
    ActionEnded,
    ActionNoted,
    ActionProbed,
    ActionSuspended,
    AgentDied,
    AgentReady,
    AsideWork,
    AttemptEnded,
    AttemptNoted,
    AttemptStuck,
    AttemptSuspended,
    CancelAttempt,
    EndSuspended,
    EndTaken,
    GraceOver,
    Inspect,
    Note,
    NoteTaken,
    ReadStats,
    ReportWork,
    ResumeAttempt,
    RunAttempt,
    RunningWork,
    SetAside,
    SuspendAttempt,
    TimeoutDue,
    ToAgent,
    WorkReport,
)
from actors.model import (
    NS_PER_MS,
    AgentName,
    AttemptId,
    ErrorInfo,
    Instant,
    Job,
    Millis,
    Outcome,
    OutcomeKind,
    StopReason,
)


class Working:
    def __init__(
        self,
        name: AgentName,
        *,
        incarnation: int = 1,
        orphans: Iterable[Orphan] = (),
        death: Death | None = None,
        reported: tuple[AttemptEnded | AttemptSuspended | None, tuple[AttemptEnded, ...]] = (None, ()),
    ) -> None:
        """``orphans`` and ``death`` are what a crashed forerunner left behind, and what it died of.

        ``reported`` are its last report about an attempt, and unconfirmed ends of others.
        """
        self.name = name
        self.incarnation = incarnation
        if incarnation > 1 and death is None:
            death = Death(ErrorInfo("Crashed", f"the logic of {name} crashed"))
        self._death = death
        self._final = death is not None and death.final
        # Suspended ones that were being killed need nothing: their ends are reported when they come.
        left = [(AsideWork(o.job, o.incarnation), o.aside) for o in orphans if o.job is not None]
        self._reaping = None if death is None else Reaping(name, [work for work, aside in left if not aside], death)
        self._job: Job | None = None
        self._limit = TimeLimit()
        self._stopping: StopReason | None = None
        self._grace_at: Instant = 0
        self._suspending = False
        self._stuck = False
        self._note: Note | None = None
        self._note_number = 0
        self._detached = Detached(name, [work for work, aside in left if aside], reported[1])
        self._last = reported[0]
        """How the last attempt left it: the scheduler may not have heard, until it gives it another."""
        self._ran = 0

    def begin(self, now: Instant) -> list[Effect]:
        """Announce that it is free for work; after a crash, once nothing is left of what it had begun."""
        if self._reaping is None:
            return [Send(SCHEDULER, AgentReady(self.name, self.incarnation))]
        if not self._reaping:
            return self._come_back()
        # A scheduler that is being rebuilt need not wait for it to be over with what is left.
        return [*self._reaping.begin(now), Send(SCHEDULER, self._report(UNASKED))]

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
                return self._cancel(attempt, reason, grace, now)
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
                self._detached.ending(attempt, reason)
                return [Kill(attempt)]
            case SetAside(attempt):
                return self._set_aside(attempt)
            case TimeoutDue():
                self._limit.rang()
                return self._timer_rang(now)
            case ActionProbed(attempt, began):
                return self._check_time(attempt, began, now)
            case GraceOver(attempt):
                return self._grace_over(attempt)
            case ActionNoted(attempt, note):
                return self._noted(attempt, note, now)
            case ReadStats(reply):
                return [Reply(reply, {"attempts": self._ran, "incarnation": self.incarnation})]
            case Inspect(reply):
                return [Reply(reply, describing.agent(self._report(UNASKED), self._ran))]
            case NoteTaken() | EndTaken() | ReportWork():
                return self._confirmed(message)
            case _:
                assert_never(message)

    def quarantined(self, message: object, error: ErrorInfo, now: Instant) -> list[Effect]:
        """This message crashed it twice and is given up: nobody may wait for its consequences.

        What it would have started is closed by the notice of death; what it said of an end counts as a loss.
        """
        match message:
            case ActionEnded(attempt, _):
                return self._ended(attempt, Outcome(OutcomeKind.LOST, error=error, ended=now))
            case ActionSuspended(attempt):
                return [Kill(attempt)]
            case EndSuspended(attempt, reason):
                self._detached.ending(attempt, reason)
                return [Kill(attempt)]
            case ReportWork(generation):
                return [Send(SCHEDULER, self._report(generation))]
            case _:
                return []

    def check(self) -> None:
        """Assert what must be true of it after every batch."""
        assert self._job is None or self._reaping is None, "works before it has come back"
        assert not (self._final and self._job), "works though it was taken out"
        assert self._stopping is None or self._job is None or self._grace_at or self._suspending, (
            "stops without a bound"
        )
        assert self._job is None or self._job.attempt not in self._detached, "runs what it has set aside"

    def settle(self, now: Instant) -> list[Effect]:  # noqa: ARG002 - every logic has this face
        return []

    def _fit(self, incarnation: int) -> bool:
        return self._job is None and incarnation == self.incarnation

    def _runs(self, attempt: AttemptId) -> bool:
        return self._job is not None and self._job.attempt == attempt

    def _refuse(self, job: Job, incarnation: int, now: Instant) -> list[Effect]:
        if incarnation < self.incarnation:
            return []  # It was for the one that crashed, whose notice of death closes it.
        error = ErrorInfo("Refused", f"{self.name} was not free for it")
        outcome = Outcome(OutcomeKind.LOST, error=error, ended=now)
        return [Send(SCHEDULER, AttemptEnded(self.name, incarnation, job.attempt, outcome))]

    def _take(self, job: Job, now: Instant, *, paused: int) -> list[Effect]:
        self._job = job
        self._stopping = None
        self._suspending = self._stuck = False
        self._note = self._last = None
        self._ran += 1
        return self._limit.begin(job, now, paused=paused)

    def _timer_rang(self, now: Instant) -> list[Effect]:
        if self._job is None or self._stopping is not None or self._suspending:
            return []
        return self._limit.look(self._job, now)

    def _check_time(self, attempt: AttemptId, began: Instant | None, now: Instant) -> list[Effect]:
        if not self._runs(attempt) or self._stopping is not None or self._job is None:
            return []
        waits = self._limit.wait_on(self._job, began, now)
        return waits if waits is not None else self._stop(StopReason.TIMEOUT, self._job.task.grace_ms, now)

    def _cancel(self, attempt: AttemptId, reason: StopReason, grace: Millis, now: Instant) -> list[Effect]:
        if self._reaping is not None and attempt in self._reaping:
            self._reaping.cancelled(attempt, reason)
            return []
        # The attempt may have ended while this message was on its way.
        return self._stop(reason, grace, now) if self._runs(attempt) else []

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
        if self._reaping is not None and attempt in self._reaping:
            return self._reaping.grace_over(attempt)
        if not self._runs(attempt) or self._job is None:
            return []
        if self._job.task.isolation in KILLABLE:
            return [Kill(attempt)]
        self._stuck = True
        reason = self._stopping or StopReason.TIMEOUT
        return [Send(SCHEDULER, AttemptStuck(self.name, self.incarnation, attempt, reason))]

    def _set_aside(self, attempt: AttemptId) -> list[Effect]:
        if self._reaping is not None:
            if attempt not in self._reaping:
                return []  # It has ended or is set aside; the notice of death says so.
            orphan, reason = self._reaping.drop(attempt)
            self._detached.set_aside(replace(orphan, reason=reason))
            return [Abandon(attempt), ClearTimer(("grace", attempt)), *self._come_back()]
        if self._job is None or not self._runs(attempt):
            if attempt in self._detached or self._final:
                return []  # Asked for twice.
            # It ended just before; this agent is free as it is.
            return [Send(SCHEDULER, AgentReady(self.name, self.incarnation))]
        self._detached.set_aside(AsideWork(self._job, self.incarnation, self._stopping))
        self.incarnation += 1
        self._job = None
        return [
            Abandon(attempt),
            ClearTimer("grace"),
            Send(SCHEDULER, AgentReady(self.name, self.incarnation)),
        ]

    def _come_back(self) -> list[Effect]:
        """Tell of the death and be there again, if nothing is left of what was begun before it."""
        if self._reaping or self._death is None:
            return []
        self._reaping = None
        death = self._death
        notice = AgentDied(self.name, self.incarnation - 1, death.error, death.in_hand, death.final)
        effects: list[Effect] = [Send(SCHEDULER, notice)]
        if not self._final:
            effects.append(Send(SCHEDULER, AgentReady(self.name, self.incarnation)))
        return effects

    def _suspended(self, attempt: AttemptId) -> list[Effect]:
        if self._reaping is not None and attempt in self._reaping:
            return [Kill(attempt)]  # It stands still and cannot hear.
        if not self._runs(attempt) or self._stopping is not None:
            return []  # Being killed: its end follows.
        self._job = None
        self._last = AttemptSuspended(self.name, self.incarnation, attempt)
        return [Send(SCHEDULER, self._last)]

    def _ended(self, attempt: AttemptId, outcome: Outcome) -> list[Effect]:
        if self._runs(attempt):
            reason = self._stopping
            self._job = None
            self._last = AttemptEnded(self.name, self.incarnation, attempt, outcome, reason)
            effects: list[Effect] = [Send(SCHEDULER, self._last)]
            if reason is not None:
                effects.append(ClearTimer("grace"))
            return effects
        if self._reaping is not None and attempt in self._reaping:
            self._last = self._reaping.ended(attempt, outcome)
            return [Send(SCHEDULER, self._last), ClearTimer(("grace", attempt)), *self._come_back()]
        return self._detached.ended(attempt, outcome, self.incarnation)

    def _noted(self, attempt: AttemptId, note: Note, now: Instant) -> list[Effect]:
        self._note_number = max(now, self._note_number + 1)
        if self._runs(attempt):
            self._note = note
        return [Send(SCHEDULER, AttemptNoted(self.name, self.incarnation, attempt, note, self._note_number))]

    def _confirmed(self, message: NoteTaken | EndTaken | ReportWork) -> list[Effect]:
        match message:
            case NoteTaken(attempt):
                if self._runs(attempt):
                    self._note = None
                return [Credit(attempt)]
            case EndTaken(attempt):
                self._detached.confirmed(attempt)
                return []
            case ReportWork(generation):
                return [Send(SCHEDULER, self._report(generation))]
            case _:
                assert_never(message)

    def _report(self, generation: int) -> WorkReport:
        incarnation, runs = self.incarnation, None
        if self._reaping is not None:
            incarnation, runs = self._reaping.work()
        elif self._job is not None:
            runs = RunningWork(
                self._job,
                self._limit.assigned,
                self._stopping,
                self._suspending,
                self._stuck,
                self._note,
                self._note_number,
            )
        present = self._reaping is None and not self._final
        aside, ending, ends = self._detached.work()
        return WorkReport(self.name, generation, incarnation, present, runs, aside, ending, self._last, ends)
