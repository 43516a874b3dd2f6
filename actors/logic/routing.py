"""The router's logic: where the world meets the engine.

Events wait here in one bounded line, most important first, merged where only the newest
counts, and go to the keeper by credit. Whatever was admitted is answered; what was not
admitted has changed nothing.

A rebuilt router is told everything again: by the keeper, and by the publications that were not
answered. Events have their ids from before they came here, so what the keeper had accepted
already is found to be a duplicate. Numbers of batches and timers carry the generation, so that
nothing meant for the crashed one is taken for its own.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import assert_never

from actors.effects import KEEPER, Broadcast, Effect, Reply, Send, SetTimer
from actors.logic.describing import some
from actors.logic.versions import intake_of
from actors.messages import (
    AwaitIdle,
    ChangesMade,
    EventAnswer,
    EventBatch,
    EventsAnswered,
    EventsDerived,
    ForwardedEvent,
    Inspect,
    IntakeChanged,
    PrioritiesChanged,
    Publish,
    ReadStats,
    RouterRestarted,
    RouterRestored,
    ScheduleEvents,
    TimedEventDue,
    ToRouter,
)
from actors.model import (
    DEFAULT_PRIORITY,
    NOBODY,
    NS_PER_MS,
    Definitions,
    EntityId,
    ErrorInfo,
    Event,
    Instant,
    Json,
    Priority,
    ReplyId,
)

MAX_BATCHES = 64
"""Batches unanswered at the keeper."""
BATCH_EVENTS = 256
GENERATION = 2**40
"""Numbers that one generation has for its batches and its timers."""
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
    def __init__(self, definitions: Definitions, run_id: str, *, generation: int = 0) -> None:
        """``run_id`` makes the ids given to events without one unique among engines and runs."""
        self._generation = generation
        self._held_back: list[Publish | ScheduleEvents | TimedEventDue] | None = [] if generation else None
        """What came before the keeper's snapshot; None: nothing is to be waited for."""
        self._taking = intake_of(definitions)
        self._run_id = run_id
        self._priorities: dict[EntityId, Priority] = {}
        self._line: list[tuple[Priority, int, _Waiting]] = []
        self._merging: dict[tuple[str, str], _Waiting] = {}
        self._waiting = 0
        self._sequence = 0
        self._batches: dict[int, list[_Waiting]] = {}
        self._batch = generation * GENERATION
        self._timer = generation * GENERATION
        self._timed: dict[int, tuple[Event, _Publication, int]] = {}
        self._idle_askers: list[ReplyId] = []
        self._effects: list[Effect] = []
        self.counts = {"published": 0, "merged": 0, "refused": 0}

    def begin(self, now: Instant) -> list[Effect]:  # noqa: ARG002 - every logic has this face
        """After a crash, ask the keeper for what it knows of events."""
        return [Send(KEEPER, RouterRestarted(self._generation))] if self._generation else []

    def quarantined(self, message: object, error: ErrorInfo, now: Instant) -> list[Effect]:  # noqa: ARG002 - a face
        """Nothing follows: publishers are told by the shell, and the keeper still has what it derived."""
        return []

    def receive(self, message: ToRouter, now: Instant) -> list[Effect]:
        """Take one message; return what must happen because of it."""
        match message:
            case Publish() | ScheduleEvents() | TimedEventDue():
                self._from_outside(message, now)
            case EventsAnswered(batch, answers):
                self._answered(batch, answers)
            case EventsDerived(events):
                self._derived(events, now)
            case PrioritiesChanged(priorities):
                self._set_priorities(priorities)
            case RouterRestored():
                self._restored(message, now)
            case IntakeChanged():
                self._taking = message
            case ChangesMade(changes):
                return [Broadcast(changes)]
            case AwaitIdle(reply):
                self._idle_askers.append(reply)
            case ReadStats(reply):
                counts = {**self.counts, "waiting": self._waiting, "unanswered": sum(map(len, self._batches.values()))}
                self._effects.append(Reply(reply, counts))
            case Inspect(reply):
                self._effects.append(Reply(reply, self._described(now)))
            case _:
                assert_never(message)
        return self._taken()

    def settle(self, now: Instant) -> list[Effect]:  # noqa: ARG002 - every logic has this face
        """Forward what credit allows; pass on who waits for idleness when nothing is left here."""
        while self._waiting and len(self._batches) < MAX_BATCHES:
            self._forward()
        if self._idle_askers and not (self._waiting or self._batches or self._timed or self._held_back is not None):
            for reply in self._idle_askers:
                self._effects.append(Send(KEEPER, AwaitIdle(reply)))
            self._idle_askers.clear()
        return self._taken()

    def _described(self, now: Instant) -> Mapping[str, Json]:
        """What waits here, in no order."""
        return {
            "knows": self._held_back is None,
            "held_back": len(self._held_back or ()),
            "counts": dict(self.counts),
            "waiting": some(
                (waiting for _, _, waiting in self._line if waiting.waits),
                self._waiting,
                lambda waiting: {
                    "type": waiting.event.type,
                    "entity_id": waiting.event.entity_id,
                    "priority": waiting.priority,
                    "waiting_ms": (now - waiting.accepted) / NS_PER_MS,
                    "merged": len(waiting.ids),
                    "derived": waiting.derived,
                },
            ),
            "unanswered_batches": some(
                self._batches.items(), len(self._batches), lambda each: {"batch": each[0], "events": len(each[1])}
            ),
            "timed_events": len(self._timed),
            "waiting_for_idle": len(self._idle_askers),
            "known_priorities": len(self._priorities),
        }

    def check(self) -> None:
        """Assert what must be true of it after every batch; O(what waits)."""
        waiting = {id(entry[2]) for entry in self._line if entry[2].waits}
        assert self._waiting == len(waiting), f"{self._waiting} counted, {len(waiting)} in line"
        assert all(one.waits and id(one) in waiting for one in self._merging.values()), "merges into what has gone"
        assert not any(one.waits for batch in self._batches.values() for one in batch), "forwarded, and in line"
        assert not self._waiting or len(self._batches) >= MAX_BATCHES, "waits, though there is credit"
        assert self._held_back is None or not (self._waiting or self._batches or self._timed), "went on blindly"

    # --- after a crash ---------------------------------------------------------------------------

    def _restored(self, snapshot: RouterRestored, now: Instant) -> None:
        if self._held_back is None or snapshot.generation != self._generation:
            return  # For one that has crashed since.
        held_back, self._held_back = self._held_back, None
        self._taking = snapshot.intake or self._taking
        self._set_priorities(snapshot.priorities)
        self._derived(snapshot.derived, now)
        for message in held_back:
            self._from_outside(message, now)

    def _set_priorities(self, priorities: Mapping[EntityId, Priority]) -> None:
        if self._held_back is not None:
            return  # Older than the snapshot that is to come.
        for entity, priority in priorities.items():
            if priority == DEFAULT_PRIORITY:
                self._priorities.pop(entity, None)
            else:
                self._priorities[entity] = priority

    def _derived(self, events: tuple[Event, ...], now: Instant) -> None:
        if self._held_back is None:  # Else the snapshot has them too.
            for event in events:
                self._admit(event, now, derived=True)

    # --- taking in -------------------------------------------------------------------------------

    def _from_outside(self, message: Publish | ScheduleEvents | TimedEventDue, now: Instant) -> None:
        if self._held_back is not None:
            self._held_back.append(message)
            return
        match message:
            case Publish(events, reply):
                publication = _Publication(reply, len(events))
                full = False
                for place, event in enumerate(events):
                    # The first that does not fit ends it, so that what was accepted is a front part.
                    full = self._publish(event, (publication, place), now, full=full)
                if not events:
                    self._effects.append(Reply(reply, ()))
            case ScheduleEvents(timed, reply):
                publication = _Publication(reply, len(timed))
                for place, item in enumerate(timed):
                    self._timer += 1
                    self._timed[self._timer] = (item.event, publication, place)
                    self._effects.append(SetTimer(("timed", self._timer), item.at, TimedEventDue(self._timer)))
                if not timed:
                    self._effects.append(Reply(reply, ()))
            case TimedEventDue(number):
                due = self._timed.pop(number, None)
                if due is not None:  # Else the timer is a crashed router's.
                    self._publish(due[0], (due[1], due[2]), now, full=False)
            case _:
                assert_never(message)

    def _publish(self, event: Event, asker: tuple[_Publication, int], now: Instant, *, full: bool) -> bool:
        """Take it in; true if it did not fit, or ``full`` says that one before it did not."""
        if full or (self._waiting >= self._taking.max_waiting and not self._merges(event)):
            self.counts["refused"] += 1
            self._answer(asker, EventAnswer(None, OVERLOADED))
            return True
        self._admit(event, now, derived=False).askers.append(asker)
        return False

    def _merges(self, event: Event) -> bool:
        return event.type in self._taking.mergeable and (event.type, event.entity_id) in self._merging

    def _admit(self, event: Event, now: Instant, *, derived: bool) -> _Waiting:
        self._sequence += 1
        self.counts["published"] += 1
        identity = event.id if event.id is not None else f"{self._run_id}-{self._generation}-{self._sequence}"
        priority = event.priority
        if priority is None:
            priority = self._priorities.get(EntityId(event.entity_id), DEFAULT_PRIORITY)
        merges = event.type in self._taking.mergeable and not derived
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
        taken = self._batches.pop(batch, None)
        if taken is None:
            return  # A crashed router sent it; its publications came again.
        for waiting, answer in zip(taken, answers, strict=True):
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
