"""Every scenario in virtual time: exactly as published."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.scenarios.scenario import Scenario, complaints, files, read
from tests.scenarios.virtual import in_virtual_time

ALL = [(file, scenario) for file in files() for scenario in read(file)]


@pytest.mark.parametrize(("file", "scenario"), ALL, ids=[f"{file}: {scenario}" for file, scenario in ALL])
def test_the_schedule_comes_out_exactly_in_virtual_time(file: str, scenario: Scenario) -> None:
    assert complaints(scenario, in_virtual_time(scenario)) == []


def test_every_scenario_says_what_it_expects_and_where_it_comes_from() -> None:
    assert all(scenario.source and scenario.expect for _, scenario in ALL)
    assert [name for name, times in Counter(f"{file}: {scenario}" for file, scenario in ALL).items() if times > 1] == []


def test_what_could_run_in_real_time_in_20_seconds_does() -> None:
    """A unit of 50 ms or more: only what hangs on ties is left to virtual time alone."""
    left = [
        scenario.name
        for _, scenario in ALL
        if scenario.unit_ms is None and float(in_virtual_time(scenario).end) * 0.05 <= 20
    ]

    assert left == [
        "another list",
        "all times one less",
        "four of a kind, until all periods meet",
    ]
    assert all(scenario.unit_ms >= 50 for _, scenario in ALL if scenario.unit_ms is not None)
