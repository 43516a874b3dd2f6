"""How long an attempt may run: from its action's first line, standing still while it is suspended.

There is one timer for it. It rings early for most attempts, and then it is set again; so an
attempt that ends in time, as nearly all do, sets and clears no timer of its own.
"""

from __future__ import annotations

from actors.effects import Effect, Probe, SetTimer
from actors.messages import TimeoutDue
from actors.model import NS_PER_MS, Instant, Job, Millis

BEGIN_BOUND_MS: Millis = 30_000
"""An attempt whose action has not begun by then is stopped as timed out: its runner hangs."""


class TimeLimit:
    """Of what an agent runs, one attempt after the other."""

    def __init__(self) -> None:
        self.assigned: Instant = 0
        """When the agent was given what it runs."""
        self._paused = 0
        self._due: Instant = 0
        """When it may have used up its time, as far as that is known."""
        self._timer_at: Instant | None = None

    def begin(self, job: Job, now: Instant, *, paused: int) -> list[Effect]:
        """The agent is given this, which stood still for ``paused`` so far."""
        self.assigned = now
        self._paused = paused
        self._due = now + job.task.timeout_ms * NS_PER_MS
        return self._set_timer(self._due)

    def rang(self) -> None:
        self._timer_at = None

    def look(self, job: Job, now: Instant) -> list[Effect]:
        """After the timer rang: ask the runner when it began, or wait on."""
        return [Probe(job.attempt)] if now >= self._due else self._set_timer(self._due)

    def wait_on(self, job: Job, began: Instant | None, now: Instant) -> list[Effect] | None:
        """Wait for the rest of its time, now that it is known when it began; None if there is no rest."""
        timeout = job.task.timeout_ms * NS_PER_MS
        if began is None:
            due = self.assigned + max(timeout, BEGIN_BOUND_MS * NS_PER_MS)
            again = now + max(timeout, NS_PER_MS)
        else:
            due = again = began + timeout + self._paused
        if now >= due:
            return None
        self._due = min(again, due)
        return self._set_timer(self._due)

    def _set_timer(self, due: Instant) -> list[Effect]:
        if self._timer_at is not None and self._timer_at <= due:
            return []
        self._timer_at = due
        return [SetTimer("timeout", due, TimeoutDue())]
