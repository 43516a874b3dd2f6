"""The keeper's logic: the truth about entities and instances.

Everything that changes state passes through here, one message after another; ``settle`` then
hands out what a batch has led to, what must be saved first. Duplicates are decided here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import assert_never

from actors.effects import ROUTER, SCHEDULER, Effect
from actors.errors import NotFoundError, RefusedError
from actors.logic.entities import ARRIVALS, OUTCOMES, Row, StateTable, Triggers, arrived
from actors.logic.history import Calendar, record, view
from actors.logic.instances import Instances
from actors.logic.outbox import Outbox
from actors.logic.workflows import Instance, Run
from actors.messages import (
    AttemptAssigned,
    AttemptClosed,
    AttemptParked,
    AttemptSetAside,
    AwaitIdle,
    AwaitInstance,
    AwaitReceipt,
    BackoffOver,
    Bootstrap,
    Cancel,
    EventAnswer,
    EventBatch,
    EventsAnswered,
    ExplainTask,
    ExplainWaiting,
    ForwardedEvent,
    HoldWorkflow,
    NoteReceived,
    NoteTaken,
    PauseWorkflow,
    PutEntity,
    QueueTimeoutDue,
    ReadDeadLetters,
    ReadEntities,
    ReadInstance,
    ReadInstances,
    ReadStats,
    ReconcileDue,
    ResolveTask,
    RunWorkflow,
    SetPriority,
    TasksRevised,
    TaskWithdrawn,
    ToKeeper,
    ValidityOver,
    Watch,
)
from actors.model import (
    NS_PER_MS,
    Coalesce,
    Definitions,
    Entity,
    EntityId,
    EntityStatus,
    Event,
    EventType,
    InstanceKey,
    InstanceStatus,
    Instant,
    OnUnknownEntity,
    ReplyId,
    TaskStatus,
    Workflow,
)
from actors.views import ChangeType, InstanceView, Receipt

_Answer = tuple[tuple[str, ...], tuple[int, ...]]
"""The instances of a receipt and their revisions."""
_NOTHING: _Answer = ((), ())


class Keeping:
    def __init__(self, definitions: Definitions, *, calendar: Calendar, store_id: str) -> None:
        settings = definitions.settings
        self._workflows = definitions.workflows
        self._settings = settings
        self._out = Outbox(calendar)
        self._table = StateTable()
        self._triggers = Triggers(definitions.workflows.values())
        self._instances = Instances(
            self._table, self._triggers, self._out, store_id=store_id, max_infra_losses=settings.max_infra_losses
        )
        self._calendar = calendar
        self._seen: dict[str, _Answer] = {}
        """Ids of accepted events, oldest first, and what they led to."""
        self._derived_out = 0
        """Derived events on their way through the router."""
        self._reconcile_set = False
        self._paused: set[str] = set()
        self._waiters: dict[InstanceKey, list[ReplyId]] = {}
        self._idle_waiters: list[ReplyId] = []
        self._dead: deque[Mapping[str, object]] = deque(maxlen=settings.max_dead_letters)
        self.counts = {"accepted": 0, "duplicates": 0, "rejected": 0, "expired": 0, "dead_letters": 0}

    def receive(self, message: ToKeeper, now: Instant) -> list[Effect]:
        """Take one message. What must happen because of it comes from ``settle``."""
        instances = self._instances
        match message:
            case EventBatch(batch, events):
                answers = tuple([self._take(forwarded, now) for forwarded in events])
                self._out.send(ROUTER, EventsAnswered(batch, answers))
            case AttemptAssigned():
                instances.assigned(message, now)
            case AttemptClosed():
                instances.closed(message, now)
            case AttemptParked(attempt, by):
                instances.parked(attempt, by, now)
            case AttemptSetAside():
                instances.set_aside(message, now)
            case NoteReceived():
                self._note(message, now)
            case TasksRevised(key, taken):
                instances.revised(key, now, taken=taken)
            case TaskWithdrawn(task):
                instances.withdrawn(task, now)
            case BackoffOver(task):
                instances.backoff_over(task, now)
            case QueueTimeoutDue(task):
                instances.queue_timeout(task)
            case ValidityOver(key):
                instances.validity_over(key, now)
            case ReconcileDue():
                self._reconcile_set = False
                self._reconcile(now)
            case Bootstrap(entities, events):
                for seed in entities:
                    self._put_row(self._table.put(seed), now)
                for forwarded in events:
                    self._take(forwarded, now)
                self._reconcile(now)
            case Watch(watched, types):
                self._out.watch((types or frozenset(ChangeType)) if watched else frozenset())
            case AwaitIdle(reply):
                self._idle_waiters.append(reply)
            case _:
                self._request(message, now)
        return []

    def settle(self, now: Instant) -> list[Effect]:
        """Everything the batch has led to, in the order it must happen."""
        if self._table.pending and not self._reconcile_set:
            self._reconcile_set = True
            due = now + self._settings.reconcile_ms * NS_PER_MS
            self._out.set_timer("reconcile", due, ReconcileDue())
        if self._instances.just_ended:
            for instance in self._instances.just_ended:
                self._answer_waiters(instance)
            self._instances.just_ended.clear()
        self._derived_out += len(self._out.derived)
        idle = not (self._instances.working or self._table.pending or self._derived_out)
        if self._idle_waiters and idle:
            for reply in self._idle_waiters:
                self._out.reply(reply, None)
            self._idle_waiters.clear()
        return self._out.flush()

    # --- events ----------------------------------------------------------------------------------

    def _take(self, forwarded: ForwardedEvent, now: Instant) -> EventAnswer:
        event = forwarded.event
        self._derived_out -= forwarded.derived
        identity = forwarded.ids[-1]
        seen = self._seen.get(identity)
        if seen is not None:
            self.counts["duplicates"] += 1
            return EventAnswer(Receipt(identity, seen[0], duplicate=True, revisions=seen[1]))
        if event.valid_for_ms is not None and now > forwarded.accepted + event.valid_for_ms * NS_PER_MS:
            self.counts["expired"] += 1
            self._out.change(ChangeType.EVENT_EXPIRED, now, entity=event.entity_id, detail={"event": identity})
            return self._remember(forwarded, _NOTHING)
        row = self._table.get(EntityId(event.entity_id))
        entity = arrived(
            row.entity if row is not None else None, event, forwarded.priority, live=row is not None and row.live > 0
        )
        refusal = self._refusal(row, event, entity)
        matching, failures = self._triggers.for_event(event, entity, forwarded.priority)
        for failure in failures:
            self._out.change(ChangeType.CONDITION_FAILED, now, entity=entity.id, detail={"error": str(failure)})
        matching = [workflow for workflow in matching if not _own_outcome(workflow, event)]
        by_state: list[Workflow] = []
        if event.type in ARRIVALS:
            by_state = self._triggers.state_only(entity)
        elif row is not None and entity.id in self._table.pending:
            by_state = self._triggers.for_row(row.entity)  # It calls for them, and the status is about to change.
        refusal = refusal or self._full_lane(matching, entity.id)
        if refusal:
            self._reject(event, identity, refusal, now)
            return EventAnswer(None, refusal)
        return self._act(forwarded, entity, matching, by_state, now)

    def _act(
        self, forwarded: ForwardedEvent, entity: Entity, matching: list[Workflow], by_state: list[Workflow], now: Instant
    ) -> EventAnswer:
        row = self._table.get(entity.id)
        if row is None:
            row = self._table.add(entity)
            self._put_row(row, now)
        else:
            changed = row.entity.priority != entity.priority
            row.entity = entity
            if changed:
                self._out.priorities[entity.id] = entity.priority
        started = [self._start(workflow, row, forwarded, now) for workflow in matching]
        for workflow in by_state:
            self._start_from_table(workflow, row, now)
        if forwarded.event.type == EventType.HIGH_PRIORITY_ARRIVED:
            self._raise(row, forwarded.priority)
        for instance, is_new in started:
            if is_new:
                self._instances.launch(instance, now)
        # What the table called for is started with it; it need not be looked at for this row again.
        self._table.pending.pop(entity.id, None)
        found = sorted((instance for instance, _ in started), key=lambda i: (i.priority, i.key))
        return self._remember(forwarded, (tuple([i.id for i in found]), tuple([i.revision for i in found])))

    def _start(self, workflow: Workflow, row: Row, forwarded: ForwardedEvent, now: Instant) -> tuple[Instance, bool]:
        """Merge into the pair's waiting instance, or line up a new one; true if it is new."""
        instance = self._instances.mergeable(workflow, row.entity.id)
        is_new = instance is None
        count = len(forwarded.ids)
        if instance is None:
            instance = self._instances.begin(workflow, row, now)
            instance.event, instance.merged = forwarded.event, count
        else:
            self._instances.merge(instance, forwarded.event, count)
        self._instances.set_deadline(instance, forwarded.accepted, now)
        return instance, is_new

    def _start_from_table(self, workflow: Workflow, row: Row, now: Instant) -> None:
        last = self._instances.lanes.last(workflow.id, row.entity.id)
        if last is not None and last.merges():
            return  # Called for already.
        instance = self._instances.begin(workflow, row, now)
        instance.from_table = True
        instance.merged = 1
        self._instances.launch(instance, now)

    def _raise(self, row: Row, priority: int) -> None:
        for workflow in self._workflows:
            for instance in self._instances.lanes.of(workflow, row.entity.id):
                before = [instance.task_priority(run) for run in instance.runs]
                instance.raise_priority(priority)
                self._instances.reprioritised(instance, before)

    def _refusal(self, row: Row | None, event: Event, entity: Entity) -> str:
        if row is not None:
            return ""
        if self._settings.on_unknown_entity is OnUnknownEntity.REJECT:
            return f"the state table has no entity {entity.id!r}; put it first, or set on_unknown_entity: add"
        if len(self._table) >= self._settings.max_entities:
            return f"the state table is full ({self._settings.max_entities} entities); raise max_entities"
        return ""

    def _full_lane(self, matching: list[Workflow], entity: EntityId) -> str:
        """Where each event counts, one that finds its line full is rejected whole and changes nothing."""
        for workflow in matching:
            if workflow.coalesce is not Coalesce.ALL or self._instances.mergeable(workflow, entity) is not None:
                continue
            if self._instances.lanes.depth(workflow.id, entity) >= self._settings.max_lined_up:
                return f"{self._settings.max_lined_up} events of {entity} wait for {workflow.id} already"
        return ""

    def _remember(self, forwarded: ForwardedEvent, answer: _Answer) -> EventAnswer:
        self.counts["accepted"] += len(forwarded.ids)
        for identity in forwarded.ids:
            self._seen[identity] = answer
        while len(self._seen) > self._settings.max_remembered_ids:
            del self._seen[next(iter(self._seen))]
        return EventAnswer(Receipt(forwarded.ids[-1], answer[0], revisions=answer[1]))

    def _reject(self, event: Event, identity: str, refusal: str, now: Instant) -> None:
        self.counts["rejected"] += 1
        self.counts["dead_letters"] += 1
        detail = {"event": identity, "type": event.type, "why": refusal}
        self._dead.append({**detail, "entity_id": event.entity_id, "data": event.data, "at": self._calendar.utc(now)})
        self._out.change(ChangeType.EVENT_REJECTED, now, entity=event.entity_id, detail=detail)

    def _put_row(self, row: Row, now: Instant) -> None:
        entity = row.entity
        self._out.priorities[entity.id] = entity.priority
        detail = {"phase": entity.phase, "priority": entity.priority, "name": entity.name}
        self._out.change(ChangeType.ENTITY_CHANGED, now, entity=entity.id, status=entity.status, detail=detail)

    def _reconcile(self, now: Instant) -> None:
        """Start what pending rows call for, whether or not an event came for them."""
        pending, self._table.pending = self._table.pending, {}
        for entity in pending:
            row = self._table.get(entity)
            if row is None or row.entity.status is not EntityStatus.PENDING:
                continue
            for workflow in self._triggers.for_row(row.entity):
                self._start_from_table(workflow, row, now)

    # --- requests from outside -------------------------------------------------------------------

    def _request(
        self,
        message: PutEntity | RunWorkflow | Cancel | SetPriority | PauseWorkflow | ResolveTask | AwaitReceipt
        | AwaitInstance | ReadEntities | ReadInstance | ReadInstances | ReadDeadLetters | ExplainTask | ReadStats,
        now: Instant,
    ) -> None:  # fmt: skip
        try:
            self._answer(message, now)
        except (NotFoundError, RefusedError) as refusal:
            self._out.reply(message.reply, refusal)

    def _answer(
        self,
        message: PutEntity | RunWorkflow | Cancel | SetPriority | PauseWorkflow | ResolveTask | AwaitReceipt
        | AwaitInstance | ReadEntities | ReadInstance | ReadInstances | ReadDeadLetters | ExplainTask | ReadStats,
        now: Instant,
    ) -> None:  # fmt: skip
        out = self._out
        match message:
            case PutEntity(seed, reply):
                if self._table.get(seed.id) is None and len(self._table) >= self._settings.max_entities:
                    raise RefusedError(f"the state table is full ({self._settings.max_entities} entities)")
                row = self._table.put(seed)
                self._put_row(row, now)
                out.reply(reply, row.entity)
            case RunWorkflow(workflow, entity, params, reply):
                out.reply(reply, self._run_by_hand(workflow, entity, params, now))
            case Cancel(identity, reply):
                instance, _ = self._find(identity)
                self._instances.cancel(instance, now)
                out.reply(reply, instance.id)
            case SetPriority(identity, priority, reply):
                instance, run = self._find(identity)
                before = [instance.task_priority(r) for r in instance.runs]
                if run is not None:
                    run.fixed_priority = priority
                else:
                    instance.fixed_priority = priority
                    for each in instance.runs:
                        each.fixed_priority = None
                self._instances.reprioritised(instance, before)
                out.reply(reply, instance.id)
            case PauseWorkflow(workflow, paused, reply):
                self._workflow(workflow)
                (self._paused.add if paused else self._paused.discard)(workflow)
                out.send(SCHEDULER, HoldWorkflow(workflow, paused))
                out.reply(reply, None)
            case ResolveTask(identity, outcome, reply):
                instance, run = self._find(identity)
                if run is None or run.status is not TaskStatus.UNKNOWN:
                    raise RefusedError(f"{identity} is not a task whose outcome is unknown; nothing to resolve")
                self._instances.resolve(instance, run, outcome, now)
                out.reply(reply, None)
            case AwaitReceipt(receipt, reply):
                self._await_receipt(receipt, reply)
            case AwaitInstance(identity, reply):
                self._await(self._by_id(identity), identity, reply)
            case ReadEntities(entity, reply):
                out.reply(reply, self._read_entities(entity))
            case ReadInstance(identity, reply):
                live = self._by_id(identity)
                out.reply(reply, None if live is None else self._view(live))
            case ReadInstances(status, workflow, limit, reply):
                out.reply(reply, self._read_instances(status, workflow, limit))
            case ReadDeadLetters(reply):
                out.reply(reply, tuple(self._dead))
            case ExplainTask(identity, reply):
                self._explain(identity, reply)
            case ReadStats(reply):
                out.reply(reply, self._stats())
            case _:
                assert_never(message)

    def _workflow(self, workflow: str) -> Workflow:
        found = self._workflows.get(workflow)  # type: ignore[call-overload]
        if found is None:
            known = ", ".join(sorted(self._workflows)) or "none"
            raise NotFoundError(f"no workflow {workflow!r}; there are: {known}")
        assert isinstance(found, Workflow)
        return found

    def _run_by_hand(self, workflow: str, entity: EntityId, params: Mapping[str, object] | None, now: Instant) -> Receipt:
        definition = self._workflow(workflow)
        row = self._table.get(entity)
        if row is None:
            raise NotFoundError(f"the state table has no entity {entity!r}; put it first")
        if self._instances.lanes.depth(definition.id, entity) >= self._settings.max_lined_up:
            raise RefusedError(f"{self._settings.max_lined_up} instances of {workflow} wait for {entity} already")
        instance = self._instances.begin(definition, row, now)
        instance.own, instance.params = True, params
        self._instances.launch(instance, now)
        return Receipt(f"run-{instance.key}", (instance.id,), revisions=(0,))

    def _by_id(self, identity: str) -> Instance | None:
        found = self._lookup(identity)
        return None if found is None or found[1] is not None else found[0]

    def _find(self, identity: str) -> tuple[Instance, Run | None]:
        found = self._lookup(identity)
        if found is None:
            raise NotFoundError(f"no unfinished instance or task {identity!r}")
        return found

    def _lookup(self, identity: str) -> tuple[Instance, Run | None] | None:
        """Unfinished ones by readable id: no index to keep, the id itself says where to look."""
        for workflow in self._workflows.values():
            names = [str(workflow.id), *[task.id for task in workflow.tasks]]
            for name in names:
                if not identity.startswith(f"{name}_"):
                    continue
                rest = identity[len(name) + 1 :]
                for parts in (1, 2):  # entity_second, or entity_second_suffix
                    entity = rest.rsplit("_", parts)[0]
                    for instance in self._instances.lanes.of(workflow.id, EntityId(entity)):
                        if instance.id == identity:
                            return instance, None
                        for run in instance.runs:
                            if instance.task_id(run.task) == identity:
                                return instance, run
        return None

    def _view(self, instance: Instance) -> InstanceView:
        return view(record(instance, None), self._calendar)

    # --- waiting ---------------------------------------------------------------------------------

    def _await_receipt(self, receipt: Receipt, reply: ReplyId) -> None:
        if not receipt.instances:
            self._out.reply(reply, None)
            return
        live = self._by_id(receipt.instances[0])
        revision = receipt.revisions[0] if receipt.revisions else 0
        if live is not None and live.continued_by is not None and revision > live.confirmed:
            following = self._instances.live.get(live.continued_by)
            if following is not None:
                self._await(following, following.id, reply)
                return
        self._await(live, receipt.instances[0], reply)

    def _await(self, instance: Instance | None, identity: str, reply: ReplyId) -> None:
        """Answer now with the id of one that is not live: the store has it, or nobody."""
        if instance is None:
            self._out.reply(reply, identity)
        elif instance.unknown:
            self._out.reply(reply, self._view(instance))
        else:
            self._waiters.setdefault(instance.key, []).append(reply)

    def _answer_waiters(self, instance: Instance) -> None:
        replies = self._waiters.pop(instance.key, None)
        if replies:
            shown = self._view(instance)
            for reply in replies:
                self._out.reply(reply, shown)

    # --- reading ---------------------------------------------------------------------------------

    def _read_entities(self, entity: EntityId | None) -> Entity | tuple[Entity, ...]:
        if entity is None:
            return tuple(row.entity for row in self._table)
        row = self._table.get(entity)
        if row is None:
            raise NotFoundError(f"the state table has no entity {entity!r}")
        return row.entity

    def _read_instances(self, status: InstanceStatus | None, workflow: str | None, limit: int) -> tuple[InstanceView, ...]:
        """Unfinished ones, newest first."""
        if status not in (None, InstanceStatus.RUNNING):
            return ()
        shown: list[InstanceView] = []
        for instance in reversed(self._instances.live.values()):
            if len(shown) >= limit:
                break
            if workflow is None or instance.workflow.id == workflow:
                shown.append(self._view(instance))
        return tuple(shown)

    def _explain(self, identity: str, reply: ReplyId) -> None:
        instance, run = self._find(identity)
        if run is None:
            raise RefusedError(f"{identity} is an instance; ask for one of its tasks")
        facts: dict[str, object] = {
            "task_id": identity,
            "status": str(run.status),
            "priority": instance.task_priority(run),
            "preemptions": run.preemptions,
        }
        if run.in_line:
            self._out.send(SCHEDULER, ExplainWaiting(instance.task_key(run), {**facts, "why": "on its way"}, reply))
            return
        if run.status is TaskStatus.UNKNOWN:
            facts["why"] = "nobody can know how it ended; say so with resolve"
        elif run.open:
            facts["why"] = f"it waits for its backoff before retry {run.retries}"
        elif not instance.active:
            facts["why"] = "an earlier instance of the same workflow and entity has not ended"
        elif run.missing:
            missing = [instance.runs[place] for place in run.task.depends_on]
            names = [instance.task_id(r.task) for r in missing if r.status is not TaskStatus.COMPLETED]
            facts["why"] = f"it waits for {', '.join(names)}"
            facts["blocked_by"] = names
        else:
            facts["why"] = f"it is {run.status}"
        self._out.reply(reply, facts)

    def _note(self, message: NoteReceived, now: Instant) -> None:
        self._out.send(SCHEDULER, NoteTaken(message.attempt))
        found = self._instances.find(message.attempt.task)
        if found is None:
            return
        instance, run = found
        note = message.note
        if note.checkpoint is not None:
            run.restored = note.checkpoint
        if note.progress is not None:
            run.progress = note.progress
        if self._out.wants(ChangeType.TASK_NOTED):
            lines = [[int(level), text] for level, text in note.lines]
            detail = {"progress": note.progress, "lines": lines, "lost_lines": note.lost_lines}
            self._out.task_change(ChangeType.TASK_NOTED, now, instance, run, detail)

    def _stats(self) -> dict[str, object]:
        return {
            "events": dict(self.counts),
            "entities": len(self._table),
            "instances": {**self._instances.counts, "running": len(self._instances.live)},
            "tasks": dict(self._instances.task_counts),
            "paused": sorted(self._paused),
        }


def _own_outcome(workflow: Workflow, event: Event) -> bool:
    """Whether the event tells of a task of this very workflow: it would start itself for ever."""
    if event.type not in OUTCOMES:
        return False
    return isinstance(event.data, dict) and event.data.get("workflow") == workflow.id


