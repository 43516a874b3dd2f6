"""Durations: what a distribution draws, what a file may say, and how its faults are told."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

import actors.durations.files as files_module
from actors.durations.files import read_durations
from actors.durations.laws import Empirical, Exponential, Fixed, Law, Lognormal, Manner, Normal, Uniform
from actors.errors import DefinitionError, NotFoundError
from actors.model import MAX_TASKS, AttemptId, Entity, EntityId, Job, Origin, Task, TaskKey, WorkflowId
from actors.simulate.drawn import Drawn

TASKS = [("quotes", name) for name in ("load", "fit", "score", "send", "wait", "book", "rest")]
MS = 1_000_000


@pytest.mark.parametrize(
    ("law", "share", "ns"),
    [
        (Fixed(5), 0.9, 5),
        (Uniform(10, 30), 0.25, 15),
        (Exponential(120), 0.5, 120 * math.log(2)),
        (Normal(20, 3), 0.5, 20),
        (Normal(20, 3), 0.8413447460685429, 23),
        (Normal(1, 3), 0.1, 0),
        (Lognormal(50, 0.8), 0.5, 50),
        (Lognormal(50, 0.8), 0.8413447460685429, 50 * math.exp(0.8)),
        (Empirical((10, 12, 90, 1)), 0.49, 12),
        (Empirical((10, 12, 90, 1)), 0.51, 90),
    ],
)
def test_a_distribution_is_its_quantiles(law: Law, share: float, ns: float) -> None:
    assert law.draw(share) == pytest.approx(ns)


def job(instance: int, place: int = 0, number: int = 1) -> Job:
    task = Task("load", place, action="load")
    origin = Origin("store", WorkflowId("quotes"), EntityId("A"), 1)
    key = AttemptId(TaskKey(instance * MAX_TASKS + place), number)
    return Job(key, origin, task, 2, Entity(EntityId("A")), None, {}, {}, None, 1)


def test_drawn_durations_have_their_mean_and_depend_on_seed_and_task_alone() -> None:
    manners = {("quotes", "load"): Manner(Exponential(100 * MS), keeps_work=True)}
    one, again, other = Drawn(manners, 1), Drawn(manners, 1), Drawn(manners, 2)

    takes = [one.plan(job(number), 0).takes for number in range(20_000)]

    assert sum(takes) / len(takes) == pytest.approx(100 * MS, rel=0.03)
    assert again.plan(job(7, number=3), 5).takes == takes[7]
    assert other.plan(job(7), 0).takes != takes[7]
    assert one.plan(job(7, place=1), 0).takes != takes[7]
    assert one.plan(job(7), 0).keeps_work


def write(folder: Path, text: str) -> Path:
    path = folder / "d.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_the_module_shows_is_what_it_reads(tmp_path: Path) -> None:
    assert files_module.__doc__ is not None
    shown = re.sub("(?m)^    ", "", files_module.__doc__.partition("::\n")[2])

    given = read_durations(write(tmp_path, shown), TASKS)

    assert given.manners == {
        ("quotes", "load"): Manner(Fixed(5 * MS)),
        ("quotes", "fit"): Manner(Exponential(120 * MS), keeps_work=True),
        ("quotes", "score"): Manner(Uniform(10 * MS, 30 * MS)),
        ("quotes", "send"): Manner(Normal(20 * MS, 3 * MS), hears_after=2 * MS),
        ("quotes", "wait"): Manner(Lognormal(50 * MS, 0.8)),
        ("quotes", "book"): Manner(Empirical((10 * MS, 10 * MS, 12 * MS, 90 * MS))),
    }
    assert given.recorded == {("quotes", "rest")}
    assert given.default == Manner(Fixed(10 * MS))


def test_an_action_may_be_deaf_to_its_stop(tmp_path: Path) -> None:
    given = read_durations(write(tmp_path, "quotes.load: {fixed: 5, stops_ms: never}"), TASKS)

    assert given.manners["quotes", "load"].hears_after is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("quotes.laod: 5", "1:1: quotes.laod: no task 'quotes.laod'; did you mean 'quotes.load'?"),
        ("xyz: 5", "1:1: xyz: no task 'xyz'; write workflow.task"),
        ("quotes.load: fast", "1:14: quotes.load: must be a number of milliseconds from 0 to a year, not 'fast'"),
        ("quotes.load: -1", "1:14: quotes.load: must be a number of milliseconds from 0 to a year"),
        ("quotes.load: true", "1:14: quotes.load: must be a number of milliseconds from 0 to a year"),
        ("quotes.load: 1e30", "1:14: quotes.load: must be a number of milliseconds from 0 to a year"),
        (
            "quotes.load: {keeps_work: true}",
            "1:14: quotes.load: must have one of fixed, exponential, uniform, normal, lognormal, empirical",
        ),
        (
            "quotes.load: {exponentail: 5}",
            "1:15: quotes.load.exponentail: unknown field 'exponentail'; did you mean 'exponential'?",
        ),
        ("quotes.load: {uniform: 5}", "1:24: quotes.load.uniform: takes 2 numbers in a list, in ms"),
        (
            "quotes.load: {uniform: [9, 5]}",
            "1:24: quotes.load.uniform: the first number must not be above the second",
        ),
        ("quotes.load: {empirical: []}", "1:26: quotes.load.empirical: takes a list of numbers, in ms"),
        (
            "quotes.load: {normal: [1, x]}",
            "1:27: quotes.load.normal[1]: must be a number of milliseconds from 0 to a year, not 'x'",
        ),
        ("quotes.load: {fixed: 5, keeps_work: 7}", "1:37: quotes.load.keeps_work: must be true or false"),
        ("default: recorded", "1:10: default: must be a number of milliseconds from 0 to a year, not 'recorded'"),
        ("[5]", "1:1: must be a mapping of workflow.task to a duration, such as quotes.load: 20"),
        ("quotes.load: [", "2:1: not YAML"),
    ],
)
def test_a_fault_says_where_and_what(tmp_path: Path, text: str, fault: str) -> None:
    path = write(tmp_path, text)

    with pytest.raises(DefinitionError) as error:
        read_durations(path, TASKS)

    (found,) = str(error.value).splitlines()
    assert found.startswith(f"{path}:{fault}")


def test_all_faults_are_told_in_one_run(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError) as error:
        read_durations(write(tmp_path, "quotes.load: x\nquotes.laod: 1\nquotes.fit: {fixed: y}\n"), TASKS)

    assert [fault.line for fault in error.value.faults] == [1, 2, 3]


def test_a_missing_file_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"name one with durations, such as 'workflow.task: 20'"):
        read_durations(tmp_path / "none.yaml", TASKS)
