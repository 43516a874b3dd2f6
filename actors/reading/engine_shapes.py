"""The shape of ``engine.yaml``: agents, entities, timed events and the engine's bounds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from actors.model import EntityStatus, OnUnknownEntity, Settings
from actors.reading.fields import Count, Duration, Filled, Id, Positive, Text, Unset, Wait
from actors.reading.shapes import Shape, default_of


def _default(name: str) -> Any:
    return default_of(Settings, name)


class AgentGroupShape(Shape):
    """Agents alike, called after their group: local_0, local_1 and so on."""

    needs = frozenset({"count"})

    count: Annotated[int, Field(strict=True, ge=1, le=10_000)] | None = None
    """How many."""
    capabilities: Annotated[list[Id], Field(min_length=1)] = Field(default_factory=lambda: ["all"])
    """What they are fit for; all: for everything."""


class EntityShape(Shape):
    """A row of the state table, as it is when the engine first starts."""

    needs = frozenset({"id"})

    id: Id | None = None
    """In a mapping the key is the id. Leading zeros stay, with and without quotes."""
    name: Text | None = None
    """For people."""
    phase: Id | None = None
    """Workflows start by it; data_ready if not given."""
    status: Annotated[EntityStatus, Field(strict=False)] | None = None
    """pending if not given."""
    priority: Count | None = None
    """0 is the most important; 2 if not given."""
    last_processed: Unset = None
    """Set by the engine; may stand here empty."""
    data: Any = None
    """Whatever the workflows need."""


class EventShape(Shape):
    """An event that the engine publishes by itself some time after it started."""

    needs = frozenset({"type"})

    after_ms: Duration = 0
    """Milliseconds after the start."""
    type: Id | None = None
    """DATA_READY, HIGH_PRIORITY_ARRIVED or one of event_types."""
    entity_id: Id | None = None
    """The entity it is about."""
    stock_id: Id | None = None
    """The same as entity_id."""
    priority: Count | None = None
    """0 is the most important; the entity's if not given."""
    data: Any = None
    """Given to the action as ctx.event.data."""
    valid_for_ms: Wait | None = None
    """It expires if it has not begun to be acted on after so long."""
    id: Id | None = None
    """Deduplicates: a second event of the same id does nothing."""


class SettingsShape(Shape):
    """The engine's own settings."""

    unread = frozenset({"entities", "events"})
    elsewhere = dict.fromkeys(("workflows", "tasks"), "workflows stand in files of their own")

    agents: Any = _default("agents")[0].count
    """How many, or groups by name: {local: {count: 3, capabilities: [all]}}."""
    store: Filled | None = None
    """memory, or a URL such as sqlite:///engine.db."""
    language: Literal["zh", "en"] | None = None
    """Of the lines that people read; by default the terminal's."""
    entities: Any = None
    """The state table at the first start: a list, or a mapping by id."""
    events: Any = None
    """Events that the engine publishes by itself, each after_ms after the start."""
    event_types: list[Id] = Field(default_factory=list)
    """Event types beside the built-in ones."""
    on_unknown_entity: Annotated[OnUnknownEntity, Field(strict=False)] = _default("on_unknown_entity")
    """Whether an event about an entity that the table does not know adds it or is rejected."""
    max_infra_losses: Count = _default("max_infra_losses")
    """How often a task runs again after its process was lost, until it fails."""
    starvation_ms: Wait | None = None
    """What waits half of it goes before all but priority 0; so nothing waits as long, while agents come free.
    Not given: order is by priority alone."""
    reconcile_ms: Wait = _default("reconcile_ms")
    """How often changed entities are looked at for work no event called for."""
    max_waiting_events: Positive = _default("max_waiting_events")
    """Events waiting at the router; beyond that publishers are told to wait."""
    max_remembered_ids: Count = _default("max_remembered_ids")
    """Event ids remembered to recognize duplicates."""
    max_lined_up: Positive = _default("max_lined_up")
    """Events of one workflow and entity waiting in line with coalesce all."""
    max_entities: Positive = _default("max_entities")
    """Rows of the state table."""
    max_finished: Count = _default("max_finished")
    """Finished instances kept in memory."""
    max_dead_letters: Count = _default("max_dead_letters")
    """Events and messages kept that could not be acted on."""
    max_data_bytes: Positive = _default("max_data_bytes")
    """Size of an event's data, a result and a checkpoint, each as JSON."""
