"""What a simulation came to, gathered as it goes in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.model import NS_PER_MS, AgentName, InstanceStatus, OutcomeKind, TaskStatus
from actors.simulate.histograms import Histogram
from actors.simulation import Span
from actors.views import Record

# Places in the record of an instance and of its tasks and attempts; see logic.history.
_STATUS, _PRIORITY, _CREATED, _COMPLETED, _TASKS = 4, 5, 6, 7, 11
_TASK_STATUS, _TASK_PRIORITY, _ATTEMPTS = 3, 4, 10
_READY, _STARTED = 4, 5
_SHARES = {"median": 0.5, "p95": 0.95, "p99": 0.99}


class Account:
    """Counts one simulation: ``span`` and ``done`` are told what happens."""

    def __init__(self, agents: Mapping[AgentName, str]) -> None:
        """``agents``: every agent with its group."""
        self._groups = agents
        self._busy = dict.fromkeys(agents, 0)
        self._response: dict[int, Histogram] = {}
        self._waiting: dict[int, Histogram] = {}
        self._last = 0
        self.attempts = 0
        self._tasks = 0

    def span(self, span: Span) -> None:
        """An attempt has ended."""
        self.attempts += 1
        self._last = max(self._last, span.ended)
        if span.outcome is OutcomeKind.COMPLETED:
            self._tasks += 1
        if span.began is not None:
            self._busy[span.agent] += span.ended - span.began - span.stood_still

    def done(self, record: Record) -> None:
        """An instance has ended."""
        if record[_STATUS] == InstanceStatus.COMPLETED:
            _into(self._response, record[_PRIORITY], record[_COMPLETED] - record[_CREATED])
        for task in record[_TASKS]:
            attempts = task[_ATTEMPTS]
            if task[_TASK_STATUS] == TaskStatus.CANCELLED and not attempts:
                continue
            began = next((attempt[_STARTED] for attempt in attempts if attempt[_STARTED] is not None), None)
            if began is not None:
                _into(self._waiting, task[_TASK_PRIORITY], began - attempts[0][_READY])

    def report(self, stats: Mapping[str, Any], *, agents: int) -> dict[str, Any]:
        """Everything, as plain values; times in ms. ``stats`` are the engine's own counts at the end."""
        seconds = self._last / 1e9
        instances = {status.value: stats["instances"].get(status.value, 0) for status in InstanceStatus}
        return {
            "agents": agents,
            "virtual_s": seconds,
            "instances": instances,
            "tasks": {"completed": self._tasks, "attempts": self.attempts},
            "throughput": {
                "instances_per_s": instances["completed"] / seconds if seconds else 0.0,
                "tasks_per_s": self._tasks / seconds if seconds else 0.0,
            },
            "response_ms": _tables(self._response),
            "waiting_ms": _tables(self._waiting),
            "preemptions": stats["preemptions"],
            "wasted_ms": stats["wasted_ms"],
            "busy": self._shares(),
            "groups": self._group_shares(),
            "events": {name: stats["events"].get(name, 0) for name in ("published", "merged", "refused", "rejected")},
        }

    def _shares(self) -> dict[str, float]:
        """The share of the whole time that each agent ran something."""
        return {name: _share(busy, self._last) for name, busy in self._busy.items()}

    def _group_shares(self) -> dict[str, float]:
        busy: dict[str, list[int]] = {}
        for name, group in self._groups.items():
            busy.setdefault(group, []).append(self._busy[name])
        return {group: _share(sum(parts), self._last * len(parts)) for group, parts in busy.items()}


def _into(histograms: dict[int, Histogram], priority: int, ns: int) -> None:
    histogram = histograms.get(priority)
    if histogram is None:
        histogram = histograms[priority] = Histogram()
    histogram.add(ns)


def _tables(histograms: Mapping[int, Histogram]) -> dict[str, dict[str, float]]:
    return {str(priority): _table(histograms[priority]) for priority in sorted(histograms)}


def _table(histogram: Histogram) -> dict[str, float]:
    quantiles = dict(zip(_SHARES, histogram.quantiles(*_SHARES.values()), strict=True))
    times = {"mean": histogram.mean, **quantiles, "max": histogram.max}
    return {"count": histogram.count, **{name: ns / NS_PER_MS for name, ns in times.items()}}


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
