"""The router's logic: where the world meets the engine.

Events wait here in one bounded line, most important first, merged where only the newest
counts, and go to the keeper by credit. Whatever was admitted is answered; what was not
admitted has changed nothing.
"""

from __future__ import annotations

import heapq
from typing import assert_never

from actors.effects import KEEPER, Broadcast, Effect, Reply, Send, SetTimer
from actors.messages import (
    AwaitIdle,
    ChangesMade,
    EventAnswer,
    EventBatch,
    EventsAnswered,
    EventsDerived,
    ForwardedEvent,
    PrioritiesChanged,
    Publish,
    ReadStats,
    ScheduleEvents,
    TimedEventDue,
    ToRouter,
)
from actors.model import (
    DEFAULT_PRIORITY,
    NOBODY,
    NS_PER_MS,
    Coalesce,
    Definitions,
    EntityId,
    Event,
    EventType,
    Instant,
    Priority,
    ReplyId,
    Trigger,
)

MAX_BATCHES = 64
"""Batches unanswered at the keeper."""
BATCH_EVENTS = 256
OVERLOADED = "overloaded"
"""The refusal of an event that found the line full."""


class _Publication:
    """One publisher's batch: answered when each of its events is."""

    __slots__ = ("answers", "missing", "reply")

    def __init__(self, reply: ReplyId, size: int) -> None:
        self.reply = reply
        self.answers: list[EventAnswer | None] = [None] * size
        self.missing = size


class _Waiting:
    """An event in line, and all who wait for its answer."""

    __slots__ = ("accepted", "askers", "derived", "event", "ids", "priority", "waits")

    def __init__(self, event: Event, priority: Priority, accepted: Instant, *, derived: bool) -> None:
        self.event = event
        self.priority = priority
        self.accepted = accepted
        self.derived = derived
        self.ids: list[str] = []
        self.askers: list[tuple[_Publication, int]] = []
        self.waits = True


