"""Events as they reach the keeper: duplicates, refusals, what they change, and what they start.

An event is acted on whole or not at all: whatever could refuse it is asked first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import replace

from actors.errors import RefusedError
from actors.logic.entities import ARRIVALS, OUTCOMES, StateTable, Triggers, arrived
from actors.logic.instances import Instances
from actors.logic.letters import QUARANTINED, REJECTED, Letter, again, place_of, to_retry
from actors.logic.outbox import Outbox
from actors.logic.rows import Row
from actors.logic.state import Seen, State
from actors.logic.workflows import Instance
from actors.messages import EventAnswer, ForwardedEvent
from actors.model import (
    DEFAULT_PRIORITY,
    NS_PER_MS,
    Coalesce,
    Definitions,
    Entity,
    EntityId,
    EntitySeed,
    EntityStatus,
    Event,
    EventType,
    InstanceKey,
    Instant,
    OnUnknownEntity,
    Workflow,
    WorkflowId,
)
from actors.views import ChangeType, Receipt

_NOTHING: Seen = ()
_MAX_NAMES = 1_024


class Intake:
    def __init__(
        self,
        state: State,
        definitions: Definitions,
        table: StateTable,
        triggers: Triggers,
        instances: Instances,
        out: Outbox,
    ) -> None:
        self._state = state
        self.known: Collection[WorkflowId] = definitions.workflows
        """Workflows of which there may be instances, those of older versions included."""
        self._settings = definitions.settings
        self._table = table
        self._triggers = triggers
        self._instances = instances
        self._out = out
        self._names: dict[InstanceKey, str] = {}
        """Ids of the instances that events have merged into lately."""
        """A cache: from the instances alone."""
        self._left_out: Sequence[tuple[object, str]] = ()
        self._seen = state.seen
        self.counts = state.events

    def leave_out(self, parts: Sequence[tuple[object, str]]) -> None:
        """Of the next message, quarantine these parts, for these reasons, and act on the others."""
        self._left_out = parts

    def act_on(self, forwarded: ForwardedEvent, now: Instant) -> EventAnswer:
        self._state.in_hand = forwarded
        why = self._why_not(forwarded) if self._left_out else ""
        if not why:
            return self.take(forwarded, now)
        if forwarded.derived:
            self._state.derived_back(forwarded.ids[-1])
        self._count("rejected")
        self._lose(forwarded, QUARANTINED, why, now)
        return EventAnswer(None, why)

    def put(self, seed: EntitySeed, now: Instant) -> None:
        self._state.in_hand = seed
        why = self._why_not(seed) if self._left_out else ""
        if why:
            self._give_up(Event("put", seed.id, data=seed.data), why, now)
        else:
            self.put_row(self._table.put(seed), now)

    def _why_not(self, part: object) -> str:
        """Why this very part is left out; empty if it is not. None as a part stands for all of them."""
        for left_out, why in self._left_out:
            if left_out is None or left_out is part or (isinstance(part, str) and left_out == part):
                return why
        return ""

    def take(self, forwarded: ForwardedEvent, now: Instant, retried: Letter | None = None) -> EventAnswer:
        """Act on it, or refuse it; what is ``retried`` and refused again stays the letter that it was."""
        event = forwarded.event
        identity = forwarded.ids[-1]
        if forwarded.derived:
            self._state.derived_back(identity)
        seen = self._seen.get(identity)
        if seen is not None:
            self._count("duplicates")
            return EventAnswer(_receipt(identity, seen, duplicate=True))
        if event.valid_for_ms is not None and now > forwarded.accepted + event.valid_for_ms * NS_PER_MS:
            self._count("expired")
            self._out.change(ChangeType.EVENT_EXPIRED, now, entity=event.entity_id, detail={"event": identity})
            return self._remember(forwarded, _NOTHING)
        row = self._table.get(EntityId(event.entity_id))
        entity = arrived(
            row.entity if row is not None else None, event, forwarded.priority, live=row is not None and row.live > 0
        )
        refusal = self._refusal(row, entity)
        matching, failures = self._triggers.for_event(event, entity, forwarded.priority)
        for failure in failures:
            self._out.change(ChangeType.CONDITION_FAILED, now, entity=entity.id, detail={"error": str(failure)})
        if event.type in OUTCOMES:
            matching = [workflow for workflow in matching if not _own_outcome(workflow, event)]
        by_state: list[Workflow] = []
        if event.type in ARRIVALS:
            by_state = self._triggers.state_only(entity)
        elif row is not None and entity.id in self._table.pending:
            by_state = self._triggers.for_row(row.entity)  # It calls for them, and the status is about to change.
        refusal = refusal or self._full_lane(matching, row)
        if refusal:
            self._count("rejected")
            if retried is None:
                self._lose(forwarded, REJECTED, refusal, now)
            else:
                letters = self._letters()
                letters[place_of(letters, retried.number)] = again(retried, refusal, self._out.calendar.utc(now))
            return EventAnswer(None, refusal)
        return self._act(forwarded, entity, matching, by_state, now)

    def _act(
        self,
        forwarded: ForwardedEvent,
        entity: Entity,
        matching: list[Workflow],
        by_state: list[Workflow],
        now: Instant,
    ) -> EventAnswer:
        row = self._table.get(entity.id)
        if row is None:
            row = self._table.add(entity)
            self.put_row(row, now, known=False)
        else:
            self._state.touch(row)
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
        self._table.looked_at(entity.id)
        found = sorted((instance for instance, _ in started), key=lambda i: (i.priority, i.key))
        answer: list[str | int] = []
        for instance in found:
            answer += (self._name(instance), instance.revision)
        return self._remember(forwarded, tuple(answer))

    def _count(self, what: str, number: int = 1) -> None:
        self._state.will_change(self.counts)
        self.counts[what] += number

    def _name(self, instance: Instance) -> str:
        """Its id; the events that merge into one instance remember one text, not a copy each."""
        names = self._names
        name = names.get(instance.key)
        if name is None:
            if len(names) >= _MAX_NAMES:
                names.clear()
            name = names[instance.key] = instance.id
        return name

    def _start(self, workflow: Workflow, row: Row, forwarded: ForwardedEvent, now: Instant) -> tuple[Instance, bool]:
        """Merge into the pair's waiting instance, or line up a new one; true if it is new."""
        instance = self._instances.mergeable(workflow, row)
        is_new = instance is None
        count = len(forwarded.ids)
        if instance is None:
            instance = self._instances.begin(workflow, row, now)
            instance.event, instance.merged = forwarded.event, count
        else:
            self._instances.merge(instance, forwarded.event, count)
        self._instances.set_deadline(instance, forwarded.event, forwarded.accepted)
        return instance, is_new

    def _start_from_table(self, workflow: Workflow, row: Row, now: Instant) -> None:
        last = row.last(workflow.id)
        if last is not None and last.merges():
            return  # Called for already.
        instance = self._instances.begin(workflow, row, now)
        instance.from_table = True
        instance.merged = 1
        self._instances.launch(instance, now)

    def _raise(self, row: Row, priority: int) -> None:
        for workflow in self.known:
            for instance in row.unfinished(workflow):
                self._state.touch_whole(instance)
                if instance.sent_at is None:  # Nobody else knows of its tasks yet.
                    instance.raise_priority(priority)
                    continue
                before = [instance.task_priority(task) for task in instance.workflow.tasks]
                instance.raise_priority(priority)
                self._instances.reprioritised(instance, before)

    def _refusal(self, row: Row | None, entity: Entity) -> str:
        if row is not None:
            return ""
        if self._settings.on_unknown_entity is OnUnknownEntity.REJECT:
            return f"the state table has no entity {entity.id!r}; put it first, or set on_unknown_entity: add"
        if len(self._table) >= self._settings.max_entities:
            return f"the state table is full ({self._settings.max_entities} entities); raise max_entities"
        return ""

    def _full_lane(self, matching: list[Workflow], row: Row | None) -> str:
        """Where each event counts, one that finds its line full is rejected whole and changes nothing."""
        for workflow in matching:
            if workflow.coalesce is not Coalesce.ALL or self._instances.mergeable(workflow, row) is not None:
                continue
            if row is not None and row.depth(workflow.id) >= self._settings.max_lined_up:
                return f"{self._settings.max_lined_up} events of {row.entity.id} wait for {workflow.id} already"
        return ""

    def _remember(self, forwarded: ForwardedEvent, answer: Seen) -> EventAnswer:
        self._count("accepted", len(forwarded.ids))
        for identity in forwarded.ids:
            self._seen.add(identity, answer)
        return EventAnswer(_receipt(forwarded.ids[-1], answer, duplicate=False))

    # --- dead letters ----------------------------------------------------------------------------

    def retry(self, number: int, now: Instant) -> Receipt:
        """Act on a dead letter's event again, under an id of its own. Raises ``NotFoundError``, ``RefusedError``."""
        letter = to_retry(self._state.dead_letters, number)
        identity = f"{self._instances.store_id}-letter-{number}"
        event = replace(letter.event, id=identity)
        answer = self.take(ForwardedEvent(event, letter.priority, now, (identity,)), now, letter)
        if answer.receipt is None:
            raise RefusedError(answer.refusal)
        self.drop(number)
        return answer.receipt

    def drop(self, number: int) -> None:
        """Raises ``NotFoundError``."""
        place = place_of(self._state.dead_letters, number)
        del self._letters()[place]

    def _letters(self) -> deque[Letter]:
        """To be changed."""
        self._state.will_change(self._state.dead_letters)
        return self._state.dead_letters

    def _give_up(self, event: Event, why: str, now: Instant) -> None:
        """What is no event crashed the engine."""
        self._lose(ForwardedEvent(event, DEFAULT_PRIORITY, now, ("",)), QUARANTINED, why, now)

    def _lose(self, forwarded: ForwardedEvent, kind: str, why: str, now: Instant) -> None:
        """It is not acted on, and kept as a dead letter."""
        self._count("dead_letters")
        event, state = forwarded.event, self._state
        state.letters += 1
        kept = replace(event, id=forwarded.ids[-1] or None)
        self._letters().append(Letter(state.letters, self._out.calendar.utc(now), kind, why, kept, forwarded.priority))
        detail = {"event": forwarded.ids[-1], "type": event.type, "why": why, "letter": state.letters}
        self._out.change(ChangeType.EVENT_REJECTED, now, entity=event.entity_id, detail=detail)

    def put_row(self, row: Row, now: Instant, *, known: bool = True) -> None:
        """Say that a row was added or changed as a whole."""
        entity = row.entity
        if known or entity.priority != DEFAULT_PRIORITY:
            self._out.priorities[entity.id] = entity.priority
        detail = {"phase": entity.phase, "priority": entity.priority, "name": entity.name}
        self._out.change(ChangeType.ENTITY_CHANGED, now, entity=entity.id, status=entity.status, detail=detail)

    def reconcile(self, now: Instant) -> None:
        """Start what pending rows call for, whether or not an event came for them."""
        pending, self._state.pending = self._state.pending, {}
        for entity in pending:
            row = self._table.get(entity)
            if row is None or row.entity.status is not EntityStatus.PENDING:
                continue
            self._state.in_hand = entity
            why = self._why_not(entity) if self._left_out else ""
            if why:
                self._give_up(Event("reconcile", entity), why, now)
                continue
            self._state.touch(row)
            for workflow in self._triggers.for_row(row.entity):
                self._start_from_table(workflow, row, now)
        self._state.in_hand = None


def _receipt(identity: str, answer: Seen, *, duplicate: bool) -> Receipt:
    names, revisions = answer[::2], answer[1::2]
    return Receipt(identity, names, duplicate, revisions)  # type: ignore[arg-type]


def _own_outcome(workflow: Workflow, event: Event) -> bool:
    """Whether the event tells of a task of this very workflow: it would start itself for ever."""
    return isinstance(event.data, dict) and event.data.get("workflow") == workflow.id
