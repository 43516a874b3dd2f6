"""The laws of scheduling as an observer sees them: what the scheduler orders, held to what it was told."""

from __future__ import annotations

from typing import Any

from actors.effects import SCHEDULER, Effect, Send
from actors.logic.floor import Floor
from actors.messages import (
    AgentDied,
    AgentReady,
    AttemptAssigned,
    AttemptClosed,
    AttemptEnded,
    AttemptParked,
    AttemptSetAside,
    AttemptStuck,
    AttemptSuspended,
    CancelAttempt,
    ChangePriority,
    EndSuspended,
    ExplainWaiting,
    HoldAgent,
    HoldWorkflow,
    MinRuntimeOver,
    ReadQueues,
    ResumeAttempt,
    ReviseTasks,
    RunAttempt,
    StopAgents,
    SuspendAttempt,
    TasksReady,
    TaskWithdrawn,
)
from actors.model import AgentName, Definitions, Instant, Job, OnPreempt, OutcomeKind, StopReason, TaskKey
from tests.simulation.decisions import (
    check_complete,
    check_reservations,
    free_for,
    nobody_first,
    taken_over,
    worst_victim,
)
from tests.simulation.moves import Move
from tests.simulation.places import age, startable, weigh
from tests.simulation.told import Agent, Runs, Told, Waits, refill, rule


