"""Messages to the router."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from actors.frozen import frozen
from actors.messages.rebuilding import IntakeChanged, RouterRestored
from actors.messages.shared import AwaitIdle, Inspect, ReadStats
from actors.model import NOBODY, EntityId, Event, Instant, Priority, ReplyId
from actors.views import ChangeType, Receipt, StateChanged


@frozen
class Publish:
    """Take these events in, all or as many as fit; answer with receipts or refusals, in order."""

    events: tuple[Event, ...]
    reply: ReplyId = NOBODY


@frozen
class EventAnswer:
    """``receipt`` when accepted, else why not."""

    receipt: Receipt | None
    refusal: str = ""


@frozen
class EventsAnswered:
    """The keeper has dealt with a forwarded batch; its credit is back."""

    batch: int
    answers: tuple[EventAnswer, ...]


@frozen
class EventsDerived:
    """Events that follow from recorded outcomes, each with its id; never merged, never refused."""

    events: tuple[Event, ...]


@frozen
class PrioritiesChanged:
    """Entities' priorities, for events that carry none."""

    priorities: Mapping[EntityId, Priority]


@frozen
class ChangesMade:
    """State changes to fan out to subscribers."""

    changes: tuple[StateChanged, ...]


@frozen
class DueEvent:
    """An event that is to be published at this instant."""

    at: Instant
    event: Event


@frozen
class ScheduleEvents:
    """Publish each of these when its time has come; answer as for ``Publish`` when the last is dealt with."""

    events: tuple[DueEvent, ...]
    reply: ReplyId = NOBODY


@frozen
class TimedEventDue:
    """Timer: publish this one now."""

    number: int


@frozen
class Watch:
    """Whether anybody subscribes, and to which types (empty: all)."""

    watched: bool
    types: frozenset[ChangeType] = frozenset()


ToRouter: TypeAlias = (
    Publish
    | EventsAnswered
    | EventsDerived
    | PrioritiesChanged
    | ChangesMade
    | ScheduleEvents
    | TimedEventDue
    | AwaitIdle
    | ReadStats
    | Inspect
    | RouterRestored
    | IntakeChanged
)
