"""What comes from outside is checked here, before it becomes a message: refused at the edge, in one sentence."""

from __future__ import annotations

import dataclasses
import difflib
import math
import typing
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from actors import messages
from actors.effects import KEEPER, ROUTER, SCHEDULER
from actors.errors import RequestError
from actors.ids import Ids
from actors.model import (
    AgentGroup,
    Definitions,
    EntityId,
    EntitySeed,
    EntityStatus,
    Event,
    EventType,
    Json,
    Settings,
)
from actors.runners.values import plain
from actors.typed import misfit

MAX_ID = 200
MAX_PRIORITY = 2**31 - 1
MAX_AGENTS = 100_000
MOST_NAMED = 12
"""Event types that a refusal names."""
MAX_PAGE = 1_000
"""Items of one page."""
MAX_LISTED = 10_000
"""Instances in one answer."""
_ENTITY_FIELDS = ("name", "phase", "status", "priority", "data")
_RESOLUTIONS = ("completed", "failed", "retry", "cancelled")
_OUTCOMES = (EventType.TASK_COMPLETED, EventType.TASK_FAILED)

E = TypeVar("E", bound=StrEnum)


class Gate:
    """Checks events, entities and params against what the definitions allow."""

    def __init__(self, definitions: Definitions) -> None:
        triggers = {workflow.trigger_event for workflow in definitions.workflows.values()}
        self._types = frozenset({*EventType, *definitions.settings.event_types, *triggers} - {*_OUTCOMES})
        self._max_bytes = definitions.settings.max_data_bytes
        self._ids = Ids()

    def event(self, event: Event, *, plain_data: bool = False) -> Event:
        """The event with an id, its data copied as plain JSON. Raises ``RequestError``.

        ``plain_data`` says that its data is small, was read from JSON, and is nobody else's: most of
        what an event costs here is to see to that.
        """
        if type(event) is not Event:
            raise RequestError(f"publish takes an Event, not {type(event).__name__}")
        if event.type not in self._types:
            self._refuse_type(event.type)
        if event.id is not None and not _is_name(event.id):
            raise RequestError(f"an event's id is text of 1 to {MAX_ID} characters, not {_short(event.id)}")
        if event.valid_for_ms is not None and not _whole(event.valid_for_ms):
            raise RequestError(f"valid_for_ms is a whole number of milliseconds, not {_short(event.valid_for_ms)}")
        if event.timestamp is not None and not _finite(event.timestamp):
            raise RequestError(f"timestamp is seconds since the epoch, not {_short(event.timestamp)}")
        urgency = None if event.priority is None else priority(event.priority)
        data = event.data if plain_data else self._data(event.data, "data")
        identity = self._ids.new() if event.id is None else event.id
        return Event(
            event.type, entity_id(event.entity_id), urgency, data, event.timestamp, event.valid_for_ms, identity
        )

    def _refuse_type(self, type_: object) -> None:
        if type_ in _OUTCOMES:
            raise RequestError(f"{type_} is published by the engine alone, when an outcome is recorded")
        some = sorted(map(str, self._types))
        known = f"; known are: {', '.join(some[:MOST_NAMED])}{' ...' if len(some) > MOST_NAMED else ''}"
        raise RequestError(f"unknown event type {_short(type_)}{_meant(type_, self._types) or known}")

    def params(self, value: Mapping[str, Any] | None) -> Mapping[str, Json] | None:
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise RequestError(f"params are a mapping, not {_short(value)}")
        checked: Mapping[str, Json] = self._data(dict(value), "params")
        return checked

    def seed(self, id: str, fields: Mapping[str, Any]) -> EntitySeed:
        """The fields of ``put_entity`` as a message carries them."""
        for name in fields:
            if name not in _ENTITY_FIELDS:
                raise RequestError(f"an entity has no field {name!r}{_meant(name, _ENTITY_FIELDS)}")
        for name in ("name", "phase"):
            text = fields.get(name)
            if text is not None and (not isinstance(text, str) or len(text) > MAX_ID):
                raise RequestError(f"{name} is text of at most {MAX_ID} characters, not {_short(text)}")
        urgency = fields.get("priority")
        return EntitySeed(
            entity_id(id),
            fields.get("name"),
            fields.get("phase"),
            choice(EntityStatus, fields.get("status"), "status"),
            None if urgency is None else priority(urgency),
            self._data(fields.get("data"), "data"),
        )

    def message(self, message: Any) -> Any:
        """A message from outside, its types being right, as this engine takes it. Raises ``RequestError``."""
        match message:
            case messages.Publish(events, reply):
                return messages.Publish(tuple([self.event(event) for event in events]), reply)
            case messages.PutEntity(seed, reply):
                fields = {name: getattr(seed, name) for name in _ENTITY_FIELDS}
                return messages.PutEntity(self.seed(seed.id, fields), reply)
            case messages.RunWorkflow(workflow, entity, params, reply):
                return messages.RunWorkflow(workflow, entity_id(entity), self.params(params), reply)
            case messages.SetPriority(id, urgency, reply):
                return messages.SetPriority(id, priority(urgency), reply)
            case messages.ResolveTask(id, said, reply):
                return messages.ResolveTask(id, outcome(said), reply)
            case messages.ListInstances(limit=limit) | messages.ListEntities(limit=limit) if limit > MAX_PAGE:
                raise RequestError(f"limit is at most {MAX_PAGE:,}, not {_short(limit)}")
            case messages.ReadInstances(limit=limit) if limit > MAX_LISTED:
                raise RequestError(f"limit is at most {MAX_LISTED:,}, not {_short(limit)}")
            case _:
                return message

    def _data(self, value: object, what: str) -> Json:
        return plain(value, what=what, max_bytes=self._max_bytes)


