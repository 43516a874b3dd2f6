"""Recorded workflow graphs in WfFormat as scenarios: one instance, all of one priority, first in first out.

The recordings are those of WfCommons (wfcommons.org); a task is as long as it was, times the graph's factor.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from tests.scenarios.scenario import GRAPH, Arrival, Scenario, Work

AGENTS = 5
WITHIN = Fraction(3, 100)
"""Of the end, in real time."""


@dataclass(frozen=True, slots=True)
class Graph:
    """One recording; ``ends_s`` is when a list scheduler on five agents is done with it."""

    file: str
    factor: float
    ends_s: float

    def __str__(self) -> str:
        return self.file.split("-", 1)[0] + ("-" + self.file.split("-")[1] if self.file[0] == "h" else "")


MONTAGE = Graph("montage-chameleon-2mass-005d-001", 0.13018, 7.11)
SEISMOLOGY = Graph("seismology-chameleon-100p-001", 0.360347, 5.36)
GRAPHS = (
    MONTAGE,
    SEISMOLOGY,
    Graph("1000genome-chameleon-2ch-100k-001", 0.011142, 6.66),
    Graph("helloworld-chain-5-chameleon", 0.00798, 4.00),
    Graph("helloworld-forkjoin-10-chameleon", 0.008857, 3.60),
)


def read_graph(graph: Graph, data: Path) -> Scenario:
    """The recording as a scenario whose unit is a millisecond; ``data`` is the folder of the real inputs."""
    text = (data / "wfcommons" / f"{graph.file}.json").read_text(encoding="utf-8")
    workflow = json.loads(text)["workflow"]
    took_s = {task["id"]: task["runtimeInSeconds"] for task in workflow["execution"]["tasks"]}
    works = [
        Work(task["id"], 1, took_s[task["id"]] * graph.factor * 1000, tuple(task["parents"]))
        for task in workflow["specification"]["tasks"]
    ]
    return Scenario(
        name=str(graph),
        source="WfCommons, WfInstances",
        agents=AGENTS,
        arrivals=(Arrival(0, GRAPH, GRAPH, tuple(works)),),
        expect={"end": round(graph.ends_s * 1000)},
        unit_ms=1,
        tolerance=WITHIN * round(graph.ends_s * 1000),
    )


def total_work(scenario: Scenario) -> float:
    """W: all work, in the scenario's unit."""
    return sum(work.size for arrival in scenario.arrivals for work in arrival.works)


def critical_path(scenario: Scenario) -> float:
    """CP: the longest chain of dependent work."""
    (arrival,) = scenario.arrivals
    works = {work.name: work for work in arrival.works}
    ends: dict[str, float] = {}

    def end(work: Work) -> float:
        if work.name not in ends:
            ends[work.name] = work.size + max((end(works[name]) for name in work.after), default=0.0)
        return ends[work.name]

    return max(map(end, works.values()))


def graham_bound(scenario: Scenario) -> float:
    """W/m + (1 - 1/m)·CP: no list scheduler ends later, whatever its list (Graham 1969)."""
    m = scenario.agents
    return total_work(scenario) / m + (1 - 1 / m) * critical_path(scenario)


def bounds(scenario: Scenario) -> Mapping[str, float]:
    """Between what no scheduler can beat and Graham's bound."""
    return {
        "least": max(total_work(scenario) / scenario.agents, critical_path(scenario)),
        "most": graham_bound(scenario),
    }
