"""A scenario in virtual time."""

from __future__ import annotations

from fractions import Fraction
from itertools import groupby

from actors.model import Job, OutcomeKind, StopReason
from actors.simulation import Plan, Simulation, Span
from tests.scenarios.definitions import definitions, event, names
from tests.scenarios.scenario import Scenario, Seen

UNIT_NS = 1_000_000


def in_virtual_time(scenario: Scenario) -> Seen:
    """Run it on the simulation; times are exact."""
    seen, name_of = Seen(), names(scenario)

    def plan(job: Job, restored_ns: int) -> Plan:
        size = job.params.get("size")
        if size is None:
            assert job.event is not None
            size = job.event.data["size"]
        return Plan(takes=round(size * UNIT_NS), keeps_work=scenario.kept)

    def note(span: Span) -> None:
        name = name_of[span.entity, span.task]
        if span.began is not None:
            seen.begins.setdefault(name, Fraction(span.began, UNIT_NS))
        if span.outcome is OutcomeKind.COMPLETED:
            seen.ends[name] = Fraction(span.ended, UNIT_NS)
        elif span.reason is StopReason.PREEMPT:
            seen.preemptions += 1

    simulation = Simulation(definitions(scenario), plan=plan)
    simulation.on_span = note
    for at, together in groupby(scenario.arrivals, key=lambda arrival: arrival.at):
        simulation.publish(*[event(arrival) for arrival in together], at=at * UNIT_NS)
    simulation.run()
    return seen
