"""What came out wrong is told of, unless the machine was too busy: then it is run again, and only that."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction

import pytest

from tests.scenarios import real
from tests.scenarios.real import TRIES, WATCHED, Lateness, MachineTooBusy, Run, each, lateness, real_complaints
from tests.scenarios.scenario import Scenario, Seen, read
from tests.scenarios.virtual import in_virtual_time

BASE = read("graham")[0]
HALF = Fraction(1, 2)


class Machine:
    """A machine as late as told, on which each run is off by so much as told, try after try."""

    def __init__(self, *tries: dict[str, Fraction], late: Lateness) -> None:
        self.tries = list(tries)
        self.late = late
        self.asked: list[list[str]] = []

    def in_real_time(self, runs: Sequence[Run]) -> list[Seen]:
        off = self.tries.pop(0) if self.tries else {}
        self.asked.append([run.isolation for run in runs])
        return [shifted(run.scenario, off.get(run.isolation, Fraction(0))) for run in runs]

    @contextmanager
    def lateness(self) -> Iterator[Lateness]:
        yield self.late


def shifted(scenario: Scenario, by: Fraction) -> Seen:
    seen = in_virtual_time(scenario)
    return replace(seen, ends={name: end + by for name, end in seen.ends.items()})


def judge(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(real, "in_real_time", machine.in_real_time)
    monkeypatch.setattr(real, "lateness", machine.lateness)
    return real_complaints(each([BASE]))


def test_what_is_off_on_a_quiet_machine_is_told_of_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine({"process": HALF}, late=Lateness(worst_ms=5, mean_ms=0.2))

    found = judge(machine, monkeypatch)

    assert "three agents on process: end: 12.5, not 12" in found
    assert all("process" in complaint for complaint in found)
    assert len(machine.asked) == 1


def test_what_is_off_by_less_than_the_tolerance_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    assert judge(Machine({"process": Fraction(29, 100)}, late=Lateness()), monkeypatch) == []


@pytest.mark.parametrize("late", [Lateness(worst_ms=16), Lateness(mean_ms=1.5)], ids=["once", "on average"])
def test_on_a_busy_machine_what_was_off_runs_again_and_nothing_else(
    late: Lateness, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine({"process": HALF, "async": HALF}, {"async": HALF}, late=late)

    assert judge(machine, monkeypatch) == []
    assert machine.asked == [["thread", "process", "async"], ["process", "async"], ["async"]]


def test_a_machine_that_stays_busy_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(*[{"thread": HALF}] * TRIES, late=Lateness(worst_ms=40, mean_ms=6))

    with pytest.raises(
        MachineTooBusy, match=r"40 ms late, 6\.0 on average: three agents on thread: end: 12\.5, not 12"
    ):
        judge(machine, monkeypatch)
    assert len(machine.asked) == TRIES


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="here no process can be bound to a processor")
def test_a_machine_is_as_late_as_the_latest_of_its_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    told = "import sys; sys.stdin.read(); number = int(sys.argv[1]); print(number + 1, number / 4)"
    monkeypatch.setattr(real, "_WATCHER", told)

    with lateness() as late:
        pass

    latest = sorted(os.sched_getaffinity(0))[:WATCHED][-1]
    assert late == Lateness(worst_ms=latest + 1, mean_ms=latest / 4)
