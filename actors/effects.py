"""What logic may ask of the world.

Logic returns effects and performs none, which is why it is tested without threads.
The actor that owns the logic performs them, in order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from actors.messages import Message
from actors.model import AttemptId, Instant, Job, Json, ReplyId, StopReason
from actors.views import Record, StateChanged

ROUTER = "router"
KEEPER = "keeper"
SCHEDULER = "scheduler"


@dataclass(frozen=True, slots=True)
class Send:
    """Tell the named actor."""

    to: str
    message: Message


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer a caller outside; an exception instance is raised there."""

    to: ReplyId
    value: Json


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Tell me this message at that instant; replaces my timer of the same key."""

    key: object
    at: Instant
    message: Message


@dataclass(frozen=True, slots=True)
class ClearTimer:
    key: object


@dataclass(frozen=True, slots=True)
class Start:
    job: Job


@dataclass(frozen=True, slots=True)
class Interrupt:
    attempt: AttemptId
    reason: StopReason


@dataclass(frozen=True, slots=True)
class Kill:
    attempt: AttemptId


@dataclass(frozen=True, slots=True)
class Suspend:
    attempt: AttemptId


@dataclass(frozen=True, slots=True)
class Resume:
    job: Job


@dataclass(frozen=True, slots=True)
class Probe:
    """Ask the runner when the action's first line ran, and tell me at once."""

    attempt: AttemptId


@dataclass(frozen=True, slots=True)
class Credit:
    attempt: AttemptId


@dataclass(frozen=True, slots=True)
class Abandon:
    attempt: AttemptId


@dataclass(frozen=True, slots=True)
class Save:
    """Commit these finished instances to the store, before any later effect is performed."""

    finished: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Hand these to the subscribers."""

    changes: tuple[StateChanged, ...]


Effect: TypeAlias = (
    Send
    | Reply
    | SetTimer
    | ClearTimer
    | Start
    | Interrupt
    | Kill
    | Suspend
    | Resume
    | Probe
    | Credit
    | Abandon
    | Save
    | Broadcast
)
