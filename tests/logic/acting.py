"""The part of a runner in a story: actions begin, are told, and end when the story says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from actors.effects import (
    Abandon,
    Credit,
    Effect,
    Interrupt,
    Kill,
    Probe,
    Resume,
    Start,
    Suspend,
)
from actors.logic.reaping import KILLABLE
from actors.messages import (
    ActionEnded,
    ActionProbed,
    ActionSuspended,
)
from actors.model import (
    NS_PER_MS,
    AgentName,
    AttemptId,
    Definitions,
    Instant,
    Job,
    Json,
    Outcome,
    OutcomeKind,
    StopReason,
)


@dataclass
class Action:
    """An attempt that runs, or stands still."""

    job: Job
    agent: AgentName
    began: Instant | None
    ends_at: Instant | None = None
    left: Instant | None = None
    suspended: bool = False
    abandoned: bool = False
    told: StopReason | None = None
    checkpoint: Json = None
    saved: Instant | None = None
    credit: bool = True

    @property
    def label(self) -> str:
        return label(self.job)


def label(job: Job) -> str:
    return f"{job.task.id}@{job.entity.id}"


@dataclass
class Told:
    """What has happened to actions, in order; labels are ``task@entity``."""

    started: list[str] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    interrupted: list[tuple[str, StopReason]] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)
    suspended: list[str] = field(default_factory=list)
    resumed: list[tuple[str, str]] = field(default_factory=list)
    abandoned: list[str] = field(default_factory=list)
    ended: list[tuple[str, OutcomeKind]] = field(default_factory=list)


class Acting:
    library: dict[str, Definitions]

    def __init__(self, now: Instant) -> None:
        self.now = now
        self.actions: dict[AttemptId, Action] = {}
        self.told = Told()
        self.takes: dict[str, int] = {}
        """Tasks whose actions end by themselves, and after how many ms."""
        self.deaf: set[str] = set()
        """Tasks whose actions do not hear that they should stop."""
        self.slow_to_begin: set[str] = set()
        """Tasks whose actions have not run their first line yet."""

    def _post(self, to: str, message: Any, sender: str = "test") -> None:
        raise NotImplementedError

    def _act(self, agent: AgentName, effect: Effect) -> None:
        """What a runner does."""
        match effect:
            case Start(job):
                self._start(agent, job)
            case Resume(job):
                action = self.actions[job.attempt]
                assert action.suspended
                action.suspended, action.agent = False, agent
                action.ends_at = None if action.left is None else self.now + action.left
                self.told.resumed.append((action.label, agent))
                self._check_limit(job)
            case Interrupt(attempt, reason):
                if attempt in self.actions:
                    action = self.actions[attempt]
                    action.told = reason
                    self.told.interrupted.append((action.label, reason))
                    if action.job.task.id not in self.deaf and not action.suspended:
                        self._end(action, OutcomeKind.STOPPED)
            case Kill(attempt):
                if attempt in self.actions and self.actions[attempt].job.task.isolation in KILLABLE:
                    self.told.killed.append(self.actions[attempt].label)
                    self._end(self.actions[attempt], OutcomeKind.STOPPED, killed=True)
            case Suspend(attempt):
                if attempt in self.actions:
                    action = self.actions[attempt]
                    action.suspended = True
                    action.left = None if action.ends_at is None else action.ends_at - self.now
                    self.told.suspended.append(action.label)
                    self._post(action.agent, ActionSuspended(attempt), "runner")
            case Credit(attempt):
                if attempt in self.actions:
                    self.actions[attempt].credit = True
            case Probe(attempt):
                began = self.actions[attempt].began if attempt in self.actions else None
                self._post(agent, ActionProbed(attempt, began), "runner")
            case Abandon(attempt):
                if attempt in self.actions:  # Its end may be on its way to the agent: late calls are normal.
                    self.actions[attempt].abandoned = True
                    self.told.abandoned.append(self.actions[attempt].label)
            case _:
                raise AssertionError(f"nobody performs {effect}")

    def _start(self, agent: AgentName, job: Job) -> None:
        live = [a for a in self.actions.values() if a.job.attempt.task == job.attempt.task]
        assert not live, f"S1: {job.attempt} starts while {live[0].job.attempt} lives"
        busy = [a for a in self.actions.values() if a.agent == agent and not (a.suspended or a.abandoned)]
        assert not busy, f"S2: {agent} has {busy[0].label} already"
        takes = self.takes.get(job.task.id)
        began = None if job.task.id in self.slow_to_begin else self.now
        ends_at = None if takes is None else self.now + takes * NS_PER_MS
        self.actions[job.attempt] = Action(job, agent, began, ends_at)
        self.told.started.append(label(job))
        self.told.jobs.append(job)
        self._check_limit(job)

    def _check_limit(self, job: Job) -> None:
        """What starts late may have been ordered by a version before: the widest limit that there ever was."""
        every = [known.workflows.get(job.workflow) for known in self.library.values()]
        limits = [workflow.max_concurrent for workflow in every if workflow is not None]
        limit = None if None in limits else max(one for one in limits if one is not None)
        live = [a for a in self.actions.values() if a.job.workflow == job.workflow and not a.suspended]
        assert limit is None or len(live) <= limit, f"{job.workflow} runs {len(live)} of {limit}"

    def _end(self, action: Action, kind: OutcomeKind, **fields: Any) -> None:
        del self.actions[action.job.attempt]
        self.told.ended.append((action.label, kind))
        outcome = Outcome(
            kind, checkpoint=action.checkpoint, began=action.began, ended=self.now, saved=action.saved, **fields
        )
        self._post(action.agent, ActionEnded(action.job.attempt, outcome), "runner")
