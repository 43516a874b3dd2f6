"""The four actors' logic, their inboxes, a clock and a runner, in one thread.

Messages wait in inboxes as they would in Pykka's; ``settle`` delivers until none is left, and
``deliver`` lets one actor alone read, so that a story can have messages cross. What must never
happen (two live attempts of one task, a start on a busy agent, a limit overrun) is asserted
whenever an action starts. ``crash`` lets a logic forget everything, as its shell would after
an exception: a fresh one is told what its neighbours know.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from actors.asks import ASKING, OpenAsks
from actors.effects import (
    KEEPER,
    ROUTER,
    SCHEDULER,
    Broadcast,
    ClearTimer,
    Effect,
    Reply,
    Save,
    Send,
    SetTimer,
)
from actors.errors import EngineError
from actors.logic.history import Calendar
from actors.logic.keeping import Keeping
from actors.logic.reaping import Death
from actors.logic.routing import Routing
from actors.logic.scheduling import Scheduling
from actors.logic.working import Working
from actors.messages import (
    AdoptDefinitions,
    AttemptEnded,
    EndTaken,
    Message,
    StopAgents,
    Watch,
)
from actors.model import (
    NOBODY,
    NS_PER_MS,
    AgentGroup,
    AgentName,
    Definitions,
    ErrorInfo,
    Instant,
    OutcomeKind,
    ReplyId,
    Settings,
    Workflow,
)
from actors.simulation.ledger import AgentLedger
from actors.views import StateChanged
from tests.logic.acting import Acting

BEGINNING: Instant = 1_000_000 * NS_PER_MS
UTC = 1_630_000_000.0


@dataclass(frozen=True)
class Promise:
    """An answer to come."""

    number: ReplyId
    answers: Mapping[ReplyId, Any]

    @property
    def kept(self) -> bool:
        """Whether it has come; it may be None."""
        return self.number in self.answers

    def __call__(self) -> Any:
        """The answer; None while there is none."""
        return self.answers.get(self.number)


class Machine(Acting):
    def __init__(
        self,
        *workflows: Workflow,
        agents: int = 1,
        groups: tuple[AgentGroup, ...] = (),
        **settings: Any,
    ) -> None:
        super().__init__(BEGINNING)
        self.settings = Settings(agents=groups or (AgentGroup(count=agents),), **settings)
        self.definitions = Definitions({w.id: w for w in workflows}, self.settings)
        self.library = {self.definitions.version: self.definitions}
        names = [(AgentName(f"{g.name}_{n}"), g.capabilities) for g in self.settings.agents for n in range(g.count)]
        self.calendar = Calendar(UTC, BEGINNING)
        self.keeping = Keeping(self.definitions, calendar=self.calendar, store_id="store", library=self.library)
        self.scheduling = Scheduling(self.definitions.workflows, names, starvation_ms=self.settings.starvation_ms)
        self.routing = Routing(self.definitions, "run")
        self.working = {name: Working(name) for name, _ in names}
        self.ledgers = {str(name): AgentLedger() for name, _ in names}
        self.crashes: Counter[str] = Counter()
        """How often each logic was rebuilt: the generation of those that have one."""
        self.agent_names = names
        self.logic: dict[str, Any] = {
            KEEPER: self.keeping, SCHEDULER: self.scheduling, ROUTER: self.routing, **dict(self.working.items()),
        }  # fmt: skip
        self.inbox: dict[str, deque[tuple[str, Message]]] = {name: deque() for name in self.logic}
        self.timers: dict[tuple[str, object], tuple[Instant, int, Message]] = {}
        self.records: dict[str, Any] = {}
        self.changes: list[StateChanged] = []
        self.sent: list[tuple[str, str, Message]] = []
        """Every message between actors: from, to, what."""
        self._stop: StopAgents | None = None
        """As the engine remembers it for a scheduler that is rebuilt."""
        self._answers: dict[ReplyId, Any] = {}
        self._asked: list[ReplyId] = []
        self._numbers = 0
        self._asks = {name: OpenAsks(lambda _number: True) for name in self.logic}
        self._post(KEEPER, Watch(watched=True), "test")
        for working in self.working.values():
            self._perform(working.name, working.begin(self.now))
        self.settle()

    # --- the machinery ---------------------------------------------------------------------------

    def _post(self, to: str, message: Any, sender: str = "test") -> None:
        if isinstance(message, StopAgents) and (self._stop is None or message.grace < self._stop.grace):
            self._stop = replace(message, reply=NOBODY)
        self.sent.append((sender, to, message))
        self.inbox[to].append((sender, message))

    def deliver(self, *names: str, most: int | None = None) -> None:
        """Let these actors, one after another, read what is in their inboxes (or the ``most`` first)."""
        for name in names:
            inbox = self.inbox[name]
            batch = [inbox.popleft()[1] for _ in range(len(inbox) if most is None else min(most, len(inbox)))]
            self.feed(name, batch)

    def feed(self, name: str, batch: list[Any]) -> None:
        logic = self.logic[name]
        effects: list[Effect] = []
        for message in batch:
            effects += logic.receive(message, self.now)
            if type(message) in ASKING:
                self._asks[name].took(message)
            if isinstance(message, EndTaken):
                self.ledgers[name].took(message)
        if batch:
            self._perform(name, effects + logic.settle(self.now))
            logic.check()

    def crash(self, name: str, *, lose_inbox: bool = False) -> None:
        """Its logic knows nothing any more; the shell makes a fresh one and asks it again what is open.

        What a runner reports is never lost, whatever the inbox loses; who asked for what is lost is told.
        """
        self.crashes[name] += 1
        if lose_inbox:
            kept = [(sender, message) for sender, message in self.inbox[name] if sender == "runner"]
            for sender, message in self.inbox[name]:
                number = getattr(message, "reply", NOBODY)
                if sender != "runner" and number != NOBODY:
                    self._answers[number] = EngineError("lost")
            self.inbox[name] = deque(kept)
        if name == SCHEDULER:
            crashes, stop = self.crashes[name], self._stop
            self.scheduling = Scheduling(self.definitions.workflows, self.agent_names, generation=crashes, stop=stop)
            self.logic[name] = self.scheduling
        elif name == ROUTER:
            self.routing = Routing(self.definitions, "run", generation=self.crashes[name])
            self.logic[name] = self.routing
        else:
            self.logic[name] = self.working[AgentName(name)] = self._next_working(AgentName(name))
        self._perform(name, self.logic[name].begin(self.now))
        for message in self._asks[name].all():
            self.feed(name, [message])

    def _next_working(self, name: AgentName, *, final: bool = False) -> Working:
        ledger = self.ledgers[name]
        death = Death(ErrorInfo("ValueError", "planted"), "RunAttempt", final)
        reported = ledger.reported
        incarnation = self.working[name].incarnation + 1
        return Working(name, incarnation=incarnation, orphans=ledger.orphans, death=death, reported=reported)

    def load(self, version: str, *workflows: Workflow, **settings: Any) -> AdoptDefinitions:
        """Add another version of the definitions, which the message puts in force."""
        changed = replace(self.settings, **settings)
        self.library[version] = Definitions({w.id: w for w in workflows}, changed, version=version)
        return AdoptDefinitions(version)

    def settle(self) -> None:
        """Deliver until every inbox is empty; no time passes."""
        for _ in range(10_000):
            waiting = [name for name, inbox in self.inbox.items() if inbox]
            if not waiting:
                return
            self.deliver(*waiting)
        raise AssertionError("messages without end")

    def pass_ms(self, ms: float) -> None:
        """Let time pass; timers ring and actions end on the way."""
        target = self.now + int(ms * NS_PER_MS)
        self.settle()
        while (due := self.next_due()) is not None and due <= target:
            self.now = max(self.now, due)
            self.ring()
            self.settle()
        self.now = target

    def next_due(self) -> Instant | None:
        ends = [a.ends_at for a in self.actions.values() if a.ends_at is not None and not a.suspended]
        return min([*ends, *(at for at, _, _ in self.timers.values())], default=None)

    def ring(self) -> None:
        """Post what is due by now; deliver nothing."""
        due = sorted((at, n, owner, key) for (owner, key), (at, n, _) in self.timers.items() if at <= self.now)
        for _, _, owner, key in due:
            self._post(owner, self.timers.pop((owner, key))[2], "timer")
        for action in [a for a in self.actions.values() if a.ends_at is not None and not a.suspended]:
            if action.ends_at is not None and action.ends_at <= self.now:
                self._end(action, OutcomeKind.COMPLETED, result=action.job.task.id)

    def _perform(self, name: str, effects: list[Effect]) -> None:
        for effect in effects:
            if name in self.ledgers:
                self.ledgers[name].performed(effect)
            match effect:
                case Send(to, message):
                    if type(message) in ASKING:
                        self._asks[name].handed_on(message)
                    if isinstance(message, AttemptEnded) and message.outcome.error is not None:
                        assert message.outcome.error.type != "Refused", f"S2: {message}"
                    self._post(to, message, name)
                case Reply(number, value):
                    assert number not in self._answers, "answered twice"
                    self._asks[name].answered(number)
                    self._answers[number] = value
                case SetTimer(key, at, message):
                    self._numbers += 1
                    self.timers[name, key] = (at, self._numbers, message)
                case ClearTimer(key):
                    self.timers.pop((name, key), None)
                case Save(finished, retried):
                    for record in finished:
                        assert record[0] not in self.records, f"S4: {record[0]} ended twice"
                        self.records[record[0]] = record
                    for old, by in retried:
                        self.records[old] = (*self.records[old][:-1], by)
                case Broadcast(changes):
                    self.changes += changes
                case _:
                    self._act(AgentName(name), effect)

    def finish_all(self) -> None:
        """End every action with a result as soon as it runs, and let timers ring, until there is nothing left."""
        for _ in range(100_000):
            self.settle()
            action = next((a for a in self.actions.values() if not a.suspended), None)
            if action is not None:
                self._end(action, OutcomeKind.COMPLETED)
                continue
            if self.inbox_empty() and not self.timers:
                return
            due = self.next_due()
            assert due is not None, f"stuck: {sorted(a.label for a in self.actions.values())} stand still for ever"
            self.now = max(self.now, due)
            self.ring()
        raise AssertionError("work without end")

    def inbox_empty(self) -> bool:
        return not any(self.inbox.values())

    # --- messages from outside -------------------------------------------------------------------

    def post(self, to: str, message: Any) -> None:
        """Put a message into an inbox; it is read when delivered."""
        self._post(to, message)

    def tell(self, to: str, message: Any) -> None:
        self._post(to, message)
        self.settle()

    def promise(self, to: str, message: Any) -> Promise:
        """Ask, and return what fetches the answer."""
        self._numbers += 1
        number = ReplyId(self._numbers)
        self._asked.append(number)
        self._post(to, replace(message, reply=number))
        return Promise(number, self._answers)

    def ask(self, to: str, message: Any) -> Any:
        answer = self.promise(to, message)
        self.settle()
        value = answer()
        if isinstance(value, Exception):
            raise value
        return value

    def messages(self, kind: type[Any], to: str | None = None) -> list[Any]:
        return [message for _, receiver, message in self.sent if type(message) is kind and to in (None, receiver)]
