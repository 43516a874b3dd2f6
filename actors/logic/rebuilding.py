"""How a scheduler whose logic crashed comes to know its floor again.

It asks the keeper for a snapshot and every agent for what it has of attempts. Channels are
first in first out, so what either sent before its answer is older than that and superseded by
it; what comes behind an answer waits until all answers are there. What agents run is the
truth: an attempt that the keeper has as running and no agent knows never began.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

from actors.effects import KEEPER, SCHEDULER, Effect, Send
from actors.logic.fleet import Agent, Running
from actors.logic.floor import Floor, at_priority
from actors.logic.ready import Waiting
from actors.logic.reports import Reports
from actors.messages import (
    UNASKED,
    AgentDied,
    AgentReady,
    AsideWork,
    AttemptAssigned,
    AttemptClosed,
    AttemptEnded,
    AttemptNoted,
    AttemptParked,
    AttemptStuck,
    AttemptSuspended,
    CancelTask,
    ChangePriority,
    EndTaken,
    HeldTask,
    HoldAgent,
    HoldWorkflow,
    LimitsChanged,
    NoteReceived,
    NoteTaken,
    ReadyTask,
    ReleaseAttempt,
    ReportWork,
    ReviseTasks,
    RunningWork,
    SchedulerRestarted,
    SchedulerRestored,
    Standing,
    TasksReady,
    ToScheduler,
    WithdrawTask,
    WorkReport,
)
from actors.model import AgentName, AttemptId, ErrorInfo, Instant, Job, Outcome, OutcomeKind, StopReason, TaskKey

FromKeeper: TypeAlias = (
    TasksReady
    | ReviseTasks
    | WithdrawTask
    | CancelTask
    | ChangePriority
    | HoldWorkflow
    | HoldAgent
    | LimitsChanged
    | ReleaseAttempt
    | NoteTaken
)
Left: TypeAlias = AttemptEnded | AttemptSuspended


class Rebuilding:
    """Gathers the answers, then fills the floor."""

    def __init__(self, floor: Floor, reports: Reports, generation: int) -> None:
        self._floor = floor
        self._reports = reports
        self._generation = generation
        self._snapshot: SchedulerRestored | None = None
        self._work: dict[AgentName, WorkReport] = {}
        self._left: dict[tuple[AttemptId, AgentName], Left] = {}
        """How attempts left their agents, as far as the crashed scheduler may not have heard.

        By agent: one that suspended an attempt says so still when that has gone on, and ended, elsewhere.
        """
        self._later: list[ToScheduler] = []
        self._spoilt: dict[AttemptId, ErrorInfo] = {}
        """Attempts whose ends crash the scheduler."""
        self._held: dict[TaskKey, HeldTask] = {}

    def begin(self) -> list[Effect]:
        """Ask everybody. An agent that crashes is asked again, for it may not have heard."""
        asks: list[Effect] = [Send(KEEPER, SchedulerRestarted(self._generation))]
        asks += [Send(agent.name, ReportWork(self._generation)) for agent in self._floor.fleet]
        return asks

    def spoilt(self, report: AttemptEnded, error: ErrorInfo) -> None:
        """The report of this end is quarantined: the attempt counts as lost."""
        self._spoilt[report.attempt] = error
        self._left[report.attempt, report.agent] = report

    # --- gathering -------------------------------------------------------------------------------

    def take(self, message: ToScheduler, now: Instant) -> list[ToScheduler] | None:
        """Take one message; when all answers are there, fill the floor and return what came behind them."""
        match message:
            case SchedulerRestored():
                if message.generation == self._generation:
                    self._snapshot = message
            case WorkReport():
                if message.generation == self._generation:
                    self._work.setdefault(message.agent, message)
                elif message.generation == UNASKED and message.agent not in self._work:
                    self._floor.tell(message.agent, ReportWork(self._generation))
            case AttemptEnded() | AttemptSuspended() | AgentDied() | AgentReady() | AttemptStuck() | AttemptNoted():
                if message.agent in self._work:
                    self._later.append(message)
                else:
                    self._superseded(message)
            case (
                TasksReady()
                | ReviseTasks()
                | WithdrawTask()
                | CancelTask()
                | ChangePriority()
                | HoldWorkflow()
                | HoldAgent()
                | LimitsChanged()
                | ReleaseAttempt()
                | NoteTaken()
            ):
                if self._snapshot is not None:
                    self._later.append(message)
            case _:  # From outside, or a timer.
                self._later.append(message)
        if self._snapshot is None or len(self._work) < len(self._floor.fleet.agents):
            return None
        self._fill(self._snapshot, now)
        return self._later

    def _superseded(
        self, message: AttemptEnded | AttemptSuspended | AgentDied | AgentReady | AttemptStuck | AttemptNoted
    ) -> None:
        """It is older than the report to come; but a crash of the agent may have lost it what it had told."""
        match message:
            case AttemptEnded() | AttemptSuspended():
                self._left[message.attempt, message.agent] = message
            case AgentDied(agent):
                self._floor.tell(agent, ReportWork(self._generation))
            case _:
                return

    # --- filling the floor -----------------------------------------------------------------------

    def _fill(self, snapshot: SchedulerRestored, now: Instant) -> None:
        floor = self._floor
        self._held = {held.ready.job.attempt.task: held for held in snapshot.tasks}
        if snapshot.limits is not None:
            floor.set_limits(snapshot.limits)
        floor.all_held = snapshot.all_held
        for workflow in snapshot.held:
            floor.held.add(workflow)
            floor.line.block(workflow)
        for name in snapshot.drained:
            floor.fleet.drain(floor.fleet.agents[name])
        for agent in floor.fleet:
            report = self._work[agent.name]
            agent.present, agent.incarnation = True, report.incarnation
            floor.fleet.set_free(agent, None)
            for left in (report.last, *report.ends):
                if left is not None:
                    self._left[left.attempt, left.agent] = left
        runs = [(work, floor.fleet.agents[name]) for name, r in self._work.items() if (work := r.runs) is not None]
        runs.sort(key=lambda one: (one[0].since, one[1].index))
        running = [self._seat(work, agent, now) for work, agent in runs]
        for name, report in self._work.items():
            self._without_agents(report, floor.fleet.agents[name])
        for left in self._left.values():
            self._leave(left, now)
        for held in self._held.values():
            self._place(held, now)
        floor.reckon_over()
        for agent in floor.fleet:
            if not self._work[agent.name].present and agent.running is None:
                floor.fleet.leave(agent)
        for one, (work, _) in zip(running, runs, strict=True):
            if work.stuck:
                reason = work.stopping or StopReason.TIMEOUT
                self._reports.stuck(AttemptStuck(one.agent.name, one.agent.incarnation, one.attempt, reason))

    def _ready(self, job: Job) -> tuple[ReadyTask, HeldTask | None]:
        """The task as the keeper has it, with the job as it was handed out; taken off the list of those to be found."""
        held = self._held.get(job.attempt.task)
        if held is None or held.ready.job.attempt != job.attempt:
            return ReadyTask(job, 0), None  # Given up long ago; its agent is taken all the same.
        del self._held[job.attempt.task]
        return replace(held.ready, job=at_priority(job, held.ready.job.priority)), held

    def _seat(self, work: RunningWork, agent: Agent, now: Instant) -> Running:
        """What an agent runs."""
        floor = self._floor
        ready, held = self._ready(work.job)
        waiting = Waiting(ready, work.since if held is None else held.since)
        running = floor.seat(waiting, agent, work.since)
        running.sent = True
        running.stopping, running.suspending = work.stopping, work.suspending
        if held is not None:
            waiting.paused, running.resumed = held.paused, held.parked
            if held.standing in (Standing.WAITING, Standing.PARKED):
                resumed = held.standing is Standing.PARKED
                floor.tell(KEEPER, AttemptAssigned(running.attempt, agent.name, work.since, resumed))
        floor.suspended += work.suspending
        if work.suspending and running.stopping is None:
            running.stopping = StopReason.PREEMPT
        if work.note is not None:
            floor.tell(KEEPER, NoteReceived(running.attempt, work.note, work.note_number))
        floor.guard(running, work.since, now)
        if running.stopping is not None:
            floor.fleet.reserve(agent, None)  # It is being freed, and whoever needs it may have it.
        return running

    def _without_agents(self, report: WorkReport, agent: Agent) -> None:
        """What an agent has set aside, and the suspended ones it is killing."""
        floor = self._floor
        for work in report.aside:
            self._lay_aside(work, agent)
        for attempt, reason in report.ending:
            held = self._held.get(attempt.task)
            if held is not None and held.ready.job.attempt == attempt:
                del self._held[attempt.task]
                floor.ending[attempt] = (agent.name, reason)
                floor.line.take_lock(Waiting(held.ready, held.since))
            else:
                floor.tell(agent.name, EndTaken(attempt))

    def _lay_aside(self, work: AsideWork, agent: Agent) -> None:
        ready, held = self._ready(work.job)
        if held is None and self._left.pop((work.job.attempt, agent.name), None) is not None:
            self._floor.tell(agent.name, EndTaken(work.job.attempt))  # Recorded already.
            return
        running = Running(Waiting(ready, 0), agent, serial=0, now=0)
        running.sent, running.stopping = True, work.reason
        running.given_up_for = StopReason.SHUTDOWN  # With no reason known, a crash is the reason.
        self._floor.take(running.waiting)
        self._floor.lay_aside(running)

    def _leave(self, left: Left, now: Instant) -> None:
        """An attempt that is gone from its agent, which the crashed scheduler may not have heard."""
        floor = self._floor
        attempt, agent = left.attempt, floor.fleet.agents[left.agent]
        error = self._spoilt.get(attempt)
        if error is not None and isinstance(left, AttemptEnded):
            left = replace(left, outcome=Outcome(OutcomeKind.LOST, error=error, ended=now))
        held = self._held.get(attempt.task)
        known = held is not None and held.ready.job.attempt == attempt
        if known and held is not None and agent.running is None:
            runs_here = held.standing in (Standing.RUNNING, Standing.GIVEN_UP) and held.agent == left.agent
            if isinstance(left, AttemptSuspended) and not runs_here:
                return  # The keeper knows, or it has gone on elsewhere since.
            del self._held[attempt.task]
            waiting = Waiting(held.ready, held.since)
            waiting.paused = held.paused
            running = floor.seat(waiting, agent, held.since)
            running.sent, running.resumed = True, held.parked
            agent.incarnation = left.incarnation
            if isinstance(left, AttemptSuspended):
                running.suspending, running.stopping = True, StopReason.PREEMPT
                floor.suspended += 1
        elif known and held is not None and held.standing is Standing.PARKED and isinstance(left, AttemptEnded):
            del self._held[attempt.task]  # It stood still, and its agent has other work: it ends in line.
            self._place(held, now)
            if left.reason is None and left.outcome.kind is OutcomeKind.STOPPED:  # Its agent has forgotten why.
                error = ErrorInfo("Crashed", "its agent crashed, and it was killed as it stood still")
                left = replace(left, outcome=replace(left.outcome, kind=OutcomeKind.LOST, error=error))
        match left:
            case AttemptEnded():
                self._reports.ended(left)
            case AttemptSuspended():
                self._reports.suspended(left.agent, left.incarnation, attempt, now)
        agent.incarnation = self._work[agent.name].incarnation

    def _place(self, held: HeldTask, now: Instant) -> None:
        """A task that no agent has."""
        floor = self._floor
        attempt = held.ready.job.attempt
        match held.standing:
            case Standing.WAITING:
                floor.enter(Waiting(held.ready, held.since))
            case Standing.PARKED:
                floor.suspended += 1
                floor.park(Waiting(held.ready, held.since), held.agent or AgentName(SCHEDULER), held.paused)
            case Standing.RUNNING if held.parked and held.agent is not None:
                # It was told to go on, and that was lost with its agent: it stands still as before.
                floor.tell(KEEPER, AttemptParked(attempt, None, held.agent, held.since, again=True))
                floor.suspended += 1
                floor.park(Waiting(held.ready, held.since), held.agent, held.paused)
            case _:
                # Its agent was never told, or forgot it before it began.
                outcome = Outcome(OutcomeKind.STOPPED, ended=now)
                floor.tell(KEEPER, AttemptClosed(attempt, None, outcome, StopReason.SHUTDOWN))
