"""What the scheduler has been told and has ordered so far, kept by messages alone.

It is the observer's own account, not the scheduler's: who waits, who has an agent, which
agents are there. ``laws`` asks it whether what the scheduler orders is lawful, ``places`` what
is held and kept and how important everybody counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from actors.logic.fleet import Running
from actors.logic.floor import Floor
from actors.logic.ready import Waiting
from actors.messages import ReadyTask
from actors.model import (
    ALL,
    NS_PER_MS,
    AgentName,
    AttemptId,
    Definitions,
    Delivery,
    Instant,
    Job,
    OnPreempt,
    Priority,
    StopReason,
    TaskKey,
    WorkflowId,
)


class Broken(AssertionError):
    """An invariant does not hold."""


def rule(name: str, holds: bool, text: object = "") -> None:
    if not holds:
        raise Broken(f"{name}: {text() if callable(text) else text}")


@dataclass
class Waits:
    """A task in line."""

    job: Job
    order: int
    preemptions: int
    priority: Priority
    """What it counts as: its own, or what it inherits."""
    own: Priority
    lock: str | None
    since: Instant
    home: AgentName | None = None
    """Where its attempt is suspended, if it is."""
    aged: int = 0
    """Its place among those that have aged; 0: it has not."""

    @property
    def key(self) -> tuple[Priority, int]:
        return (self.priority, self.order)

    @property
    def turn(self) -> tuple[float, int]:
        """Its place in the order of starting: aged, behind priority 0 and before all others."""
        return min((0.5, self.aged), self.key) if self.aged else self.key

    @property
    def rank(self) -> Priority:
        """How important it is to what is kept, if it takes an idle agent: aged, as much as priority 1."""
        return min(self.priority, 1) if self.aged else self.priority

    @property
    def workflow(self) -> WorkflowId:
        return self.job.workflow

    @property
    def task(self) -> TaskKey:
        return self.job.attempt.task


@dataclass
class Runs:
    """A task that has an agent."""

    waited: Waits
    agent: AgentName
    incarnation: int
    serial: int
    since: Instant
    priority: Priority
    own: Priority
    sent: bool
    stopping: StopReason | None = None
    suspending: bool = False
    stuck: bool = False
    ripe: bool = True
    """It has run for its ``min_runtime_ms``, as far as the scheduler was told."""

    @property
    def job(self) -> Job:
        return self.waited.job

    @property
    def protected(self) -> bool:
        task = self.job.task
        spent = task.max_preemptions is not None and self.waited.preemptions >= task.max_preemptions
        return spent or not task.preemptible


@dataclass
class Agent:
    name: AgentName
    capabilities: frozenset[str]
    present: bool = False
    drained: bool = False
    incarnation: int = 0
    runs: Runs | None = None
    hold: tuple[AttemptId, Priority] | None = None
    """Law 7: until that attempt's end is recorded, for work at least as important only."""

    def fits(self, job: Job) -> bool:
        return ALL in self.capabilities or job.task.capabilities <= self.capabilities

    def open_to(self, job: Job) -> bool:
        """Whether it is fit for the job, and may get new work at all."""
        return self.fits(job) and not self.drained

    def admits(self, waits: Waits) -> bool:
        """Whether it is fit for the task, and not kept for something more important."""
        return self.open_to(waits.job) and (self.hold is None or waits.rank <= self.hold[1])

    def admits_plainly(self, waits: Waits) -> bool:
        """The same, whether it has aged or not."""
        return self.open_to(waits.job) and (self.hold is None or waits.priority <= self.hold[1])


