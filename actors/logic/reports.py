"""What agents report to the scheduler: ends, suspensions, attempts that will not stop."""

from __future__ import annotations

from collections import deque

from actors.effects import KEEPER, ClearTimer
from actors.logic.fleet import Running
from actors.logic.floor import Floor
from actors.logic.ready import Waiting
from actors.messages import (
    AgentDied,
    AttemptClosed,
    AttemptEnded,
    AttemptParked,
    AttemptSetAside,
    AttemptStuck,
    EndSuspended,
    EndTaken,
    ReadyTask,
    SetAside,
)
from actors.model import AgentName, AttemptId, ErrorInfo, Instant, Outcome, OutcomeKind, StopReason


class Reports:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._stuck: dict[AttemptId, Running] = {}
        """Attempts that keep their agents because too many are set aside already, oldest first."""
        self.latencies: deque[int] = deque(maxlen=1000)
        """Nanoseconds from a preemption's request to the urgent action's first line, the newest."""

    def ended(self, report: AttemptEnded) -> None:
        """An attempt is gone: one with an agent, one set aside, or a suspended one that was killed."""
        attempt, outcome, reason = report.attempt, report.outcome, report.reason
        floor = self._floor
        running = floor.current(report.agent, report.incarnation, attempt)
        if running is not None:
            self._measure(running, outcome)
            floor.timings.ended(outcome, reason)
            floor.close(running, outcome, reason)
            floor.free(running)
            return
        floor.tell(report.agent, EndTaken(attempt))
        aside = floor.set_aside.pop(attempt, None)
        if aside is not None:
            floor.timings.ended(outcome, reason or aside.stopping)
            # Fenced: it was given up. What it returned late is kept, but does not count.
            if outcome.kind is OutcomeKind.COMPLETED:
                outcome = Outcome(
                    OutcomeKind.STOPPED, outcome.result, None, outcome.checkpoint, outcome.began, outcome.ended,
                    saved=outcome.saved,
                )  # fmt: skip
            if reason is None:  # Its agent has crashed since, and does not know.
                reason = aside.stopping or aside.given_up_for
                if reason is StopReason.SHUTDOWN and outcome.kind is OutcomeKind.STOPPED:
                    reason, outcome = None, _lost(outcome)
            floor.tell(KEEPER, AttemptClosed(attempt, aside.agent.name, outcome, reason))
            floor.count(aside.job.workflow, -1)
            floor.line.leave_lock(attempt.task)
            self._next_stuck()
            return
        ending = floor.ending.pop(attempt, None)
        if ending is not None:
            # An agent that crashed meanwhile does not know why it was killed.
            floor.tell(KEEPER, AttemptClosed(attempt, ending[0], outcome, reason or ending[1]))
            floor.line.leave_lock(attempt.task)
            return
        waiting = floor.line.get(attempt.task)
        if waiting is not None and waiting.home == report.agent and waiting.job.attempt == attempt:
            # Its process ended while it stood still, through no request of ours.
            if waiting.reserved is not None:
                floor.unreserve(waiting)
            floor.line.remove(waiting)
            floor.line.leave_lock(attempt.task)
            floor.suspended -= 1
            floor.tell(KEEPER, AttemptClosed(attempt, report.agent, outcome, reason))
            floor.room_again()

    def suspended(self, name: AgentName, incarnation: int, attempt: AttemptId, now: Instant) -> None:
        floor = self._floor
        running = floor.current(name, incarnation, attempt)
        if running is None:
            return
        by = running.preempted_by.job.attempt.task if running.preempted_by is not None else None
        del floor.running[attempt.task]
        floor.count(running.job.workflow, -1)
        floor.fleet.set_free(running.agent, None)
        if running.stopping is not None and running.stopping is not StopReason.PREEMPT:
            floor.end_suspended(attempt, name, running.stopping)  # Cancelled while it was being suspended.
            return
        floor.tell(KEEPER, AttemptParked(attempt, by, name, now))
        self._park_again(running, now, preemptions=1)

    def _park_again(self, running: Running, since: Instant, *, preemptions: int) -> None:
        waiting = running.waiting
        back = Waiting(ReadyTask(running.job, waiting.order, waiting.preemptions + preemptions, waiting.lock), since)
        back.own, back.priority = running.own, running.priority
        self._floor.park(back, running.agent.name, waiting.paused)

    def died(self, notice: AgentDied, now: Instant) -> None:
        """Whatever we believe to run there does not, and nothing that was sent there has been heard."""
        floor = self._floor
        agent = floor.fleet.agents[notice.agent]
        if notice.incarnation < agent.incarnation:
            return
        running = agent.running
        if running is not None and running.resumed:
            self._never_resumed(running)
        elif running is not None:
            if running.sent:
                floor.close(running, Outcome(OutcomeKind.LOST, error=notice.error, ended=now), running.stopping)
                floor.free(running)
            else:  # It was not released yet: nothing of it is lost.
                floor.drop_unsent(running, StopReason.SHUTDOWN, now)
        if agent.reserved_for is not None:
            floor.unreserve(agent.reserved_for)
        floor.fleet.leave(agent)
        for attempt, (home, reason) in floor.ending.items():
            if home == agent.name:
                floor.tell(home, EndSuspended(attempt, reason))

    def _never_resumed(self, running: Running) -> None:
        """It was to go on, and the agent crashed before it could say so to it: it stands still as before."""
        floor = self._floor
        name, attempt = running.agent.name, running.attempt
        del floor.running[attempt.task]
        floor.count(running.job.workflow, -1)
        if running.held_back:
            floor.effects.append(ClearTimer(("min", attempt)))
        if not running.suspending:
            floor.suspended += 1
        if running.stopping is not None and running.stopping is not StopReason.PREEMPT:
            floor.end_suspended(attempt, name, running.stopping)
            return
        floor.tell(KEEPER, AttemptParked(attempt, None, name, running.assigned_at, again=True))
        self._park_again(running, running.assigned_at, preemptions=0)

    def stuck(self, report: AttemptStuck) -> None:
        """It can neither be stopped nor killed: its agent goes on without it, while there is room."""
        name, incarnation, attempt = report.agent, report.incarnation, report.attempt
        running = self._floor.current(name, incarnation, attempt)
        if running is None and attempt in self._floor.set_aside:
            self._floor.tell(name, SetAside(attempt))  # It was told before, and crashed.
        if running is not None:
            running.given_up_for = report.reason
        if running is not None and not self._set_aside(running):
            self._stuck[attempt] = running
            running.stuck = True
            if running.agent.reserved_for is not None:
                self._floor.unreserve(running.agent.reserved_for)  # It had better have another agent freed.

    def _set_aside(self, running: Running) -> bool:
        floor = self._floor
        attempt = running.attempt
        room = len(floor.set_aside) < len(floor.fleet.agents)
        floor.tell(KEEPER, AttemptSetAside(attempt, running.stopping or running.given_up_for, room))
        if room:
            # Counts against its workflow's limit until it ends; its agent comes back as a new incarnation.
            del floor.running[attempt.task]
            floor.lay_aside(running)
            running.agent.running = None
            running.agent.present = False
            running.agent.token += 1  # It is being freed no more: it must not stand before one that is.
            floor.tell(running.agent.name, SetAside(attempt))
        return room

    def _next_stuck(self) -> None:
        while self._stuck:
            attempt, running = next(iter(self._stuck.items()))
            if running.agent.running is running and not self._set_aside(running):
                return
            del self._stuck[attempt]

    def _measure(self, running: Running, outcome: Outcome) -> None:
        if running.reserved_at and outcome.began is not None:
            self.latencies.append(outcome.began - running.reserved_at)
            self._floor.timings.urgent.add(max(0, outcome.began - running.reserved_at))


def _lost(outcome: Outcome) -> Outcome:
    """It was set aside because its agent crashed, and has ended at last."""
    error = ErrorInfo("Crashed", "its agent crashed, and it did not stop when told to")
    return Outcome(
        OutcomeKind.LOST, error=error, checkpoint=outcome.checkpoint, began=outcome.began,
        ended=outcome.ended, saved=outcome.saved,
    )  # fmt: skip
