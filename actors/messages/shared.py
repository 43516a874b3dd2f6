"""Messages and parts of messages that several receivers share."""

from __future__ import annotations

from actors.frozen import frozen
from actors.model import NOBODY, AttemptId, Job, Json, Level, ReplyId


@frozen
class Note:
    """What an attempt says while it runs. None: nothing new of that kind."""

    checkpoint: Json = None
    progress: tuple[float, str] | None = None
    lines: tuple[tuple[Level, str], ...] = ()
    lost_lines: int = 0
    """Log lines dropped because they came faster than they were taken in."""


@frozen
class ReadyTask:
    """A task that may start: its next attempt, and its place in line.

    ``order`` is the sequence number of the moment the task first became ready; it keeps it
    through preemption, retries and losses.
    """

    job: Job
    order: int
    preemptions: int = 0
    lock: str | None = None
    """The key of the lock it must have to run; over all workflows at most one task has it."""


@frozen
class NoteTaken:
    """The attempt's last note is recorded; another may be sent."""

    attempt: AttemptId


@frozen
class AwaitIdle:
    """Answer when nothing accepted is left undone."""

    reply: ReplyId


@frozen
class Inspect:
    """Answer with what this actor's logic knows, bounded, as a mapping."""

    reply: ReplyId = NOBODY


@frozen
class ReadStats:
    """Answer with this actor's counts, as a mapping."""

    reply: ReplyId = NOBODY
