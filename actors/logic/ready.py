"""The ordered line of startable tasks.

The rule it protects: the first in line is the one with the smallest (priority, first ready)
among those whose workflow may start more, and finding it never looks at a task behind a
blocked one. Tasks wait on *shelves*: all on one shelf belong to one workflow and need the
same of an agent, so that if the first of a shelf cannot be served, none of it can. A blocked
workflow costs nothing: its shelves are not in the order at all. Tasks that want a lock wait in
a *row* of those who want the same lock and have the same needs; only the first of a row stands
on the shelf, and only while it may have the lock. Every operation is O(log n).

A task that has waited long has a second place, on the shelf of the *aged*: directly behind
priority 0, the longest waiting first. There it may take an agent that is idle, no more; what
its own priority gives it, it gets by its first place.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TypeAlias

from actors.logic.locks import Locks
from actors.logic.shelves import Front, Rows, Shelf, Slot
from actors.logic.waiting import AGED, Need, Waiting
from actors.model import AgentName, AttemptId, Priority, TaskKey, WorkflowId

BLOCKED: Priority = -1
"""The ceiling of a workflow that may start nothing."""

Resource: TypeAlias = tuple[str, str | int]
"""Something whose holder or waiters may have changed: ``lock`` and its key, ``limit`` and a workflow, ``own`` and
a task whose own priority was set."""

__all__ = ["BLOCKED", "Front", "Need", "ReadyLine", "Resource", "Waiting"]


class ReadyLine:
    """Tasks that wait for an agent, most important first."""

    def __init__(self) -> None:
        self.locks = Locks()
        self.changed: dict[Resource, None] = {}
        """What has changed since inheritance was last worked out."""
        self.depth: Counter[Priority] = Counter()
        self._tasks: dict[TaskKey, Waiting] = {}
        self._shelves: dict[Need, Shelf] = {}
        self._of_workflow: dict[WorkflowId, list[Shelf]] = {}
        self.rows = Rows()
        self._order: list[tuple[float, int, int, Shelf]] = []
        self._ceilings: dict[WorkflowId, Priority] = {}
        self._passed: list[Shelf] = []
        self._ticket = 0

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[Waiting]:
        return iter(self._tasks.values())

    def get(self, task: TaskKey) -> Waiting | None:
        return self._tasks.get(task)

    # --- changes -------------------------------------------------------------------------------

    def add(self, waiting: Waiting) -> None:
        task = waiting.job.attempt.task
        assert task not in self._tasks
        self._tasks[task] = waiting
        self.depth[waiting.priority] += 1
        self._place(waiting)

    def remove(self, waiting: Waiting) -> None:
        del self._tasks[waiting.job.attempt.task]
        waiting.alive = False
        self._uncount(waiting.priority)
        self._touch(waiting)
        self._next_in_rows(waiting)

    def reprioritise(self, waiting: Waiting, priority: Priority) -> None:
        self._uncount(waiting.priority)
        waiting.priority = priority
        self.depth[priority] += 1
        self._place(waiting)
        self._next_in_rows(waiting)

    def reserve(self, waiting: Waiting, agent: AgentName | None) -> None:
        """An agent is being freed for it, or no longer is."""
        waiting.reserved = agent
        if waiting.need.reserved != (agent is not None):
            waiting.need = waiting.need._replace(reserved=agent is not None)
            self._place(waiting)

    def age(self, waiting: Waiting) -> None:
        """It has waited long: it goes before all but priority 0 from now on, behind those who aged before it."""
        shelf = self._shelf(waiting.need._replace(reserved=False, aged=True))
        self._ticket += 1
        waiting.aged, waiting.aged_turn = shelf.need, self._ticket
        self._put(shelf, (AGED, waiting.aged_turn, waiting))

    def narrow(self, workflow: WorkflowId, ceiling: Priority | None) -> None:
        """Only tasks of the workflow that are at least so important count as startable; None: all do.

        Those with a reservation always do.
        """
        before = self._ceilings.get(workflow)
        if ceiling == before:
            return
        self.changed["limit", workflow] = None
        if ceiling is None:
            del self._ceilings[workflow]
        else:
            self._ceilings[workflow] = ceiling
        if before is not None and (ceiling is None or ceiling > before):
            for shelf in self._of_workflow.get(workflow, ()):
                self._offer(shelf)

    def block(self, workflow: WorkflowId) -> None:
        """Tasks of this workflow do not count as startable, except those with a reservation."""
        self.narrow(workflow, BLOCKED)

    def unblock(self, workflow: WorkflowId) -> None:
        self.narrow(workflow, None)

    # --- locks ---------------------------------------------------------------------------------

    def take_lock(self, waiting: Waiting) -> None:
        """The task has its lock from now on, if it wants one and does not have it already."""
        lock = waiting.lock
        if lock is not None:
            self.locks.take(lock, waiting.job.attempt.task)
            self._touch_lock(lock)

    def leave_lock(self, task: TaskKey) -> None:
        """The task's lock is free, if it held one; its waiters may have it."""
        lock = self.locks.leave(task)
        if lock is not None:
            waiting = self._tasks.get(task)
            if waiting is not None:  # Back into its row.
                self._place(waiting)
                if waiting.aged is not None:
                    self._put(self._shelves[waiting.aged], (AGED, waiting.aged_turn, waiting))
            self._offer_rows(lock)

    def keep_lock(self, waiting: Waiting, attempt: AttemptId, priority: Priority) -> None:
        """The attempt has ended; its lock is for work at least so important until that is recorded."""
        if waiting.lock is not None:
            self.locks.keep(waiting.lock, attempt, priority)
            self.leave_lock(attempt.task)

    def recorded(self, attempt: AttemptId) -> None:
        """The end of this attempt is recorded: nothing is kept for what follows it any more."""
        lock = self.locks.recorded(attempt)
        if lock is not None:
            self._offer_rows(lock)

    def waiters(self, lock: str) -> Iterator[Waiting]:
        """The first of each row that waits for the lock."""
        for need in self.rows.needs(lock):
            slot = None if need.aged else self.rows.first(lock, need)
            if slot is not None:
                yield slot[2]

    def touch_waiters_of(self, workflow: WorkflowId) -> None:
        """The workflow was paused or let go: who waits for somebody in earnest may have changed."""
        self.changed["limit", workflow] = None
        for lock in self.rows.wanted_by(workflow):
            self.changed["lock", lock] = None

    def touch_everybody(self) -> None:
        """Agents are for anybody or for nobody now: the same, for every workflow and lock."""
        for workflow in self._of_workflow:
            self.changed["limit", workflow] = None
        for lock in self.rows.locks():
            self.changed["lock", lock] = None

    # --- questions -----------------------------------------------------------------------------

    def best(self) -> Waiting | None:
        """The most important startable task on a shelf that was not passed over in this round."""
        front = self.front()
        return None if front is None else front.waiting

    def front(self) -> Front | None:
        """The same, and the needs of the shelf it was found on."""
        order = self._order
        while order:
            level, sequence, _, shelf = order[0]
            slot = shelf.first()
            if slot is None or shelf.passed or (slot[0], slot[1]) != (level, sequence):
                heapq.heappop(order)  # A newer entry stands for this shelf, or none need.
                if slot is not None and not shelf.passed and (slot[0], slot[1]) > (level, sequence):
                    self._offer(shelf)
                continue
            ceiling = None if shelf.need.reserved else self._ceilings.get(shelf.need.workflow)
            if ceiling is not None and slot[2].rank(shelf.need) > ceiling:
                heapq.heappop(order)  # Comes back when the workflow may start more.
                continue
            return Front(slot[2], shelf.need)
        return None

    def first_of(self, workflow: WorkflowId, able: Callable[[frozenset[str]], bool]) -> Waiting | None:
        """The most important task of the workflow that waits for no lock and has no reservation.

        ``able`` says whether any agent has these capabilities: of the others nobody waits for a place.
        """
        best: Slot | None = None
        for shelf in self._of_workflow.get(workflow, ()):
            if not (shelf.need.reserved or shelf.need.aged) and able(shelf.need.capabilities):
                slot = shelf.first()
                if slot is not None and (best is None or slot < best):
                    best = slot
        return None if best is None else best[2]

    def pass_over(self, need: Need) -> None:
        """Leave out this shelf until the round ends: what its first cannot use, none behind it can."""
        shelf = self._shelves[need]
        shelf.passed = True
        self._passed.append(shelf)

    def end_round(self) -> None:
        for shelf in self._passed:
            shelf.passed = False
            self._offer(shelf)
        self._passed.clear()

    # --- inside --------------------------------------------------------------------------------

    def _touch(self, waiting: Waiting) -> None:
        """Who waits for its lock, or for a place of its workflow, may be another one now."""
        if waiting.lock is not None:
            self.changed["lock", waiting.lock] = None
        if waiting.need.workflow in self._ceilings:
            self.changed["limit", waiting.need.workflow] = None

    def _shelf(self, need: Need) -> Shelf:
        shelf = self._shelves.get(need)
        if shelf is None:
            shelf = self._shelves[need] = Shelf(need, self.locks)
            self._of_workflow.setdefault(need.workflow, []).append(shelf)
        return shelf

    def _place(self, waiting: Waiting) -> None:
        shelf = self._shelf(waiting.need)
        waiting.need = shelf.need  # The same object: a slot whose task has moved on is told by identity.
        self._put(shelf, (waiting.priority, waiting.order, waiting))
        self._touch(waiting)

    def _put(self, shelf: Shelf, slot: Slot) -> None:
        """Into the row of its lock, or onto the shelf if it wants none or has it."""
        waiting = slot[2]
        lock = waiting.lock
        if lock is None or self.locks.holds(waiting.job.attempt.task):
            self._stand(shelf, slot)
            return
        if self.rows.push(lock, shelf.need, slot, 64 + 2 * len(self._tasks)):
            self._offer_row(lock, shelf.need)

    def _touch_lock(self, lock: str) -> None:
        """Who waits for it, and who waits for places because it is to be had, may be others now."""
        self.changed["lock", lock] = None
        for need in self.rows.needs(lock):
            if need.workflow in self._ceilings:
                self.changed["limit", need.workflow] = None

    def _offer_rows(self, lock: str) -> None:
        self._touch_lock(lock)
        for need in self.rows.needs(lock):
            self._offer_row(lock, need)

    def _offer_row(self, lock: str, need: Need) -> None:
        """The first of the row stands on the shelf if it may have the lock."""
        slot = self.rows.first(lock, need)
        if slot is not None and self.locks.open_to(lock, slot[2].job.attempt.task, slot[2].rank(need)):
            self._stand(self._shelves[need], slot)

    def _next_in_rows(self, waiting: Waiting) -> None:
        """It has left the front of its rows, perhaps; another comes there."""
        if waiting.lock is not None:
            self._offer_row(waiting.lock, waiting.need)
            if waiting.aged is not None:
                self._offer_row(waiting.lock, waiting.aged)

    def _stand(self, shelf: Shelf, slot: Slot) -> None:
        if shelf.push(slot, 64 + 2 * len(self._tasks)):
            self._offer(shelf)

    def _offer(self, shelf: Shelf) -> None:
        slot = shelf.first()
        if slot is not None and not shelf.passed:
            self._ticket += 1
            heapq.heappush(self._order, (slot[0], slot[1], self._ticket, shelf))
            if len(self._order) > 64 + 4 * len(self._shelves):
                self._prune_order()

    def _prune_order(self) -> None:
        # One entry for each shelf that has one is enough; the smallest, so that none comes too late.
        order: dict[int, tuple[float, int, int, Shelf]] = {}
        for entry in sorted(self._order, key=lambda entry: entry[:3]):
            if entry[3].first() is not None:
                order.setdefault(id(entry[3]), entry)
        self._order[:] = order.values()  # Sorted, so it is a heap; in place, since ``front`` may be at it.

    def _uncount(self, priority: Priority) -> None:
        self.depth[priority] -= 1
        if not self.depth[priority]:
            del self.depth[priority]
