"""What logic may ask of the world.

Logic returns effects and performs none, which is why it is tested without threads.
The actor that owns the logic performs them, in order.
"""

from __future__ import annotations

from typing import TypeAlias

from actors.frozen import frozen
from actors.messages import Message
from actors.model import AttemptId, Instant, Job, Json, ReplyId, StopReason
from actors.views import Record, StateChanged

ROUTER = "router"
KEEPER = "keeper"
SCHEDULER = "scheduler"


@frozen
class Send:
    """Tell the named actor."""

    to: str
    message: Message


@frozen
class Reply:
    """Answer a caller outside; an exception instance is raised there."""

    to: ReplyId
    value: Json


@frozen
class SetTimer:
    """Tell me this message at that instant; replaces my timer of the same key."""

    key: object
    at: Instant
    message: Message


@frozen
class ClearTimer:
    key: object


@frozen
class Start:
    job: Job


@frozen
class Interrupt:
    attempt: AttemptId
    reason: StopReason


@frozen
class Kill:
    attempt: AttemptId


@frozen
class Suspend:
    attempt: AttemptId


@frozen
class Resume:
    job: Job


@frozen
class Probe:
    """Ask the runner when the action's first line ran, and tell me at once."""

    attempt: AttemptId


@frozen
class Credit:
    attempt: AttemptId


@frozen
class Abandon:
    attempt: AttemptId


@frozen
class Save:
    """Commit these finished instances to the store, before any later effect is performed."""

    finished: tuple[Record, ...]
    retried: tuple[tuple[str, str], ...] = ()
    """Instances that ended earlier, and by which instance each is done once more."""


@frozen
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
