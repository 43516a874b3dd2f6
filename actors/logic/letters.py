"""Dead letters: what was accepted by nobody, kept by number until a person retries or drops it.

The newest so many are kept; an older one goes when there is no room.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace

from actors.errors import NotFoundError, RefusedError
from actors.frozen import frozen
from actors.model import Event, Json, Priority, Utc

REJECTED = "rejected"
QUARANTINED = "quarantined"
"""It crashed the engine, and would do so again."""


@frozen
class Letter:
    number: int
    at: Utc
    kind: str
    why: str
    event: Event
    priority: Priority
    """Which the event had as it was admitted."""

    def shown(self) -> Mapping[str, Json]:
        event = self.event
        fields = {
            "id": event.id,
            "type": event.type,
            "entity_id": event.entity_id,
            "priority": event.priority,
            "data": event.data,
            "timestamp": event.timestamp,
            "valid_for_ms": event.valid_for_ms,
        }
        return {
            "id": self.number,
            "at": self.at,
            "kind": self.kind,
            "why": self.why,
            "retryable": self.kind == REJECTED,
            "type": event.type,
            "entity_id": event.entity_id,
            "data": event.data,
            "event": fields,
        }


def place_of(letters: deque[Letter], number: int) -> int:
    """Where the letter of this number stands. Raises ``NotFoundError``."""
    for place, letter in enumerate(letters):
        if letter.number == number:
            return place
    raise NotFoundError(f"no dead letter {number} (the newest {letters.maxlen} are kept)")


def to_retry(letters: deque[Letter], number: int) -> Letter:
    """The letter, if it makes sense to act on its event again. Raises ``NotFoundError`` and ``RefusedError``."""
    letter = letters[place_of(letters, number)]
    if letter.kind != REJECTED:
        raise RefusedError(f"dead letter {number} is {letter.kind}: {letter.why}; it would be so again")
    return letter


def again(letter: Letter, why: str, at: Utc) -> Letter:
    """The letter when its event was refused once more."""
    return replace(letter, why=why, at=at)
