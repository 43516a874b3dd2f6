"""The ordered line of startable tasks.

The rule it protects: the first in line is the one with the smallest (priority, first ready)
among those whose workflow may start more, and finding it never looks at a task behind a
blocked one. Tasks wait on *shelves*: all on one shelf belong to one workflow and need the
same of an agent, so that if the first of a shelf cannot be served, none of it can. A blocked
workflow costs nothing: its shelves are not in the order at all. Every operation is O(log n).
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from actors.messages import ReadyTask
from actors.model import AgentName, Instant, Job, Priority, TaskKey, WorkflowId


class Need(NamedTuple):
    """What all tasks of one shelf have in common."""

    workflow: WorkflowId
    capabilities: frozenset[str]
    preempts: bool
    reserved: bool
    """An agent is being freed for it; it holds a place below its workflow's limit already."""


class Waiting:
    """One task in line."""

    __slots__ = (
        "alive",
        "home",
        "job",
        "need",
        "order",
        "paused",
        "preemptions",
        "priority",
        "reserved",
        "reserved_at",
        "since",
    )

    def __init__(self, ready: ReadyTask, since: Instant) -> None:
        self.job: Job = ready.job
        self.order = ready.order
        self.priority: Priority = ready.job.priority
        self.preemptions = ready.preemptions
        self.since = since
        """When it came into line, this time; of a suspended one, when it was suspended."""
        self.reserved: AgentName | None = None
        """The agent that is being freed for it."""
        self.reserved_at: Instant = 0
        self.home: AgentName | None = None
        """The agent that suspended its attempt, which is alive; None: its next attempt is new."""
        self.paused = 0
        """Nanoseconds its attempt has stood still in all."""
        self.alive = True
        task = ready.job.task
        self.need = Need(ready.job.workflow, task.capabilities, task.preempts, reserved=False)

    @property
    def key(self) -> tuple[Priority, int]:
        return (self.priority, self.order)

    def __lt__(self, other: Waiting) -> bool:
        """Only the same task twice, live and stale, has equal keys; which comes first does not matter."""
        return id(self) < id(other)


_Slot = tuple[Priority, int, Waiting]


class _Shelf:
    __slots__ = ("heap", "need", "passed")

    def __init__(self, need: Need) -> None:
        self.need = need
        self.heap: list[_Slot] = []
        self.passed = False

    def first(self) -> _Slot | None:
        """The most important live slot; stale ones in front of it are dropped."""
        heap = self.heap
        while heap:
            slot = heap[0]
            waiting = slot[2]
            if waiting.alive and waiting.need is self.need and waiting.priority == slot[0]:
                return slot
            heapq.heappop(heap)
        return None


class ReadyLine:
    """Tasks that wait for an agent, most important first."""

    def __init__(self) -> None:
        self._tasks: dict[TaskKey, Waiting] = {}
        self._shelves: dict[Need, _Shelf] = {}
        self._of_workflow: dict[WorkflowId, list[_Shelf]] = {}
        self._order: list[tuple[Priority, int, int, _Shelf]] = []
        self._blocked: set[WorkflowId] = set()
        self._passed: list[_Shelf] = []
        self._ticket = 0
        self.depth: Counter[Priority] = Counter()

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[Waiting]:
        return iter(self._tasks.values())

    def get(self, task: TaskKey) -> Waiting | None:
        return self._tasks.get(task)

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

    def reprioritise(self, waiting: Waiting, priority: Priority) -> None:
        self._uncount(waiting.priority)
        waiting.priority = priority
        self.depth[priority] += 1
        self._place(waiting)

    def reserve(self, waiting: Waiting, agent: AgentName | None) -> None:
        """An agent is being freed for it, or no longer is."""
        waiting.reserved = agent
        if waiting.need.reserved != (agent is not None):
            waiting.need = waiting.need._replace(reserved=agent is not None)
            self._place(waiting)

    def block(self, workflow: WorkflowId) -> None:
        """Tasks of this workflow do not count as startable, except those with a reservation."""
        self._blocked.add(workflow)

    def unblock(self, workflow: WorkflowId) -> None:
        if workflow in self._blocked:
            self._blocked.discard(workflow)
            for shelf in self._of_workflow.get(workflow, ()):
                self._offer(shelf)

    def best(self) -> Waiting | None:
        """The most important startable task on a shelf that was not passed over in this round."""
        order = self._order
        while order:
            priority, sequence, _, shelf = order[0]
            slot = shelf.first()
            if slot is None or shelf.passed or (slot[0], slot[1]) != (priority, sequence):
                heapq.heappop(order)  # A newer entry stands for this shelf, or none need.
                if slot is not None and not shelf.passed and (slot[0], slot[1]) > (priority, sequence):
                    self._offer(shelf)
                continue
            if shelf.need.workflow in self._blocked and not shelf.need.reserved:
                heapq.heappop(order)  # Comes back when the workflow is unblocked.
                continue
            return slot[2]
        return None

    def pass_over(self, waiting: Waiting) -> None:
        """Leave out its whole shelf until the round ends: what the first cannot use, none behind it can."""
        shelf = self._shelves[waiting.need]
        shelf.passed = True
        self._passed.append(shelf)

    def end_round(self) -> None:
        for shelf in self._passed:
            shelf.passed = False
            self._offer(shelf)
        self._passed.clear()

    def _place(self, waiting: Waiting) -> None:
        need = waiting.need
        shelf = self._shelves.get(need)
        if shelf is None:
            shelf = self._shelves[need] = _Shelf(need)
            self._of_workflow.setdefault(need.workflow, []).append(shelf)
        waiting.need = shelf.need  # The same object: a slot whose task has moved on is told by identity.
        slot = (waiting.priority, waiting.order, waiting)
        heapq.heappush(shelf.heap, slot)
        self._prune(shelf)
        if shelf.first() is slot:
            self._offer(shelf)

    def _offer(self, shelf: _Shelf) -> None:
        slot = shelf.first()
        if slot is not None and not shelf.passed:
            self._ticket += 1
            heapq.heappush(self._order, (slot[0], slot[1], self._ticket, shelf))
            if len(self._order) > 64 + 4 * len(self._shelves):
                self._prune_order()

    def _prune_order(self) -> None:
        # One entry for each shelf that has one is enough; the smallest, so that none comes too late.
        order: dict[int, tuple[Priority, int, int, _Shelf]] = {}
        for entry in sorted(self._order, key=lambda entry: entry[:3]):
            if entry[3].first() is not None:
                order.setdefault(id(entry[3]), entry)
        self._order[:] = order.values()  # Sorted, so it is a heap; in place, since ``best`` may be at it.

    def _prune(self, shelf: _Shelf) -> None:
        # Stale slots are dropped when they come to the front; those that never do must not pile up.
        if len(shelf.heap) > 64 + 2 * len(self._tasks):
            shelf.heap = [s for s in shelf.heap if s[2].alive and s[2].need is shelf.need and s[2].priority == s[0]]
            heapq.heapify(shelf.heap)

    def _uncount(self, priority: Priority) -> None:
        self.depth[priority] -= 1
        if not self.depth[priority]:
            del self.depth[priority]
