"""What callers outside ask of the keeper: to change something, to know something, to wait for it."""

from __future__ import annotations

from collections.abc import Mapping

from actors.frozen import frozen
from actors.model import (
    NOBODY,
    AgentName,
    EntityId,
    EntitySeed,
    EntityStatus,
    Event,
    InstanceKey,
    InstanceStatus,
    Json,
    Priority,
    ReplyId,
    WorkflowId,
)
from actors.views import Receipt


@frozen
class PutEntity:
    """Add or change an entity; answer with the ``Entity``."""

    seed: EntitySeed
    reply: ReplyId = NOBODY


@frozen
class RunWorkflow:
    """Start an instance by hand; answer with a ``Receipt``."""

    workflow: WorkflowId
    entity: EntityId
    params: Mapping[str, Json] | None = None
    reply: ReplyId = NOBODY


@frozen
class RetryInstance:
    """Start what this ended instance was once more, by hand; answer with a ``Receipt``.

    The rest is what its record says of it. The two are linked: ``retry_of`` and ``retried_by``.
    """

    id: str
    workflow: WorkflowId
    entity: EntityId
    event: Event | None = None
    merged: int = 0
    params: Mapping[str, Json] | None = None
    reply: ReplyId = NOBODY


@frozen
class Cancel:
    """Cancel an instance or a task by its readable id; answer with the ids told to stop."""

    id: str
    reply: ReplyId = NOBODY


@frozen
class SetPriority:
    """Replace the priority of an unfinished instance's tasks, or of one task."""

    id: str
    priority: Priority
    reply: ReplyId = NOBODY


@frozen
class PauseWorkflow:
    """Start no task of it until resumed, of no workflow if it is None; what runs goes on.

    A workflow that is paused by itself stays so when the engine is resumed.
    """

    workflow: WorkflowId | None
    paused: bool
    reply: ReplyId = NOBODY


@frozen
class DrainAgent:
    """Give this agent no new work until it is let go on again; what it runs goes on."""

    agent: AgentName
    drained: bool
    reply: ReplyId = NOBODY


@frozen
class ResolveTask:
    """Move an ``unknown`` task on: ``completed``, ``failed``, ``retry`` or ``cancelled``."""

    id: str
    outcome: str
    reply: ReplyId = NOBODY


@frozen
class AwaitReceipt:
    """Answer with the most important instance of the receipt when it has ended, None if it has none."""

    receipt: Receipt
    reply: ReplyId


@frozen
class AwaitInstance:
    """Answer with the instance when it has ended or holds an ``unknown`` task."""

    id: str
    reply: ReplyId


@frozen
class ReadEntities:
    """Answer with one ``Entity``, or a tuple of all when ``id`` is None."""

    id: EntityId | None = None
    reply: ReplyId = NOBODY


@frozen
class ReadInstance:
    """Answer with one unfinished instance; None if there is none of this id."""

    id: str
    by_task: bool = False
    """The id may also be one of its tasks'."""
    reply: ReplyId = NOBODY


@frozen
class ReadInstances:
    """Answer with a tuple of ``InstanceView``, newest first."""

    status: InstanceStatus | None = None
    workflow: WorkflowId | None = None
    limit: int = 1000
    reply: ReplyId = NOBODY


@frozen
class ListInstances:
    """Answer with records of unfinished instances below this key, newest first, and the key down to which that is all.

    Looks at a bounded number; 0 when there is nothing below.
    """

    below: InstanceKey | None = None
    workflow: WorkflowId | None = None
    entity: EntityId | None = None
    limit: int = 100
    reply: ReplyId = NOBODY


@frozen
class ListEntities:
    """Answer with entities from this place on, as they were added, and the place to go on from, None at the end.

    Looks at a bounded number. ``search`` is part of the id or the name, in small letters or capitals.
    """

    place: int = 0
    status: EntityStatus | None = None
    phase: str | None = None
    search: str | None = None
    limit: int = 100
    reply: ReplyId = NOBODY


@frozen
class ExplainTask:
    """Answer with why a task is where it is, in words and as data."""

    id: str
    reply: ReplyId = NOBODY


@frozen
class ReadDeadLetters:
    """Answer with the dead letters as mappings, oldest first."""

    reply: ReplyId = NOBODY


@frozen
class AdoptDefinitions:
    """From now on this version of the definitions, which has been loaded, says what starts; answer when it does.

    Instances that there are go on by the version that they began with.
    """

    version: str
    reply: ReplyId = NOBODY


@frozen
class AwaitUnused:
    """Answer True when no unfinished instance and no attempt is of this version any more, False if it is in force."""

    version: str
    reply: ReplyId


@frozen
class RetryDeadLetter:
    """Act on its event again, under a new id; answer with a ``Receipt``, and drop the letter if it is accepted."""

    number: int
    reply: ReplyId = NOBODY


@frozen
class DropDeadLetter:
    """Keep it no longer; nothing of it is acted on."""

    number: int
    reply: ReplyId = NOBODY
