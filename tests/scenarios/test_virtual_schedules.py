"""Every scenario in virtual time: exactly as published."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from fractions import Fraction

import pytest

from tests.scenarios.scenario import Scenario, complaints, files, read, scenarios
from tests.scenarios.virtual import UNIT_NS, in_virtual_time

ALL = [(file, scenario) for file in files() for scenario in read(file)]

LEAST = Fraction(1, UNIT_NS)


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


@pytest.mark.parametrize(("file", "scenario"), ALL, ids=[f"{file}: {scenario}" for file, scenario in ALL])
def test_ends_that_are_off_by_the_least_or_missing_are_noticed(file: str, scenario: Scenario) -> None:
    seen = in_virtual_time(scenario)
    late = replace(seen, ends={name: end + LEAST for name, end in seen.ends.items()})

    assert complaints(scenario, late) != []
    assert complaints(scenario, late, tolerance=LEAST) == []
    late.ends.pop(lost := min(late.ends))
    assert complaints(scenario, late, tolerance=LEAST) == [f"did not end: {lost}"]


def test_another_order_and_one_more_preemption_are_noticed() -> None:
    (scenario,) = [one for _, one in ALL if one.name == "the cut one goes on before its equal begins"]
    seen = in_virtual_time(scenario)
    begins = {**seen.begins, "second": seen.begins["first"], "first": seen.begins["second"]}

    assert complaints(scenario, replace(seen, begins=begins)) == ["began in the order second, high, first"]
    assert complaints(scenario, replace(seen, preemptions=2)) == ["2 preemptions, not 1"]


def test_a_field_that_no_scenario_has_is_refused() -> None:
    with pytest.raises(ValueError, match="base: no field agent; there are"):
        scenarios({"base": {"agent": 3, "expect": {}}}, source="here")
