"""A whole engine's logic as a story: who starts, who runs, who ends, what came of it.

Actions are named ``task@entity``, and end when told.
"""

from __future__ import annotations

from typing import Any

from actors.effects import KEEPER, ROUTER, SCHEDULER
from actors.logic.history import view
from actors.logic.routing import OVERLOADED
from actors.messages import (
    ActionNoted,
    AwaitIdle,
    Bootstrap,
    Cancel,
    EventAnswer,
    ExplainTask,
    Note,
    Publish,
    PutEntity,
    ReadEntities,
    ReadInstances,
    ReadStats,
    ResolveTask,
    RunWorkflow,
    SetPriority,
)
from actors.model import (
    NOBODY,
    Entity,
    EntityId,
    EntitySeed,
    ErrorInfo,
    Event,
    EventType,
    Json,
    OutcomeKind,
    ReplyId,
    StopReason,
    Workflow,
    WorkflowId,
)
from actors.views import InstanceView, Receipt, TaskView
from tests.logic.acting import Action, label
from tests.logic.flows import When, chain, group, on_data, task, workflow
from tests.logic.machine import Machine


class World(Machine):
    """One engine, and everybody around it."""

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

    # --- what people do ----------------------------------------------------------------------------

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

    def kinds(self) -> list[str]:
        return [str(change.type) for change in self.changes]


def explained(world: World, label: str) -> dict[str, Any]:
    """What the engine says of why a task is where it is."""
    facts: dict[str, Any] = world.ask(KEEPER, ExplainTask(world.task(label).id))
    return facts


def why(world: World, label: str) -> str:
    text: str = explained(world, label)["why"]
    return text


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
    "OVERLOADED", "Action", "StopReason", "When", "World", "chain", "explained", "full_world", "group", "label",
    "on_data", "task", "why", "workflow",
]  # fmt: skip
