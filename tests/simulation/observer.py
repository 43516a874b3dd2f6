"""Watches a storm and says when something that must never happen does: S1 to S8, and the accounts.

It keeps its own books, by messages, effects and what actions did. The laws of scheduling are in
``laws``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from actors.effects import KEEPER, SCHEDULER, Effect, Interrupt, Kill, Reply, Save
from actors.messages import (
    ActionEnded,
    AgentDied,
    AgentReady,
    AttemptClosed,
    AttemptEnded,
    CancelAttempt,
    ChangesMade,
    EndSuspended,
    EventBatch,
    StopAgents,
)
from actors.model import AgentName, AttemptId, Definitions, Outcome, OutcomeKind, ReplyId, StopReason, TaskKey
from actors.simulation.parts import Parts
from actors.simulation.runner import Action
from actors.simulation.watching import Watcher
from actors.views import Record
from tests.simulation.laws import Laws
from tests.simulation.moves import Moves
from tests.simulation.told import rule

TIMER = "timer"


class Observer(Watcher):
    def __init__(self, definitions: Definitions) -> None:
        self.definitions = definitions
        self.parts: Parts | None = None
        self.laws: Laws | None = None
        self.seen: Counter[str] = Counter()
        """How often something interesting happened: coverage."""
        self.crashes: Counter[str] = Counter()
        self.moves = Moves()
        self.answers: dict[ReplyId, Any] = {}
        self.asked: list[ReplyId] = []
        self.records: dict[str, Record] = {}
        self.instances: list[str] = []
        self.tasks: list[str] = []
        """Ids that the keeper has told of, in order."""
        self.unknown: dict[str, None] = {}
        self.ends: dict[AttemptId, tuple[OutcomeKind, StopReason | None, bool]] = {}
        """How actions ended, what they had been told, and whether they were given up before."""
        self.closed: dict[AttemptId, AttemptClosed] = {}
        """The ends that reached the keeper, each by its first report."""
        self.uncounted: set[AttemptId] = set()
        """Those whose first report was quarantined: they are in no account, whoever tells of them again."""
        self.stopping = False
        """The engine was ordered to stop; a scheduler that is rebuilt from now on knows."""
        self.forwarded = 0
        """Ids that reached the keeper, those that merged on the way counted too."""
        self.forwarded_batches = 0
        """Events that reached the keeper."""
        self._ordered: defaultdict[AttemptId, set[StopReason]] = defaultdict(set)
        self._spoilt: set[AttemptId] = set()
        """Attempts the report of whose end was quarantined."""
        self._done: set[TaskKey] = set()
        self._newest: dict[TaskKey, int] = {}
        self._counted: set[tuple[str, str]] = set()

    def watch(self, parts: Parts) -> None:
        """These are the logics and actions it looks at."""
        self.parts = parts
        self.laws = Laws(self.definitions, parts.agent_names)
        self.moves.listen(parts.logics[SCHEDULER].floor)

    # --- messages --------------------------------------------------------------------------------

    def sent(self, sender: str, to: str, message: Any) -> None:
        match message:
            case CancelAttempt(attempt, reason) | EndSuspended(attempt, reason):
                self._ordered[attempt].add(reason)
            case ChangesMade(changes):
                for change in changes:
                    self._changed(change)
            case EventBatch(_, events):
                self.forwarded += sum(len(event.ids) for event in events)
                self.forwarded_batches += len(events)
            case AttemptEnded():
                self._reported(message)
            case AttemptClosed(attempt, _, outcome, _):
                if outcome.kind is OutcomeKind.COMPLETED:
                    self._done.add(attempt.task)
            case StopAgents():
                self.stopping = True
            case AgentDied(final=True):
                self.seen["agents taken out"] += 1
            case AgentReady(_, incarnation):
                self.seen["agents replaced"] += incarnation > 1
            case _:
                pass

    def _reported(self, report: AttemptEnded) -> None:
        """An agent says how an attempt ended: as the action did, whatever had been asked.

        What was stopped only because the agent had crashed is a loss.
        """
        agent, attempt, outcome, reason = report.agent, report.attempt, report.outcome, report.reason
        rule("S2", outcome.error is None or outcome.error.type != "Refused", f"{attempt} came to a busy agent")
        end = self.ends.get(attempt)
        rule("law 3", end is not None, f"{attempt} is reported as ended and was not")
        assert end is not None
        reaped = self.crashes[agent] > 0 and end[0] is OutcomeKind.STOPPED and outcome.kind is OutcomeKind.LOST
        spoilt = attempt in self._spoilt and outcome.kind is OutcomeKind.LOST
        rule(
            "law 3",
            outcome.kind is end[0] or reaped or spoilt,
            f"{attempt} ended {end[0]} and is reported {outcome.kind}",
        )
        ordered = reason in (None, StopReason.TIMEOUT) or reason in self._ordered[attempt]
        rule("S3", ordered, f"{attempt} is reported as stopped for {reason}, which nobody ordered")
        crossed = reason is not None and outcome.kind is OutcomeKind.COMPLETED
        self.seen["completions that crossed a stop"] += crossed

    def _changed(self, change: Any) -> None:
        kind = str(change.type)
        self.seen[kind] += 1
        if kind == "instance_created":
            self.instances.append(change.instance_id)
        elif kind == "task_ready" and change.attempt == 1:
            self.tasks.append(change.task_id)
        elif kind == "task_unknown":
            self.unknown[change.task_id] = None
        elif kind in ("task_completed", "task_failed", "task_cancelled"):
            self.unknown.pop(change.task_id, None)
            again = any((change.task_id, k) in self._counted for k in ("task_completed", "task_failed"))
            rule("S4", not again, f"{change.task_id} ended twice")
            self._counted.add((change.task_id, kind))
        elif kind == "task_retried":
            rule("S8", change.detail["retry"] <= change.detail["max_retry"], f"{change.task_id}: too many retries")

    def crashed(self, name: str, in_hand: str) -> None:
        self.seen["crashes"] += 1
        self.seen["deaths"] += name not in (SCHEDULER, "router", "keeper")
        self.seen[f"crashes of {name if name in (SCHEDULER, 'router', 'keeper') else 'agents'}"] += 1
        self.crashes[name] += 1
        if name == SCHEDULER and self.laws is not None:
            self.seen["scheduler crashes in an engine that stops"] += self.stopping
            self.laws.blind(stopped=self.stopping)

    def quarantined(self, name: str, message: Any) -> None:
        self.seen["quarantined"] += 1
        if isinstance(message, AttemptClosed):
            self._done.discard(message.attempt.task)  # Nobody knows; a person may have it run again.
            if message.attempt not in self.closed:
                self.uncounted.add(message.attempt)
        if isinstance(message, ActionEnded):
            self._spoilt.add(message.attempt)

    def lost(self, name: str, messages: list[tuple[str, Any]]) -> None:
        self.seen["inboxes lost"] += bool(messages)

    def repeated(self, message: Any) -> None:
        self.seen["redeliveries"] += 1

    # --- batches ---------------------------------------------------------------------------------

    def took(self, sender: str, name: str, message: Any, effects: list[Effect]) -> None:
        if name == KEEPER and isinstance(message, AttemptClosed):
            self.closed.setdefault(message.attempt, message)
        if name == SCHEDULER:
            assert self.laws is not None
            assert self.parts is not None
            if isinstance(message, AttemptEnded):
                runs = self.laws.told.runs.get(message.attempt.task)
                crossed = runs is not None and runs.stopping is StopReason.PREEMPT
                self.seen["ends that crossed a cancel"] += crossed and message.reason is None
            self.laws.took(message, effects, self.parts.now)

    def settled(self, name: str, effects: list[Effect]) -> None:
        if name == SCHEDULER:
            assert self.laws is not None
            assert self.parts is not None
            scheduling = self.parts.logics[SCHEDULER]
            moves = self.moves.taken()
            if not self.laws.sees and scheduling.knows:
                self.laws.see_again(scheduling.floor)
            else:
                self.laws.settled(effects, moves, self._reserved(), self.parts.now)
            self.moves.listen(scheduling.floor)

    def _reserved(self) -> dict[TaskKey, AgentName]:
        assert self.parts is not None
        fleet = self.parts.logics[SCHEDULER].floor.fleet
        return {a.reserved_for.job.attempt.task: a.name for a in fleet if a.reserved_for is not None}

    # --- effects ---------------------------------------------------------------------------------

    def effect(self, name: str, effect: Effect) -> None:
        match effect:
            case Reply(number, value):
                rule("answers", number not in self.answers, f"{number} is answered twice")
                self.answers[number] = value
            case Save(finished):
                for record in finished:
                    rule("S4", record[0] not in self.records, f"{record[0]} ended twice")
                    self.records[record[0]] = record
            case Interrupt(attempt, reason):
                own = reason is StopReason.TIMEOUT or (reason is StopReason.SHUTDOWN and self.crashes[name] > 0)
                rule("S3", own or reason in self._ordered[attempt], f"{attempt} is stopped: {reason}")
            case Kill(attempt):
                self._killed(attempt)
            case _:
                pass

    def _killed(self, attempt: AttemptId) -> None:
        assert self.parts is not None
        action = self.parts.runner.actions.get(attempt)
        if action is not None:
            told = action.told is not None or action.suspended or bool(self._ordered[attempt])
            rule("S3", told, f"{attempt} is killed and was not told to stop")
            self.seen["kills"] += action.killable

    # --- actions ---------------------------------------------------------------------------------

    def started(self, action: Action) -> None:
        """S1, S2, S5, and the limit, by what really runs."""
        assert self.parts is not None
        job, live = action.job, self.parts.runner.actions.values()
        task = job.attempt.task
        same = [a.job.attempt for a in live if a.job.attempt.task == task and a is not action]
        rule("S1", not same, lambda: f"{job.task_id}: attempt {job.attempt.number} starts while {same} lives")
        rule("S5", task not in self._done, lambda: f"{job.task_id} is done and starts again")
        rule("S3", job.attempt.number > self._newest.get(task, 0), lambda: f"{job.task_id}: an old attempt starts")
        self._newest[task] = job.attempt.number
        here = [a for a in live if a.agent == action.agent and not (a.suspended or a.abandoned) and a is not action]
        rule("S2", not here, lambda: f"{job.task_id} starts on {action.agent}, which runs {here[0].job.task_id}")
        limit = self.definitions.workflows[job.workflow].max_concurrent
        count = sum(a.job.workflow == job.workflow and not a.suspended for a in live)
        rule("limit", limit is None or count <= limit, lambda: f"{job.workflow} runs {count} of {limit}")

    def ended(self, action: Action, outcome: Outcome) -> None:
        self.ends[action.job.attempt] = (outcome.kind, action.told, action.abandoned)
        self.seen[f"actions {outcome.kind}"] += 1
        self.seen["late ends of what was set aside"] += action.abandoned

    def counts(self) -> None:
        """Between steps: no more runs, stands still or is set aside than there are agents (S6)."""
        assert self.parts is not None
        agents = len(self.parts.agent_names)
        live = self.parts.runner.actions.values()
        held = sum(not (a.suspended or a.abandoned) for a in live)
        rule("S6", held <= agents, f"{held} run on {agents} agents")
        # While one is on its way to go on, another may be suspended in its place.
        rule("S6", sum(a.suspended for a in live) <= 2 * agents, "too many stand still")
        rule("S6", sum(a.abandoned for a in live) <= agents, "too many are set aside")
        self.seen["suspended"] += any(a.suspended for a in live)
