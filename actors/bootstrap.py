"""What an engine begins with: the initial entities and what is due at once are one batch, the rest comes later."""

from __future__ import annotations

import dataclasses

from actors.messages import Bootstrap, DueEvent, ForwardedEvent
from actors.model import DEFAULT_PRIORITY, NS_PER_MS, Instant, Settings


def first_batch(settings: Settings, now: Instant, name: str) -> Bootstrap:
    """The initial entities with the timed events of the beginning, the most important first.

    ``name`` is the engine's: events without an id are named after it.
    """
    priorities: dict[str, int | None] = {seed.id: seed.priority for seed in settings.entities}
    due: list[ForwardedEvent] = []
    for number, timed in enumerate(settings.events):
        if timed.after_ms:
            continue
        event = timed.event
        priority = event.priority if event.priority is not None else priorities.get(event.entity_id)
        identity = event.id or f"{name}-start-{number}"
        due.append(ForwardedEvent(event, DEFAULT_PRIORITY if priority is None else priority, now, (identity,)))
    due.sort(key=lambda forwarded: forwarded.priority)
    return Bootstrap(settings.entities, tuple(due))


def later_events(settings: Settings, now: Instant, name: str) -> tuple[DueEvent, ...]:
    """Timed events of after the beginning, in the order of the settings."""
    return tuple(
        DueEvent(
            now + timed.after_ms * NS_PER_MS,
            dataclasses.replace(timed.event, id=timed.event.id or f"{name}-timed-{number}"),
        )
        for number, timed in enumerate(settings.events)
        if timed.after_ms
    )
