"""List scheduling of recorded workflow graphs: within Graham's bound, and as long as a list scheduler takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.scenarios.graphs import GRAPHS, MONTAGE, SEISMOLOGY, Graph, bounds, read_graph
from tests.scenarios.real import Run, each
from tests.scenarios.virtual import in_virtual_time

ROUNDING_MS = 5
"""The ends are given in hundredths of a second."""


@pytest.mark.parametrize("graph", GRAPHS, ids=str)
def test_a_recorded_graph_ends_in_virtual_time_as_a_list_scheduler_ends_it(graph: Graph, shared_data: Path) -> None:
    scenario = read_graph(graph, shared_data)

    end = in_virtual_time(scenario).end

    assert abs(float(end) - graph.ends_s * 1000) <= ROUNDING_MS


@pytest.mark.parametrize("agents", [1, 2, 3, 5, 8, 13])
@pytest.mark.parametrize("graph", GRAPHS, ids=str)
def test_a_recorded_graph_ends_within_grahams_bound(graph: Graph, agents: int, shared_data: Path) -> None:
    scenario = replace(read_graph(graph, shared_data), agents=agents)

    end = float(in_virtual_time(scenario).end)

    within = bounds(scenario)
    slack_ms = 0.001 * len(scenario.arrivals[0].works)  # Each task is rounded to whole nanoseconds.
    assert within["least"] - slack_ms <= end <= within["most"] + slack_ms


@pytest.mark.timeout(120)  # Several tries, where the machine is too busy to tell.
def test_recorded_graphs_end_in_real_time_within_three_percent(
    shared_data: Path, judged: Callable[[list[Run]], list[str]]
) -> None:
    chosen = [read_graph(graph, shared_data) for graph in (MONTAGE, SEISMOLOGY)]

    assert judged(each(chosen)) == []
