"""An agent actor: its logic is ``logic.working``; it drives the runner that its job asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from actors.actor import LogicActor, Surroundings
from actors.effects import Abandon, Credit, Interrupt, Kill, Probe, Resume, Start, Suspend
from actors.logic.working import Working
from actors.messages import ActionProbed
from actors.model import Isolation
from actors.ports import Runner


class AgentActor(LogicActor):
    """The control plane of one agent; the action runs elsewhere, so this never blocks.

    What stops an attempt is told to every runner: those that do not know it do nothing, and so
    nothing has to be remembered here about attempts that may have moved on.
    """

    def __init__(self, logic: Working, around: Surroundings, runners: Mapping[Isolation, Runner]) -> None:
        self._by_isolation = runners
        self._runners = tuple(dict.fromkeys(runners.values()))
        super().__init__(logic.name, logic, around)
        self._report = self.inbox.post

    def on_start(self) -> None:
        super().on_start()
        assert isinstance(self.logic, Working)
        self.perform(self.logic.begin(self.around.clock.now()))

    def performs(self, table: dict[type, Callable[[Any], None]]) -> None:
        table[Start] = self._start
        table[Resume] = self._resume
        table[Interrupt] = self._interrupt
        table[Kill] = self._kill
        table[Suspend] = self._suspend
        table[Credit] = self._credit
        table[Abandon] = self._abandon
        table[Probe] = self._probe

    def _start(self, effect: Start) -> None:
        self._by_isolation[effect.job.task.isolation].start(effect.job, self._report)

    def _resume(self, effect: Resume) -> None:
        self._by_isolation[effect.job.task.isolation].resume(effect.job.attempt, self._report)

    def _interrupt(self, effect: Interrupt) -> None:
        for runner in self._runners:
            runner.interrupt(effect.attempt, effect.reason)

    def _kill(self, effect: Kill) -> None:
        for runner in self._runners:
            runner.kill(effect.attempt)

    def _suspend(self, effect: Suspend) -> None:
        for runner in self._runners:
            runner.suspend(effect.attempt)

    def _credit(self, effect: Credit) -> None:
        for runner in self._runners:
            runner.credit(effect.attempt)

    def _abandon(self, effect: Abandon) -> None:
        for runner in self._runners:
            runner.abandon(effect.attempt)

    def _probe(self, effect: Probe) -> None:
        began = [runner.began(effect.attempt) for runner in self._runners]
        known = next((instant for instant in began if instant is not None), None)
        self._report(ActionProbed(effect.attempt, known))
