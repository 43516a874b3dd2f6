"""Law 8: a task that a more important one waits for runs at the waiter's priority.

A task waits for another when it wants a lock that the other holds, or when its workflow is at
``max_concurrent`` and the other has one of the places. Then the other counts as important as
the most important of those who wait, in everything that the scheduler decides: less important
work neither preempts it nor goes before it while it stands in line, suspended or with an agent
on its way. It is so for as long as that waiter waits: once it has what it wants, is cancelled,
paused or less important, the holder is what it was. It goes on through chains: who inherits
while it stands in line hands on what it has inherited to whom it waits for.

Of the tasks that have places of a full workflow one alone inherits, the one that has been in
longest: one place is all that the waiter needs. If another ends first, or makes way for
somebody, its place is the waiter's just as well. A waiter whose lock is held waits for the
lock; only when it could have it does it wait for a place.

The holder is never preempted for the waiter's sake: to the waiter it is no less important. So
a waiter waits for one critical section (of the lock's holder, or until one place comes free),
and after it for the next only if both are wanting. Inheriting gives a priority, not the right
to preempt: a suspended holder with ``preempts: never`` waits for a free agent all the same.
What a process has of the machine (its ``nice``) is what it was started with.

Each change costs O(log n): it looks at the first of each row of a lock or shelf of a workflow,
of which there are as many as definitions tell tasks apart.
"""

from __future__ import annotations

from actors.frozen import frozen
from actors.logic.floor import Floor
from actors.logic.ready import Resource, Waiting
from actors.model import Priority, TaskKey, WorkflowId


@frozen
class Gift:
    """What a task inherits, from whom, and over what."""

    priority: Priority
    waiter: Waiting
    over: Resource


class Inheritance:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._gifts: dict[TaskKey, dict[Resource, Gift]] = {}
        self._given: dict[Resource, TaskKey] = {}

    def __len__(self) -> int:
        """How many inherit."""
        return len(self._gifts)

    def gift(self, task: TaskKey) -> Gift | None:
        """What it inherits, if that is more than it is by itself."""
        best = min(self._gifts.get(task, {}).values(), key=lambda gift: gift.priority, default=None)
        one = self._floor.line.get(task) or self._floor.running.get(task)
        return best if best is not None and one is not None and best.priority < one.own else None

    def settle(self) -> None:
        """Work out who inherits what after all that has changed."""
        changed = self._floor.line.changed
        while changed:
            resource, _ = changed.popitem()
            kind, key = resource
            if kind == "own":
                self._refresh(TaskKey(int(key)))
            else:
                self._hand_over(resource)

    def _hand_over(self, resource: Resource) -> None:
        kind, key = resource
        if kind == "lock":
            heir, waiter = self._floor.line.locks.holders.get(str(key)), self._first_for_lock(str(key))
        else:
            heir, waiter = self._between(WorkflowId(str(key)))
        before = self._given.pop(resource, None)
        if before is not None:
            gifts = self._gifts[before]
            del gifts[resource]
            if not gifts:
                del self._gifts[before]
        if heir is not None and waiter is not None:
            self._given[resource] = heir
            self._gifts.setdefault(heir, {})[resource] = Gift(waiter.priority, waiter, resource)
        if before is not None and before != heir:
            self._refresh(before)
        if heir is not None:
            self._refresh(heir)

    def _first_for_lock(self, lock: str) -> Waiting | None:
        """The most important of those that wait for the lock and for nothing a person holds back."""
        floor = self._floor
        first: Waiting | None = None
        for waiting in floor.line.waiters(lock):
            need = waiting.need
            if need.workflow in floor.held or not floor.fleet.fitting(need.capabilities):
                continue
            if first is None or waiting.key < first.key:
                first = waiting
        return first

    def _between(self, workflow: WorkflowId) -> tuple[TaskKey | None, Waiting | None]:
        """Of a workflow at its limit: who inherits, and from whom."""
        floor = self._floor
        if workflow in floor.held or workflow not in floor.limits or floor.taken[workflow] < floor.limits[workflow]:
            return None, None
        inside = floor.inside[workflow]
        while inside and not floor.is_inside(*inside[0]):
            inside.popleft()
        waiter = floor.line.first_of(workflow, lambda needed: bool(floor.fleet.fitting(needed)))
        return (inside[0][1] if inside else None), waiter

    def _refresh(self, task: TaskKey) -> None:
        """Let it count as what it is by itself or inherits, whichever is more important."""
        floor = self._floor
        gifts = [gift.priority for gift in self._gifts.get(task, {}).values()]
        waiting = floor.line.get(task)
        if waiting is not None:
            priority = min([waiting.own, *gifts])
            if priority != waiting.priority:
                floor.line.reprioritise(waiting, priority)
                if waiting.reserved is not None:
                    floor.fleet.reserve(floor.fleet.agents[waiting.reserved], waiting)
        running = floor.running.get(task)
        if running is not None:
            priority = min([running.own, *gifts])
            if priority != running.priority:
                running.priority = priority
                floor.fleet.reprioritised(running)
