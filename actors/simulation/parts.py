"""The four actors' logics, and the effects they ask for: all that calm and storm have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from actors.effects import KEEPER, ROUTER, SCHEDULER, Broadcast, ClearTimer, Effect, Reply, Save, Send, SetTimer
from actors.generations import Generations
from actors.logic.history import Calendar
from actors.model import NS_PER_MS, AgentName, Definitions, Instant, ReplyId
from actors.simulation.agenda import Agenda
from actors.simulation.plans import Planner
from actors.simulation.runner import SimulatedRunner
from actors.views import Record, StateChanged

BEGINNING: Instant = 1_000_000 * NS_PER_MS
"""The instant at which virtual time 0 is: logic takes 0 for never."""
UTC = 1_630_000_000.0
TIMER = "timer"

Post = Callable[[str, str, Any], None]
"""Sender, receiver, message."""


class Parts:
    """Logics by name, the agenda, the runner, answers; ``perform`` does what a logic asks for."""

    def __init__(self, definitions: Definitions, plan: Planner, post: Post) -> None:
        self.definitions = definitions
        self.now = BEGINNING
        self.calendar = Calendar(UTC, BEGINNING)
        self.agenda = Agenda()
        self.post = post
        self.runner = SimulatedRunner(self.agenda, plan, post)
        self.runner.now = self.now
        self.generations = Generations(definitions, self.calendar, store_id="simulation", run_id="run")
        self.agent_names = self.generations.agent_names
        self.logics: dict[str, Any] = {name: self.fresh(name) for name in self.names()}
        self.answers: dict[ReplyId, Any] = {}
        self.finished: Callable[[Record], None] | None = None
        self.changed: Callable[[StateChanged], None] | None = None
        self._performs: dict[type, Callable[[Any, Any], None]] = {
            Send: self._send,
            Reply: self._reply,
            SetTimer: self._set_timer,
            ClearTimer: self._clear_timer,
            Save: self._save,
            Broadcast: self._broadcast,
            **self.runner.performs,
        }

    def names(self) -> list[str]:
        """All actors, in the order in which they begin."""
        return [KEEPER, SCHEDULER, *(name for name, _ in self.agent_names), ROUTER]

    def fresh(self, name: str) -> Any:
        """The logic an actor begins with."""
        match name:
            case "keeper":
                return self.generations.keeping(0)
            case "scheduler":
                return self.generations.scheduling(0)
            case "router":
                return self.generations.routing(0)
            case _:
                return self.generations.working(AgentName(name), None)

    def begin(self) -> None:
        """Let the agents announce themselves."""
        for name, _ in self.agent_names:
            self.perform(name, self.logics[name].begin(self.now))

    def advance(self, now: Instant) -> None:
        self.now = self.runner.now = now

    def perform(self, name: str, effects: list[Effect]) -> None:
        table = self._performs
        for effect in effects:
            table[type(effect)](name, effect)

    def ring(self) -> None:
        """Take the first entry of the agenda, which is due."""
        to, what = self.agenda.pop()
        if to is None:
            self.runner.time_has_come(what)  # type: ignore[arg-type]
        else:
            self.post(TIMER, to, what)

    def _send(self, name: str, effect: Send) -> None:
        self.post(name, effect.to, effect.message)

    def _reply(self, name: str, effect: Reply) -> None:  # noqa: ARG002
        self.answers[effect.to] = effect.value

    def _set_timer(self, name: str, effect: SetTimer) -> None:
        # An agent's timeout timer stays set after its attempt has ended in time.
        self.agenda.set((name, effect.key), effect.at, (name, effect.message), matters=effect.key != "timeout")

    def _clear_timer(self, name: str, effect: ClearTimer) -> None:
        self.agenda.clear((name, effect.key))

    def _save(self, name: str, effect: Save) -> None:  # noqa: ARG002
        if self.finished is not None:
            for record in effect.finished:
                self.finished(record)

    def _broadcast(self, name: str, effect: Broadcast) -> None:  # noqa: ARG002
        if self.changed is not None:
            for change in effect.changes:
                self.changed(change)