@dataclass
class Told:
    definitions: Definitions
    line: dict[TaskKey, Waits] = field(default_factory=dict)
    runs: dict[TaskKey, Runs] = field(default_factory=dict)
    aside: dict[AttemptId, Runs] = field(default_factory=dict)
    ending: dict[AttemptId, str | None] = field(default_factory=dict)
    """Suspended attempts that are being ended, with the locks that they still have."""
    agents: dict[AgentName, Agent] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    all_held: bool = False
    reserved: dict[TaskKey, AgentName] = field(default_factory=dict)
    """For whom an agent is being freed. No message says so: the scheduler's moves are watched for it."""
    kept_places: dict[AttemptId, tuple[WorkflowId, Priority]] = field(default_factory=dict)
    """Law 7 below limits: until that end is recorded, a place of the workflow is for work so important only."""
    kept_locks: dict[str, tuple[AttemptId, Priority]] = field(default_factory=dict)
    """Law 7 for locks: as above."""
    entered: dict[TaskKey, int] = field(default_factory=dict)
    """Who has a place of its workflow that it will leave by running on: the smallest came first."""
    freed_for: dict[AgentName, tuple[Priority, int]] = field(default_factory=dict)
    """How important is what agents were being freed for when the round began: no aged task's agents, these."""
    serial: int = 0
    preemptions: int = 0

    # --- what it is told -------------------------------------------------------------------------

    def ready(self, ready: ReadyTask, now: Instant) -> None:
        task = ready.job.attempt.task
        rule("S1", task not in self.line, lambda: f"{ready.job.task_id} is in line twice")
        rule("S1", task not in self.runs, lambda: f"{ready.job.task_id} is ready while its attempt runs")
        rule("law 3", not any(a.task == task for a in [*self.aside, *self.ending]), lambda: f"{task} lives")
        own = ready.job.priority
        self.line[task] = Waits(ready.job, ready.order, ready.preemptions, own, own, ready.lock, now)

    def recorded(self, attempt: AttemptId) -> None:
        for agent in self.agents.values():
            if agent.hold is not None and agent.hold[0] == attempt:
                agent.hold = None
        self.kept_places.pop(attempt, None)
        self.kept_locks = {lock: kept for lock, kept in self.kept_locks.items() if kept[0] != attempt}

    def arrived(self, name: AgentName, incarnation: int) -> None:
        agent = self.agents[name]
        if not agent.present:
            agent.present, agent.incarnation, agent.hold = True, incarnation, None

    def not_freed(self, name: AgentName, *, but_for: TaskKey | None = None) -> None:
        """Nobody else waits for this agent to come free any more."""
        self.reserved = {t: other for t, other in self.reserved.items() if other != name or t == but_for}

    # --- what it orders --------------------------------------------------------------------------

    def assign(self, task: TaskKey, name: AgentName, now: Instant, *, sent: bool) -> Runs:
        waits = self.line.pop(task)
        self.serial += 1
        agent = self.agents[name]
        runs = Runs(waits, name, agent.incarnation, self.serial, now, waits.priority, waits.own, sent)
        runs.ripe = not waits.job.task.min_runtime_ms
        waits.home = None
        self.runs[task] = agent.runs = runs
        agent.hold = None
        return runs

    def freed(self, runs: Runs, *, held: bool) -> None:
        """Its agent is idle again; ``held``: agent, place and lock wait for what follows."""
        attempt = runs.job.attempt
        del self.runs[attempt.task]
        agent = self.agents[runs.agent]
        agent.runs = None
        agent.hold = (attempt, runs.priority) if held else None
        if held:
            if self.definitions.workflows[runs.job.workflow].max_concurrent is not None:
                self.kept_places[attempt] = (runs.job.workflow, runs.priority)
            if runs.waited.lock is not None:
                self.kept_locks[runs.waited.lock] = (attempt, runs.priority)

    def suspended(self) -> int:
        return sum(w.home is not None for w in self.line.values()) + sum(r.suspending for r in self.runs.values())

    # --- questions -------------------------------------------------------------------------------

    def taken(self, workflow: str) -> int:
        """Attempts that count against the workflow's limit, those with an agent on its way included."""
        own = [*self.runs.values(), *self.aside.values()]
        count = sum(r.job.workflow == workflow for r in own)
        return count + sum(self.line[t].workflow == workflow for t in self.reserved if t in self.line)

    def may_give_way(self, runs: Runs) -> bool:
        """Whether its attempt may be preempted now."""
        if runs.stopping is not None or runs.protected or not runs.ripe or self.agents[runs.agent].drained:
            return False
        task = runs.job.task
        if task.delivery is Delivery.AT_MOST_ONCE:
            return task.on_preempt is OnPreempt.SUSPEND and self.suspended() < len(self.agents)
        return True

    def ripe_at(self, runs: Runs) -> Instant:
        return runs.since + runs.job.task.min_runtime_ms * NS_PER_MS


def refill(told: Told, floor: Floor) -> None:
    """Take over what a rebuilt scheduler has gathered."""
    told.line = {w.job.attempt.task: _waits(w) for w in floor.line}
    told.held = {str(workflow) for workflow in floor.held}
    told.all_held = floor.all_held
    locks = {task: lock for lock, task in floor.line.locks.holders.items()}
    told.ending = {attempt: locks.get(attempt.task) for attempt in floor.ending}
    told.runs = {task: _runs(running) for task, running in floor.running.items()}
    for running in floor.no_room:
        told.runs[running.attempt.task].ripe = True
    told.aside = {attempt: _runs(running) for attempt, running in floor.set_aside.items()}
    told.serial = max([r.serial for r in told.runs.values()], default=told.serial) + 1_000_000
    told.reserved = {a.reserved_for.job.attempt.task: a.name for a in floor.fleet if a.reserved_for is not None}
    told.serial = max([told.serial, *[waits.aged for waits in told.line.values()]])
    told.kept_places = dict(floor.succession._of)
    told.kept_locks = dict(floor.line.locks._kept)
    told.entered = {t: p - floor._places for row in floor.inside.values() for p, t in row if floor.is_inside(p, t)}
    for agent in floor.fleet:
        own = told.agents[agent.name]
        own.present, own.incarnation, own.hold = agent.present, agent.incarnation, agent.hold
        own.drained = agent.drained
        task = None if agent.running is None else agent.running.attempt.task
        rule("S6", task is None or task in told.runs, f"{agent.name} has {task}, which does not run")
        own.runs = None if task is None else told.runs[task]


def _waits(waiting: Waiting) -> Waits:
    return Waits(
        waiting.job, waiting.order, waiting.preemptions, waiting.priority, waiting.own, waiting.lock, waiting.since,
        waiting.home, waiting.aged_turn if waiting.aged is not None else 0,
    )  # fmt: skip


def _runs(running: Running) -> Runs:
    agent = running.agent
    # Of when it was assigned, its agent and the crashed scheduler know different instants; the agent's counts now.
    since = running.ripe_at - running.job.task.min_runtime_ms * NS_PER_MS
    return Runs(
        _waits(running.waiting), agent.name, agent.incarnation, running.serial, since, running.priority,
        running.own, running.sent, running.stopping, running.suspending, running.stuck, not running.held_back,
    )  # fmt: skip
