"""Law 5's aging: with ``starvation_ms`` nothing waits so long, as long as agents come free.

A task that has been in line for half of ``starvation_ms`` has *aged*: it takes an agent that is
idle before everything but priority 0, and of the aged the one that has waited longest goes
first. What is kept for what follows an end (law 7) is kept from it only if that was of
priority 0. That is all. It never goes before priority 0, it preempts nobody whom its own priority
does not let it preempt, its age gives it no agent that was freed for somebody (that one goes by
importance), it is no better protected once it runs, and nobody inherits it. Its waiting begins
anew with each stay in line, so what is preempted has to wait again before it ages again.

So a task's wait stays below ``starvation_ms`` if, in the half that is left when it ages, more
suitable agents come free than there are aged tasks before it, not counting those that are freed
for somebody and those that priority 0 takes. That stops being possible

- when work of priority 0 alone keeps the agents busy: arrivals × duration >= agents;
- when more tasks starve than starts can be had: ``n`` tasks that each time keep an agent for
  ``r`` (until they end, or are stopped after ``min_runtime_ms``), on ``m`` agents that turn to
  more important work of duration ``d`` in between (0 if nothing preempts them), are served in
  turn as long as n · (r + d) < m · (starvation_ms + r);
- when what runs takes longer than half of ``starvation_ms`` and is not to be preempted.

A task that waits longer all the same is told so by ``why``, with which of these it was.

Aging gives a start, not time to run: where more important work waits at that moment, what has
been started is preempted again at once, unless its ``min_runtime_ms`` lets it get something
done each time, or its ``max_preemptions`` are used up. Give one of these to what shall get on.

The cost is one entry in a heap for each task that comes into line, and one timer in all.
"""

from __future__ import annotations

import heapq

from actors.effects import Effect, SetTimer
from actors.logic.ready import ReadyLine, Waiting
from actors.messages import AgingDue
from actors.model import NS_PER_MS, Instant, Millis


class Aging:
    def __init__(self, line: ReadyLine, starvation_ms: Millis | None) -> None:
        self._line = line
        self.bound = None if starvation_ms is None else starvation_ms * NS_PER_MS
        """The wait that nothing shall reach, in ns; None: aging is off."""
        self._due: list[tuple[Instant, int, Waiting]] = []
        self._timer_at: Instant | None = None

    def watch(self, waiting: Waiting) -> None:
        """It has come into line."""
        if self.bound is not None:
            heapq.heappush(self._due, (waiting.since + self.bound // 2, waiting.order, waiting))
            if len(self._due) > 64 + 2 * len(self._line):
                self._due = [entry for entry in self._due if entry[2].alive]
                heapq.heapify(self._due)

    def rang(self) -> None:
        self._timer_at = None

    def age(self, now: Instant) -> None:
        """Let those age whose time has come."""
        due = self._due
        while due and (due[0][0] <= now or not due[0][2].alive):
            waiting = heapq.heappop(due)[2]
            if waiting.alive:
                self._line.age(waiting)

    def timer(self) -> list[Effect]:
        """Ask to be woken for the next one, if need be."""
        while self._due and not self._due[0][2].alive:
            heapq.heappop(self._due)
        if not self._due or (self._timer_at is not None and self._timer_at <= self._due[0][0]):
            return []
        self._timer_at = self._due[0][0]
        return [SetTimer("aging", self._timer_at, AgingDue())]
