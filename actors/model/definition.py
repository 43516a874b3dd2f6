"""What an engine is told before it starts: workflows, tasks, agents, settings, actions, events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from actors.model.words import (
    ALL,
    DEFAULT_PRIORITY,
    Coalesce,
    Delivery,
    EntityId,
    EntityStatus,
    EventType,
    Isolation,
    Json,
    Millis,
    OnPreempt,
    OnUnknownEntity,
    Priority,
    Trigger,
    Utc,
    WorkflowId,
)


class Condition(Protocol):
    """A compiled ``when:``. Raises ``ConditionError`` when it cannot be evaluated."""

    @property
    def text(self) -> str: ...

    @property
    def reads_event(self) -> bool: ...

    def __call__(self, entity: Mapping[str, Json], event: Mapping[str, Json] | None) -> bool: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Resource limits of one attempt's process; None: no limit."""

    memory_mb: int | None = None
    cpu_s: int | None = None
    files: int | None = None
    processes: int | None = None


@dataclass(frozen=True, slots=True)
class Backoff:
    """The pause before retry n: ``min(max_ms, initial_ms * factor ** (n - 1))``, plus or minus jitter."""

    initial_ms: Millis = 0
    factor: float = 2.0
    max_ms: Millis = 60_000
    jitter: float = 0.0
    """A fraction of the pause, 0 to 1: the pause is spread evenly over plus or minus that much."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task of a workflow. Exactly one of ``action`` and ``run`` is given."""

    id: str
    index: int
    """Its place in the workflow, from 0."""
    action: str | None = None
    run: tuple[str, ...] | None = None
    name: str = ""
    depends_on: tuple[int, ...] = ()
    """Places of the tasks it waits for."""
    timeout_ms: Millis = 1000
    retry: int = 0
    priority: Priority | None = None
    params: Mapping[str, Json] = field(default_factory=dict)
    capabilities: frozenset[str] = frozenset()
    isolation: Isolation = Isolation.THREAD
    isolation_chosen: bool = False
    """True: its author wrote it; False: it suits the action."""
    preemptible: bool = True
    preempts: bool = True
    """False: written ``preempts: never``; it waits for a free agent however urgent it is."""
    on_preempt: OnPreempt = OnPreempt.REQUEUE
    grace_ms: Millis = 100
    min_runtime_ms: Millis = 0
    max_preemptions: int | None = None
    lock: str | None = None
    """A text with ``{entity.id}``, ``{workflow.id}``, ``{task.id}``: at most one task runs per text it comes to."""
    queue_timeout_ms: Millis | None = None
    delivery: Delivery = Delivery.AT_LEAST_ONCE
    limits: Limits | None = None
    backoff: Backoff | None = None


@dataclass(frozen=True, slots=True)
class Workflow:
    id: WorkflowId
    tasks: tuple[Task, ...]
    dependants: tuple[tuple[int, ...], ...]
    """By place in ``tasks``: the places of the tasks that wait for it."""
    name: str = ""
    priority: Priority = DEFAULT_PRIORITY
    trigger: Trigger = Trigger.EVENT
    trigger_event: str = EventType.DATA_READY
    max_concurrent: int | None = None
    when: Condition | None = None
    phase: str | None = None
    """The phase the entity must be in; None: any."""
    next_phase: str | None = None
    coalesce: Coalesce = Coalesce.LATEST
    valid_for_ms: Millis | None = None


@dataclass(frozen=True, slots=True)
class AgentGroup:
    """``count`` agents alike. The only group of ``agents: 5`` is called ``agent``: agent_0 … agent_4."""

    name: str = "agent"
    count: int = 5
    capabilities: frozenset[str] = frozenset({ALL})


@dataclass(frozen=True, slots=True)
class EntitySeed:
    """An entity as ``engine.yaml`` or ``put`` gives it; None leaves a field as it is."""

    id: EntityId
    name: str | None = None
    phase: str | None = None
    status: EntityStatus | None = None
    priority: Priority | None = None
    data: Json = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, as a publisher says it.

    ``priority`` None: the entity's, as the router last saw it, else 2. ``timestamp`` is UTC
    seconds; order never comes from it. ``id`` deduplicates: over the last 50,000 ids a second
    event of the same id is answered with the first one's receipt and does nothing.
    """

    type: str
    entity_id: str
    priority: Priority | None = None
    data: Json = None
    timestamp: Utc | None = None
    valid_for_ms: Millis | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class TimedEvent:
    after_ms: Millis
    event: Event


@dataclass(frozen=True, slots=True)
class Settings:
    """The engine's own settings, every bound with its default."""

    agents: tuple[AgentGroup, ...] = (AgentGroup(),)
    store: str | None = None
    language: str | None = None
    entities: tuple[EntitySeed, ...] = ()
    events: tuple[TimedEvent, ...] = ()
    event_types: frozenset[str] = frozenset()
    """Types beside the built-in ones."""
    on_unknown_entity: OnUnknownEntity = OnUnknownEntity.ADD
    max_infra_losses: int = 3
    starvation_ms: Millis | None = None
    """A wait that aging keeps every task below as long as agents come free; None: no aging."""
    reconcile_ms: Millis = 100
    max_waiting_events: int = 10_000
    max_remembered_ids: int = 50_000
    max_lined_up: int = 1_000
    """Instances of one (workflow, entity) that may wait in line with ``coalesce: all``."""
    max_entities: int = 1_000_000
    max_finished: int = 10_000
    max_dead_letters: int = 1_000
    max_data_bytes: int = 1_048_576
    """Bound on an event's data, a result and a checkpoint, each as JSON."""


class ActionKind(StrEnum):
    FUNCTION = "function"
    GENERATOR = "generator"
    COROUTINE = "coroutine"
    ASYNC_GENERATOR = "async_generator"


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """Where an action's function is found, so that another process can find it too."""

    name: str
    """The name that tasks use: registered by ``@action``, a key of ``actions={}``, or ``module:function``."""
    module: str
    """Importable module name; of a folder's file, its dotted path below the folder."""
    qualname: str
    kind: ActionKind
    folder: str | None = None
    """The definitions folder it lives in, absolute; None: found by ``sys.path``."""
    importable: bool = True
    """False for closures and functions of ``__main__``: only this process has them."""


@dataclass(frozen=True, slots=True)
class Definitions:
    """Everything an engine is told before it starts."""

    workflows: Mapping[WorkflowId, Workflow]
    settings: Settings = field(default_factory=Settings)
    actions: Mapping[str, ActionSpec] = field(default_factory=dict)
    """Every action that a task names, by that name."""
    folder: str | None = None
    """The definitions folder, absolute; None for definitions that came as a dict."""
    copy: str | None = None
    """The copy of the folder that its code is run from; None: the folder itself."""
    trusted: bool = False
    """True for a folder: actions may be ``module:function`` below it, and commands may run."""
    file: str | None = None
    """The name of the one definition file of the folder that was read; None: all of them."""
    version: str = ""
    """A hash of what was read: of the folder's definitions and code, or of the dict."""
    written: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Where a setting was written, ``FILE:LINE`` by its name; those that are not here were not in a file."""