class Routing:
    def __init__(self, definitions: Definitions, run_id: str) -> None:
        """``run_id`` makes the ids given to events without one unique among engines and runs."""
        settings = definitions.settings
        self._bound = settings.max_waiting_events
        self._mergeable = _mergeable_types(definitions)
        self._run_id = run_id
        self._priorities: dict[EntityId, Priority] = {}
        self._line: list[tuple[Priority, int, _Waiting]] = []
        self._merging: dict[tuple[str, str], _Waiting] = {}
        self._waiting = 0
        self._sequence = 0
        self._batches: dict[int, list[_Waiting]] = {}
        self._batch = 0
        self._timed: dict[int, Event] = {}
        self._idle_askers: list[ReplyId] = []
        self._effects: list[Effect] = []
        self.counts = {"published": 0, "merged": 0, "refused": 0}

    def receive(self, message: ToRouter, now: Instant) -> list[Effect]:
        """Take one message; return what must happen because of it."""
        match message:
            case Publish(events, reply):
                self._publish(events, reply, now)
            case EventsAnswered(batch, answers):
                self._answered(batch, answers)
            case EventsDerived(events):
                for event in events:
                    self._admit(event, now, derived=True)
            case PrioritiesChanged(priorities):
                for entity, priority in priorities.items():
                    if priority == DEFAULT_PRIORITY:
                        self._priorities.pop(entity, None)
                    else:
                        self._priorities[entity] = priority
            case ChangesMade(changes):
                return [Broadcast(changes)]
            case ScheduleEvents(timed):
                for number, item in enumerate(timed, start=1 + max(self._timed, default=0)):
                    self._timed[number] = item.event
                    due = now + item.after_ms * NS_PER_MS
                    self._effects.append(SetTimer(("timed", number), due, TimedEventDue(number)))
            case TimedEventDue(number):
                self._publish((self._timed.pop(number),), NOBODY, now)
            case AwaitIdle(reply):
                self._idle_askers.append(reply)
            case ReadStats(reply):
                counts = {**self.counts, "waiting": self._waiting, "unanswered": sum(map(len, self._batches.values()))}
                self._effects.append(Reply(reply, counts))
            case _:
                assert_never(message)
        return self._taken()

    def settle(self, now: Instant) -> list[Effect]:  # noqa: ARG002 - every logic has this face
        """Forward what credit allows; pass on who waits for idleness when nothing is left here."""
        while self._waiting and len(self._batches) < MAX_BATCHES:
            self._forward()
        if self._idle_askers and not (self._waiting or self._batches or self._timed):
            for reply in self._idle_askers:
                self._effects.append(Send(KEEPER, AwaitIdle(reply)))
            self._idle_askers.clear()
        return self._taken()

    def _publish(self, events: tuple[Event, ...], reply: ReplyId, now: Instant) -> None:
        publication = _Publication(reply, len(events))
        full = False
        for place, event in enumerate(events):
            # The first that does not fit ends it, so that what was accepted is a front part.
            full = full or (self._waiting >= self._bound and not self._merges(event))
            if full:
                self.counts["refused"] += 1
                self._answer((publication, place), EventAnswer(None, OVERLOADED))
            else:
                waiting = self._admit(event, now, derived=False)
                waiting.askers.append((publication, place))
        if not events:
            self._effects.append(Reply(reply, ()))

    def _merges(self, event: Event) -> bool:
        return event.type in self._mergeable and (event.type, event.entity_id) in self._merging

    def _admit(self, event: Event, now: Instant, *, derived: bool) -> _Waiting:
        self._sequence += 1
        self.counts["published"] += 1
        identity = event.id if event.id is not None else f"{self._run_id}-{self._sequence}"
        priority = event.priority
        if priority is None:
            priority = self._priorities.get(EntityId(event.entity_id), DEFAULT_PRIORITY)
        merges = event.type in self._mergeable and not derived
        key = (event.type, event.entity_id)
        waiting = self._merging.get(key) if merges else None
        if waiting is None:
            waiting = _Waiting(event, priority, now, derived=derived)
            self._waiting += 1
            heapq.heappush(self._line, (priority, self._sequence, waiting))
            if merges:
                self._merging[key] = waiting
        else:
            self.counts["merged"] += 1
            waiting.event, waiting.accepted = event, now
            if priority < waiting.priority:  # It moves up; the old place in line goes stale.
                waiting.priority = priority
                heapq.heappush(self._line, (priority, self._sequence, waiting))
        waiting.ids.append(identity)
        return waiting

    def _forward(self) -> None:
        taken: list[_Waiting] = []
        while self._line and len(taken) < BATCH_EVENTS:
            waiting = heapq.heappop(self._line)[2]
            if waiting.waits:
                waiting.waits = False
                self._waiting -= 1
                self._merging.pop((waiting.event.type, waiting.event.entity_id), None)
                taken.append(waiting)
        self._batch += 1
        self._batches[self._batch] = taken
        events = tuple(ForwardedEvent(w.event, w.priority, w.accepted, tuple(w.ids), w.derived) for w in taken)
        self._effects.append(Send(KEEPER, EventBatch(self._batch, events)))

    def _answered(self, batch: int, answers: tuple[EventAnswer, ...]) -> None:
        for waiting, answer in zip(self._batches.pop(batch, ()), answers, strict=True):
            for asker in waiting.askers:
                self._answer(asker, answer)

    def _answer(self, asker: tuple[_Publication, int], answer: EventAnswer) -> None:
        publication, place = asker
        publication.answers[place] = answer
        publication.missing -= 1
        if not publication.missing and publication.reply != NOBODY:
            self._effects.append(Reply(publication.reply, tuple(publication.answers)))

    def _taken(self) -> list[Effect]:
        effects, self._effects = self._effects, []
        return effects


def _mergeable_types(definitions: Definitions) -> frozenset[str]:
    """Types that start no workflow where each event counts, and that no ``when:`` on the event reads."""
    arrivals = {EventType.DATA_READY, EventType.HIGH_PRIORITY_ARRIVED}
    types: set[str] = {*arrivals, *definitions.settings.event_types}
    for workflow in definitions.workflows.values():
        each_counts = workflow.coalesce is Coalesce.ALL or (workflow.when is not None and workflow.when.reads_event)
        if workflow.trigger is Trigger.EVENT and each_counts:
            types.discard(workflow.trigger_event)
            if workflow.trigger_event == EventType.DATA_READY:
                types.discard(EventType.HIGH_PRIORITY_ARRIVED)  # It starts what DATA_READY starts.
    return frozenset(types)
