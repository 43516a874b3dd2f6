"""Each actor's logic as it begins: at the engine's start, and again after each crash.

Of a logic that crashed nothing is taken over but what was kept outside it: the keeper's state as
it was before the batch, an agent's remains.
"""

from __future__ import annotations

from actors.ledger import Remains
from actors.logic.history import Calendar
from actors.logic.keeping import Keeping
from actors.logic.routing import Routing
from actors.logic.scheduling import Scheduling
from actors.logic.state import State
from actors.logic.working import Working
from actors.messages import StopAgents
from actors.model import AgentName, Definitions, Instant, Millis


class Generations:
    """Makes the logics of one engine. Generation 0 is the first of an actor, each crash makes one more."""

    def __init__(self, definitions: Definitions, calendar: Calendar, *, store_id: str, run_id: str) -> None:
        self._definitions = definitions
        self._calendar = calendar
        self._store_id = store_id
        self._run_id = run_id
        self.agent_names = agent_names(definitions)
        self.library = {definitions.version: definitions}
        """The definitions by version, of those that are kept."""
        self.state = State(definitions.settings, definitions.version)
        """The keeper's, which outlives its logic."""
        self.stop: StopAgents | None = None
        """The hardest order to stop so far."""

    def keeping(self, generation: int) -> Keeping:  # noqa: ARG002 - it goes on as if nothing had been
        """On the state that outlives it, as it was before the batch that crashed."""
        self.state.roll_back()
        return Keeping(
            self._definitions,
            calendar=self._calendar,
            store_id=self._store_id,
            state=self.state,
            library=self.library,
        )

    def scheduling(self, generation: int) -> Scheduling:
        return Scheduling(
            self._definitions.workflows,
            self.agent_names,
            starvation_ms=self._definitions.settings.starvation_ms,
            generation=generation,
            stop=self.stop,
        )

    def order_stop(self, grace: Millis, now: Instant) -> StopAgents:
        """The order, to be told to the scheduler; those that come after it are made with the hardest there was."""
        order = StopAgents(grace, now)
        if self.stop is None or grace < self.stop.grace:
            self.stop = order
        return order

    def routing(self, generation: int) -> Routing:
        return Routing(self._definitions, self._run_id, generation=generation)

    def working(self, name: AgentName, remains: Remains | None) -> Working:
        """The first of an agent, or the one after the crash that left these remains."""
        if remains is None:
            return Working(name)
        return Working(
            name,
            incarnation=remains.incarnation + 1,
            orphans=remains.orphans,
            death=remains.death,
            reported=(remains.last, remains.ends),
        )


def agent_names(definitions: Definitions) -> list[tuple[AgentName, frozenset[str]]]:
    """Every agent with its capabilities: ``agent_0`` … in the order of the groups."""
    return [
        (AgentName(f"{group.name}_{number}"), group.capabilities)
        for group in definitions.settings.agents
        for number in range(group.count)
    ]
