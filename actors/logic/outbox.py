"""What a batch of the keeper's messages leads to, gathered and sent in one order.

First what must be saved, then what follows from it: the order is the promise that nothing
is acted on before it is durable.
"""

from __future__ import annotations

from collections.abc import Mapping

from actors.effects import ROUTER, SCHEDULER, ClearTimer, Effect, Reply, Save, Send, SetTimer
from actors.logic.history import Calendar
from actors.logic.state import State
from actors.logic.workflows import Instance, Run
from actors.messages import ChangesMade, EventsDerived, Message, PrioritiesChanged, ReadyTask, TasksReady
from actors.model import NOBODY, AgentName, AttemptId, EntityId, Event, Instant, Json, Priority, ReplyId
from actors.views import ChangeType, Record, StateChanged


class Outbox:
    def __init__(self, state: State, calendar: Calendar) -> None:
        self._state = state
        self.calendar = calendar
        self.ready: list[ReadyTask] = []
        self.recorded: list[AttemptId] = []
        self.derived: list[Event] = []
        self.finished: list[Record] = []
        self.retried: list[tuple[str, str]] = []
        """Ended instances, and by which each is done once more."""
        self.priorities: dict[EntityId, Priority] = {}
        self.foremost: list[Effect] = []
        """What neighbours must hear before all else that this batch tells them."""
        self._effects: list[Effect] = []
        self._timers: list[Effect] = []
        self._replies: list[Effect] = []
        self._changes: list[StateChanged] = []

    def watch(self, types: frozenset[ChangeType]) -> None:
        """Tell of these changes from now on; the others are not even built."""
        self._state.watched = types

    def wants(self, type_: ChangeType) -> bool:
        return type_ in self._state.watched

    def send(self, to: str, message: Message) -> None:
        self._effects.append(Send(to, message))

    def reply(self, to: ReplyId, value: Json) -> None:
        if to != NOBODY:
            self._replies.append(Reply(to, value))

    def set_timer(self, key: object, at: Instant, message: Message) -> None:
        self._timers.append(SetTimer(key, at, message))

    def clear_timer(self, key: object) -> None:
        self._timers.append(ClearTimer(key))

    def change(
        self,
        type_: ChangeType,
        now: Instant,
        *,
        entity: str = "",
        status: str = "",
        detail: Mapping[str, Json] | None = None,
    ) -> None:
        if type_ in self._state.watched:
            self._state.sequence += 1
            moment = self.calendar.moment(now)
            self._changes.append(
                StateChanged(self._state.sequence, type_, moment, entity, status=status, detail=detail or {})
            )

    def agent_change(self, now: Instant, agent: AgentName, status: str) -> None:
        if ChangeType.AGENT_CHANGED in self._state.watched:
            self._state.sequence += 1
            moment = self.calendar.moment(now)
            self._changes.append(
                StateChanged(self._state.sequence, ChangeType.AGENT_CHANGED, moment, status=status, agent=agent)
            )

    def instance_change(self, type_: ChangeType, now: Instant, instance: Instance) -> None:
        if type_ in self._state.watched:
            self._state.sequence += 1
            self._changes.append(
                StateChanged(
                    self._state.sequence, type_, self.calendar.moment(now), instance.entity, instance.id,
                    workflow=instance.workflow.id, status=instance.status, priority=instance.priority,
                )
            )  # fmt: skip

    def task_change(
        self, type_: ChangeType, now: Instant, instance: Instance, run: Run, detail: Mapping[str, Json] | None = None
    ) -> None:
        """A change of a task; where its attempt has ended, with the instants of its first line and of its end."""
        if type_ in self._state.watched:
            self._state.sequence += 1
            attempt = run.attempts[-1] if run.attempts else None
            agent = attempt.agent if attempt is not None else None
            if attempt is not None and attempt.started is not None and attempt.ended is not None:
                detail = {**(detail or {}), "began_ns": attempt.started, "ended_ns": attempt.ended}
            self._changes.append(
                StateChanged(
                    self._state.sequence, type_, self.calendar.moment(now), instance.entity, instance.id,
                    instance.task_id(run.task), instance.workflow.id, run.task.id, run.status,
                    instance.task_priority(run.task), len(run.attempts), agent or "", detail or {},
                )
            )  # fmt: skip

    def flush(self) -> list[Effect]:
        """Everything gathered, in the order it must happen; empty afterwards."""
        effects: list[Effect] = []
        if self.finished or self.retried:
            effects.append(Save(tuple(self.finished), tuple(self.retried)))
            self.finished, self.retried = [], []
        effects += self.foremost
        self.foremost = []
        if self.ready or self.recorded:
            effects.append(Send(SCHEDULER, TasksReady(tuple(self.ready), tuple(self.recorded))))
            self.ready, self.recorded = [], []
        effects += self._effects
        if self.priorities:
            effects.append(Send(ROUTER, PrioritiesChanged(self.priorities)))
            self.priorities = {}
        if self.derived:
            effects.append(Send(ROUTER, EventsDerived(tuple(self.derived))))
            self.derived = []
        if self._changes:
            effects.append(Send(ROUTER, ChangesMade(tuple(self._changes))))
            self._changes = []
        effects += self._timers
        effects += self._replies  # Last: who has his answer can rely on everything having been sent.
        self._effects, self._timers, self._replies = [], [], []
        return effects
