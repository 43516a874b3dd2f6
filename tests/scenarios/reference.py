"""The same queues by the textbook, knowing nothing of the engine: whoever is first in line takes an agent.

The line is in the order of (priority, arrival). With preemption, one who finds no agent free takes that of the
least important who is served, of equals the latest begun, if it is less important; work is kept.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from tests.scenarios.queueing import Arrived, Queue


@dataclass(slots=True)
class _Customer:
    number: int
    priority: int
    left: int
    """Work still to do when last begun, in ns."""
    begun: int = 0
    serial: int = 0
    """Of its newest beginning; 0: it is not served."""


class _Office:
    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.line: list[tuple[int, int, _Customer]] = []
        self.served: list[_Customer] = []
        self.ending: list[tuple[int, int, _Customer]] = []
        """Who would end when, by the serial of its beginning; stale ones stay until they come up."""
        self.ends: dict[int, int] = {}
        self._serial = 0

    def arrive(self, customer: _Customer, now: int) -> None:
        self._pass_time(now)
        self._line_up(customer)
        if len(self.served) == self.queue.agents and self.queue.preempts:
            last = max(self.served, key=lambda one: (one.priority, one.serial))
            if last.priority > customer.priority:
                last.left -= now - last.begun
                last.serial = 0
                self.served.remove(last)
                self._line_up(last)
        self._serve(now)

    def _pass_time(self, until: int) -> None:
        while self.ending and self.ending[0][0] <= until:
            end, serial, customer = heapq.heappop(self.ending)
            if serial == customer.serial:
                self.ends[customer.number] = end
                self.served.remove(customer)
                self._serve(end)

    def close(self) -> None:
        while self.ending:
            self._pass_time(self.ending[0][0])

    def _line_up(self, customer: _Customer) -> None:
        heapq.heappush(self.line, (customer.priority, customer.number, customer))

    def _serve(self, now: int) -> None:
        while self.line and len(self.served) < self.queue.agents:
            customer = heapq.heappop(self.line)[2]
            self._serial += 1
            customer.begun, customer.serial = now, self._serial
            self.served.append(customer)
            heapq.heappush(self.ending, (now + customer.left, self._serial, customer))


def responses(queue: Queue, jobs: Sequence[Arrived]) -> list[list[int]]:
    """Nanoseconds, by class, in the order of arrivals."""
    office = _Office(queue)
    for number, (at, chosen, size) in enumerate(jobs):
        office.arrive(_Customer(number, chosen if queue.classes else 0, size), at)
    office.close()
    found: list[list[int]] = [[] for _ in queue.rates]
    for number, (at, chosen, _) in enumerate(jobs):
        found[chosen].append(office.ends[number] - at)
    return found
