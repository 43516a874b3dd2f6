"""Published beside seen: ``bin/test schedules``. In real time, by how much of a unit it was off at most.

``--real`` runs on threads, processes and the event loop too (half a minute); ``--tasks N`` sets how many
tasks the queues are measured with (200,000 take about a minute).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from tests.scenarios.graphs import GRAPHS, graham_bound, read_graph
from tests.scenarios.queueing import PUBLISHED
from tests.scenarios.real import ISOLATIONS, each, in_real_time
from tests.scenarios.scenario import Scenario, Seen, figures, files, read
from tests.scenarios.side_by_side import ROOT, measure_all
from tests.scenarios.virtual import in_virtual_time

DATA = ROOT.parent / "shared" / "data"
"""The real inputs beside the checkout, where they are."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="bin/test schedules", description="Published schedules beside what is seen.")
    parser.add_argument("--real", action="store_true", help="on threads, processes and the event loop too")
    parser.add_argument("--tasks", type=int, default=200_000, help="tasks of each queue; 0: no queues")
    chosen = parser.parse_args()
    for file in files():
        print_schedules(file, real=chosen.real)
    if DATA.is_dir():
        print_graphs(DATA)
    if chosen.tasks:
        print_queues(chosen.tasks)


def print_schedules(file: str, *, real: bool) -> None:
    """One file's scenarios: what was published, what came out in virtual time, and how far off it was elsewhere."""
    scenarios = read(file)
    runs = each([one for one in scenarios if one.unit_ms is not None and not one.slow]) if real else []
    seen = {(run.scenario.name, run.isolation): came_to for run, came_to in zip(runs, in_real_time(runs), strict=True)}
    for source in dict.fromkeys(one.source for one in scenarios):
        print(f"\n{source}")
        print(f"  {'':<59}{'expected':>28}{'virtual time':>28}" + "".join(f"{name:>9}" for name in runners(real)))
        for scenario in [one for one in scenarios if one.source == source]:
            found = headlines(scenario, in_virtual_time(scenario))
            row = f"  {scenario.name:<59}" + "".join(f"{_texts(values):>28}" for values in zip(*found, strict=True))
            for isolation in runners(real):
                elsewhere = seen.get((scenario.name, isolation))
                off = "-" if elsewhere is None else f"{_furthest(headlines(scenario, elsewhere)):+.2f}"
                row += f"{off:>9}"
            print(row)


def runners(real: bool) -> tuple[str, ...]:
    return ISOLATIONS if real else ()


def headlines(scenario: Scenario, seen: Seen) -> list[tuple[Any, Fraction]]:
    """Expected and seen: of a graph its end alone, of beginnings none."""
    found = figures(scenario, seen)
    if "end" in found:
        return [found["end"]]
    if "responses" in scenario.expect:
        return [pair for what, pair in found.items() if what.endswith(" responds")]
    return [pair for what, pair in found.items() if not what.endswith(" begins")]


def _texts(values: Sequence[Any]) -> str:
    return " ".join(f"{float(value):g}" for value in values)


def _furthest(pairs: Sequence[tuple[Any, Fraction]]) -> float:
    return max((float(got - wanted) for wanted, got in pairs), key=abs)


def print_graphs(data: Path) -> None:
    """Recorded workflow graphs: a list scheduler's end, the engine's in virtual time, and Graham's bound."""
    print("\nRecorded workflow graphs of WfCommons on 5 agents, first in first out; s")
    print(f"  {'':<24}{'tasks':>6}{'list scheduler':>16}{'virtual time':>14}{'Graham bound':>14}")
    for graph in GRAPHS:
        scenario = read_graph(graph, data)
        end, bound = float(in_virtual_time(scenario).end) / 1000, graham_bound(scenario) / 1000
        tasks = len(scenario.arrivals[0].works)
        print(f"  {graph!s:<24}{tasks:>6}{graph.ends_s:>16.2f}{end:>14.2f}{bound:>14.2f}")


def print_queues(tasks: int) -> None:
    """Mean responses by class, with one standard error."""
    print(f"\nM/M/5, work of 100 ms on average, 10, 10 and 20 arrivals a second by class; {tasks:,} tasks; ms")
    print(f"  {'mean response':<22}{'class':>7}{'published':>12}{'seen':>9}{'error':>8}")
    measured = measure_all([queue for queue, _ in PUBLISHED], tasks=tasks, parts=_parts(tasks))
    for (queue, published), came_to in zip(PUBLISHED, measured, strict=True):
        rows: Sequence[tuple[str, float, float, float]] = [
            (str(number), wanted, one.mean_ms, one.error_ms)
            for number, (wanted, one) in enumerate(zip(published, came_to.classes, strict=True))
        ]
        if not queue.classes:
            rows = [("all", published[0], came_to.mean_ms, came_to.error_ms)]
        for name, wanted, mean, error in rows:
            print(f"  {queue.name:<22}{name:>7}{wanted:>12.1f}{mean:>9.1f}{error:>8.1f}")


def _parts(tasks: int) -> int:
    """As many independent runs as there is enough to do for."""
    return max(1, min(4, tasks // 50_000))


if __name__ == "__main__":
    main()
