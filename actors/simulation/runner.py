"""The simulated runner: actions that take time on the agenda, hear or do not hear, and end once.

Processes and commands can be killed and suspended; threads and coroutines cannot, and are
abandoned when they do not stop. An action that ends while it is told to stop ends as it
does: a completion is a completion.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.effects import Abandon, Credit, Interrupt, Kill, Probe, Resume, Start, Suspend
from actors.logic.reaping import KILLABLE
from actors.messages import ActionEnded, ActionProbed, ActionSuspended
from actors.model import AgentName, AttemptId, ErrorInfo, Instant, Job, Outcome, OutcomeKind, StopReason
from actors.simulation.agenda import Agenda
from actors.simulation.plans import Plan, Planner

RUNNER = "runner"
_FAILURES = {
    True: ErrorInfo("SimulatedError", "the plan says so"),
    False: ErrorInfo("SimulatedError", "the plan says so", retryable=False),
}
_LOSS = ErrorInfo("Crash", "the plan says so")


class Action:
    """An attempt that runs, or stands still."""

    __slots__ = (
        "abandoned", "agent", "began", "done", "job", "killable", "plan", "restored", "since", "stood_still",
        "suspended", "told",
    )  # fmt: skip

    def __init__(self, job: Job, agent: AgentName, plan: Plan, restored: int, now: Instant) -> None:
        self.job = job
        self.agent = agent
        self.plan = plan
        self.restored = restored
        """Work that earlier attempts have kept."""
        self.done = restored
        """Work done until ``since``."""
        self.since = now + plan.begins_after
        self.began: Instant | None = None if plan.begins_after else now
        self.killable = job.task.isolation in KILLABLE
        self.suspended = False
        self.stood_still = 0
        self.abandoned = False
        self.told: StopReason | None = None

    def work(self, now: Instant) -> int:
        """Work of the task done by now, with what was kept."""
        return self.done if self.suspended else self.done + max(0, now - self.since)


Tell = Callable[[str, AgentName, object], None]
"""Sender, receiver, message."""
Ended = Callable[[Action, Outcome], None]


class SimulatedRunner:
    def __init__(self, agenda: Agenda, plan: Planner, tell: Tell) -> None:
        self.now: Instant = 0
        self.actions: dict[AttemptId, Action] = {}
        self.ended: Ended | None = None
        """Called with each action that has ended, if anybody wants to know."""
        self.started: Callable[[Action], None] | None = None
        self._agenda = agenda
        self._plan = plan
        self._tell = tell
        self.performs: dict[type, Callable[[AgentName, Any], None]] = {
            Start: self._start, Resume: self._resume, Interrupt: self._interrupt, Kill: self._kill,
            Suspend: self._suspend, Abandon: self._abandon, Probe: self._probe, Credit: self._credit,
        }  # fmt: skip

    # --- what agents ask for; late calls are normal ----------------------------------------------

    def _start(self, agent: AgentName, effect: Start) -> None:
        job = effect.job
        restored = job.restored if isinstance(job.restored, int) else 0
        action = Action(job, agent, self._plan(job, restored), restored, self.now)
        self.actions[job.attempt] = action
        self._expect_end(action)
        if self.started is not None:
            self.started(action)

    def _expect_end(self, action: Action) -> None:
        left = max(0, action.plan.takes - action.done)
        self._agenda.set(action.job.attempt, max(self.now, action.since) + left, (None, action.job.attempt))

    def _resume(self, agent: AgentName, effect: Resume) -> None:
        action = self.actions[effect.job.attempt]
        action.stood_still += self.now - action.since
        action.suspended, action.agent, action.since = False, agent, self.now
        self._expect_end(action)

    def _interrupt(self, agent: AgentName, effect: Interrupt) -> None:  # noqa: ARG002
        action = self.actions.get(effect.attempt)
        if action is None:
            return
        action.told = effect.reason
        hears = action.plan.hears_after
        if hears is None:
            return
        work_done_at = max(self.now, action.since) + max(0, action.plan.takes - action.work(self.now))
        if not hears and work_done_at > self.now:
            self.end(action, OutcomeKind.STOPPED)
        elif self.now + hears < work_done_at:
            self._agenda.set(effect.attempt, self.now + hears, (None, effect.attempt))

    def _kill(self, agent: AgentName, effect: Kill) -> None:  # noqa: ARG002
        action = self.actions.get(effect.attempt)
        if action is not None and action.killable:
            self.end(action, OutcomeKind.STOPPED, killed=True)

    def _suspend(self, agent: AgentName, effect: Suspend) -> None:  # noqa: ARG002
        action = self.actions.get(effect.attempt)
        if action is not None and action.killable and not action.suspended:
            action.done = action.work(self.now)
            action.suspended, action.since = True, self.now
            self._agenda.clear(effect.attempt)
            self._tell(RUNNER, action.agent, ActionSuspended(effect.attempt))

    def _abandon(self, agent: AgentName, effect: Abandon) -> None:  # noqa: ARG002
        action = self.actions.get(effect.attempt)
        if action is not None:
            action.abandoned = True

    def _probe(self, agent: AgentName, effect: Probe) -> None:
        action = self.actions.get(effect.attempt)
        began = None
        if action is not None:
            if action.began is None and self.now >= action.since:
                action.began = action.since
            began = action.began
        self._tell(RUNNER, agent, ActionProbed(effect.attempt, began))

    def _credit(self, agent: AgentName, effect: Credit) -> None:
        """Plans leave no notes."""

    # --- ends ------------------------------------------------------------------------------------

    def time_has_come(self, attempt: AttemptId) -> None:
        """The agenda says that this action ends now: by its plan, or because it has heard."""
        action = self.actions[attempt]
        heard = action.told is not None and action.work(self.now) < action.plan.takes
        self.end(action, OutcomeKind.STOPPED if heard else action.plan.kind)

    def end(self, action: Action, kind: OutcomeKind, *, killed: bool = False) -> None:
        """End it now, so."""
        attempt, plan = action.job.attempt, action.plan
        del self.actions[attempt]
        self._agenda.clear(attempt)
        if action.began is None and self.now >= action.since and not action.suspended:
            action.began = action.since
        work = action.work(self.now)
        if action.suspended:
            action.stood_still += self.now - action.since
        keeps = kind is not OutcomeKind.COMPLETED and plan.keeps_work and work > 0
        error = None
        if kind is OutcomeKind.FAILED:
            error = _FAILURES[plan.retryable]
        elif kind is OutcomeKind.LOST:
            error = _LOSS
        outcome = Outcome(
            kind,
            plan.result if kind is OutcomeKind.COMPLETED else None,
            error,
            work if keeps else None,
            action.began,
            self.now,
            killed,
            self.now if keeps else None,
        )
        if self.ended is not None:
            self.ended(action, outcome)
        self._tell(RUNNER, action.agent, ActionEnded(attempt, outcome))
