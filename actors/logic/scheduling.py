"""The scheduler's logic: it owns the agents and what they do.

Messages are applied as they come; ``settle`` decides once for all that were in the inbox
together. A task comes back into the line only by the keeper's word, after its old attempt is
known to have ended. A rebuilt scheduler decides nothing until it knows its floor again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import assert_never

from actors.effects import KEEPER, Effect, Reply
from actors.logic import checking, describing, queueing, waiting_for
from actors.logic.floor import Floor
from actors.logic.inheritance import Inheritance
from actors.logic.orders import Orders
from actors.logic.policy import Assign, Preempt, TakeOver, next_move
from actors.logic.ready import Waiting
from actors.logic.rebuilding import Rebuilding
from actors.logic.reports import Reports
from actors.logic.telling import in_words
from actors.messages import (
    AgentDied,
    AgentReady,
    AgingDue,
    AttemptEnded,
    AttemptNoted,
    AttemptStuck,
    AttemptSuspended,
    CancelTask,
    ChangePriority,
    ExplainWaiting,
    HoldAgent,
    HoldWorkflow,
    Inspect,
    LimitsChanged,
    MinRuntimeOver,
    NoteReceived,
    NoteTaken,
    ReadQueues,
    ReadStats,
    ReadyTask,
    ReleaseAttempt,
    ReviseTasks,
    SchedulerRestored,
    StopAgents,
    StopGraceOver,
    TasksReady,
    TasksRevised,
    ToScheduler,
    WithdrawTask,
    WorkReport,
)
from actors.model import NOBODY, AgentName, AttemptId, ErrorInfo, Instant, Json, Millis, Workflow, WorkflowId


class Scheduling:
    def __init__(
        self,
        workflows: Mapping[WorkflowId, Workflow],
        agents: Iterable[tuple[AgentName, frozenset[str]]],
        *,
        starvation_ms: Millis | None = None,
        generation: int = 0,
        stop: StopAgents | None = None,
    ) -> None:
        """``generation`` counts those that crashed before it; above 0 it must learn what is.

        ``stop`` is what those before it may have been ordered already; whoever waits for its end asks anew.
        """
        self.floor = Floor(workflows, agents, starvation_ms=starvation_ms)
        self.inheritance = Inheritance(self.floor)
        self._reports = Reports(self.floor)
        self._orders = Orders(self.floor)
        self._stop = stop
        self._rebuilding = Rebuilding(self.floor, self._reports, generation) if generation else None

    @property
    def knows(self) -> bool:
        """Whether it knows its floor: always, but for a while after a crash."""
        return self._rebuilding is None

    def begin(self, now: Instant) -> list[Effect]:  # noqa: ARG002 - every logic has this face
        """After a crash, ask the keeper and the agents."""
        return [] if self._rebuilding is None else self._rebuilding.begin()

    def quarantined(self, message: object, error: ErrorInfo, now: Instant) -> list[Effect]:  # noqa: ARG002 - a face
        """This message crashed it twice. What it said comes again from who sent it; an end counts as a loss."""
        if isinstance(message, AttemptEnded) and self._rebuilding is not None:
            self._rebuilding.spoilt(message, error)
        return []

    def receive(self, message: ToScheduler, now: Instant) -> list[Effect]:
        """Take one message; return what must happen because of it, before the next decision."""
        if self._rebuilding is None or isinstance(message, Inspect):  # It can be seen learning, too.
            self._apply(message, now)
        else:
            following = self._rebuilding.take(message, now)
            if following is not None:
                self._rebuilding = None
                if self._stop is not None:
                    self._apply(self._stop, now)
                for later in following:
                    self._apply(later, now)
        return self.floor.taken_effects()

    def _apply(self, message: ToScheduler, now: Instant) -> None:
        floor, orders = self.floor, self._orders
        match message:
            case TasksReady(tasks, recorded):
                self._ready(tasks, recorded, now)
            case AttemptEnded():
                self._reports.ended(message)
            case ReviseTasks(instance, tasks):
                floor.tell(KEEPER, TasksRevised(instance, orders.revise(tasks)))
            case WithdrawTask(task):
                orders.withdraw(task)
            case CancelTask(task, reason):
                orders.cancel(task, reason, now)
            case ChangePriority(task, priority):
                orders.change_priority(task, priority)
            case HoldWorkflow() | HoldAgent() | LimitsChanged():
                self._bounded(message)
            case AgentReady(name, incarnation):
                floor.arrived(name, incarnation)
            case AttemptSuspended(name, incarnation, attempt):
                self._reports.suspended(name, incarnation, attempt, now)
            case AttemptStuck():
                self._reports.stuck(message)
            case StopAgents():
                orders.stop(message, now)
            case StopGraceOver():
                orders.stop_running()
            case ReadQueues(reply):
                self.inheritance.settle()
                floor.effects.append(Reply(reply, queueing.queues(floor, self.inheritance, now)))
            case ReadStats(reply):
                floor.effects.append(Reply(reply, self._stats()))
            case Inspect(reply):
                floor.effects.append(Reply(reply, self._described(now)))
            case ExplainWaiting(task, facts, reply):
                self.inheritance.settle()
                told = {**facts, **waiting_for.explain(floor, self.inheritance, task, now)}
                floor.effects.append(Reply(reply, in_words(told)))
            case AgingDue():
                floor.aging.rang()
            case AttemptNoted() | NoteTaken() | ReleaseAttempt() | MinRuntimeOver():
                self._about_running(message, now)
            case AgentDied():
                self._reports.died(message, now)
            case SchedulerRestored() | WorkReport():
                return  # For one that has crashed since.
            case _:
                assert_never(message)

    def check(self) -> None:
        """Assert what must be true of it after every batch; O(tasks in line + agents)."""
        if self._rebuilding is None:
            checking.check(self.floor)

    def settle(self, now: Instant) -> list[Effect]:
        """Decide, once all that arrived together has been applied."""
        floor, orders = self.floor, self._orders
        if self._rebuilding is not None:
            return floor.taken_effects()
        if orders.stopping is None:
            floor.aging.age(now)
            floor.fleet.begin_round()
            self.inheritance.settle()
            while not floor.all_held and (move := next_move(floor.line, floor.fleet)) is not None:
                match move:
                    case Assign(waiting, agent):
                        floor.assign(waiting, agent, now)
                    case TakeOver(waiting, agent):
                        floor.take_over(waiting, agent, now)
                    case Preempt(waiting, victim):
                        floor.preempt(waiting, victim, now)
                    case _:
                        assert_never(move)
                self.inheritance.settle()
            floor.line.end_round()
            floor.effects += floor.aging.timer()
            if floor.over:
                floor.shrink_over()
            return floor.taken_effects()
        orders.stop_suspended(now)
        if orders.stopping != NOBODY and not floor.running and not floor.ending:
            floor.effects.append(Reply(orders.stopping, None))
            orders.stopping = NOBODY
        return floor.taken_effects()

    def _ready(self, tasks: tuple[ReadyTask, ...], recorded: tuple[AttemptId, ...], now: Instant) -> None:
        floor = self.floor
        for attempt in recorded:
            floor.recorded(attempt)
        for ready in tasks:
            floor.enter(Waiting(ready, now))

    def _bounded(self, message: HoldWorkflow | HoldAgent | LimitsChanged) -> None:
        """What may start is another part of what waits from now on."""
        match message:
            case HoldWorkflow(workflow, held):
                self._orders.hold(workflow, held=held)
            case HoldAgent(name, held):
                self._orders.hold_agent(name, held=held)
            case LimitsChanged(limits):
                self.floor.set_limits(limits)
            case _:
                assert_never(message)

    def _about_running(self, message: AttemptNoted | NoteTaken | ReleaseAttempt | MinRuntimeOver, now: Instant) -> None:
        """What concerns an attempt only while it has its agent; otherwise it comes too late."""
        floor = self.floor
        running = floor.running.get(message.attempt.task)
        if running is None or running.attempt != message.attempt:
            return
        match message:
            case AttemptNoted(_, _, attempt, note, number):
                floor.tell(KEEPER, NoteReceived(attempt, note, number))
            case NoteTaken():
                floor.tell(running.agent.name, message)
            case ReleaseAttempt():
                if not running.sent:
                    floor.send_off(running)
            case MinRuntimeOver():
                # It may have rung for the stretch before, when the attempt has stood still since and goes on again.
                if running.held_back and now >= running.ripe_at:
                    running.held_back = False
                    floor.fleet.offer_victim(running)
            case _:
                assert_never(message)

    def _described(self, now: Instant) -> Mapping[str, Json]:
        return describing.scheduler(self.floor, now, knows=self.knows, stopping=self._orders.stopping)

    def _stats(self) -> dict[str, object]:
        floor = self.floor
        busy = len(floor.running)
        free = [agent for agent in floor.fleet if agent.running is None]
        stopping = sum(1 for running in floor.running.values() if running.stopping is not None)
        return {
            "queues": dict(sorted(floor.line.depth.items())),
            "agents": {
                "idle": sum(agent.present and not agent.drained for agent in free),
                "running": busy - stopping,
                "stopping": stopping,
                "suspended": floor.suspended,
                "set_aside": len(floor.set_aside),
                "drained": sum(agent.drained for agent in free),
            },
            "preemptions": floor.preemptions,
            "preemption_latency_ns": sorted(self._reports.latencies),
            "timings": floor.timings.shown(),
        }
