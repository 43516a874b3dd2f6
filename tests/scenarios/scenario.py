"""Scenario files: what arrives when, how much work it is, and when each must begin and end.

A file has a ``source`` and ``scenarios`` by name. Times are in the scenario's own unit; one unit
is ``unit_ms`` in real time, and a scenario without it runs in virtual time alone. Fields:

``agents``; ``work`` (kept, the default, or restarted after a preemption); ``preempts`` (false: nothing
preempts); ``limits`` by workflow; ``like`` (another scenario of the file, the rest replaces its fields);
``slow`` (not in the ordinary run); ``source`` (instead of the file's); and what is to be done, any of

``jobs``      by name ``[arrival, priority, size]``, or a mapping with ``workflow``, ``preemptible`` and
              ``preempts`` beside these; each is an entity of its own
``periodic``  by name ``{size, period}``, the most important first; a job at each multiple before ``until``
``graph``     one workflow instance: sizes by task; ``after`` has the dependencies; ``list`` the tasks by
              priority (else all have ``priority``); ``at`` its arrival

``expect`` has ``begins`` and ``ends`` by job or task, ``end`` (of the last), ``order`` (of first beginnings),
``first``, ``worst`` and ``responses`` (all) by periodic name, and ``preemptions`` in all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
GRAPH = "graph"
TOLERANCE = Fraction(3, 10)
_FIELDS = frozenset(
    {
        "agents", "work", "preempts", "limits", "like", "slow", "unit_ms", "jobs", "periodic", "until", "graph",
        "after", "list", "priority", "at", "expect", "source",
    }
)  # fmt: skip
_EXPECT = frozenset({"begins", "ends", "end", "order", "first", "worst", "responses", "preemptions"})
_JOB = frozenset({"at", "priority", "size", "workflow", "preemptible", "preempts"})


@dataclass(frozen=True, slots=True)
class Work:
    """One task to be done: of a job, its only one."""

    name: str
    priority: int
    size: float
    after: tuple[str, ...] = ()
    preemptible: bool = True
    preempts: bool = True


@dataclass(frozen=True, slots=True)
class Arrival:
    """What arrives at one instant for one entity: a workflow of one task or more."""

    at: int
    entity: str
    workflow: str
    works: tuple[Work, ...]


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    source: str
    agents: int
    arrivals: tuple[Arrival, ...]
    expect: Mapping[str, Any]
    kept: bool = True
    limits: Mapping[str, int] = field(default_factory=dict)
    unit_ms: int | None = None
    slow: bool = False
    tolerance: Fraction = TOLERANCE
    """In real time, in units."""

    def __str__(self) -> str:
        return self.name


def read(file: str) -> list[Scenario]:
    """All scenarios of one file of this folder, by its name without the ending."""
    text = yaml.safe_load((FOLDER / f"{file}.yaml").read_text(encoding="utf-8"))
    return scenarios(text["scenarios"], source=text["source"])


def scenarios(given: Mapping[str, Mapping[str, Any]], *, source: str) -> list[Scenario]:
    """Scenarios by name, in the fields of a file."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, fields in given.items():
        _known(fields, _FIELDS, name)
        found[name] = {**found[fields["like"]], **fields} if "like" in fields else fields
    return [_scenario(name, {"source": source, **fields}) for name, fields in found.items()]


def files() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def _known(given: Mapping[str, Any], fields: frozenset[str], place: str) -> None:
    unknown = set(given) - fields
    if unknown:
        raise ValueError(f"{place}: no field {', '.join(sorted(unknown))}; there are {', '.join(sorted(fields))}")


def _scenario(name: str, fields: Mapping[str, Any]) -> Scenario:
    _known(fields["expect"], _EXPECT, f"{name}: expect")
    preempts = fields.get("preempts", True)
    arrivals = [_job(job, given, preempts=preempts) for job, given in fields.get("jobs", {}).items()]
    arrivals += _periodic(fields.get("periodic", {}), fields.get("until", 0), preempts=preempts)
    if "graph" in fields:
        arrivals.append(_graph(fields, preempts=preempts))
    return Scenario(
        name=name,
        source=" ".join(fields["source"].split()),
        agents=fields["agents"],
        arrivals=tuple(sorted(arrivals, key=lambda arrival: arrival.at)),
        expect=fields["expect"],
        kept={"kept": True, "restarted": False}[fields.get("work", "kept")],
        limits=fields.get("limits", {}),
        unit_ms=fields.get("unit_ms"),
        slow=fields.get("slow", False),
    )


