"""Ids, units and the enumerations: the words that definitions and state are made of."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NewType, TypeAlias

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
LOCK_PLACEHOLDERS = ("entity.id", "workflow.id", "task.id")
"""What may stand in braces in a task's ``lock``."""
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
