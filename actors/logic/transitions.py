"""Legal status moves as tables. A move that is absent is illegal."""

from __future__ import annotations

from collections.abc import Mapping

from actors.model import EntityStatus, InstanceStatus, TaskStatus

ENTITY_MOVES: Mapping[EntityStatus, frozenset[EntityStatus]] = {
    EntityStatus.PENDING: frozenset({EntityStatus.PROCESSING, EntityStatus.COMPLETED, EntityStatus.FAILED}),
    EntityStatus.PROCESSING: frozenset({EntityStatus.COMPLETED, EntityStatus.FAILED, EntityStatus.PENDING}),
    # Ready again: an event, a put, or the next phase; or a start by hand.
    EntityStatus.COMPLETED: frozenset({EntityStatus.PENDING, EntityStatus.PROCESSING, EntityStatus.FAILED}),
    EntityStatus.FAILED: frozenset({EntityStatus.PENDING, EntityStatus.PROCESSING, EntityStatus.COMPLETED}),
}

INSTANCE_MOVES: Mapping[InstanceStatus, frozenset[InstanceStatus]] = {
    InstanceStatus.RUNNING: frozenset(
        {InstanceStatus.COMPLETED, InstanceStatus.FAILED, InstanceStatus.CANCELLED, InstanceStatus.EXPIRED}
    ),
    InstanceStatus.COMPLETED: frozenset(),
    InstanceStatus.FAILED: frozenset(),
    InstanceStatus.CANCELLED: frozenset(),
    InstanceStatus.EXPIRED: frozenset(),
}

TASK_MOVES: Mapping[TaskStatus, frozenset[TaskStatus]] = {
    # FAILED: waited past its queue timeout, or poison. COMPLETED, UNKNOWN: a report that an attempt
    # ended implies that it started.
    TaskStatus.PENDING: frozenset(
        {TaskStatus.RUNNING, TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.UNKNOWN}
    ),
    # Back to PENDING: preempted, suspended, retried, or its agent was lost.
    TaskStatus.RUNNING: frozenset(
        {TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.UNKNOWN, TaskStatus.CANCELLED, TaskStatus.PENDING}
    ),
    # A person decides.
    TaskStatus.UNKNOWN: frozenset({TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.PENDING}),
    TaskStatus.COMPLETED: frozenset(),
    TaskStatus.FAILED: frozenset(),
    TaskStatus.CANCELLED: frozenset(),
}
