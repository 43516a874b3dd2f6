"""The engine's logic in a storm: whatever may overtake something else, may.

Messages from one sender to one receiver stay in order; which is delivered next, how many make
a batch, how actions end and when time passes is chosen. Each step draws its choices for
itself, so that a story can be shortened step by step.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from actors.effects import KEEPER, ROUTER, SCHEDULER, Effect, Send
from actors.logic.reaping import KILLABLE, Death
from actors.logic.working import Working
from actors.messages import ActionNoted, AttemptClosed, AttemptEnded, CancelAttempt, Note, ReleaseAttempt, StopAgents
from actors.model import ALL, NS_PER_MS, AgentName, Definitions, Instant, Job, Millis, OutcomeKind, ReplyId
from actors.simulation.channels import ECHO, Channels
from actors.simulation.choices import Choices
from actors.simulation.ledger import AgentLedger
from actors.simulation.parts import Parts
from actors.simulation.plans import Plan
from actors.simulation.runner import RUNNER, Action
from actors.simulation.shell import Crash, Shell
from actors.simulation.watching import Watcher

MOST_CRASHES = 3
_TAKES_MS = (20, 60, 200, 3_600_000, 3_600_000)
_PAUSES_MS = (1, 5, 20, 110)
REPEATABLE = frozenset({AttemptEnded, AttemptClosed, CancelAttempt, ReleaseAttempt})
"""Messages that may come twice: who was rebuilt, or serves one that was, says again what may have been lost."""


class Storm:
    """Steps of a storm. Whoever drives it says how many of which."""

    def __init__(self, definitions: Definitions, choices: Choices, watcher: Watcher) -> None:
        self.choices = choices
        self.watcher = watcher
        self.channels = Channels()
        self.parts = Parts(definitions, self._plan, self._post)
        self.parts.runner.started = watcher.started
        self.parts.runner.ended = watcher.ended
        self._calm = False
        self.taken_out: set[str] = set()
        """Agents that crashed too often: they have ended what they had begun, or do so, and take no more."""
        self.shells = {
            name: Shell(name, partial(self._fresh, name), self.perform, watcher) for name in self.parts.names()
        }
        for shell in self.shells.values():
            shell.begin(self.now)

    @property
    def now(self) -> Instant:
        return self.parts.now

    def _post(self, sender: str, to: str, message: Any) -> None:
        self.watcher.sent(sender, to, message)
        self.channels.post(sender, to, message)

    def post(self, sender: str, to: str, message: Any) -> None:
        """A message from outside."""
        self._post(sender, to, message)

    def order_stop(self, grace: Millis, reply: ReplyId) -> None:
        """The engine stops: the scheduler is told, and so is every one that comes after it."""
        order = self.parts.generations.order_stop(grace, self.now)
        self.post("user", SCHEDULER, replace(order, reply=reply))

    @property
    def stop(self) -> StopAgents | None:
        """The order to stop, as the engine remembers it for a scheduler that is rebuilt."""
        return self.parts.generations.stop

    def calm_down(self, choices: Choices) -> None:
        """From now on actions hear, end by themselves and succeed."""
        self.choices = choices
        self._calm = True
        for action in [*self.parts.runner.actions.values()]:
            if not action.suspended:
                self._end_well(action)

    def _end_well(self, action: Action) -> None:
        kind = OutcomeKind.COMPLETED if action.told is None else OutcomeKind.STOPPED
        self.parts.runner.end(action, kind)

    def _plan(self, job: Job, restored: int) -> Plan:
        """Most actions hear at once; some late, some never. Most end when a step says so."""
        pick = self.choices.pick
        if self._calm:
            return Plan(restored + NS_PER_MS)
        takes = _TAKES_MS[pick(len(_TAKES_MS))] * NS_PER_MS
        hears = (0, 0, 15 * NS_PER_MS, 300 * NS_PER_MS, None)[pick(5)]
        kind = (OutcomeKind.COMPLETED, OutcomeKind.COMPLETED, OutcomeKind.FAILED, OutcomeKind.LOST)[pick(4)]
        if kind is OutcomeKind.LOST and job.task.isolation not in KILLABLE:
            kind = OutcomeKind.COMPLETED
        begins_after = (0, 0, 0, 3 * NS_PER_MS)[pick(4)]
        keeps, retryable = pick(3) < 2, pick(4) < 3
        return Plan(restored + takes, kind, hears, keeps, job.task.id, begins_after, retryable)

    # --- steps -----------------------------------------------------------------------------------

    def deliver(self) -> bool:
        """Somebody reads some of what is there; false if there is nothing."""
        if not len(self.channels):
            return False
        name, batch = self.channels.take(self.choices)
        for sender, message in batch:
            if type(message) in REPEATABLE and not sender.startswith(ECHO) and self.choices.pick(5) == 1:
                self.watcher.repeated(message)
                self.channels.post(ECHO + sender, name, message)
        self.shells[name].feed(batch, self.now, self._crash(name, batch))
        check = getattr(self.shells[name].logic, "check", None)
        if check is not None:
            check()
        return True

    def _crash(self, name: str, batch: list[tuple[str, Any]]) -> Crash | None:
        """Whether its logic crashes over this batch, and how."""
        pick = self.choices.pick
        if self._calm or pick(40) != 1 or not self._may_crash(name):
            return None
        at, after = pick(len(batch)), pick(2) == 1
        twice = pick(4) == 1
        if name != KEEPER and pick(3) == 1:
            lost = self.channels.lose(name)
            self.watcher.lost(name, lost)
        final = pick(6) == 1 and self._can_spare(name)
        if final:
            self.taken_out.add(name)
        return Crash(at, after=after, twice=twice, final=final)

    def _can_spare(self, name: str) -> bool:
        """Whether it is an agent, and another one is left that can do all that it can."""
        agents = dict(self.parts.agent_names)
        return name in agents and any(
            ALL in capabilities and other != name and other not in self.taken_out
            for other, capabilities in agents.items()
        )

    def _may_crash(self, name: str) -> bool:
        """Fewer times than would stop the engine, as it would if an agent crashed that is taken out."""
        shell = self.shells[name]
        if shell.crashes >= MOST_CRASHES or name in self.taken_out:
            return False
        return name != KEEPER or hasattr(shell.logic, "state")

    def _fresh(self, name: str, crashes: int, ledger: AgentLedger, death: Death | None) -> Any:
        """An actor's logic after so many crashes."""
        parts = self.parts
        old, generations = parts.logics[name], parts.generations
        if not crashes:
            logic = old
        elif name == KEEPER:
            logic = generations.keeping(crashes)
        elif name == SCHEDULER:
            logic = generations.scheduling(crashes)
        elif name == ROUTER:
            logic = generations.routing(crashes)
        else:
            logic = Working(
                AgentName(name), incarnation=ledger.incarnation, orphans=ledger.orphans, death=death,
                reported=ledger.reported,
            )  # fmt: skip
        parts.logics[name] = logic
        return logic

    def perform(self, name: str, effects: list[Effect]) -> None:
        for effect in effects:
            if type(effect) is not Send:
                self.watcher.effect(name, effect)
            self.parts.perform(name, [effect])

    def act(self) -> bool:
        """Something happens in an action; false if none runs."""
        runner, pick = self.parts.runner, self.choices.pick
        live = [action for action in runner.actions.values() if not action.suspended]
        if not live:
            return False
        action = live[pick(len(live))]
        match pick(8):
            case 0 | 1 | 2:
                runner.end(action, OutcomeKind.COMPLETED)
            case 3:
                runner.end(action, OutcomeKind.FAILED)
            case 4:
                killable = action.job.task.isolation in KILLABLE
                runner.end(action, OutcomeKind.LOST if killable else OutcomeKind.FAILED)
            case 5:
                if action.told is not None or pick(8) == 1:  # Rarely, it leaves without having been asked to.
                    runner.end(action, OutcomeKind.STOPPED)
            case _:
                note = Note(checkpoint=action.work(self.now), progress=(0.5, "half"))
                self._post(RUNNER, action.agent, ActionNoted(action.job.attempt, note))
        return True

    def pass_time(self) -> bool:
        """Until the next thing that is due, or a while: messages stay where they are."""
        pick, agenda = self.choices.pick, self.parts.agenda
        due = agenda.next_at()
        chosen = pick(1 + len(_PAUSES_MS))
        if chosen:
            until = self.now + _PAUSES_MS[chosen - 1] * NS_PER_MS
        elif due is not None and agenda.matters:
            until = due
        else:
            return False
        while due is not None and due <= until:
            self.parts.advance(max(self.now, due))
            self.parts.ring()
            due = agenda.next_at()
        self.parts.advance(max(self.now, until))
        return True
