"""What callers outside ask of the keeper in order to change something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, assert_never

from actors.effects import SCHEDULER
from actors.errors import NotFoundError, RefusedError
from actors.logic.books import Books
from actors.logic.rows import Row
from actors.logic.state import State
from actors.logic.workflows import Instance
from actors.messages import (
    Cancel,
    DrainAgent,
    DropDeadLetter,
    HoldAgent,
    HoldWorkflow,
    PauseWorkflow,
    PutEntity,
    ResolveTask,
    RetryDeadLetter,
    RetryInstance,
    RunWorkflow,
    SetPriority,
)
from actors.model import (
    AgentName,
    Entity,
    EntityId,
    EntitySeed,
    Instant,
    OnUnknownEntity,
    TaskStatus,
    Workflow,
    WorkflowId,
)
from actors.views import Receipt

Start: TypeAlias = RunWorkflow | RetryInstance
Hold: TypeAlias = PauseWorkflow | DrainAgent
DeadLetter: TypeAlias = RetryDeadLetter | DropDeadLetter
Change: TypeAlias = PutEntity | Start | Cancel | SetPriority | Hold | DeadLetter | ResolveTask


class Steering:
    def __init__(self, state: State, books: Books) -> None:
        self._state = state
        self._books = books
        self.paused = state.paused

    def receive(self, message: Change, now: Instant) -> None:
        """Do it and answer; a refusal is an answer too."""
        try:
            self._change(message, now)
        except (NotFoundError, RefusedError) as refusal:
            self._books.out.reply(message.reply, refusal)

    def _change(self, message: Change, now: Instant) -> None:
        out = self._books.out
        match message:
            case PutEntity(seed, reply):
                out.reply(reply, self._put(seed, now))
            case RunWorkflow(workflow, entity, params, reply):
                out.reply(reply, self._run_by_hand(workflow, entity, params, now))
            case RetryInstance():
                out.reply(message.reply, self._retry(message, now))
            case Cancel(identity, reply):
                instance, _ = self._books.find(identity)
                self._books.endings.cancel(instance, now)
                out.reply(reply, instance.id)
            case SetPriority(identity, priority, reply):
                instance, run = self._books.find(identity)
                self._state.touch_whole(instance)
                before = [instance.task_priority(task) for task in instance.workflow.tasks]
                if run is not None:
                    run.fixed_priority = priority
                else:
                    instance.fixed_priority = priority
                    for each in instance.runs:
                        each.fixed_priority = None
                self._books.instances.reprioritised(instance, before)
                out.reply(reply, instance.id)
            case PauseWorkflow(workflow, paused, reply):
                self._pause(workflow, paused=paused)
                out.reply(reply, None)
            case DrainAgent(agent, drained, reply):
                self._drain(agent, now, drained=drained)
                out.reply(reply, None)
            case RetryDeadLetter(number, reply):
                out.reply(reply, self._books.intake.retry(number, now))
            case DropDeadLetter(number, reply):
                self._books.intake.drop(number)
                out.reply(reply, None)
            case ResolveTask(identity, outcome, reply):
                instance, run = self._books.find_task(identity)
                if run is None or run.status is not TaskStatus.UNKNOWN:
                    raise RefusedError(f"{identity} is not a task whose outcome is unknown; nothing to resolve")
                if outcome == "retry" and run.in_line:
                    raise RefusedError(f"the last attempt of {identity} has not ended; it cannot run again yet")
                self._books.endings.resolve(instance, run, outcome, now)
                out.reply(reply, None)
            case _:
                assert_never(message)

    def _put(self, seed: EntitySeed, now: Instant) -> Entity:
        table, most = self._books.table, self._books.definitions.settings.max_entities
        if table.get(seed.id) is None and len(table) >= most:
            raise RefusedError(f"the state table is full ({most} entities)")
        row = table.put(seed)
        self._books.intake.put_row(row, now)
        return row.entity

    def _pause(self, workflow: WorkflowId | None, *, paused: bool) -> None:
        if workflow is None:
            self._state.all_paused = paused
        else:
            if workflow not in self._books.names and workflow not in self.paused:
                self._workflow(workflow)
            self._state.will_change(self.paused)
            (self.paused.add if paused else self.paused.discard)(workflow)
        self._books.out.send(SCHEDULER, HoldWorkflow(workflow, paused))

    def _drain(self, agent: AgentName, now: Instant, *, drained: bool) -> None:
        self._agent(agent)
        state, out = self._state, self._books.out
        state.drained = state.drained | {agent} if drained else state.drained - {agent}
        out.send(SCHEDULER, HoldAgent(agent, drained))
        out.agent_change(now, agent, "draining" if drained else "undrained")

    def _workflow(self, workflow: WorkflowId) -> Workflow:
        found = self._books.definitions.workflows.get(workflow)
        if found is None:
            known = ", ".join(sorted(self._books.definitions.workflows)) or "none"
            raise NotFoundError(f"no workflow {workflow!r}; there are: {known}")
        return found

    def _agent(self, agent: AgentName) -> None:
        groups = self._books.definitions.settings.agents
        name, _, number = agent.rpartition("_")
        place = int(number) if number.isdecimal() and len(number) < 10 else None
        named = place is not None and number == str(place)
        if not (named and any(group.name == name and place in range(group.count) for group in groups)):
            known = ", ".join(f"{group.name}_0 to {group.name}_{group.count - 1}" for group in groups)
            raise NotFoundError(f"no agent {agent!r}; there are: {known}")

    def _add(self, entity: EntityId, now: Instant) -> Row:
        """An entity that the table does not know yet; in no phase, so that the table itself calls for nothing."""
        books = self._books
        if books.definitions.settings.on_unknown_entity is OnUnknownEntity.REJECT:
            raise NotFoundError(f"the state table has no entity {entity!r}; put it first")
        row = books.table.add(Entity(entity, phase=""))
        books.intake.put_row(row, now, known=False)
        return row

    def _run_by_hand(
        self, workflow: WorkflowId, entity: EntityId, params: Mapping[str, object] | None, now: Instant
    ) -> Receipt:
        instance = self._begin_by_hand(workflow, entity, now)
        instance.params = params
        return self._launched(instance, now)

    def _retry(self, message: RetryInstance, now: Instant) -> Receipt:
        """A new instance of its own for the same event and params; whatever time the event was valid for is over."""
        if self._books.by_id(message.id) is not None:
            raise RefusedError(f"{message.id} has not ended; there is nothing to retry yet")
        instance = self._begin_by_hand(message.workflow, message.entity, now)
        instance.event, instance.merged, instance.params = message.event, message.merged, message.params
        instance.retry_of = message.id
        self._books.out.retried.append((message.id, instance.id))
        return self._launched(instance, now)

    def _begin_by_hand(self, workflow: WorkflowId, entity: EntityId, now: Instant) -> Instance:
        definition = self._workflow(workflow)
        row = self._books.table.get(entity)
        if row is None:
            row = self._add(entity, now)
        else:
            self._state.touch(row)
        if row.depth(definition.id) >= self._books.definitions.settings.max_lined_up:
            raise RefusedError(
                f"{self._books.definitions.settings.max_lined_up} instances of {workflow} wait for {entity} already"
            )
        instance = self._books.instances.begin(definition, row, now)
        instance.own = True
        return instance

    def _launched(self, instance: Instance, now: Instant) -> Receipt:
        self._books.instances.launch(instance, now)
        return Receipt(f"run-{instance.key}", (instance.id,), revisions=(0,))
