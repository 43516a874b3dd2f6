"""One simulation from its first arrival to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from actors.effects import KEEPER, ROUTER, SCHEDULER
from actors.messages import ReadStats
from actors.model import AgentName, Definitions, Instant, OutcomeKind
from actors.simulate.arrivals import Arrival
from actors.simulate.drawn import Planner
from actors.simulate.report import Account
from actors.simulate.trace import Trace
from actors.simulation import Simulation, Span
from actors.summary import summarise

TELL_EVERY = 2_000
"""Attempts between two tellings of how far it is."""


@dataclass(frozen=True, slots=True)
class Watching:
    """Who is told on the way."""

    trace: Trace | None = None
    title: str = ""
    """Of the simulation, in the trace."""
    progress: Callable[[Instant, int], None] | None = None
    """Told the virtual time in ns and the number of attempts, now and then."""


def rehearse(
    definitions: Definitions, arrivals: Iterable[Arrival], planner: Planner, watching: Watching = Watching()
) -> dict[str, Any]:
    """Run the definitions in virtual time on what arrives; return what it came to (``Account.report``)."""
    agents = {
        AgentName(f"{group.name}_{number}"): group.name
        for group in definitions.settings.agents
        for number in range(group.count)
    }
    account = Account(agents)
    simulation = Simulation(definitions, plan=planner.plan)
    if watching.trace is not None:
        watching.trace.begin(watching.title, list(agents))
    simulation.on_span = _teller(account, planner, watching)
    simulation.on_done = account.done
    for at, events in arrivals:
        if at > simulation.now:
            # To just before: what ends at that very instant is taken together with what arrives.
            simulation.run(until=at - 1)
        simulation.publish(*events, at=at)
    simulation.run()
    stats = summarise(*[simulation.ask(actor, ReadStats()) for actor in (ROUTER, KEEPER, SCHEDULER)])
    return account.report(stats, agents=len(agents))


def _teller(account: Account, planner: Planner, watching: Watching) -> Callable[[Span], None]:
    trace, progress = watching.trace, watching.progress

    def tell(span: Span) -> None:
        account.span(span)
        if span.outcome is OutcomeKind.FAILED:
            planner.failed(span.task_id)
        if trace is not None:
            trace.span(span)
        if progress is not None and account.attempts % TELL_EVERY == 0:
            progress(span.ended, account.attempts)

    return tell
