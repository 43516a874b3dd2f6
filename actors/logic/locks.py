"""Who holds which lock: at most one task per key, over all workflows.

A task holds its lock while an attempt of it runs or is being stopped, while an agent is being
freed for it, while its attempt is suspended, and after it was set aside until it has ended. A
task that was preempted and waits for its next attempt holds nothing: its critical section
ended with the attempt, and the next one begins a new one.

The holder is never preempted to let a waiter in: it runs at the waiter's priority instead
(law 8), so that a waiter waits for one critical section and not for whoever comes between.
"""

from __future__ import annotations

from actors.model import AttemptId, Priority, TaskKey


class Locks:
    def __init__(self) -> None:
        self.holders: dict[str, TaskKey] = {}
        self._held: dict[TaskKey, str] = {}
        self._kept: dict[str, tuple[AttemptId, Priority]] = {}
        """Free, but kept for work at least this important until that attempt's end is recorded (law 7)."""
        self._kept_for: dict[AttemptId, str] = {}

    def __len__(self) -> int:
        """How many are held or kept."""
        return len(self.holders) + len(self._kept)

    def open_to(self, lock: str, task: TaskKey, priority: Priority) -> bool:
        """Whether the task may start as far as this lock goes."""
        holder = self.holders.get(lock)
        if holder is not None:
            return holder == task
        kept = self._kept.get(lock)
        return kept is None or priority <= kept[1]

    def holds(self, task: TaskKey) -> bool:
        return task in self._held

    def take(self, lock: str, task: TaskKey) -> None:
        assert self.holders.get(lock, task) == task, f"lock {lock!r} has two holders"
        self.holders[lock] = task
        self._held[task] = lock

    def leave(self, task: TaskKey) -> str | None:
        """The lock that is free now, if the task held one."""
        lock = self._held.pop(task, None)
        if lock is not None:
            del self.holders[lock]
        return lock

    def keep(self, lock: str, attempt: AttemptId, priority: Priority) -> None:
        before = self._kept.get(lock)
        if before is not None:
            del self._kept_for[before[0]]
        self._kept[lock] = (attempt, priority)
        self._kept_for[attempt] = lock

    def recorded(self, attempt: AttemptId) -> str | None:
        """The end of this attempt is recorded; the lock that was kept for what follows it, if one was."""
        lock = self._kept_for.pop(attempt, None)
        if lock is not None:
            del self._kept[lock]
        return lock