def _job(name: str, given: Any, *, preempts: bool) -> Arrival:
    if isinstance(given, list):
        given = dict(zip(("at", "priority", "size"), given, strict=True))
    _known(given, _JOB, name)
    work = Work(
        name,
        given["priority"],
        given["size"],
        preemptible=given.get("preemptible", True),
        preempts=given.get("preempts", preempts),
    )
    return Arrival(given["at"], name, given.get("workflow", name), (work,))


def _periodic(kinds: Mapping[str, Mapping[str, int]], until: int, *, preempts: bool) -> list[Arrival]:
    return [
        _job(
            job_name(kind, number),
            {"at": at, "priority": priority, "size": one["size"], "workflow": kind},
            preempts=preempts,
        )
        for priority, (kind, one) in enumerate(kinds.items())
        for number, at in enumerate(range(0, until, one["period"]))
    ]


def job_name(kind: str, number: int) -> str:
    """The number-th job of a periodic kind, from 0."""
    return f"{kind} {number}"


def _graph(fields: Mapping[str, Any], *, preempts: bool) -> Arrival:
    after, order = fields.get("after", {}), fields.get("list")
    works = [
        Work(
            task,
            order.index(task) if order else fields["priority"],
            size,
            tuple(after.get(task, ())),
            preempts=preempts,
        )
        for task, size in fields["graph"].items()
    ]
    return Arrival(fields.get("at", 0), GRAPH, GRAPH, tuple(works))


# --- what was seen, beside what is expected ------------------------------------------------------


@dataclass(slots=True)
class Seen:
    """What one run came to, in the scenario's unit, by task or job."""

    begins: dict[str, Fraction] = field(default_factory=dict)
    """First beginnings."""
    ends: dict[str, Fraction] = field(default_factory=dict)
    preemptions: int = 0

    @property
    def end(self) -> Fraction:
        return max(self.ends.values())


def responses(scenario: Scenario, seen: Seen, kind: str) -> list[Fraction]:
    """The response of each job of a periodic kind, in the order of arrival."""
    return [seen.ends[a.entity] - a.at for a in scenario.arrivals if a.workflow == kind]


def figures(scenario: Scenario, seen: Seen) -> dict[str, tuple[Any, Any]]:
    """Expected beside seen, for each time that the scenario expects, by what it is."""
    expect = scenario.expect
    found: dict[str, tuple[Any, Any]] = {}
    if "end" in expect:
        found["end"] = (expect["end"], seen.end)
    for what, by_name in (("begins", seen.begins), ("ends", seen.ends)):
        for name, wanted in expect.get(what, {}).items():
            found[f"{name} {what}"] = (wanted, by_name[name])
    for kind, wanted in expect.get("first", {}).items():
        found[f"{kind} first"] = (wanted, responses(scenario, seen, kind)[0])
    for kind, wanted in expect.get("worst", {}).items():
        found[f"{kind} worst"] = (wanted, max(responses(scenario, seen, kind)))
    for kind, wanted in expect.get("responses", {}).items():
        all_seen = responses(scenario, seen, kind)
        assert len(all_seen) == len(wanted), f"{scenario}: {len(all_seen)} jobs of {kind}"
        for number, (one, other) in enumerate(zip(wanted, all_seen, strict=True)):
            found[f"{job_name(kind, number)} responds"] = (one, other)
    return found


def complaints(scenario: Scenario, seen: Seen, *, tolerance: Fraction = Fraction(0)) -> list[str]:
    """What is not as the scenario expects, times by more than the tolerance, in its unit."""
    wanted_names = {work.name for arrival in scenario.arrivals for work in arrival.works}
    if set(seen.ends) != wanted_names:
        return [f"did not end: {', '.join(sorted(wanted_names - set(seen.ends)))}"]
    found = [
        f"{what}: {float(got):g}, not {wanted}"
        for what, (wanted, got) in figures(scenario, seen).items()
        if abs(got - wanted) > tolerance
    ]
    expect = scenario.expect
    if "order" in expect:
        order = [name for name in sorted(seen.begins, key=lambda name: seen.begins[name]) if name in expect["order"]]
        if order != expect["order"]:
            found.append(f"began in the order {', '.join(order)}")
    if "preemptions" in expect and seen.preemptions != expect["preemptions"]:
        found.append(f"{seen.preemptions} preemptions, not {expect['preemptions']}")
    return found