class Laws:
    """Follows the scheduler's messages and orders, one after the other."""

    def __init__(self, definitions: Definitions, agents: list[tuple[AgentName, frozenset[str]]]) -> None:
        self.told = Told(definitions)
        self.told.agents = {name: Agent(name, capabilities) for name, capabilities in agents}
        self._ends: dict[object, AttemptEnded] = {}
        self._suspended: dict[object, AttemptSuspended] = {}
        self._stuck: dict[object, AttemptStuck] = {}
        self._died: dict[AgentName, int] = {}
        """The newest incarnation of each agent that has told of its death."""
        self.sees = True
        self.stopped = False
        """The engine stops: nothing is begun any more."""
        self.cancelled: set[object] = set()
        """Attempts that were told to give way."""
        self._urgent: Waits | None = None
        """For whom the attempt that is told to give way does so."""

    # --- when the scheduler crashes --------------------------------------------------------------

    def blind(self, *, stopped: bool) -> None:
        """The scheduler knows nothing any more, and so it must order nothing until it does again.

        ``stopped``: but that the engine had been ordered to stop before this one was made.
        """
        self.sees, self.stopped = False, stopped

    def see_again(self, floor: Floor) -> None:
        """It has gathered what is; that much is taken from it, and what follows is judged again."""
        refill(self.told, floor)
        self.sees = True

    def _only_hears(self, message: Any, effects: list[Effect]) -> None:
        match message:
            case AttemptEnded():
                self._ends[message.attempt] = message
            case AttemptSuspended():
                self._suspended[message.attempt] = message
            case AttemptStuck():
                self._stuck[message.attempt] = message
            case AgentDied():
                self._died[message.agent] = message.incarnation
            case StopAgents():
                self.stopped = True
            case _:
                pass

    # --- what the scheduler is told --------------------------------------------------------------

    def took(self, message: Any, effects: list[Effect], now: Instant) -> None:
        self._only_hears(message, effects)
        if not self.sees:
            return
        told = self.told
        match message:
            case TasksReady(tasks, recorded):
                for attempt in recorded:
                    told.recorded(attempt)
                for ready in tasks:
                    told.ready(ready, now)
            case AgentReady(name, incarnation):
                told.arrived(name, incarnation)
            case ChangePriority(task, priority):
                if task in told.line:
                    told.line[task].own = priority
                if task in told.runs:
                    told.runs[task].own = priority
            case HoldWorkflow(workflow, held):
                self._hold(workflow, held=held)
            case HoldAgent(name, held):
                told.agents[name].drained = held
                if held:
                    told.not_freed(name)
            case ReadQueues() | ExplainWaiting():
                weigh(told)  # It looks at what everybody counts as, so it works that out.
            case MinRuntimeOver(attempt):
                runs = told.runs.get(attempt.task)
                # One that rang for the stretch before its attempt stood still may come when it goes on again.
                if runs is not None and runs.job.attempt == attempt and now >= told.ripe_at(runs):
                    runs.ripe = True
            case ReviseTasks(_, tasks):
                for ready in tasks:
                    waits = told.line.get(ready.job.attempt.task)
                    if waits is not None and waits.job.attempt == ready.job.attempt:
                        waits.job = ready.job
            case _:
                pass
        self._ordered(effects, now)
        if isinstance(message, AgentDied) and message.incarnation >= told.agents[message.agent].incarnation:
            told.agents[message.agent].present = False
            told.agents[message.agent].hold = None
            told.not_freed(message.agent)
        told.reserved = {task: name for task, name in told.reserved.items() if task in told.line}

    def _hold(self, workflow: str | None, *, held: bool) -> None:
        """A pause gives back the agents that were being freed for what it holds."""
        told = self.told
        if workflow is None:
            told.all_held = held
        else:
            (told.held.add if held else told.held.discard)(workflow)
        if held:
            freed_for = {task: told.line[task].workflow for task in told.reserved if task in told.line}
            for task in [task for task, other in freed_for.items() if workflow in (None, other)]:
                del told.reserved[task]

    def settled(
        self, effects: list[Effect], moves: list[Move], reserved: dict[TaskKey, AgentName], now: Instant
    ) -> None:
        """It has decided by these moves; ``reserved`` is for whom agents are being freed now, by task."""
        if not self.sees:
            orders = [e.message for e in effects if isinstance(e, Send) and isinstance(e.message, RunAttempt)]
            rule("rebuilding", not orders, lambda: f"{orders} while nothing is known")
            return
        told = self.told
        if self.stopped:
            rule("stop", not moves, lambda: f"it decides {moves} though the engine stops")
            self._ordered(effects, now)
            check_reservations(told)
            return
        age(told, now)
        weigh(told)
        told.freed_for = {name: told.line[task].key for task, name in told.reserved.items()}
        done = 0
        for move in moves:
            self._ordered(effects[done : move.since], now)
            self._move(move, effects[move.since : move.until], now)
            done = move.until
            weigh(told)
        self._ordered(effects[done:], now)
        rule("S7", told.reserved == reserved, lambda: f"agents are on their way for {reserved}, not {told.reserved}")
        check_reservations(told)
        check_complete(told)

    def _move(self, move: Move, effects: list[Effect], now: Instant) -> None:
        """One decision, before and after."""
        told, waits, agent = self.told, self.told.line.get(move.task), self.told.agents[move.agent]
        rule("S1", waits is not None, f"{move.task} does not wait")
        assert waits is not None
        id_ = waits.job.task_id
        idle = move.kind == "assign"
        rule("law 1", startable(told, waits, idle=idle), lambda: f"{id_} may not start: {move}")
        if idle:
            nobody_first(told, waits, agent)
            told.not_freed(move.agent, but_for=move.task)
            self._ordered(effects, now)
            rule("law 1", move.task in told.runs, lambda: f"{id_} has an agent and is not told so")
            return
        rule("S7", move.task not in told.reserved, lambda: f"{id_}: two agents are freed for it")
        rule("law 6", waits.job.task.preempts, lambda: f"{id_} must not preempt")
        rule("law 2", agent.fits(waits.job), lambda: f"{id_} cannot use {move.agent}")
        free = free_for(told, waits)
        rule("law 2", not free, lambda: f"{id_} has {move.agent} freed beside {free}")
        if move.kind == "take_over":
            taken_over(told, waits, agent)
        else:
            runs = agent.runs
            rule("law 2", runs is not None, lambda: f"{id_} preempts nobody on {move.agent}")
            assert runs is not None
            self._urgent = waits
            if told.may_give_way(runs):
                worst_victim(told, waits, runs)
                self._ordered(effects, now)
                told.reserved[move.task] = move.agent
            else:
                rule("law 5", not effects, lambda: f"{runs.job.task_id} gives way to {id_}, and may not")
            self._urgent = None

    # --- what it orders --------------------------------------------------------------------------

    def _ordered(self, effects: list[Effect], now: Instant) -> None:
        for effect in effects:
            if type(effect) is Send:
                self._order(effect.to, effect.message, now)

    def _order(self, to: str, message: Any, now: Instant) -> None:
        told = self.told
        begins = isinstance(message, RunAttempt | ResumeAttempt | SuspendAttempt | AttemptAssigned)
        rule("stop", not (begins and self.stopped), lambda: f"{message} though the engine stops")
        match message:
            case RunAttempt(job, incarnation):
                runs = told.runs.get(job.attempt.task)
                if runs is not None and not runs.sent and runs.job.attempt == job.attempt:
                    runs.sent = True  # Released.
                    rule("S2", runs.agent == to and runs.incarnation == incarnation, f"{to} has another")
                else:
                    self._assign(job, AgentName(to), incarnation, now)
            case ResumeAttempt(job, incarnation, _):
                rule("S1", told.line[job.attempt.task].home is not None, f"{job.task_id} does not stand still")
                self._assign(job, AgentName(to), incarnation, now, resumed=True)
            case AttemptAssigned(attempt, agent):
                if attempt.task not in told.runs:  # ``at_most_once``: it is sent when that is saved.
                    waits = told.line.get(attempt.task)
                    rule("S1", waits is not None, f"{attempt} is assigned and does not wait")
                    assert waits is not None
                    self._assign(waits.job, agent, told.agents[agent].incarnation, now, sent=False)
            case CancelAttempt(attempt, StopReason.PREEMPT) | SuspendAttempt(attempt):
                self._preempt(AgentName(to), attempt, now, suspend=isinstance(message, SuspendAttempt))
            case CancelAttempt(attempt, reason):
                runs = told.runs.get(attempt.task)
                rule(
                    "S3", runs is not None and runs.job.attempt == attempt and runs.agent == to, f"cancel of {attempt}"
                )
                assert runs is not None
                runs.stopping = reason
            case TaskWithdrawn(task):
                rule("S1", task in told.line, f"{task} is withdrawn and does not wait")
                told.line.pop(task)
            case EndSuspended(attempt):
                self._end_suspended(attempt)
            case AttemptParked(attempt):
                self._park(attempt, message.at, again=message.again)
            case AttemptClosed():
                self._close(message)
            case AttemptSetAside(attempt, _, replaced):
                self._set_aside(attempt, replaced=replaced)
            case _:
                pass

    def _assign(
        self, job: Job, name: AgentName, incarnation: int, now: Instant, *, sent: bool = True, resumed: bool = False
    ) -> None:
        told = self.told
        task = job.attempt.task
        waits, agent = told.line.get(task), told.agents[name]
        rule("S1", waits is not None and waits.job.attempt == job.attempt, lambda: f"{job.task_id} does not wait")
        assert waits is not None
        rule("law 3", resumed == (waits.home is not None), lambda: f"{job.task_id} stands still and starts again")
        rule("S2", agent.present and agent.runs is None, lambda: f"{job.task_id} goes to {name}, which is not idle")
        rule("S2", agent.incarnation == incarnation, lambda: f"{name} is not of incarnation {incarnation}")
        rule("drain", not agent.drained, lambda: f"{job.task_id} starts on {name}, which is drained")
        rule("law 1", agent.fits(job), lambda: f"{name} cannot run {job.task_id}")
        rule("law 7", agent.hold is None or waits.rank <= agent.hold[1], lambda: f"{name} is held")
        rule("law 9", not sent or job.priority == waits.priority, lambda: f"{job.task_id} runs at an older priority")
        held = told.all_held or waits.workflow in told.held
        rule("pause", not held, lambda: f"{job.task_id} starts and is paused")
        limit = told.definitions.workflows[waits.workflow].max_concurrent
        own = [*told.runs.values(), *told.aside.values()]
        count = sum(r.job.workflow == waits.workflow for r in own)
        rule("limit", limit is None or count < limit, lambda: f"{waits.workflow} runs {count} of {limit} and starts")
        rule("law 1", startable(told, waits), lambda: f"{job.task_id} may not start")
        told.reserved.pop(task, None)
        told.assign(task, name, now, sent=sent)

    def _preempt(self, name: AgentName, attempt: Any, now: Instant, *, suspend: bool) -> None:
        told = self.told
        runs = told.runs.get(attempt.task)
        rule("S3", runs is not None and runs.job.attempt == attempt and runs.agent == name, f"{attempt} gives way")
        assert runs is not None
        job = runs.job
        rule("S7", attempt not in self.cancelled, lambda: f"{job.task_id} is told to give way twice")
        rule("law 6", not runs.protected, lambda: f"{job.task_id} may not be preempted")
        rule("law 5", runs.ripe and now >= told.ripe_at(runs), lambda: f"{job.task_id} has not run long enough")
        rule("S7", runs.stopping is None, lambda: f"{job.task_id} is being stopped already")
        if suspend:
            rule("law 3", job.task.on_preempt is OnPreempt.SUSPEND, lambda: f"{job.task_id} may not be suspended")
            rule("S6", told.suspended() < len(told.agents), "too many are suspended")
        agent = told.agents[name]
        rule("drain", not agent.drained, lambda: f"{job.task_id} gives way on {name}, which is drained")
        better = [w for w in told.line.values() if w.priority < runs.priority and w.job.task.preempts
                  and agent.fits(w.job) and not (told.all_held or w.workflow in told.held)]  # fmt: skip
        rule("law 2", bool(better), lambda: f"{job.task_id} ({runs.priority}) gives way to nobody on {name}")
        rule("law 2", self._urgent is not None, lambda: f"{job.task_id} gives way, and nobody decided so")
        told.preemptions += 1
        if not suspend:
            self.cancelled.add(attempt)
        runs.stopping, runs.suspending = StopReason.PREEMPT, suspend

    def _end_suspended(self, attempt: Any) -> None:
        told = self.told
        if attempt in told.ending:
            return  # Told again, because the agent crashed.
        waits = told.line.pop(attempt.task, None)
        lock = waits.lock if waits is not None else told.runs[attempt.task].waited.lock
        if waits is None:  # Cancelled while it was being suspended, or going on.
            runs = told.runs[attempt.task]
            known = self._suspended.pop(attempt, None) is not None or self._dead(runs)
            rule("S3", known, f"{attempt} is not suspended")
            told.freed(runs, held=False)
        told.ending[attempt] = lock

    def _dead(self, runs: Runs) -> bool:
        """Whether the agent that it had has told of its death."""
        return self._died.get(runs.agent, 0) >= runs.incarnation

    def _park(self, attempt: Any, since: Instant, *, again: bool) -> None:
        told = self.told
        runs = told.runs.get(attempt.task)
        report = self._suspended.pop(attempt, None)
        rule("S3", runs is not None, f"{attempt} is parked and does not run")
        assert runs is not None
        if again:
            rule("S3", self._dead(runs), f"{attempt} is parked again, and its agent lives")
        else:
            rule("S3", report is not None, f"{attempt} is parked and was not suspended")
            assert report is not None
            rule("S2", report.incarnation == runs.incarnation and report.agent == runs.agent, "another incarnation")
        told.freed(runs, held=False)
        old, more = runs.waited, 0 if again else 1
        told.line[attempt.task] = Waits(
            old.job, old.order, old.preemptions + more, runs.priority, runs.own, old.lock, since, home=runs.agent
        )

    def _close(self, message: AttemptClosed) -> None:
        told, attempt = self.told, message.attempt
        runs = told.runs.get(attempt.task)
        report = self._ends.pop(attempt, None)
        if runs is not None and runs.job.attempt == attempt:
            if report is None and self._dead(runs):
                kinds = (OutcomeKind.LOST, OutcomeKind.STOPPED)
                rule("law 3", message.outcome.kind in kinds, f"{attempt} was lost with its agent")
            elif not runs.sent:
                rule("S3", message.agent is None, f"{attempt} was never sent")
                told.preemptions += message.reason is StopReason.PREEMPT
            else:
                rule("L2", report is not None, f"{attempt} is closed and nobody reported its end")
                assert report is not None
                known = (runs.agent, runs.incarnation)
                rule("S3", (report.agent, report.incarnation) == known, f"{attempt}: {report.agent} is another")
                rule("law 3", report.outcome == message.outcome, f"{attempt} ended otherwise")
            told.freed(runs, held=True)
        elif attempt in told.aside:
            rule("law 3", message.outcome.kind is not OutcomeKind.COMPLETED, f"{attempt} was fenced")
            del told.aside[attempt]
        elif attempt.task in told.line and told.line[attempt.task].job.attempt == attempt:
            rule("law 3", told.line.pop(attempt.task).home is not None, f"{attempt} had not begun")
        else:
            rule("S4", attempt in told.ending, f"{attempt} is closed twice")
            del told.ending[attempt]

    def _set_aside(self, attempt: Any, *, replaced: bool) -> None:
        told = self.told
        if attempt in told.aside:
            return  # Told again, because it is to be cancelled now.
        runs = told.runs[attempt.task]
        rule("S3", attempt in self._stuck, f"{attempt} is set aside and not stuck")
        runs.stuck = True
        if not replaced:
            told.not_freed(runs.agent)
        else:
            rule("S6", len(told.aside) < len(told.agents), "too many are set aside")
            told.freed(runs, held=False)
            told.agents[runs.agent].present = False
            told.aside[attempt] = runs

    def slots(self, shown: dict[str, Any], *, crashed: bool) -> None:
        """S6: what the scheduler counts is what there is."""
        told = self.told
        stopping = sum(r.stopping is not None for r in told.runs.values())
        idle = sum(a.present and a.runs is None and not a.drained for a in told.agents.values())
        drained = sum(a.drained and a.runs is None for a in told.agents.values())
        counts = {"idle": idle, "running": len(told.runs) - stopping, "stopping": stopping,
                  "suspended": told.suspended(), "set_aside": len(told.aside), "drained": drained}  # fmt: skip
        rule("S6", shown["agents"] == counts, f"{SCHEDULER} counts {shown['agents']}, there are {counts}")
        rule("counts", crashed or shown["preemptions"] == told.preemptions, "preemptions")
