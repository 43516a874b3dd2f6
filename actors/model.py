"""The nouns: ids and units, statuses, definitions, entities, events, what an attempt is given.

Everything here is a value: frozen, compared by content, without behaviour beyond derived
properties. Nothing of ours is imported; everything else imports this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple, NewType, Protocol, TypeAlias

WorkflowId = NewType("WorkflowId", str)
EntityId = NewType("EntityId", str)
AgentName = NewType("AgentName", str)
InstanceKey = NewType("InstanceKey", int)
"""The instance's sequence number: identity and order. Readable ids are derived from it."""
TaskKey = NewType("TaskKey", int)
"""One task of one instance: ``instance key * MAX_TASKS + place in the workflow``."""
ReplyId = NewType("ReplyId", int)
"""Names the caller outside who waits for an answer; 0 when nobody does."""

Instant: TypeAlias = int
"""Monotonic nanoseconds."""
Utc: TypeAlias = float
"""Seconds since the epoch."""
Millis: TypeAlias = int
Priority: TypeAlias = int
"""0 is the most important."""
Json: TypeAlias = Any
"""None, bool, int, float, str, list or dict with str keys, nested."""

MAX_TASKS = 4096
NS_PER_MS = 1_000_000
NOBODY = ReplyId(0)
DEFAULT_PRIORITY = 2
ALL = "all"
"""The capability that makes an agent fit for every task."""


class Phase(StrEnum):
    """Phases the engine itself knows; definitions may use any other word."""

    DATA_READY = "data_ready"


class EntityStatus(StrEnum):
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


class InstanceStatus(StrEnum):
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class TaskStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class EventType(StrEnum):
    """The built-in types; definitions may add their own."""

    DATA_READY = "DATA_READY"
    TASK_COMPLETED = "TASK_COMPLETED"
    TASK_FAILED = "TASK_FAILED"
    HIGH_PRIORITY_ARRIVED = "HIGH_PRIORITY_ARRIVED"


class Trigger(StrEnum):
    EVENT = "event"
    STATE = "state"
    MANUAL = "manual"


class Coalesce(StrEnum):
    LATEST = "latest"
    ALL = "all"


class Isolation(StrEnum):
    PROCESS = "process"
    THREAD = "thread"
    ASYNC = "async"
    COMMAND = "command"
    RAY = "ray"


class OnPreempt(StrEnum):
    REQUEUE = "requeue"
    SUSPEND = "suspend"
    CANCEL = "cancel"


class Delivery(StrEnum):
    AT_LEAST_ONCE = "at_least_once"
    AT_MOST_ONCE = "at_most_once"


class StopReason(StrEnum):
    """Why an attempt is asked to stop; travels with every cancel."""

    PREEMPT = "preempt"
    TIMEOUT = "timeout"
    CANCEL = "cancel"
    SHUTDOWN = "shutdown"


class OnUnknownEntity(StrEnum):
    ADD = "add"
    REJECT = "reject"


# --- definitions -----------------------------------------------------------------------------


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
    trusted: bool = False
    """True for a folder: actions may be ``module:function`` below it, and commands may run."""


# --- state -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entity:
    """A row of the state table."""

    id: EntityId
    name: str = ""
    phase: str = Phase.DATA_READY
    status: EntityStatus = EntityStatus.PENDING
    priority: Priority = DEFAULT_PRIORITY
    last_processed: Utc | None = None
    data: Json = None


class AttemptId(NamedTuple):
    """One execution of one task. The number fences late results."""

    task: TaskKey
    number: int


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a workflow instance comes from: what its readable ids are made of.

    They keep the shape ``workflow_entity_epochseconds`` and ``task_entity_epochseconds``, with
    the instance's creation second, and ``_2`` and so on where that has been taken.
    """

    store: str
    workflow: WorkflowId
    entity: EntityId
    second: int
    suffix: int = 1

    def named(self, name: str) -> str:
        """The readable id of the instance (by its workflow's id) or of a task (by the task's)."""
        end = f"_{self.suffix}" if self.suffix > 1 else ""
        return f"{name}_{self.entity}_{self.second}{end}"


@dataclass(frozen=True, slots=True)
class Job:
    """What a runner needs to run one attempt, and what the action sees of it: plain values.

    Ids are made when asked for: a hundred thousand waiting jobs need not carry their texts.
    """

    attempt: AttemptId
    origin: Origin
    task: Task
    priority: Priority
    entity: Entity
    event: Event | None
    params: Mapping[str, Json]
    inputs: Mapping[str, Json]
    """Results of the tasks it depends on, by task id."""
    restored: Json
    """The newest checkpoint of earlier attempts, else None."""
    merged: int
    """How many events it stands for."""

    @property
    def workflow(self) -> WorkflowId:
        return self.origin.workflow

    @property
    def task_id(self) -> str:
        return self.origin.named(self.task.id)

    @property
    def instance_id(self) -> str:
        return self.origin.named(self.origin.workflow)

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt of the task, and in no other store."""
        return f"{self.origin.store}-{self.attempt.task}"


class OutcomeKind(StrEnum):
    """How an action ended, not what it was asked."""

    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"
    """It left by the stop exception, or was killed after ``grace_ms``."""
    LOST = "lost"
    """Its process is gone, through no request of ours."""


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """What is kept of an exception: bounded texts."""

    type: str
    message: str
    traceback: str = ""
    retryable: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    kind: OutcomeKind
    result: Json = None
    error: ErrorInfo | None = None
    """For ``failed`` and ``lost``."""
    checkpoint: Json = None
    """The newest of this attempt; None if it saved none."""
    began: Instant | None = None
    """When the action's first line ran; None if it never did."""
    ended: Instant = 0
    killed: bool = False
    saved: Instant | None = None
    """When the newest checkpoint was taken."""


class Level(IntEnum):
    """Severity of an action's log line, as in ``logging``."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
