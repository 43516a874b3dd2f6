"""Attempts as events of Chrome's trace format, which ui.perfetto.dev and chrome://tracing show.

A lane for each agent; an attempt is a slice there, cut where it was suspended. Beside them, for
each priority, what waits for an agent: a slice from when it came into line to its first line. From
the waiting task an arrow leads to the end of the attempt that made way for it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from actors.timeline.attempts import Attempt, Stretch

Event = dict[str, Any]

AGENTS = 1
"""The number of the process that has the agents' lanes."""
MAX_LANES = 100
"""So many lanes show at once what waits at one priority; the others share the last one."""
_INSIDE = 0.001
"""So much before a slice's end, in microseconds, an arrow still meets it."""


def slices(attempts: Iterable[Attempt], *, title: str = "agents") -> Iterator[Event]:
    """All events, in no order of time. What has not ended goes on until the last instant there is."""
    every = list(attempts)
    now = max((instant for attempt in every for instant in _instants(attempt)), default=0.0)
    first = min((instant for attempt in every for instant in _instants(attempt)), default=0.0)
    agents = sorted({stretch.agent for attempt in every for stretch in attempt.stretches}, key=_natural)
    lanes = {agent: number for number, agent in enumerate(agents, start=1)}
    yield from _names(AGENTS, title, agents, order=0)
    waits: dict[str, tuple[int, int, float, float]] = {}
    for priority in sorted({attempt.priority for attempt in every}):
        yield from _waiting([one for one in every if one.priority == priority], priority, first, now, waits)
    arrows = 0
    for attempt in every:
        for part, stretch in enumerate(attempt.stretches, start=1):
            end = now if stretch.end is None else stretch.end
            yield _slice(attempt, stretch, part, lanes[stretch.agent], first, max(end, stretch.begin))
            wait = waits.get(stretch.by or "")
            if stretch.by is not None and wait is not None and stretch.end is not None:
                arrows += 1
                yield from _arrow(arrows, wait, lanes[stretch.agent], stretch, first)


def _instants(attempt: Attempt) -> Iterator[float]:
    if attempt.ready is not None:
        yield attempt.ready
    for stretch in attempt.stretches:
        yield stretch.begin
        if stretch.end is not None:
            yield stretch.end


def _slice(attempt: Attempt, stretch: Stretch, part: int, lane: int, first: float, end: float) -> Event:
    told: Event = {"task": attempt.task_id, "priority": attempt.priority, "attempt": attempt.number}
    last = part == len(attempt.stretches)
    told["outcome"] = attempt.outcome if last and stretch.end is not None else "suspended" if not last else "running"
    if len(attempt.stretches) > 1:
        told["part"] = f"{part} of {len(attempt.stretches)}"
    if stretch.by is not None:
        told["made_way_for"] = stretch.by
    if part == 1 and attempt.ready is not None:
        told["waited_ms"] = (stretch.begin - attempt.ready) / 1000
    return {
        "name": f"{attempt.task} {attempt.entity}", "cat": attempt.workflow, "ph": "X", "ts": stretch.begin - first,
        "dur": end - stretch.begin, "pid": AGENTS, "tid": lane, "args": told,
    }  # fmt: skip


def _waiting(
    attempts: Sequence[Attempt],
    priority: int,
    first: float,
    now: float,
    waits: dict[str, tuple[int, int, float, float]],
) -> Iterator[Event]:
    """What waits at one priority: each in the first lane that is free."""
    process = AGENTS + 1 + priority
    found = []
    for attempt in attempts:
        if attempt.ready is not None:
            begun = attempt.stretches[0].begin if attempt.stretches else now
            found.append((attempt.ready, max(begun, attempt.ready), attempt))
    if not found:
        return
    used = 0
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    for ready, begun, attempt in sorted(found, key=lambda one: one[:2]):
        while busy and busy[0][0] <= ready:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            lane = heapq.heappop(free)
        else:
            used = lane = min(used + 1, MAX_LANES)
        heapq.heappush(busy, (begun, lane))
        waits[attempt.task_id] = (process, lane, ready, begun)
        yield {
            "name": f"{attempt.task} {attempt.entity} waits", "cat": attempt.workflow, "ph": "X", "ts": ready - first,
            "dur": begun - ready, "pid": process, "tid": lane,
            "args": {"task": attempt.task_id, "attempt": attempt.number},
        }  # fmt: skip
    yield from _names(
        process, f"waiting, priority {priority}", [f"{n}" for n in range(1, used + 1)], order=priority + 1
    )


def _arrow(
    number: int, wait: tuple[int, int, float, float], lane: int, stretch: Stretch, first: float
) -> Iterator[Event]:
    """From the waiting task to the end of what made way for it."""
    process, waiting_lane, ready, begun = wait
    end = stretch.end if stretch.end is not None else stretch.begin
    target = max(stretch.begin, end - _INSIDE)
    leaves = min(max(ready, stretch.begin), max(ready, begun - _INSIDE), max(target, ready))
    about = {"name": "makes way", "cat": "preemption", "id": number}
    yield {**about, "ph": "s", "ts": leaves - first, "pid": process, "tid": waiting_lane}
    yield {**about, "ph": "f", "bp": "e", "ts": target - first, "pid": AGENTS, "tid": lane}


def _names(process: int, title: str, lanes: Sequence[str], *, order: int) -> Iterator[Event]:
    yield {"name": "process_name", "ph": "M", "pid": process, "tid": 0, "args": {"name": title}}
    yield {"name": "process_sort_index", "ph": "M", "pid": process, "tid": 0, "args": {"sort_index": order}}
    for number, name in enumerate(lanes, start=1):
        yield {"name": "thread_name", "ph": "M", "pid": process, "tid": number, "args": {"name": name}}
        yield {"name": "thread_sort_index", "ph": "M", "pid": process, "tid": number, "args": {"sort_index": number}}


def _natural(agent: str) -> tuple[str, int, str]:
    head, _, number = agent.rpartition("_")
    return (head, int(number), "") if number.isdecimal() else (agent, 0, number)
