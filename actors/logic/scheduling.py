"""The scheduler's logic: it owns the agents and what they do.

Messages are applied as they come; ``settle`` decides once for all that were in the inbox
together. A task is in line, or has an agent, or was set aside, never two of these; it comes
back into the line only by the keeper's word, after its old attempt is known to have ended.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from typing import assert_never

from actors.effects import KEEPER, ClearTimer, Effect, Reply, Send, SetTimer
from actors.logic import waiting_for
from actors.logic.fleet import Agent, Fleet, Running
from actors.logic.policy import Assign, Preempt, TakeOver, next_move
from actors.logic.ready import ReadyLine, Waiting
from actors.messages import (
    AgentReady,
    AttemptAssigned,
    AttemptClosed,
    AttemptEnded,
    AttemptNoted,
    AttemptParked,
    AttemptSetAside,
    AttemptStuck,
    AttemptSuspended,
    CancelAttempt,
    CancelTask,
    ChangePriority,
    EndSuspended,
    ExplainWaiting,
    HoldWorkflow,
    MinRuntimeOver,
    NoteReceived,
    NoteTaken,
    ReadQueues,
    ReadStats,
    ReadyTask,
    ReleaseAttempt,
    ResumeAttempt,
    ReviseTasks,
    RunAttempt,
    SetAside,
    StopAgents,
    StopGraceOver,
    SuspendAttempt,
    TasksReady,
    TasksRevised,
    TaskWithdrawn,
    ToScheduler,
    WithdrawTask,
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
    ReplyId,
    StopReason,
    TaskKey,
    Workflow,
    WorkflowId,
)


class Scheduling:
    def __init__(self, workflows: Mapping[WorkflowId, Workflow], agents: Iterable[tuple[AgentName, frozenset[str]]]) -> None:
        self.line = ReadyLine()
        self.fleet = Fleet()
        for name, capabilities in agents:
            self.fleet.enlist(name, capabilities)
        self.limits = {w.id: w.max_concurrent for w in workflows.values() if w.max_concurrent is not None}
        self.taken: Counter[WorkflowId] = Counter()
        """Attempts per workflow that run, are being stopped or set aside, or have an agent reserved."""
        self.held: set[WorkflowId] = set()
        self.running: dict[TaskKey, Running] = {}
        self.set_aside: dict[AttemptId, Running] = {}
        self._ending: dict[AttemptId, tuple[Job, AgentName]] = {}
        """Suspended attempts that are being killed."""
        self._no_room: list[Running] = []
        """Attempts that could only be suspended, and there was no room."""
        self._ended: dict[AttemptId, Agent] = {}
        """Attempts whose end the keeper has not recorded yet, and the agent that is held for it."""
        self._suspended = 0
        self._serial = 0
        self._stopping: ReplyId | None = None
        self._stop_grace: Millis = 0
        self._effects: list[Effect] = []
        self.preemptions = 0
        self.latencies: deque[int] = deque(maxlen=1000)
        """Nanoseconds from a preemption's request to the first line of the urgent action, the newest."""
        self.wasted_ns = 0

    # --- messages --------------------------------------------------------------------------------

    def receive(self, message: ToScheduler, now: Instant) -> list[Effect]:
        """Take one message; return what must happen because of it, before the next decision."""
        match message:
            case TasksReady(tasks, recorded):
                for attempt in recorded:
                    agent = self._ended.pop(attempt, None)
                    if agent is not None:
                        self.fleet.release_hold(agent, attempt)
                for ready in tasks:
                    self.line.add(Waiting(ready, now))
            case AttemptEnded(name, incarnation, attempt, outcome, reason):
                self._attempt_ended(name, incarnation, attempt, outcome, reason, now)
            case AttemptNoted(name, incarnation, attempt, note):
                if self._current(name, incarnation, attempt) is not None:
                    self._tell(KEEPER, NoteReceived(attempt, note))
            case NoteTaken(attempt):
                running = self.running.get(attempt.task)
                if running is not None and running.attempt == attempt:
                    self._tell(running.agent.name, message)
            case ReviseTasks(instance, tasks):
                self._tell(KEEPER, TasksRevised(instance, self._revise(tasks)))
            case ReleaseAttempt(attempt):
                running = self.running.get(attempt.task)
                if running is not None and running.attempt == attempt and not running.sent:
                    self._send_off(running)
            case WithdrawTask(task):
                waiting = self.line.get(task)
                if waiting is not None and waiting.home is None:
                    self._withdraw(waiting)
            case CancelTask(task, reason):
                self._cancel(task, reason, now)
            case ChangePriority(task, priority):
                self._change_priority(task, priority)
            case HoldWorkflow(workflow, held):
                self._hold(workflow, held=held)
            case AgentReady(name, incarnation):
                agent = self.fleet.agents[name]
                if not agent.present:
                    agent.present = True
                    agent.incarnation = incarnation
                    self.fleet.set_free(agent, None)
            case AttemptSuspended(name, incarnation, attempt):
                self._attempt_suspended(name, incarnation, attempt, now)
            case AttemptStuck(name, incarnation, attempt):
                self._attempt_stuck(name, incarnation, attempt)
            case MinRuntimeOver(attempt):
                running = self.running.get(attempt.task)
                if running is not None and running.attempt == attempt and running.held_back:
                    running.held_back = False
                    self.fleet.offer_victim(running)
            case ExplainWaiting(task, facts, reply):
                self._effects.append(Reply(reply, {**facts, **waiting_for.explain(self, task, now)}))
            case ReadQueues(reply):
                self._effects.append(Reply(reply, waiting_for.queues(self, now)))
            case ReadStats(reply):
                self._effects.append(Reply(reply, self._stats()))
            case StopAgents(grace, reply):
                self._stop(grace, reply, now)
            case StopGraceOver():
                self._stop_running()
            case _:
                assert_never(message)
        return self._taken_effects()

    def settle(self, now: Instant) -> list[Effect]:
        """Decide, once all that arrived together has been applied."""
        if self._stopping is None:
            while (move := next_move(self.line, self.fleet)) is not None:
                match move:
                    case Assign(waiting, agent):
                        self._assign(waiting, agent, now)
                    case TakeOver(waiting, agent):
                        self._bump(agent)
                        self._reserve(waiting, agent, now)
                    case Preempt(waiting, victim):
                        self._preempt(waiting, victim, now)
                    case _:
                        assert_never(move)
            self.line.end_round()
        elif not self.running and not self._ending and self._stopping:
            self._effects.append(Reply(self._stopping, None))
            self._stopping = ReplyId(0)
        return self._taken_effects()

    # --- starting and giving way -------------------------------------------------------------------

    def _assign(self, waiting: Waiting, agent: Agent, now: Instant) -> None:
        if waiting.reserved is not None:
            self._unreserve(waiting)
        if agent.reserved_for is not None:  # It became free, and something more important came first.
            self._unreserve(agent.reserved_for)
        self.line.remove(waiting)
        self._count(waiting.need.workflow, 1)
        self._serial += 1
        running = Running(waiting, agent, serial=self._serial, now=now)
        resumed = waiting.home is not None
        if waiting.priority != running.job.priority:
            running.job = _at_priority(running.job, waiting.priority)
        self.running[running.attempt.task] = running
        self.fleet.occupy(agent, running)
        task = running.job.task
        if resumed:
            self._suspended -= 1
            waiting.paused += now - waiting.suspended_at
            running.sent = True
            waiting.home = None
            self._tell(agent.name, ResumeAttempt(running.job, agent.incarnation, waiting.paused))
            self._room_again()
        elif task.delivery is not Delivery.AT_MOST_ONCE:
            self._send_off(running)
        self._tell(KEEPER, AttemptAssigned(running.attempt, agent.name, now, resumed))
        spent = task.max_preemptions is not None and waiting.preemptions >= task.max_preemptions
        if task.preemptible and not spent:
            if task.min_runtime_ms:
                running.held_back = True
                due = now + task.min_runtime_ms * NS_PER_MS
                self._effects.append(SetTimer(("min", running.attempt), due, MinRuntimeOver(running.attempt)))
            else:
                self.fleet.offer_victim(running)

    def _send_off(self, running: Running) -> None:
        running.sent = True
        self._tell(running.agent.name, RunAttempt(running.job, running.agent.incarnation))

    def _reserve(self, waiting: Waiting, agent: Agent, now: Instant) -> None:
        waiting.reserved_at = waiting.reserved_at or now
        self._count(waiting.need.workflow, 1)
        self.line.reserve(waiting, agent.name)
        self.fleet.reserve(agent, waiting)

    def _unreserve(self, waiting: Waiting) -> None:
        assert waiting.reserved is not None
        self.fleet.reserve(self.fleet.agents[waiting.reserved], None)
        self._count(waiting.need.workflow, -1)
        self.line.reserve(waiting, None)

    def _bump(self, agent: Agent) -> None:
        if agent.reserved_for is not None:
            self._unreserve(agent.reserved_for)

    def _preempt(self, waiting: Waiting, victim: Running, now: Instant) -> None:
        task = victim.job.task
        suspend = task.on_preempt is OnPreempt.SUSPEND and self._suspended < len(self.fleet.agents)
        if task.delivery is Delivery.AT_MOST_ONCE and not suspend:
            victim.held_back = True
            self._no_room.append(victim)
            return
        self.preemptions += 1
        victim.stopping = StopReason.PREEMPT
        victim.preempted_by = waiting
        self._reserve(waiting, victim.agent, now)
        if not victim.sent:  # Assigned, but not released yet: nothing has run.
            self._drop_unsent(victim, StopReason.PREEMPT, now)
        elif suspend:
            victim.suspending = True
            self._suspended += 1
            self._tell(victim.agent.name, SuspendAttempt(victim.attempt))
        else:
            self._tell(victim.agent.name, CancelAttempt(victim.attempt, StopReason.PREEMPT, task.grace_ms))

    def _drop_unsent(self, running: Running, reason: StopReason, now: Instant) -> None:
        outcome = Outcome(OutcomeKind.STOPPED, ended=now)
        self._close(running, outcome, reason)
        self._free(running)

    # --- ends ------------------------------------------------------------------------------------

    def _current(self, name: AgentName, incarnation: int, attempt: AttemptId) -> Running | None:
        """The attempt this report is about, if it is the one we know to run there."""
        running = self.running.get(attempt.task)
        if running is None or running.attempt != attempt or running.agent.name != name:
            return None
        return running if running.agent.incarnation == incarnation else None

    def _attempt_ended(
        self, name: AgentName, incarnation: int, attempt: AttemptId, outcome: Outcome, reason: StopReason | None, now: Instant
    ) -> None:
        running = self._current(name, incarnation, attempt)
        if running is not None:
            self._measure(running, outcome)
            self._close(running, outcome, reason)
            self._free(running)
            return
        aside = self.set_aside.pop(attempt, None)
        if aside is not None:
            # Fenced: it was given up. What it returned late is kept, but does not count.
            if outcome.kind is OutcomeKind.COMPLETED:
                outcome = Outcome(OutcomeKind.STOPPED, outcome.result, None, outcome.checkpoint, outcome.began, outcome.ended)
            self._tell(KEEPER, AttemptClosed(attempt, aside.agent.name, outcome, reason))
            self._count(aside.job.workflow, -1)
            return
        ending = self._ending.pop(attempt, None)
        if ending is not None:
            self._tell(KEEPER, AttemptClosed(attempt, ending[1], outcome, reason))

    def _close(self, running: Running, outcome: Outcome, reason: StopReason | None) -> None:
        by = running.preempted_by.job.attempt.task if running.preempted_by is not None else None
        agent = running.agent.name if running.sent else None
        self._tell(KEEPER, AttemptClosed(running.attempt, agent, outcome, reason, by))
        if running.suspending:
            self._suspended -= 1
            self._room_again()

    def _free(self, running: Running) -> None:
        """Its agent is idle, kept for work as important until the keeper has recorded the end."""
        del self.running[running.attempt.task]
        self._count(running.job.workflow, -1)
        if running.held_back:
            self._effects.append(ClearTimer(("min", running.attempt)))
        self._ended[running.attempt] = running.agent
        self.fleet.set_free(running.agent, (running.attempt, running.priority))

    def _attempt_suspended(self, name: AgentName, incarnation: int, attempt: AttemptId, now: Instant) -> None:
        running = self._current(name, incarnation, attempt)
        if running is None:
            return
        by = running.preempted_by.job.attempt.task if running.preempted_by is not None else None
        del self.running[attempt.task]
        self._count(running.job.workflow, -1)
        self._tell(KEEPER, AttemptParked(attempt, by))
        self.fleet.set_free(running.agent, None)
        waiting = running.waiting
        back = Waiting(ReadyTask(running.job, waiting.order, waiting.preemptions + 1), now)
        back.priority, back.home, back.suspended_at, back.paused = running.priority, name, now, waiting.paused
        self.line.add(back)
        if running.stopping not in (None, StopReason.PREEMPT):
            self._cancel(attempt.task, running.stopping or StopReason.CANCEL, now)

    def _attempt_stuck(self, name: AgentName, incarnation: int, attempt: AttemptId) -> None:
        running = self._current(name, incarnation, attempt)
        if running is None:
            return
        reason = running.stopping or StopReason.TIMEOUT
        replaced = len(self.set_aside) < len(self.fleet.agents)
        self._tell(KEEPER, AttemptSetAside(attempt, reason, replaced))
        if replaced:
            # Counts against its workflow's limit until it ends; its agent comes back as a new incarnation.
            del self.running[attempt.task]
            self.set_aside[attempt] = running
            running.agent.running = None
            running.agent.present = False
            self._tell(name, SetAside(attempt))

    # --- orders from the keeper ------------------------------------------------------------------

    def _revise(self, tasks: tuple[ReadyTask, ...]) -> bool:
        waits = [self.line.get(ready.job.attempt.task) for ready in tasks]
        for waiting, ready in zip(waits, tasks, strict=True):
            if waiting is None or waiting.home is not None or waiting.job.attempt != ready.job.attempt:
                return False
        for waiting, ready in zip(waits, tasks, strict=True):
            if waiting is not None:
                waiting.job = ready.job
        return True

    def _withdraw(self, waiting: Waiting) -> None:
        if waiting.reserved is not None:
            self._unreserve(waiting)
        self.line.remove(waiting)
        self._tell(KEEPER, TaskWithdrawn(waiting.job.attempt.task))

    def _cancel(self, task: TaskKey, reason: StopReason, now: Instant) -> None:
        waiting = self.line.get(task)
        if waiting is not None:
            if waiting.home is None:
                self._withdraw(waiting)
                return
            if waiting.reserved is not None:
                self._unreserve(waiting)
            self.line.remove(waiting)
            self._suspended -= 1
            self._room_again()
            self._ending[waiting.job.attempt] = (waiting.job, waiting.home)
            self._tell(waiting.home, EndSuspended(waiting.job.attempt, reason))
            return
        running = self.running.get(task)
        if running is None:
            return
        if not running.sent:
            self._drop_unsent(running, reason, now)
            return
        running.stopping = reason
        self._tell(running.agent.name, CancelAttempt(running.attempt, reason, running.job.task.grace_ms))

    def _change_priority(self, task: TaskKey, priority: Priority) -> None:
        waiting = self.line.get(task)
        if waiting is not None:
            self.line.reprioritise(waiting, priority)
            if waiting.reserved is not None:
                self.fleet.reserve(self.fleet.agents[waiting.reserved], waiting)
        running = self.running.get(task)
        if running is not None:
            may_give_way = running.job.task.preemptible and not running.held_back
            running.priority = priority
            if may_give_way:
                self.fleet.offer_victim(running)

    def _hold(self, workflow: WorkflowId, *, held: bool) -> None:
        if held:
            self.held.add(workflow)
            self.line.block(workflow)
            for waiting in [w for w in self.line if w.reserved is not None and w.need.workflow == workflow]:
                self._unreserve(waiting)
        elif workflow in self.held:
            self.held.discard(workflow)
            self._count(workflow, 0)

    # --- stopping the engine ---------------------------------------------------------------------

    def _stop(self, grace: Millis, reply: ReplyId, now: Instant) -> None:
        if self._stopping:  # A second, harder stop answers the first as well.
            self._effects.append(Reply(self._stopping, None))
        self._stopping = reply
        self._stop_grace = grace
        for waiting in [w for w in self.line if w.home is not None]:
            self._cancel(waiting.job.attempt.task, StopReason.SHUTDOWN, now)
        if grace:
            self._effects.append(SetTimer("stop", now + grace * NS_PER_MS, StopGraceOver()))
        else:
            self._stop_running()

    def _stop_running(self) -> None:
        for running in list(self.running.values()):
            if not running.sent:
                self._drop_unsent(running, StopReason.SHUTDOWN, running.assigned_at)
                continue
            running.stopping = StopReason.SHUTDOWN
            grace = min(running.job.task.grace_ms, 100) if self._stop_grace else 0
            self._tell(running.agent.name, CancelAttempt(running.attempt, StopReason.SHUTDOWN, grace))

    # --- accounts --------------------------------------------------------------------------------

    def _count(self, workflow: WorkflowId, change: int) -> None:
        """Keep the workflow's count, and block or unblock its line at the limit."""
        limit = self.limits.get(workflow)
        self.taken[workflow] += change
        if workflow in self.held or (limit is not None and self.taken[workflow] >= limit):
            self.line.block(workflow)
        elif limit is not None or not change:
            self.line.unblock(workflow)

    def _room_again(self) -> None:
        waiting, self._no_room = self._no_room, []
        for running in waiting:
            running.held_back = False
            if running.agent.running is running:
                self.fleet.offer_victim(running)

    def _measure(self, running: Running, outcome: Outcome) -> None:
        if running.reserved_at and outcome.began is not None:
            self.latencies.append(outcome.began - running.reserved_at)
        lost = outcome.kind in (OutcomeKind.STOPPED, OutcomeKind.LOST)
        if lost and outcome.began is not None:
            self.wasted_ns += max(0, outcome.ended - (outcome.saved or outcome.began))

    def _stats(self) -> dict[str, object]:
        busy = len(self.running)
        present = sum(1 for agent in self.fleet if agent.present)
        return {
            "queues": {priority: count for priority, count in sorted(self.line.depth.items())},
            "agents": {
                "idle": present - busy,
                "running": sum(1 for r in self.running.values() if r.stopping is None),
                "stopping": sum(1 for r in self.running.values() if r.stopping is not None),
                "suspended": self._suspended,
                "set_aside": len(self.set_aside),
            },
            "preemptions": self.preemptions,
            "preemption_latency_ns": sorted(self.latencies),
            "wasted_ms": self.wasted_ns / NS_PER_MS,
        }

    def _tell(self, to: str, message: object) -> None:
        self._effects.append(Send(to, message))  # type: ignore[arg-type]

    def _taken_effects(self) -> list[Effect]:
        effects, self._effects = self._effects, []
        return effects


def _at_priority(job: Job, priority: Priority) -> Job:
    """The job as it is at its present priority, which sets how nice its process is."""
    fields = {name: getattr(job, name) for name in Job.__slots__}
    return Job(**{**fields, "priority": priority})
