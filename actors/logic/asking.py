"""What callers outside ask of the keeper in order to know something, or to wait for it."""

from __future__ import annotations

from typing import TypeAlias, assert_never

from actors.effects import SCHEDULER
from actors.errors import NotFoundError, RefusedError
from actors.logic import describing, reasons
from actors.logic.books import Books
from actors.logic.listing import Listing
from actors.logic.state import State
from actors.logic.telling import in_words
from actors.logic.workflows import Instance
from actors.messages import (
    AwaitIdle,
    AwaitInstance,
    AwaitReceipt,
    AwaitUnused,
    ExplainTask,
    ExplainWaiting,
    Inspect,
    ListEntities,
    ListInstances,
    ReadDeadLetters,
    ReadEntities,
    ReadInstance,
    ReadInstances,
    ReadStats,
)
from actors.model import Entity, EntityId, InstanceStatus, Instant, ReplyId
from actors.views import InstanceView, Receipt

Question: TypeAlias = (
    AwaitReceipt
    | AwaitInstance
    | AwaitIdle
    | ReadEntities
    | ReadInstance
    | ReadInstances
    | ListInstances
    | ListEntities
    | ReadDeadLetters
    | ExplainTask
    | ReadStats
    | AwaitUnused
    | Inspect
)

EVERYTHING = "*"
"""Among what is paused: the whole engine."""


class Asking:
    def __init__(self, state: State, books: Books) -> None:
        self._state = state
        self._books = books
        self._listing = Listing(state)
        self._waiters = state.waiters
        self._idle_waiters = state.idle_waiters
        self._unused_waiters = state.unused_waiters

    def receive(self, message: Question, now: Instant) -> None:
        """Answer, now or when what is waited for has happened."""
        try:
            self._answer(message, now)
        except (NotFoundError, RefusedError) as refusal:
            self._books.out.reply(message.reply, refusal)

    def settle(self) -> None:
        """Answer those who waited for what this batch has brought about."""
        books = self._books
        ended = books.endings.just_ended
        if ended:
            for instance in ended:
                self._ended(instance)
            ended.clear()
        undone = self._state.working or self._state.pending or self._state.derived_out
        if self._idle_waiters and not undone:
            self._state.will_change(self._idle_waiters)
            for reply in self._idle_waiters:
                books.out.reply(reply, None)
            self._idle_waiters.clear()

        for version in tuple(self._unused_waiters):
            in_force = version == self._state.version
            if in_force or version not in self._state.in_use:
                self._state.will_change(self._unused_waiters)
                for reply in self._unused_waiters.pop(version):
                    books.out.reply(reply, not in_force)

    def _answer(self, message: Question, now: Instant) -> None:
        out = self._books.out
        match message:
            case AwaitIdle(reply):
                self._state.will_change(self._idle_waiters)
                self._idle_waiters.append(reply)
            case AwaitReceipt(receipt, reply):
                self._await_receipt(receipt, reply)
            case AwaitInstance(identity, reply):
                self._await(self._books.by_id(identity), identity, reply, 0)
            case ReadEntities(entity, reply):
                out.reply(reply, self._read_entities(entity))
            case ReadInstance(identity, by_task, reply):
                live = self._books.by_any_id(identity) if by_task else self._books.by_id(identity)
                out.reply(reply, None if live is None else self._books.view(live))
            case ReadInstances(status, workflow, limit, reply):
                out.reply(reply, self._read_instances(status, workflow, limit))
            case ListInstances(below, workflow, entity, limit, reply):
                out.reply(reply, self._listing.instances(below, workflow, entity, limit))
            case ListEntities(reply=reply):
                out.reply(reply, self._listing.entities(message))
            case ReadDeadLetters(reply):
                out.reply(reply, tuple([letter.shown() for letter in self._state.dead_letters]))
            case ExplainTask(identity, reply):
                self._explain(identity, reply, now)
            case AwaitUnused(version, reply):
                self._state.will_change(self._unused_waiters)
                self._unused_waiters[version] = (*self._unused_waiters.get(version, ()), reply)
            case ReadStats(reply):
                out.reply(reply, self._stats())
            case Inspect(reply):
                out.reply(reply, describing.keeper(self._state))
            case _:
                assert_never(message)

    # --- waiting ---------------------------------------------------------------------------------

    def _await_receipt(self, receipt: Receipt, reply: ReplyId) -> None:
        if not receipt.instances:
            self._books.out.reply(reply, None)
            return
        revision = receipt.revisions[0] if receipt.revisions else 0
        self._await(self._books.by_id(receipt.instances[0]), receipt.instances[0], reply, revision)

    def _await(self, instance: Instance | None, identity: str, reply: ReplyId, revision: int) -> None:
        """Answer now with the id of one that is not live: the store has it, or nobody.

        An event that merged too late for an instance is waited for in the one that follows it.
        """
        if instance is None:
            self._books.out.reply(reply, identity)
            return
        following = self._following(instance, revision)
        if following is not None:
            self._await(following, following.id, reply, following.confirmed)
        elif instance.unknown:
            self._books.out.reply(reply, self._books.view(instance))
        else:
            self._state.note(self._waiters, instance.key)
            self._waiters[instance.key] = (*self._waiters.get(instance.key, ()), (reply, revision))

    def _following(self, instance: Instance, revision: int) -> Instance | None:
        """The instance after it, if that is the one which acts on this revision."""
        return None if revision <= instance.confirmed else self._books.instances.continuation(instance)

    def _ended(self, instance: Instance) -> None:
        if instance.key not in self._waiters:
            return
        self._state.note(self._waiters, instance.key)
        for reply, revision in self._waiters.pop(instance.key):
            following = self._following(instance, revision)
            if following is not None:
                self._await(following, following.id, reply, following.confirmed)
            else:
                self._books.out.reply(reply, self._books.view(instance))

    # --- reading ---------------------------------------------------------------------------------

    def _read_entities(self, entity: EntityId | None) -> Entity | tuple[Entity, ...]:
        if entity is None:
            return tuple(row.entity for row in self._books.table)
        row = self._books.table.get(entity)
        if row is None:
            raise NotFoundError(f"the state table has no entity {entity!r}")
        return row.entity

    def _read_instances(
        self, status: InstanceStatus | None, workflow: str | None, limit: int
    ) -> tuple[InstanceView, ...]:
        """Unfinished ones, newest first."""
        if status not in (None, InstanceStatus.RUNNING):
            return ()
        shown: list[InstanceView] = []
        for instance in reversed(self._books.instances.live.values()):
            if len(shown) >= limit:
                break
            if workflow is None or instance.workflow.id == workflow:
                shown.append(self._books.view(instance))
        return tuple(shown)

    def _explain(self, identity: str, reply: ReplyId, now: Instant) -> None:
        instance, run = self._books.find_task(identity)
        if run is None:
            raise RefusedError(f"{identity} is an instance; ask for one of its tasks")
        facts = reasons.explain(self._books, instance, run, now)
        if run.in_line and not run.over:
            self._books.out.send(SCHEDULER, ExplainWaiting(instance.task_key(run.task), facts, reply))
        else:
            self._books.out.reply(reply, in_words(facts))

    def _stats(self) -> dict[str, object]:
        return {
            "events": dict(self._books.intake.counts),
            "entities": len(self._books.table),
            "instances": {**self._books.endings.counts, "running": len(self._books.instances.live)},
            "tasks": dict(self._books.attempts.counts),
            "paused": [*([EVERYTHING] if self._state.all_paused else []), *sorted(self._state.paused)],
            **self._books.attempts.accounts.shown(),
        }
