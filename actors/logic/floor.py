"""The scheduler's floor: what waits, what runs where, and every way an attempt gets or leaves an agent.

A task is in line, or has an agent, or was set aside, never two of these. An agent that is
being freed is reserved for one task, and that task holds a place below its workflow's limit.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping

from actors.effects import KEEPER, ClearTimer, Effect, Send, SetTimer
from actors.logic.aging import Aging
from actors.logic.fleet import Agent, Fleet, Running
from actors.logic.ready import BLOCKED, ReadyLine, Waiting
from actors.logic.succession import Succession
from actors.logic.timings import Timings
from actors.messages import (
    AttemptAssigned,
    AttemptClosed,
    CancelAttempt,
    EndSuspended,
    Message,
    MinRuntimeOver,
    ResumeAttempt,
    RunAttempt,
    SuspendAttempt,
)
from actors.model import (
    NS_PER_MS,
    AgentName,
    AttemptId,
    Delivery,
    Instant,
    Job,
    Millis,
    OnPreempt,
    Outcome,
    OutcomeKind,
    Priority,
    StopReason,
    TaskKey,
    Workflow,
    WorkflowId,
)


class Floor:
    def __init__(
        self,
        workflows: Mapping[WorkflowId, Workflow],
        agents: Iterable[tuple[AgentName, frozenset[str]]],
        *,
        starvation_ms: Millis | None = None,
    ) -> None:
        self.line = ReadyLine()
        self.aging = Aging(self.line, starvation_ms)
        self.fleet = Fleet()
        for name, capabilities in agents:
            self.fleet.enlist(name, capabilities)
        self.limits = {w.id: w.max_concurrent for w in workflows.values() if w.max_concurrent is not None}
        self.taken: Counter[WorkflowId] = Counter()
        """Attempts per workflow that run, are being stopped or set aside, or have an agent reserved."""
        self.inside: dict[WorkflowId, deque[tuple[int, TaskKey]]] = {workflow: deque() for workflow in self.limits}
        """Who took which place of a limited workflow, the longest ago first; those that left it again too."""
        self.over: dict[WorkflowId, int] = {}
        """Workflows whose limit was lowered below what they had taken, and what they still take."""
        self.succession = Succession()
        self.held: set[WorkflowId] = set()
        self.all_held = False
        """The whole engine is paused: nothing is decided, whatever else is."""
        self.running: dict[TaskKey, Running] = {}
        self.set_aside: dict[AttemptId, Running] = {}
        self.ending: dict[AttemptId, tuple[AgentName, StopReason]] = {}
        """Suspended attempts that are being killed, by whom, and why."""
        self.unrecorded: dict[AttemptId, Agent] = {}
        """Attempts whose end the keeper has not recorded yet, and the agent that is held for it."""
        self.suspended = 0
        self.preemptions = 0
        self.timings = Timings()
        self.effects: list[Effect] = []
        self.no_room: list[Running] = []
        """Attempts that could only be suspended, and there was no room."""
        self._serial = 0
        self._places = 0

    def arrived(self, name: AgentName, incarnation: int) -> None:
        """An agent is there, for the first time or as its next incarnation."""
        agent = self.fleet.agents[name]
        if not agent.present:
            agent.present = True
            agent.incarnation = incarnation
            self.fleet.set_free(agent, None)

    def enter(self, waiting: Waiting) -> None:
        """It comes into line."""
        self.line.add(waiting)
        self.aging.watch(waiting)

    def assign(self, waiting: Waiting, agent: Agent, now: Instant) -> None:
        place = 0
        if waiting.reserved is not None:
            place = waiting.place
            self.unreserve(waiting)
        if agent.reserved_for is not None:  # It became free, and something more important came first.
            self.unreserve(agent.reserved_for)
        self.line.remove(waiting)
        self.timings.started(waiting.priority, waiting.since, now)
        running = self.seat(waiting, agent, now)
        waiting.place = place or waiting.place  # The one that it had while its agent was being freed.
        resumed = waiting.home is not None
        if resumed:
            self.suspended -= 1
            waiting.paused += now - waiting.since
            running.sent = running.resumed = True
            waiting.home = None
            self.tell(agent.name, ResumeAttempt(running.job, agent.incarnation, waiting.paused))
            self.room_again()
        elif running.job.task.delivery is not Delivery.AT_MOST_ONCE:
            self.send_off(running)
        self.tell(KEEPER, AttemptAssigned(running.attempt, agent.name, now, resumed))
        self.guard(running, now, now)

    def seat(self, waiting: Waiting, agent: Agent, since: Instant) -> Running:
        """The task has this agent; nobody is told."""
        self.take(waiting)
        self._serial += 1
        running = Running(waiting, agent, serial=self._serial, now=since)
        if waiting.priority != running.job.priority:
            running.job = at_priority(running.job, waiting.priority)
        self.running[running.attempt.task] = running
        self.fleet.occupy(agent, running)
        return running

    def guard(self, running: Running, since: Instant, now: Instant) -> None:
        """Say whether, and from when on, it may be preempted; it has its agent since then."""
        task = running.job.task
        spent = task.max_preemptions is not None and running.waiting.preemptions >= task.max_preemptions
        running.protected = spent or not task.preemptible
        if running.protected:
            return
        running.ripe_at = due = since + task.min_runtime_ms * NS_PER_MS if task.min_runtime_ms else now
        if due > now:
            running.held_back = True
            self.effects.append(SetTimer(("min", running.attempt), due, MinRuntimeOver(running.attempt)))
        else:
            self.fleet.offer_victim(running)

    def park(self, waiting: Waiting, home: AgentName, paused: int) -> None:
        """It waits in line, suspended, at the agent that suspended it."""
        waiting.home, waiting.paused = home, paused
        self.line.take_lock(waiting)
        self.enter(waiting)

    def lay_aside(self, running: Running) -> None:
        """It counts against its workflow's limit until it ends, and has no agent any more."""
        self.set_aside[running.attempt] = running
        self.line.changed["limit", running.job.workflow] = None

    def stop(self, running: Running, reason: StopReason) -> None:
        """It is to stop: its place will be free soon, whoever waits for that."""
        running.stopping = reason
        self.line.changed["limit", running.job.workflow] = None

    def send_off(self, running: Running) -> None:
        running.sent = True
        self.tell(running.agent.name, RunAttempt(running.job, running.agent.incarnation))

    def reserve(self, waiting: Waiting, agent: Agent, now: Instant) -> None:
        waiting.reserved_at = waiting.reserved_at or now
        self.take(waiting)
        self.line.reserve(waiting, agent.name)
        self.fleet.claim(agent, waiting)

    def unreserve(self, waiting: Waiting) -> None:
        assert waiting.reserved is not None
        self.fleet.disclaim(self.fleet.agents[waiting.reserved])
        self.count(waiting.need.workflow, -1)
        self.line.reserve(waiting, None)
        if waiting.home is None:  # What is suspended keeps its lock.
            self.line.leave_lock(waiting.job.attempt.task)

    def take(self, waiting: Waiting) -> None:
        """It has a place below its workflow's limit, and its lock, from now on."""
        workflow, task = waiting.need.workflow, waiting.job.attempt.task
        self.line.take_lock(waiting)
        self.count(workflow, 1)
        limit = self.limits.get(workflow)
        if limit is not None:
            self._places += 1
            waiting.place = self._places
            inside = self.inside[workflow]
            inside.append((waiting.place, task))
            if len(inside) > 64 + 4 * limit:
                self.inside[workflow] = deque(one for one in inside if self.is_inside(*one))

    def is_inside(self, place: int, task: TaskKey) -> bool:
        """Whether it has this place still, and will leave it by running on."""
        running = self.running.get(task)
        if running is not None:
            return running.stopping is None and running.waiting.place == place
        waiting = self.line.get(task)
        return waiting is not None and waiting.reserved is not None and waiting.place == place

    def take_over(self, waiting: Waiting, agent: Agent, now: Instant) -> None:
        """An agent that was being freed for something less important is freed for this."""
        if agent.reserved_for is not None:
            self.unreserve(agent.reserved_for)
        self.reserve(waiting, agent, now)

    def preempt(self, waiting: Waiting, victim: Running, now: Instant) -> None:
        task = victim.job.task
        suspend = task.on_preempt is OnPreempt.SUSPEND and self.suspended < len(self.fleet.agents)
        if task.delivery is Delivery.AT_MOST_ONCE and not suspend:
            victim.held_back = True
            self.no_room.append(victim)
            return
        self.preemptions += 1
        self.timings.preempts(victim.waiting.priority, waiting.priority)
        self.stop(victim, StopReason.PREEMPT)
        victim.preempted_by = waiting
        self.reserve(waiting, victim.agent, now)
        if not victim.sent:  # Assigned, but not released yet: nothing has run.
            self.drop_unsent(victim, StopReason.PREEMPT, now)
            self.line.end_round()  # Its agent is free at once: whoever was passed over may want it.
        elif suspend:
            victim.suspending = True
            self.suspended += 1
            self.tell(victim.agent.name, SuspendAttempt(victim.attempt))
        else:
            self.tell(victim.agent.name, CancelAttempt(victim.attempt, StopReason.PREEMPT, task.grace_ms))

    def end_suspended(self, attempt: AttemptId, home: AgentName, reason: StopReason) -> None:
        """Have a suspended attempt killed by the agent that suspended it."""
        self.suspended -= 1
        self.room_again()
        self.ending[attempt] = (home, reason)
        self.tell(home, EndSuspended(attempt, reason))

    def drop_unsent(self, running: Running, reason: StopReason, now: Instant) -> None:
        outcome = Outcome(OutcomeKind.STOPPED, ended=now)
        self.close(running, outcome, reason)
        self.free(running)

    def close(self, running: Running, outcome: Outcome, reason: StopReason | None) -> None:
        by = running.preempted_by.job.attempt.task if running.preempted_by is not None else None
        agent = running.agent.name if running.sent else None
        self.tell(KEEPER, AttemptClosed(running.attempt, agent, outcome, reason, by))
        if running.suspending:
            self.suspended -= 1
            self.room_again()

    def free(self, running: Running) -> None:
        """Its agent is idle, kept for work as important until the keeper has recorded the end."""
        del self.running[running.attempt.task]
        workflow = running.job.workflow
        if workflow in self.limits:
            self.succession.keep(running.attempt, workflow, running.priority)
        self.count(workflow, -1)
        self.line.keep_lock(running.waiting, running.attempt, running.priority)
        if running.held_back:
            self.effects.append(ClearTimer(("min", running.attempt)))
        self.unrecorded[running.attempt] = running.agent
        self.fleet.set_free(running.agent, (running.attempt, running.priority))

    def recorded(self, attempt: AttemptId) -> None:
        """The keeper has said all that follows from this end: nothing is kept for it any more."""
        agent = self.unrecorded.pop(attempt, None)
        if agent is not None:
            self.fleet.release_hold(agent, attempt)
        workflow = self.succession.recorded(attempt)
        if workflow is not None:
            self.count(workflow, 0)
        self.line.recorded(attempt)

    def current(self, name: AgentName, incarnation: int, attempt: AttemptId) -> Running | None:
        """The attempt this report is about, if it is the one we know to run there."""
        running = self.running.get(attempt.task)
        if running is None or running.attempt != attempt or running.agent.name != name:
            return None
        return running if running.agent.incarnation == incarnation else None

    def count(self, workflow: WorkflowId, change: int) -> None:
        """Keep the workflow's count, and say who of its line may start."""
        limit = self.limits.get(workflow)
        self.taken[workflow] += change
        if workflow in self.held:
            self.line.narrow(workflow, BLOCKED)
        elif limit is not None:
            self.line.narrow(workflow, self.succession.ceiling(workflow, limit - self.taken[workflow]))
        elif not change:
            self.line.narrow(workflow, None)

    def set_limits(self, limits: Mapping[WorkflowId, int]) -> None:
        """Other limits are in force. What is above one goes on, and nothing new starts until it is below."""
        for workflow in {**self.limits, **limits}:
            limit, before = limits.get(workflow), self.limits.get(workflow)
            if limit == before:
                continue
            if limit is None:
                del self.limits[workflow], self.inside[workflow]
            else:
                self.limits[workflow] = limit
                if before is None:
                    self.inside[workflow] = deque(self._holders(workflow))
            self.line.changed["limit", workflow] = None
            self.count(workflow, 0)
        self.reckon_over()

    def reckon_over(self) -> None:
        """See who has more places than there are: what was begun below a wider limit."""
        taken = self.taken
        self.over = {workflow: taken[workflow] for workflow, limit in self.limits.items() if taken[workflow] > limit}

    def shrink_over(self) -> None:
        """Once what is too much has become less, it stays less."""
        taken, limits = self.taken, self.limits
        self.over = {flow: min(most, taken[flow]) for flow, most in self.over.items() if taken[flow] > limits[flow]}

    def _holders(self, workflow: WorkflowId) -> Iterator[tuple[int, TaskKey]]:
        """Who has places of a workflow that had no limit until now, the longest ago first."""
        running = [one for one in self.running.values() if one.job.workflow == workflow and one.stopping is None]
        holders = [one.waiting for one in sorted(running, key=lambda one: one.serial)]
        holders += [one for one in self.line if one.need.workflow == workflow and one.reserved is not None]
        for waiting in holders:
            self._places += 1
            waiting.place = self._places
            yield waiting.place, waiting.job.attempt.task

    def room_again(self) -> None:
        waiting, self.no_room = self.no_room, []
        for running in waiting:
            running.held_back = False
            if running.agent.running is running:
                self.fleet.offer_victim(running)
        if waiting:
            self.line.end_round()  # Whoever was passed over may have one of them give way now.

    def tell(self, to: str, message: Message) -> None:
        self.effects.append(Send(to, message))

    def taken_effects(self) -> list[Effect]:
        effects, self.effects = self.effects, []
        return effects


def at_priority(job: Job, priority: Priority) -> Job:
    """The job as it is at its present priority, which sets how nice its process is."""
    return Job(
        job.attempt, job.origin, job.task, priority, job.entity,
        job.event, job.params, job.inputs, job.restored, job.merged,
    )  # fmt: skip
