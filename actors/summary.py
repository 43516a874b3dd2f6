"""``stats`` as users read it: the three actors' counts as one mapping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.model import NS_PER_MS


def summarise(router: Mapping[str, Any], keeper: Mapping[str, Any], scheduler: Mapping[str, Any]) -> dict[str, Any]:
    """``events``, ``queues``, ``agents``, ``tasks``, ``instances``, ``entities``, ``preemptions``, times in ms.

    ``latency_ms`` is from a preemption's request to the urgent action's first line, over the
    newest 1,000: ``median`` and ``p99``, None where there was none. ``ran_ms`` is what all ended
    attempts ran, ``wasted_ms`` how much of it was lost since a checkpoint because they were
    stopped or lost, ``wasted_by`` and ``cut_short`` that and their number by why. ``timings`` are waits,
    runs and preemptions in classes, as ``logic.timings`` counts them.
    """
    samples = scheduler["preemption_latency_ns"]
    return {
        "events": {**router, **keeper["events"]},
        "queues": scheduler["queues"],
        "agents": scheduler["agents"],
        "entities": keeper["entities"],
        "instances": keeper["instances"],
        "tasks": keeper["tasks"],
        "paused": keeper["paused"],
        "preemptions": keeper["preemptions"],
        "cut_short": keeper["cut_short"],
        "latency_ms": {"median": _quantile(samples, 0.5), "p99": _quantile(samples, 0.99)},
        "ran_ms": keeper["ran_ms"],
        "wasted_ms": keeper["wasted_ms"],
        "wasted_by": keeper["wasted_by"],
        "timings": scheduler["timings"],
    }


def _quantile(samples: list[int], share: float) -> float | None:
    """Of sorted samples; the higher of two neighbours."""
    if not samples:
        return None
    return samples[min(len(samples) - 1, int(len(samples) * share))] / NS_PER_MS
