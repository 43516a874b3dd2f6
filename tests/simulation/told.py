"""What the scheduler has been told and has ordered so far, kept by messages alone.

It is the observer's own account, not the scheduler's: who waits, who has an agent, which
agents are there. ``laws`` asks it whether what the scheduler orders is lawful.
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
    home: AgentName | None = None
    """Where its attempt is suspended, if it is."""
    inherits: bool = False
    """It counts as more important than it is by itself (law 8), or did a moment ago."""

    @property
    def key(self) -> tuple[Priority, int]:
        return (self.priority, self.order)

    @property
    def workflow(self) -> WorkflowId:
        return self.job.workflow


@dataclass
class Runs:
    """A task that has an agent."""

    waited: Waits
    agent: AgentName
    incarnation: int
    serial: int
    since: Instant
    priority: Priority
    sent: bool
    stopping: StopReason | None = None
    suspending: bool = False
    stuck: bool = False
    ripe: bool = True
    """It has run for its ``min_runtime_ms``, as far as the scheduler was told."""
    inherits: bool = False

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
    incarnation: int = 0
    runs: Runs | None = None
    hold: tuple[AttemptId, Priority] | None = None
    """Law 7: until that attempt's end is recorded, for work at least as important only."""
    strict: bool = True
    """Whether it is known how important that is: not, if the attempt inherited."""

    def fits(self, job: Job) -> bool:
        return ALL in self.capabilities or job.task.capabilities <= self.capabilities

    def takes(self, waits: Waits) -> bool:
        """Whether it is idle and may take this task now."""
        if not self.present or self.runs is not None or not self.fits(waits.job):
            return False
        return self.hold is None or (self.strict and waits.priority <= self.hold[1])


@dataclass
class Told:
    definitions: Definitions
    line: dict[TaskKey, Waits] = field(default_factory=dict)
    runs: dict[TaskKey, Runs] = field(default_factory=dict)
    aside: dict[AttemptId, Runs] = field(default_factory=dict)
    ending: set[AttemptId] = field(default_factory=set)
    agents: dict[AgentName, Agent] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    reserved: dict[TaskKey, AgentName] = field(default_factory=dict)
    """For whom an agent is being freed. No message says so: it is read from the scheduler, and checked."""
    places: dict[AttemptId, tuple[WorkflowId, Priority]] = field(default_factory=dict)
    """Attempts whose ends are not recorded yet: their places may be kept for what follows (law 7)."""
    serial: int = 0
    preemptions: int = 0

    # --- what it is told -------------------------------------------------------------------------

    def ready(self, ready: ReadyTask) -> None:
        task = ready.job.attempt.task
        rule("S1", task not in self.line, lambda: f"{ready.job.task_id} is in line twice")
        rule("S1", task not in self.runs, lambda: f"{ready.job.task_id} is ready while its attempt runs")
        rule("law 3", not any(a.task == task for a in [*self.aside, *self.ending]), lambda: f"{task} lives")
        self.line[task] = Waits(ready.job, ready.order, ready.preemptions, ready.job.priority)

    def recorded(self, attempt: AttemptId) -> None:
        self.places.pop(attempt, None)
        for agent in self.agents.values():
            if agent.hold is not None and agent.hold[0] == attempt:
                agent.hold = None

    def arrived(self, name: AgentName, incarnation: int) -> None:
        agent = self.agents[name]
        if not agent.present:
            agent.present, agent.incarnation, agent.hold = True, incarnation, None

    # --- what it orders --------------------------------------------------------------------------

    def assign(self, task: TaskKey, name: AgentName, now: Instant, *, sent: bool) -> Runs:
        waits = self.line.pop(task)
        self.serial += 1
        agent = self.agents[name]
        runs = Runs(waits, name, agent.incarnation, self.serial, now, waits.priority, sent)
        runs.ripe, runs.inherits = not waits.job.task.min_runtime_ms, waits.inherits
        waits.home = None
        self.runs[task] = agent.runs = runs
        agent.hold = None
        return runs

    def freed(self, runs: Runs, *, held: bool) -> None:
        """Its agent is idle again."""
        del self.runs[runs.job.attempt.task]
        agent = self.agents[runs.agent]
        agent.runs = None
        agent.hold = (runs.job.attempt, runs.priority) if held else None
        agent.strict = not runs.inherits
        if held:
            self.places[runs.job.attempt] = (runs.job.workflow, runs.priority)

    def inherit(self, floor: Floor) -> None:
        """Note who inherits (law 8): the laws that compare priorities leave those out."""
        for task, waits in self.line.items():
            waits.inherits = self._inherits(floor.line.get(task), waits.priority, waits.inherits)
        for task, runs in self.runs.items():
            runs.inherits = self._inherits(floor.running.get(task), runs.priority, runs.inherits)

    def _inherits(self, one: Waiting | Running | None, own: Priority, before: bool) -> bool:
        if one is None:
            return before
        rule("law 8", one.priority <= own, lambda: f"{one.job.task_id} counts for less than it is")
        return one.priority < own

    def suspended(self) -> int:
        return sum(w.home is not None for w in self.line.values()) + sum(r.suspending for r in self.runs.values())

    # --- questions -------------------------------------------------------------------------------

    def taken(self, workflow: str) -> int:
        """Attempts that count against the workflow's limit, those with an agent on its way included."""
        own = [*self.runs.values(), *self.aside.values()]
        count = sum(r.job.workflow == workflow for r in own)
        return count + sum(self.line[t].workflow == workflow for t in self.reserved if t in self.line)

    def startable(self, waits: Waits) -> bool:
        """Its workflow is not held and may start one more."""
        if waits.workflow in self.held:
            return False
        limit = self.definitions.workflows[waits.workflow].max_concurrent
        if limit is None or waits.job.attempt.task in self.reserved:
            return True
        if any(w == waits.workflow and priority < waits.priority for w, priority in self.places.values()):
            return False
        return self.taken(waits.workflow) < limit

    def may_give_way(self, runs: Runs) -> bool:
        """Whether its attempt may be preempted now."""
        if runs.stopping is not None or runs.protected or not runs.ripe:
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
    told.ending = set(floor.ending)
    told.places = {}
    told.runs = {task: _runs(running, floor) for task, running in floor.running.items()}
    told.aside = {attempt: _runs(running, floor) for attempt, running in floor.set_aside.items()}
    told.serial = max([r.serial for r in told.runs.values()], default=told.serial) + 1_000_000
    for agent in floor.fleet:
        own = told.agents[agent.name]
        own.present, own.incarnation, own.hold = agent.present, agent.incarnation, agent.hold
        task = None if agent.running is None else agent.running.attempt.task
        rule("S6", task is None or task in told.runs, f"{agent.name} has {task}, which does not run")
        own.runs = None if task is None else told.runs[task]


def _waits(waiting: Waiting) -> Waits:
    return Waits(waiting.job, waiting.order, waiting.preemptions, waiting.priority, waiting.home)


def _runs(running: Running, floor: Floor) -> Runs:
    agent = running.agent
    ripe = not running.held_back or running in floor.no_room
    since = 0  # Of when it was assigned, its agent and the crashed scheduler know different instants.
    return Runs(
        _waits(running.waiting), agent.name, agent.incarnation, running.serial, since, running.priority,
        running.sent, running.stopping, running.suspending, running.stuck, ripe,
    )  # fmt: skip
