"""The engine's own settings: ``engine.yaml`` to ``Settings``, every fault reported.

::

    agents: 5                        # or groups by name, as below
    agents: {local: {count: 3, capabilities: [all]}, gpu: {count: 1, capabilities: [gpu]}}
    language: zh                     # zh or en, for the lines people read
    store: memory                    # or a URL, such as sqlite:///engine.db
    event_types: [TICK]              # beside the built-in ones
    on_unknown_entity: add           # or reject
    entities:
      - {id: 000001, name: 平安银行, phase: data_ready, priority: 0}
    events:
      - {after_ms: 500, type: HIGH_PRIORITY_ARRIVED, entity_id: 000003, priority: 0}

and every bound of ``Settings`` under its name there (``max_waiting_events`` and so on).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from actors.model import AgentGroup, EntityId, EntitySeed, EntityStatus, Event, EventType, Settings, TimedEvent
from actors.reading.engine_shapes import AgentGroupShape, EntityShape, EventShape, SettingsShape
from actors.reading.faults import Source
from actors.reading.nodes import Path, clip, find
from actors.reading.sentences import check

MAX_AGENTS = 10_000
_OURS = (EventType.TASK_COMPLETED, EventType.TASK_FAILED)
"""Types that the engine alone publishes."""


def read_settings(source: Source, path: Path) -> Settings:
    """The settings in the mapping at the path. What is wrong is reported, and left at its default."""
    fields = dict(check(SettingsShape, source, path).fields)
    types = frozenset(fields.pop("event_types", ()))
    for name in ("agents", "entities", "events"):
        fields.pop(name, None)
    agents = _agents(source, (*path, "agents"))
    if agents is not None:
        fields["agents"] = agents
    return Settings(
        event_types=types,
        entities=_entities(source, (*path, "entities")),
        events=_events(source, (*path, "events"), types),
        **fields,
    )


def written(source: Source, path: Path) -> dict[str, str]:
    """Where each setting in the mapping at the path stands, as ``FILE:LINE`` by its name."""
    node = find(source.root, path)
    known = {field.name for field in dataclasses.fields(Settings)}
    return {name: f"{source.file}:{node.keys[name].line}" for name in node.mapping() if name in known}


def _agents(source: Source, path: Path) -> tuple[AgentGroup, ...] | None:
    """``5``, or groups by name; None for the default."""
    if not _given(source, path):
        return None
    value = find(source.root, path).value
    if isinstance(value, dict):
        groups = tuple(_group(source, (*path, name), name) for name in value)
        if not groups:
            source.fault(path, "must name at least one group")
        elif sum(group.count for group in groups) > MAX_AGENTS:
            source.fault(path, f"more than {MAX_AGENTS} agents in all")
        return groups
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_AGENTS:
        source.fault(path, f"must be a number from 1 to {MAX_AGENTS}, or groups by name")
        return None
    return (AgentGroup(count=value),)


def _group(source: Source, path: Path, name: str) -> AgentGroup:
    if "runner" in find(source.root, path).mapping():
        source.key_fault((*path, "runner"), "agents on other machines are not available; leave 'runner' out")
        return AgentGroup(name)
    if not (name.isprintable() and name.isidentifier()):
        source.key_fault(path, f"'{clip(name)}' names agents, {clip(name)}_0 and so on: letters, digits and '_' alone")
    fields = dict(check(AgentGroupShape, source, path).fields)
    if "capabilities" in fields:
        fields["capabilities"] = frozenset(fields["capabilities"])
    fields.setdefault("count", 1)
    return AgentGroup(name, **fields)


def _entities(source: Source, path: Path) -> tuple[EntitySeed, ...]:
    """A list of entities, or a mapping by id."""
    seeds: dict[str, EntitySeed] = {}
    for at, key in _rows(source, path):
        fields = dict(check(EntityShape, source, at, known={"id": key} if key is not None else {}).fields)
        fields.pop("last_processed", None)
        if fields.get("status") is EntityStatus.PROCESSING:
            source.fault((*at, "status"), "processing is what the engine sets while work runs; use pending")
        entity_id = fields.pop("id", None)
        if entity_id is None:
            continue
        if entity_id in seeds:
            source.fault((*at, "id"), f"a second entity '{clip(entity_id)}'")
        seeds[entity_id] = EntitySeed(EntityId(entity_id), **fields)
    return tuple(seeds.values())


def _events(source: Source, path: Path, types: frozenset[str]) -> tuple[TimedEvent, ...]:
    timed: list[TimedEvent] = []
    seen: set[str] = set()
    for at, _ in _rows(source, path, by_id=False):
        fields = dict(check(EventShape, source, at).fields)
        _check_type(source, at, fields, types)
        entity_id = _entity_id(source, at, fields)
        if fields.get("id") in seen:
            source.fault((*at, "id"), f"a second event '{clip(fields['id'])}', which would be taken for the first")
        if "id" in fields:
            seen.add(fields["id"])
        after_ms = fields.pop("after_ms", 0)
        kind = fields.pop("type", "")
        timed.append(TimedEvent(after_ms, Event(kind, entity_id, **fields)))
    return tuple(timed)


def _check_type(source: Source, path: Path, fields: Mapping[str, Any], types: frozenset[str]) -> None:
    kind = fields.get("type")
    if kind in _OURS:
        source.fault((*path, "type"), f"{kind} is published by the engine alone")
    elif kind is not None and kind not in types and kind not in tuple(EventType):
        hint = source.faults.suggest(kind, [*map(str, EventType), *types]) or "; name it in event_types"
        source.fault((*path, "type"), f"no event type '{clip(kind)}'{hint}")


def _entity_id(source: Source, path: Path, fields: dict[str, Any]) -> str:
    """``entity_id``, for which ``stock_id`` may stand."""
    written = find(source.root, path).mapping()
    entity_id, stock_id = fields.pop("entity_id", None), fields.pop("stock_id", None)
    if entity_id is not None and stock_id is not None:
        source.key_fault((*path, "stock_id"), "stands for entity_id; give one of them")
    if "entity_id" not in written and "stock_id" not in written and isinstance(find(source.root, path).value, dict):
        source.fault(path, "needs 'entity_id'")
    return str(entity_id or stock_id or "")


def _rows(source: Source, path: Path, *, by_id: bool = True) -> list[tuple[Path, str | None]]:
    """Where the items of a list stand, or those of a mapping by id, with their keys."""
    if not _given(source, path):
        return []
    node = find(source.root, path)
    if isinstance(node.value, list):
        return [((*path, index), None) for index in range(len(node.value))]
    if by_id and isinstance(node.value, dict):
        return [((*path, key), key) for key in node.value]
    source.fault(path, "must be a list, or a mapping by id" if by_id else "must be a list")
    return []


def _given(source: Source, path: Path) -> bool:
    below = find(source.root, path[:-1]).mapping().get(str(path[-1]))
    return below is not None and below.value is not None
