"""A whole engine's logic in one thread: four kinds of actor, a virtual clock, actions that end when told.

Messages wait in inboxes as they would in Pykka's; ``settle`` delivers until none is left, and
``deliver`` lets one actor alone read, so that a story can have messages cross. What must never
happen (two live attempts of one task, a start on a busy agent, a limit overrun) is asserted
whenever an action starts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from actors.effects import (
    KEEPER,
    ROUTER,
    SCHEDULER,
    Abandon,
    Broadcast,
    ClearTimer,
    Credit,
    Effect,
    Interrupt,
    Kill,
    Probe,
    Reply,
    Resume,
    Save,
    Send,
    SetTimer,
    Start,
    Suspend,
)
from actors.logic.history import Calendar, view
from actors.logic.keeping import Keeping
from actors.logic.routing import OVERLOADED, Routing
from actors.logic.scheduling import Scheduling
from actors.logic.working import KILLABLE, Working
from actors.messages import (
    ActionEnded,
    ActionNoted,
    ActionProbed,
    ActionSuspended,
    AttemptEnded,
    AwaitIdle,
    Bootstrap,
    Cancel,
    EventAnswer,
    Message,
    Note,
    Publish,
    PutEntity,
    ReadEntities,
    ReadInstances,
    ReadStats,
    ResolveTask,
    RunWorkflow,
    SetPriority,
    Watch,
)
from actors.model import (
    NOBODY,
    NS_PER_MS,
    AgentGroup,
    AgentName,
    AttemptId,
    Definitions,
    Entity,
    EntityId,
    EntitySeed,
    ErrorInfo,
    Event,
    EventType,
    Instant,
    Job,
    Json,
    Outcome,
    OutcomeKind,
    Phase,
    ReplyId,
    Settings,
    StopReason,
    Task,
    Trigger,
    Workflow,
    WorkflowId,
)
from actors.views import InstanceView, Receipt, StateChanged, TaskView

BEGINNING: Instant = 1_000_000 * NS_PER_MS
UTC = 1_630_000_000.0


# --- definitions in a line ---------------------------------------------------------------------


def task(id: str = "work", *, after: tuple[str, ...] = (), **fields: Any) -> tuple[Task, tuple[str, ...]]:
    """A task and the ids it waits for; its timeout is an hour unless given."""
    return Task(id, 0, action=id, **{"timeout_ms": 3_600_000, **fields}), after


def workflow(id: str, *drafts: tuple[Task, tuple[str, ...]], **fields: Any) -> Workflow:
    """A workflow that is started by hand, unless a trigger is given; of one task of the same name, unless given."""
    drafts = drafts or (task(id),)
    places = {draft.id: place for place, (draft, _) in enumerate(drafts)}
    tasks = tuple(
        replace(draft, index=place, depends_on=tuple(places[name] for name in after))
        for place, (draft, after) in enumerate(drafts)
    )
    dependants = tuple(
        tuple(other.index for other in tasks if place in other.depends_on) for place in range(len(tasks))
    )
    fields.setdefault("trigger", Trigger.MANUAL)
    data_driven = fields.get("trigger_event", EventType.DATA_READY) in ("DATA_READY", "HIGH_PRIORITY_ARRIVED")
    if fields["trigger"] is Trigger.STATE or (fields["trigger"] is Trigger.EVENT and data_driven):
        fields.setdefault("phase", Phase.DATA_READY)
    return Workflow(WorkflowId(id), tasks, dependants, **fields)


def on_data(id: str, *drafts: tuple[Task, tuple[str, ...]], **fields: Any) -> Workflow:
    """A workflow that DATA_READY starts."""
    return workflow(id, *drafts, trigger=Trigger.EVENT, **fields)


def chain(id: str, length: int, **fields: Any) -> Workflow:
    """``id1`` before ``id2`` before ``id3`` and so on."""
    links = [task(f"{id}{n}", after=(f"{id}{n - 1}",) if n > 1 else ()) for n in range(1, length + 1)]
    return workflow(id, *links, **fields)


def group(name: str, count: int, *capabilities: str) -> AgentGroup:
    return AgentGroup(name, count, frozenset(capabilities))


@dataclass(frozen=True)
class When:
    """A condition as a function."""

    holds: Callable[[Mapping[str, Json], Mapping[str, Json] | None], bool]
    reads_event: bool = False
    text: str = "a function"

    def __call__(self, entity: Mapping[str, Json], event: Mapping[str, Json] | None) -> bool:
        return self.holds(entity, event)


# --- actions -----------------------------------------------------------------------------------


@dataclass
class Action:
    """An attempt that runs, or stands still."""

    job: Job
    agent: AgentName
    began: Instant | None
    ends_at: Instant | None = None
    left: Instant | None = None
    suspended: bool = False
    abandoned: bool = False
    told: StopReason | None = None
    checkpoint: Json = None
    saved: Instant | None = None
    credit: bool = True

    @property
    def label(self) -> str:
        return label(self.job)


def label(job: Job) -> str:
    return f"{job.task.id}@{job.entity.id}"


@dataclass
class Told:
    """What has happened to actions, in order; labels are ``task@entity``."""

    started: list[str] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    interrupted: list[tuple[str, StopReason]] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)
    suspended: list[str] = field(default_factory=list)
    resumed: list[tuple[str, str]] = field(default_factory=list)
    abandoned: list[str] = field(default_factory=list)
    ended: list[tuple[str, OutcomeKind]] = field(default_factory=list)


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


class World:
    def __init__(
        self,
        *workflows: Workflow,
        agents: int = 1,
        groups: tuple[AgentGroup, ...] = (),
        **settings: Any,
    ) -> None:
        self.now = BEGINNING
        self.settings = Settings(agents=groups or (AgentGroup(count=agents),), **settings)
        self.definitions = Definitions({w.id: w for w in workflows}, self.settings)
        names = [(AgentName(f"{g.name}_{n}"), g.capabilities) for g in self.settings.agents for n in range(g.count)]
        self.calendar = Calendar(UTC, BEGINNING)
        self.keeping = Keeping(self.definitions, calendar=self.calendar, store_id="store")
        self.scheduling = Scheduling(self.definitions.workflows, names)
        self.routing = Routing(self.definitions, "run")
        self.working = {name: Working(name) for name, _ in names}
        self.logic: dict[str, Any] = {
            KEEPER: self.keeping, SCHEDULER: self.scheduling, ROUTER: self.routing, **dict(self.working.items()),
        }  # fmt: skip
        self.inbox: dict[str, deque[tuple[str, Message]]] = {name: deque() for name in self.logic}
        self.timers: dict[tuple[str, object], tuple[Instant, int, Message]] = {}
        self.records: dict[str, Any] = {}
        self.changes: list[StateChanged] = []
        self.actions: dict[AttemptId, Action] = {}
        self.told = Told()
        self.sent: list[tuple[str, str, Message]] = []
        """Every message between actors: from, to, what."""
        self.takes: dict[str, int] = {}
        """Tasks whose actions end by themselves, and after how many ms."""
        self.deaf: set[str] = set()
        """Tasks whose actions do not hear that they should stop."""
        self.slow_to_begin: set[str] = set()
        """Tasks whose actions have not run their first line yet."""
        self._answers: dict[ReplyId, Any] = {}
        self._asked: list[ReplyId] = []
        self._numbers = 0
        self._post(KEEPER, Watch(watched=True), "test")
        for working in self.working.values():
            self._perform(working.name, working.begin())
        self.settle()

    # --- the machinery ---------------------------------------------------------------------------

    def _post(self, to: str, message: Any, sender: str = "test") -> None:
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
        if batch:
            self._perform(name, effects + logic.settle(self.now))

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
            match effect:
                case Send(to, message):
                    if isinstance(message, AttemptEnded) and message.outcome.error is not None:
                        assert message.outcome.error.type != "Refused", f"S2: {message}"
                    self._post(to, message, name)
                case Reply(number, value):
                    assert number not in self._answers, "answered twice"
                    self._answers[number] = value
                case SetTimer(key, at, message):
                    self._numbers += 1
                    self.timers[name, key] = (at, self._numbers, message)
                case ClearTimer(key):
                    self.timers.pop((name, key), None)
                case Save(finished):
                    for record in finished:
                        assert record[0] not in self.records, f"S4: {record[0]} ended twice"
                        self.records[record[0]] = record
                case Broadcast(changes):
                    self.changes += changes
                case _:
                    self._act(AgentName(name), effect)

    def _act(self, agent: AgentName, effect: Effect) -> None:
        """What a runner does."""
        match effect:
            case Start(job):
                self._start(agent, job)
            case Resume(job):
                action = self.actions[job.attempt]
                assert action.suspended
                action.suspended, action.agent = False, agent
                action.ends_at = None if action.left is None else self.now + action.left
                self.told.resumed.append((action.label, agent))
                self._check_limit(job)
            case Interrupt(attempt, reason):
                if attempt in self.actions:
                    action = self.actions[attempt]
                    action.told = reason
                    self.told.interrupted.append((action.label, reason))
                    if action.job.task.id not in self.deaf:
                        self._end(action, OutcomeKind.STOPPED)
            case Kill(attempt):
                if attempt in self.actions and self.actions[attempt].job.task.isolation in KILLABLE:
                    self.told.killed.append(self.actions[attempt].label)
                    self._end(self.actions[attempt], OutcomeKind.STOPPED, killed=True)
            case Suspend(attempt):
                if attempt in self.actions:
                    action = self.actions[attempt]
                    action.suspended = True
                    action.left = None if action.ends_at is None else action.ends_at - self.now
                    self.told.suspended.append(action.label)
                    self._post(action.agent, ActionSuspended(attempt), "runner")
            case Credit(attempt):
                if attempt in self.actions:
                    self.actions[attempt].credit = True
            case Probe(attempt):
                began = self.actions[attempt].began if attempt in self.actions else None
                self._post(agent, ActionProbed(attempt, began), "runner")
            case Abandon(attempt):
                self.actions[attempt].abandoned = True
                self.told.abandoned.append(self.actions[attempt].label)
            case _:
                raise AssertionError(f"nobody performs {effect}")

    def _start(self, agent: AgentName, job: Job) -> None:
        live = [a for a in self.actions.values() if a.job.attempt.task == job.attempt.task]
        assert not live, f"S1: {job.attempt} starts while {live[0].job.attempt} lives"
        busy = [a for a in self.actions.values() if a.agent == agent and not (a.suspended or a.abandoned)]
        assert not busy, f"S2: {agent} has {busy[0].label} already"
        takes = self.takes.get(job.task.id)
        began = None if job.task.id in self.slow_to_begin else self.now
        ends_at = None if takes is None else self.now + takes * NS_PER_MS
        self.actions[job.attempt] = Action(job, agent, began, ends_at)
        self.told.started.append(label(job))
        self.told.jobs.append(job)
        self._check_limit(job)

    def _check_limit(self, job: Job) -> None:
        limit = self.definitions.workflows[job.workflow].max_concurrent
        live = [a for a in self.actions.values() if a.job.workflow == job.workflow and not a.suspended]
        assert limit is None or len(live) <= limit, f"{job.workflow} runs {len(live)} of {limit}"

    def _end(self, action: Action, kind: OutcomeKind, **fields: Any) -> None:
        del self.actions[action.job.attempt]
        self.told.ended.append((action.label, kind))
        outcome = Outcome(
            kind, checkpoint=action.checkpoint, began=action.began, ended=self.now, saved=action.saved, **fields
        )
        self._post(action.agent, ActionEnded(action.job.attempt, outcome), "runner")

    # --- actions, by label -----------------------------------------------------------------------

    def live(self, label: str) -> Action:
        found = [action for action in self.actions.values() if action.label == label]
        assert len(found) == 1, f"{label}: {len(found)} of {sorted(a.label for a in self.actions.values())}"
        return found[0]

    def running(self) -> list[str]:
        """Labels of what runs now, sorted; not what is suspended or set aside."""
        return sorted(a.label for a in self.actions.values() if not (a.suspended or a.abandoned))

    def end(self, label: str, result: Json = None, *, settle: bool = True) -> None:
        self._end(self.live(label), OutcomeKind.COMPLETED, result=result)
        if settle:
            self.settle()

    def fail(self, label: str, *, retryable: bool = True) -> None:
        error = ErrorInfo("ValueError", "no such price", retryable=retryable)
        self._end(self.live(label), OutcomeKind.FAILED, error=error)
        self.settle()

    def lose(self, label: str) -> None:
        """Its process is gone."""
        self._end(self.live(label), OutcomeKind.LOST, error=ErrorInfo("Crash", "killed by signal 11"))
        self.settle()

    def stop(self, label: str) -> None:
        """A deaf action leaves at last."""
        self._end(self.live(label), OutcomeKind.STOPPED)
        self.settle()

    def checkpoint(self, label: str, value: Json) -> None:
        action = self.live(label)
        action.checkpoint, action.saved = value, self.now
        if action.credit:
            action.credit = False
            self._post(action.agent, ActionNoted(action.job.attempt, Note(checkpoint=value)), "runner")
            self.settle()

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

    # --- from outside ----------------------------------------------------------------------------

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

    def put(self, id: str, **fields: Any) -> Entity:
        entity: Entity = self.ask(KEEPER, PutEntity(EntitySeed(EntityId(id), **fields)))
        return entity

    def entity(self, id: str) -> Entity:
        entity: Entity = self.ask(KEEPER, ReadEntities(EntityId(id)))
        return entity

    def run(self, workflow: str, *entities: str, settle: bool = True) -> None:
        """Start it by hand for each entity, in order; entities unknown so far are added, not ready for anything."""
        for entity in entities:
            self._post(KEEPER, PutEntity(EntitySeed(EntityId(entity), phase="by_hand")))
            self._post(KEEPER, RunWorkflow(WorkflowId(workflow), EntityId(entity)))
        if settle:
            self.settle()

    def cancel(self, entity: str) -> None:
        self.ask(KEEPER, self.cancel_message(entity))

    def cancel_message(self, entity: str) -> Cancel:
        """For the entity's oldest unfinished instance."""
        return Cancel(self._unfinished(entity))

    def set_priority(self, entity: str, priority: int) -> None:
        """Of the entity's unfinished instance; of one task of it, if given as ``task@entity``."""
        name, _, owner = entity.rpartition("@")
        instance = next(one for one in self.instances(owner) if one.status == "running")
        id = next(t.id for t in instance.tasks if t.task == name) if name else instance.id
        self.ask(KEEPER, SetPriority(id, priority))

    def resolve(self, label: str, outcome: str) -> None:
        self.ask(KEEPER, ResolveTask(self.task(label).id, outcome))

    def _unfinished(self, entity: str) -> str:
        return next(one.id for one in self.keeping_view() if one.entity_id == entity)

    def publish(self, entity: str, type: str = EventType.DATA_READY, **fields: Any) -> Receipt:
        (answer,) = self.answers(Event(type, entity, **fields))
        assert answer.receipt is not None, answer.refusal
        return answer.receipt

    def answers(self, *events: Event) -> tuple[EventAnswer, ...]:
        answers: tuple[EventAnswer, ...] = self.ask(ROUTER, Publish(events))
        return answers

    def refusal(self, event: Event) -> str:
        (answer,) = self.answers(event)
        assert answer.receipt is None
        return answer.refusal

    def bootstrap(self, *seeds: EntitySeed) -> None:
        self.tell(KEEPER, Bootstrap(seeds, ()))

    # --- what can be read ------------------------------------------------------------------------

    def instances(self, entity: str | None = None) -> list[InstanceView]:
        """All of them, oldest first."""
        live: tuple[InstanceView, ...] = self.ask(KEEPER, ReadInstances(limit=1_000_000))
        ended = [view(record, self.calendar) for record in self.records.values()]
        every = [*ended, *reversed(live)]
        return [one for one in every if entity in (None, one.entity_id)]

    def keeping_view(self) -> list[InstanceView]:
        """Unfinished instances as the keeper sees them now; what is under way between actors stays there."""
        self._numbers += 1
        number = ReplyId(self._numbers)
        effects = self.keeping.receive(ReadInstances(reply=number), self.now)
        self._perform(KEEPER, effects + self.keeping.settle(self.now))
        shown: tuple[InstanceView, ...] = self._answers[number]
        return list(reversed(shown))

    def all_entities(self) -> tuple[Entity, ...]:
        entities: tuple[Entity, ...] = self.ask(KEEPER, ReadEntities())
        return entities

    def unanswered(self) -> list[ReplyId]:
        """Who asked and was never answered."""
        return [number for number in self._asked if number not in self._answers]

    def instance(self, entity: str) -> InstanceView:
        (one,) = self.instances(entity)
        return one

    def task(self, label: str) -> TaskView:
        """The task of the entity's newest instance that has it."""
        name, entity = label.split("@")
        return next(t for one in reversed(self.instances(entity)) for t in one.tasks if t.task == name)

    def stats(self, actor: str = SCHEDULER) -> dict[str, Any]:
        stats: dict[str, Any] = self.ask(actor, ReadStats())
        return stats

    @property
    def preemptions(self) -> int:
        count: int = self.stats()["preemptions"]
        return count

    def idle(self) -> bool:
        """Whether the engine says that nothing accepted is left undone."""
        idle = self.promise(ROUTER, AwaitIdle(NOBODY))
        self.settle()
        return idle.kept

    def messages(self, kind: type[Any], to: str | None = None) -> list[Any]:
        return [message for _, receiver, message in self.sent if type(message) is kind and to in (None, receiver)]

    def kinds(self) -> list[str]:
        return [str(change.type) for change in self.changes]


def full_world(*workflows: Workflow, agents: int, **settings: Any) -> World:
    """A world whose agents all run one long low-priority ``study`` each, at priority 2, started in order.

    They are ``study@low1``, ``study@low2`` and so on; the last one started latest.
    """
    world = World(workflow("study", task("study"), priority=2), *workflows, agents=agents, **settings)
    for number in range(1, agents + 1):
        world.run("study", f"low{number}")
        world.pass_ms(1)
    assert len(world.running()) == agents
    return world


__all__ = [
    "OVERLOADED", "Action", "StopReason", "When", "World", "chain", "full_world", "group", "label", "on_data",
    "task", "workflow",
]  # fmt: skip
