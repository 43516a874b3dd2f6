"""The embedding API: an engine as one object.

Every method sends a message and waits for its answer, from whatever thread calls it; none
touches an actor's state. What cannot be accepted is refused here, before anything changes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from actors import admission
from actors.effects import KEEPER, ROUTER, SCHEDULER
from actors.errors import Error, Overloaded, RefusedError
from actors.handles import Handle
from actors.logic.routing import OVERLOADED
from actors.messages import (
    AwaitIdle,
    AwaitInstance,
    AwaitReceipt,
    EventAnswer,
    Publish,
    PutEntity,
    ReadStats,
    RunWorkflow,
)
from actors.model import NOBODY, Definitions, Entity, Event, Settings, WorkflowId
from actors.operating import Operating
from actors.reloading import Reloading, Source
from actors.subscribers import Listener
from actors.views import ChangeType, InstanceView, Receipt, Reloaded

if TYPE_CHECKING:
    import pykka

TOLD_S = 1.0
"""So long ``wait_idle`` lets subscribers catch up."""
PUBLISH_CHUNK = 256
OFFER_CHUNK = 128
"""Fewer at once than its own program publishes: what is urgent waits behind them, a few µs for each."""
RETRY_AFTER_S = 0.05


@dataclasses.dataclass(frozen=True, slots=True)
class Hosting:
    """What an engine may do that has its program to itself."""

    versions: Path | None = None
    """A folder for copies of the definitions: every version is run from one, see ``reload``."""
    takes_output: bool = False
    """What actions in processes print is a log line of their attempt, as by ``ctx.log``."""


class Engine(Operating):
    """A workflow engine in this process.

    ``definitions`` is a definitions folder's path, ``Definitions``, or a dict. ``agents`` (a
    number), ``store`` (a URL) and ``settings`` override what the definitions say; ``actions``
    are functions by name; ``hosting`` is for a program that has nothing else to do. Use it as a
    context manager, or call ``start`` and ``stop``.

    Raises ``DefinitionError`` with every fault, ``RequestError`` for a store it does not know.
    """

    def __init__(
        self,
        definitions: str | Path | Definitions | Mapping[str, Any],
        *,
        agents: int | None = None,
        store: str | None = None,
        actions: Mapping[str, Callable[..., Any]] | None = None,
        settings: Settings | None = None,
        hosting: Hosting = Hosting(),
    ) -> None:
        given = dict(actions or {})

        def override(found: Definitions) -> Definitions:
            if settings is not None:
                found = dataclasses.replace(found, settings=settings, written={})
            if agents is not None:
                found = dataclasses.replace(found, settings=admission.with_agents(found.settings, agents))
            return found

        self._reloading = Reloading(definitions, given, override, hosting.versions)
        found = self._reloading.read(definitions)
        super().__init__(found, given, store)
        self._takes_output = hosting.takes_output
        self._gate = admission.Gate(found)
        self._arguments = frozenset(name for name, value in (("agents", agents), ("store", store)) if value is not None)

    # --- life ------------------------------------------------------------------------------------

    def _first(self) -> Definitions:
        return self._reloading.begin(self.definitions)

    def start(self) -> Self:
        try:
            return super().start()
        except BaseException:
            if self._parts is None:
                self._reloading.close()
            raise

    def stop(self, grace: float = 5.0) -> list[str]:
        left = super().stop(grace)
        if self._state == "stopped":
            self._reloading.close()
        return left

    def reload(self, definitions: Source | None = None) -> Reloaded:
        """Load definitions into the running engine: those it has once more, or others; return what has changed.

        Instances that there are go on by the version that they began with, code included, and what
        starts later is of the new one. ``max_concurrent`` and triggers are the new version's for
        all. Definitions with faults are refused as a whole by a ``DefinitionError``, and the old
        ones stay in force; ``RefusedError`` if instances of too many versions have not ended.
        """
        parts = self._accepting()
        self.definitions, changed = self._reloading.reload(parts, definitions)
        self._gate = admission.Gate(self.definitions)
        return changed

    # --- events, entities, starts ----------------------------------------------------------------

    def publish(self, event: Event) -> Receipt:
        """Publish one event; return its receipt when it is accepted.

        Raises ``Overloaded`` (nothing was accepted; ``retry_after`` in seconds) and
        ``RequestError`` (it never can be).
        """
        answer = self._publish((self._gate.event(event),))[0]
        return _receipt(answer, 0)

    def publish_many(self, events: Iterable[Event]) -> list[Receipt]:
        """Publish events in order; return their receipts in order.

        All are checked before the first is published. ``Overloaded`` says in ``accepted`` how many
        at the front were accepted; a ``RequestError`` by the keeper names the place of the event.
        """
        checked = [self._gate.event(event) for event in events]
        receipts: list[Receipt] = []
        for first in range(0, len(checked), PUBLISH_CHUNK):
            for answer in self._publish(tuple(checked[first : first + PUBLISH_CHUNK])):
                receipts.append(_receipt(answer, len(receipts)))
        return receipts

    def checked(self, event: Event, *, plain_data: bool = False) -> Event:
        """The event as ``offer`` takes it, with an id. Raises ``RequestError`` for one that never can be accepted.

        ``plain_data``: the data is small, was read from JSON, and nobody else holds it.
        """
        return self._gate.event(event, plain_data=plain_data)

    def offer(self, checked: Sequence[Event | Error]) -> list[Receipt | Error]:
        """Publish events that were ``checked``, each for itself; return a receipt or the error for each, in order.

        Errors among them stay in their places. Where ``publish_many`` ends at the first that cannot
        be accepted, this goes on. After an ``Overloaded`` come only further ones: nothing from there
        on was accepted.
        """
        good = [event for event in checked if isinstance(event, Event)]
        answers: list[Receipt | Error] = []
        for first in range(0, len(good), OFFER_CHUNK):
            found = [_receipt_or_error(answer) for answer in self._publish(tuple(good[first : first + OFFER_CHUNK]))]
            answers += found
            if isinstance(found[-1], Overloaded):
                answers += [found[-1]] * (len(good) - len(answers))
                break
        told = iter(answers)
        return [next(told) if isinstance(event, Event) else event for event in checked]

    def _publish(self, events: tuple[Event, ...]) -> Sequence[EventAnswer]:
        answers: Sequence[EventAnswer] = self._accepting().ask(ROUTER, lambda number: Publish(events, number), None)
        return answers

    def run(self, workflow: str, entity_id: str, params: Mapping[str, Any] | None = None) -> Receipt:
        """Start a workflow by hand, after any that runs for the pair; ``params`` override each task's.

        An entity that the state table does not know is added, unless ``on_unknown_entity`` is ``reject``.
        """
        self._accepting()
        wanted, entity = WorkflowId(admission.name(workflow, "a workflow")), admission.entity_id(entity_id)
        checked = self._gate.params(params)
        receipt: Receipt = self._ask(KEEPER, RunWorkflow(wanted, entity, checked))
        return receipt

    def put_entity(self, id: str, /, **fields: Any) -> Entity:
        """Add or change an entity: ``name``, ``phase``, ``status``, ``priority``, ``data``."""
        self._accepting()
        entity: Entity = self._ask(KEEPER, PutEntity(self._gate.seed(id, fields)))
        return entity

    # --- waiting ---------------------------------------------------------------------------------

    def wait(self, what: Receipt | str, timeout: float | None = None) -> InstanceView | None:
        """Wait until an instance has ended, or holds an ``unknown`` task; return it.

        Of a receipt: the most important instance it started or merged into, None if none.
        Raises ``TimeoutError`` and ``NotFoundError``.
        """
        if isinstance(what, Receipt):
            answer = self._ask(KEEPER, AwaitReceipt(what, NOBODY), timeout)
        else:
            answer = self._ask(KEEPER, AwaitInstance(admission.name(what, "an instance's id"), NOBODY), timeout)
        if isinstance(answer, str):
            return self._follow(answer, what, timeout)
        found: InstanceView | None = answer
        return found

    def _follow(self, id: str, what: Receipt | str, timeout: float | None) -> InstanceView:
        """An instance that has ended; where it was too late for the receipt's event, the one after it."""
        record = self._running().store.get(id)
        if record is not None and isinstance(what, Receipt) and what.revisions:
            confirmed, continued_by = record[9], record[10]
            if what.revisions[0] > confirmed and continued_by is not None:
                following = self.wait(continued_by, timeout)
                assert following is not None
                return following
        return self._finished(id)

    def when_ended(self, id: str, tell: Callable[[BaseException | None], object]) -> None:
        """As ``wait`` for an instance's id, but return at once and call ``tell`` when it is over.

        ``tell`` gets None, also of an id that nobody knows, or why there will be no end. It is
        called once, in a thread of the engine's, and must return at once.
        """
        self._ask_soon(KEEPER, AwaitInstance(admission.name(id, "an instance's id"), NOBODY), tell)

    def when_idle(self, tell: Callable[[BaseException | None], object]) -> None:
        """As ``wait_idle``, but return at once and call ``tell``, as ``when_ended`` does."""
        self._ask_soon(ROUTER, AwaitIdle(NOBODY), tell)

    def wait_idle(self, timeout: float | None = None) -> None:
        """Wait until nothing accepted is left undone, timed events included. Raises ``TimeoutError``.

        Subscribers have been told of all that led to it, unless they take longer than a second.
        """
        self._ask(ROUTER, AwaitIdle(NOBODY), timeout)
        self._ask(ROUTER, ReadStats())  # What the keeper sent the router before it answered is handed on by now.
        self._subscribers.rest(TOLD_S)

    # --- being told ------------------------------------------------------------------------------

    def subscribe(
        self, listener: Listener | pykka.ActorRef[Any], types: Iterable[str] | None = None, *, room: int | None = None
    ) -> Callable[[], None]:
        """Tell it of state changes (all, or of these types); return what ends that.

        A callable is called in a thread of the engine's; a Pykka actor gets ``StateChanged``
        messages. Who is too slow gets a ``gap`` that says how many changes it missed. Who
        subscribes before ``start`` is told of everything. With ``room`` it has a thread to itself
        and a buffer of so many changes, so that other subscribers do not hold it up.
        """
        wanted = frozenset(admission.choice(ChangeType, name, "change type") or ChangeType.GAP for name in types or ())
        if self._state != "new":
            self._running()
        remove = self._subscribers.add(listener, wanted, room)
        self._watch()

        def unsubscribe() -> None:
            remove()
            self._watch()

        return unsubscribe

    def _watch(self) -> None:
        """Have only those changes told that anybody wants; before the start, starting sees to it."""
        if self._parts is not None:
            self._parts.tell(KEEPER, self._subscribers.watch())

    @property
    def refs(self) -> Mapping[str, Handle]:
        """Handles of the engine's actors by name, for programs built on Pykka; they survive restarts."""
        parts = self._running()
        names = (ROUTER, KEEPER, SCHEDULER, *[name for name, _ in parts.generations.agent_names])
        return {name: Handle(name, parts.hand_in, self._ask) for name in names}


def _receipt(answer: EventAnswer, place: int) -> Receipt:
    found = _receipt_or_error(answer)
    if isinstance(found, Receipt):
        return found
    if isinstance(found, Overloaded):
        found.accepted = place
    elif place:
        raise RefusedError(f"event {place + 1}: {answer.refusal}")
    raise found


def _receipt_or_error(answer: EventAnswer) -> Receipt | Error:
    if answer.receipt is not None:
        return answer.receipt
    if answer.refusal == OVERLOADED:
        text = "the line of waiting events is full; nothing from here on was accepted, try again"
        return Overloaded(text, retry_after=RETRY_AFTER_S)
    return RefusedError(answer.refusal)
