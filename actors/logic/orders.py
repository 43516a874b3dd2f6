"""What the keeper and the engine order the scheduler to do with a task, a workflow, or everything."""

from __future__ import annotations

from actors.effects import KEEPER, Reply, SetTimer
from actors.logic.floor import Floor
from actors.logic.ready import Waiting
from actors.messages import (
    AttemptSetAside,
    CancelAttempt,
    ReadyTask,
    StopAgents,
    StopGraceOver,
    TaskWithdrawn,
)
from actors.model import (
    NOBODY,
    NS_PER_MS,
    AgentName,
    Instant,
    Priority,
    ReplyId,
    StopReason,
    TaskKey,
    WorkflowId,
)


class Orders:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self.stopping: ReplyId | None = None
        """Who waits for the engine's end; None while it runs, 0 when they were told."""
        self._stops_at: Instant | None = None
        """When what still runs is told to stop."""
        self._kills = False
        """It is not even given a grace of its own then."""

    def withdraw(self, task: TaskKey) -> None:
        """Take it out of the line if no attempt of it is alive."""
        waiting = self._floor.line.get(task)
        if waiting is not None and waiting.home is None:
            self._take_out(waiting)

    def revise(self, tasks: tuple[ReadyTask, ...]) -> bool:
        floor = self._floor
        waits = [floor.line.get(ready.job.attempt.task) for ready in tasks]
        for waiting, ready in zip(waits, tasks, strict=True):
            if waiting is None or waiting.home is not None or waiting.job.attempt != ready.job.attempt:
                return False
        for waiting, ready in zip(waits, tasks, strict=True):
            if waiting is not None:
                waiting.job = ready.job
        return True

    def _take_out(self, waiting: Waiting) -> None:
        floor = self._floor
        if waiting.reserved is not None:
            floor.unreserve(waiting)
        floor.line.remove(waiting)
        floor.tell(KEEPER, TaskWithdrawn(waiting.job.attempt.task))

    def cancel(self, task: TaskKey, reason: StopReason, now: Instant) -> None:
        floor = self._floor
        waiting = floor.line.get(task)
        if waiting is not None:
            if waiting.home is None:
                self._take_out(waiting)
                return
            if waiting.reserved is not None:
                floor.unreserve(waiting)
            floor.line.remove(waiting)
            floor.end_suspended(waiting.job.attempt, waiting.home, reason)
            return
        for attempt in floor.set_aside:
            if attempt.task == task:  # It cannot be stopped any more than it was; the task can be given up.
                floor.tell(KEEPER, AttemptSetAside(attempt, reason, replaced=True))
        running = floor.running.get(task)
        if running is None:
            return
        if not running.sent:
            floor.drop_unsent(running, reason, now)
            return
        floor.stop(running, reason)
        floor.tell(running.agent.name, CancelAttempt(running.attempt, reason, running.job.task.grace_ms))

    def change_priority(self, task: TaskKey, priority: Priority) -> None:
        """Its own priority is this; what it counts as is worked out before the next decision."""
        waiting, running = self._floor.line.get(task), self._floor.running.get(task)
        for one in (waiting, running):
            if one is not None:
                one.own = priority
        self._floor.line.changed["own", task] = None

    def hold(self, workflow: WorkflowId | None, *, held: bool) -> None:
        floor = self._floor
        if held:
            for waiting in [w for w in floor.line if w.reserved is not None and workflow in (None, w.need.workflow)]:
                floor.unreserve(waiting)
                waiting.reserved_at = 0
        if workflow is None:
            floor.all_held = held
            return
        floor.line.touch_waiters_of(workflow)
        if held:
            floor.held.add(workflow)
            floor.line.block(workflow)
        elif workflow in floor.held:
            floor.held.discard(workflow)
            floor.count(workflow, 0)

    def hold_agent(self, name: AgentName, *, held: bool) -> None:
        """Whoever it was being freed for has to look for another."""
        floor = self._floor
        agent = floor.fleet.agents.get(name)
        if agent is None or agent.drained == held:
            return
        if held:
            if agent.reserved_for is not None:
                floor.unreserve(agent.reserved_for)
            floor.fleet.drain(agent)
        else:
            floor.fleet.undrain(agent)
        floor.line.touch_everybody()  # Who waits in earnest may have changed: somebody could run it, or nobody can.

    def stop(self, order: StopAgents, now: Instant) -> None:
        """Stop everything; a second, harder stop may come, with its own asker or with none."""
        floor, reply = self._floor, order.reply
        if self.stopping and reply != NOBODY:
            floor.effects.append(Reply(self.stopping, None))
        if self.stopping is None or reply != NOBODY:
            self.stopping = reply
        self._kills = self._kills or not order.grace
        due = order.since + order.grace * NS_PER_MS
        if self._stops_at is None or due < self._stops_at:
            self._stops_at = due
        for running in [r for r in floor.running.values() if not r.sent]:
            floor.drop_unsent(running, StopReason.SHUTDOWN, now)
        self.stop_suspended(now)
        if self._stops_at > now:
            floor.effects.append(SetTimer("stop", self._stops_at, StopGraceOver()))
        else:
            self.stop_running()

    def stop_suspended(self, now: Instant) -> None:
        """End what stands still, for nothing goes on any more; what was being suspended too, as it comes to that."""
        floor = self._floor
        if floor.suspended:
            for waiting in [w for w in floor.line if w.home is not None]:
                self.cancel(waiting.job.attempt.task, StopReason.SHUTDOWN, now)

    def stop_running(self) -> None:
        """Their time is over. If nobody has ordered it, a timer of a crashed scheduler has rung: nothing happens."""
        floor = self._floor
        if self.stopping is None:
            return
        for running in floor.running.values():
            floor.stop(running, StopReason.SHUTDOWN)
            grace = 0 if self._kills else min(running.job.task.grace_ms, 100)
            floor.tell(running.agent.name, CancelAttempt(running.attempt, StopReason.SHUTDOWN, grace))
