"""What we need from outside, as protocols: a clock, timers, runners, a store.

Adapters are thin, one per file, and each kind passes one conformance suite
(``tests/conformance``); the promises checked there are these docstrings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from actors.messages import FromRunner
from actors.model import AttemptId, InstanceKey, InstanceStatus, Instant, Job, StopReason, Utc
from actors.views import Record

Report = Callable[[FromRunner], None]
"""How a runner tells an agent; may be called from any thread; never blocks, never raises."""


class Clock(Protocol):
    def now(self) -> Instant:
        """Monotonic nanoseconds."""
        ...

    def utc(self) -> Utc: ...


class Timers(Protocol):
    """Timers by key, one set of keys per owner."""

    def set(self, owner: str, key: object, at: Instant, fire: Callable[[], None]) -> None:
        """Call ``fire`` once at ``at``; a second ``set`` of the same key replaces the first."""
        ...

    def clear(self, owner: str, key: object) -> None:
        """Forget the timer; nothing happens if there is none."""
        ...


class Runner(Protocol):
    """Runs attempts somewhere: a thread, a process, another machine.

    One runner serves all agents of an engine and is called from their threads at the same
    time. No method blocks, none raises for an attempt it does not know: late calls are normal.

    ``ActionEnded`` is reported exactly once for each started attempt, however it ended, to
    the report function given last, after everything else about that attempt; when it is
    reported, nothing of the attempt runs any more. Its outcome carries the attempt's newest
    checkpoint. ``ActionNoted`` (checkpoint, progress, log lines) is reported once, and once
    more after each ``credit``; meanwhile the newest are kept. Progress and lines not yet
    reported when the action ends are reported in one last note, without credit.
    """

    @property
    def can_kill(self) -> bool:
        """Whether ``kill`` ends any code at once."""
        ...

    @property
    def can_suspend(self) -> bool:
        """Whether ``suspend`` and ``resume`` work."""
        ...

    def start(self, job: Job, report: Report) -> None: ...

    def interrupt(self, attempt: AttemptId, reason: StopReason) -> None:
        """Tell the action and raise ``AttemptStopped`` in it, unless it shields itself."""
        ...

    def kill(self, attempt: AttemptId) -> None:
        """End the attempt whatever it does, and all its processes; no-op where ``can_kill`` is false."""
        ...

    def suspend(self, attempt: AttemptId) -> None:
        """Stop it where it is, then report ``ActionSuspended``; if it ends first, only that is reported.

        What ends while suspended is reported when it is resumed or killed.
        """
        ...

    def resume(self, attempt: AttemptId, report: Report) -> None:
        """Continue a suspended attempt; what it reports from now on goes to ``report``."""
        ...

    def began(self, attempt: AttemptId) -> Instant | None:
        """When the first line of its action ran; None if not yet or not known any more."""
        ...

    def credit(self, attempt: AttemptId) -> None:
        """The last note was taken in; another may be reported."""
        ...

    def abandon(self, attempt: AttemptId) -> None:
        """It is set aside: run what follows elsewhere (a fresh thread or loop). Its end is still reported."""
        ...

    def close(self, deadline: Instant) -> Sequence[str]:
        """End everything, killing what can be killed; return the names of what is still left at the deadline."""
        ...


@runtime_checkable
class Warmable(Protocol):
    """A runner that can get ready before its first attempt."""

    def warm(self) -> None:
        """Return when it can start attempts at once. Raises ``DefinitionError`` for what it cannot load."""
        ...


class Store(Protocol):
    """Where state lives that the keeper no longer needs: finished instances, as records.

    ``commit`` is called by the keeper alone; reading is safe from any thread and sees what is
    committed. Bounds: the oldest records go when there are too many.
    """

    @property
    def id(self) -> str:
        """Names this store; part of every idempotency key."""
        ...

    def commit(self, finished: Sequence[Record], retried: Sequence[tuple[str, str]] = ()) -> None:
        """Keep these records; of ``retried``, each names one kept before, and what is to be its last field.

        One that is not kept any more is left alone.
        """
        ...

    def get(self, instance_id: str) -> Record | None: ...

    def find(self, id: str) -> Record | None:
        """The record of this instance, or of the instance that has this task; looks at no other record."""
        ...

    def newest(self, *, status: InstanceStatus | None, workflow: str | None, limit: int) -> Sequence[Record]:
        """Newest first: by when their instances began."""
        ...

    def older(
        self,
        below: InstanceKey | None,
        *,
        status: InstanceStatus | None = None,
        workflow: str | None = None,
        entity: str | None = None,
        limit: int,
    ) -> tuple[Sequence[Record], int]:
        """Records with keys below this one, newest first, and the key down to which that is all; 0 at the end.

        Looks at a bounded number of records, so that fewer than ``limit``, and none at all, may be
        found though there are more below.
        """
        ...

    def close(self) -> None: ...