def with_agents(settings: Settings, count: object) -> Settings:
    """The settings with so many agents alike. Raises ``RequestError``."""
    if not _whole(count) or not 1 <= count <= MAX_AGENTS:
        raise RequestError(f"agents: {count!r} is not a number from 1 to {MAX_AGENTS}")
    return dataclasses.replace(settings, agents=(AgentGroup(count=count),))


def entity_id(id: object) -> EntityId:
    if not isinstance(id, str) or not 0 < len(id) <= MAX_ID or not id.isprintable() or "/" in id or id.strip() != id:
        raise RequestError(
            f"an entity's id is text of 1 to {MAX_ID} printable characters without '/', not {_short(id)}"
        )
    return EntityId(id)


def name(value: object, what: str) -> str:
    """An id or a name by which something is looked up, whatever it may be."""
    if not isinstance(value, str):
        raise RequestError(f"{what} is text, not {_short(value)}")
    return value


def number(value: object, what: str) -> int:
    """A number by which something is looked up."""
    if not _whole(value):
        raise RequestError(f"{what} is a whole number, not {_short(value)}")
    return value


def priority(value: object) -> int:
    if not _whole(value) or value > MAX_PRIORITY:
        raise RequestError(f"a priority is a whole number from 0, the most important; not {_short(value)}")
    return value


def outcome(value: object) -> str:
    """What may be said to have become of an ``unknown`` task."""
    if value not in _RESOLUTIONS:
        raise RequestError(
            f"outcome {_short(value)}: say one of {', '.join(_RESOLUTIONS)}{_meant(value, _RESOLUTIONS)}"
        )
    return str(value)


def choice(kind: type[E], value: str | None, what: str) -> E | None:
    """A member of an enumeration by its value."""
    if value is None:
        return None
    try:
        return kind(value)
    except ValueError:
        known = [str(member) for member in kind]
        raise RequestError(f"unknown {what} {_short(value)}{_meant(value, known)}; one of {', '.join(known)}") from None


def message(actor: str, message: object) -> None:
    """Refuse what is not of the actor's protocol, or has a field of another type than the protocol says."""
    unions: dict[str, Any] = {ROUTER: messages.ToRouter, KEEPER: messages.ToKeeper, SCHEDULER: messages.ToScheduler}
    accepted = typing.get_args(unions.get(actor, messages.ToAgent))
    if type(message) not in accepted:
        names = sorted(kind.__name__ for kind in accepted)
        raise RequestError(f"{actor} takes no {type(message).__name__}{_meant(type(message).__name__, names)}")
    wrong = misfit(message)
    if wrong:
        raise RequestError(f"{type(message).__name__}: {wrong}")


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_ID


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _whole(value: object) -> typing.TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _meant(word: object, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(word)[:MAX_ID], list(known), n=1)
    return f"; did you mean {str(close[0])!r}?" if close else ""


def _short(value: object) -> str:
    text = repr(value) if isinstance(value, str | int | float | bool) or value is None else f"a {type(value).__name__}"
    return text if len(text) <= 80 else text[:77] + "..."
