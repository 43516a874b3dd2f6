"""A task in line, and what it needs to start."""

from __future__ import annotations

from typing import NamedTuple

from actors.messages import ReadyTask
from actors.model import AgentName, Instant, Job, Priority, WorkflowId

AGED = 0.5
"""Where aged tasks stand: behind priority 0, before priority 1."""


class Need(NamedTuple):
    """What all tasks of one shelf have in common."""

    workflow: WorkflowId
    capabilities: frozenset[str]
    preempts: bool
    reserved: bool
    """An agent is being freed for it; it holds a place below its workflow's limit already."""
    aged: bool = False
    """It may go before all but priority 0, to an agent that is idle."""


class Waiting:
    """One task in line."""

    __slots__ = (
        "aged",
        "aged_turn",
        "alive",
        "home",
        "job",
        "lock",
        "need",
        "order",
        "own",
        "paused",
        "place",
        "preemptions",
        "priority",
        "reserved",
        "reserved_at",
        "since",
    )

    def __init__(self, ready: ReadyTask, since: Instant) -> None:
        self.job: Job = ready.job
        self.order = ready.order
        self.own: Priority = ready.job.priority
        self.priority: Priority = self.own
        """What it counts as: its own, or what it inherits if that is more important."""
        self.lock = ready.lock
        self.aged: Need | None = None
        """Its needs among the aged, once it is one of them."""
        self.aged_turn = 0
        """Its place among them: who has waited longer comes first."""
        self.preemptions = ready.preemptions
        self.since = since
        """When it came into line, this time; of a suspended one, when it was suspended."""
        self.reserved: AgentName | None = None
        """The agent that is being freed for it."""
        self.reserved_at: Instant = 0
        self.home: AgentName | None = None
        """The agent that suspended its attempt, which is alive; None: its next attempt is new."""
        self.paused = 0
        """Nanoseconds its attempt has stood still in all."""
        self.place = 0
        """Its place below its workflow's limit: the number of the one that it took last."""
        self.alive = True
        task = ready.job.task
        self.need = Need(ready.job.workflow, task.capabilities, task.preempts, reserved=False)

    @property
    def key(self) -> tuple[Priority, int]:
        return (self.priority, self.order)

    @property
    def turn(self) -> tuple[float, int]:
        """Its place in the order of starting: its key, unless it has aged and that is sooner."""
        return min((AGED, self.aged_turn), self.key) if self.aged is not None else self.key

    def rank(self, need: Need) -> Priority:
        """How important it is to what is kept for what follows an end (law 7): an aged one as much as priority 1."""
        return min(self.priority, 1) if need.aged else self.priority

    def stands(self, need: Need, level: float) -> bool:
        """Whether a slot made for these needs and at this level still speaks of it."""
        return self.alive and ((self.need is need and self.priority == level) or self.aged is need)

    def __lt__(self, other: Waiting) -> bool:
        """Only the same task twice, live and stale, has equal keys; which comes first does not matter."""
        return id(self) < id(other)
