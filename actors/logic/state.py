"""Everything the keeper's logic remembers from one batch to the next, and how a crashed batch is undone.

It lies outside the logic, so that a logic that crashed cannot take it along. Every batch is a
transaction: what it changes is noted before it is changed, as it was, and ``roll_back`` puts it
back. Notes are values, not inverse steps, so putting back what had not been changed yet does
no harm, and neither does rolling back twice.

How a new piece of state comes under this, in the order of preference:

1. A plain immutable value (a number, a tuple, a frozenset, None) is a slot of ``State`` named in
   ``_VALUES`` and is only ever assigned: nothing else to do, it is noted when a batch begins.
2. A small container (some hundreds of entries) is a slot; call ``will_change(container)`` before
   changing it in place. Its first change in a batch copies it.
3. A field of an instance, run, attempt, revising or row is a slot of its class, set in
   ``__init__``, and holds immutable values (or a list that is replaced, never changed in place):
   the object is noted as a whole where it is looked up (``Instances.find`` and ``find_attempt``,
   ``Books``) or before a loop over what was not looked up (``touch_whole``).
4. A new class of small mutable objects has slots and an entry in ``_IMAGES``; ``touch`` it first.
5. A large dict: ``note(held, key)`` before a key is set or taken out. The order of its keys is put
   back only where the dict is sorted by key (``live``), or only ever grows (``_GROWING``).

``tests/logic/test_crashes.py`` fails for whatever is forgotten.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from actors.logic.accounts import Accounts
from actors.logic.judging import Verdict
from actors.logic.lanes import Lanes
from actors.logic.late import Late
from actors.logic.letters import Letter
from actors.logic.remembered import Remembered
from actors.logic.rows import Row
from actors.logic.workflows import Attempt, Instance, Revising, Run
from actors.model import AgentName, AttemptId, EntityId, Event, InstanceKey, ReplyId, Settings, WorkflowId
from actors.views import ChangeType

Noted: TypeAlias = Instance | Run | Attempt | Revising | Row | Accounts
Seen: TypeAlias = tuple[str | int, ...]
"""What is kept of a receipt: its instances and their revisions in turn."""

_ABSENT = object()
_VALUES = (
    "all_paused", "derived_number", "drained", "keys", "letters", "orders", "reconcile_set", "second", "sequence",
    "version", "watched", "working", "pending", "taken",
)  # fmt: skip
"""Noted as they are when a batch begins."""
_GROWING = ("pending", "rows", "taken")
"""New keys come last, so that how many there were says which are new."""

_NEVER_CHANGED = frozenset({"created", "key", "number", "origin", "task", "workflow"})
_SLOTS: Mapping[type[Noted], tuple[str, ...]] = {
    kind: tuple(name for name in slots if name not in _NEVER_CHANGED)
    for kind, slots in (
        (Instance, Instance.__slots__),
        (Run, Run.__slots__),
        (Attempt, Attempt.__slots__),
        (Revising, Revising.__slots__),
        (Accounts, Accounts.__slots__),
        (Row, (*Lanes.__slots__, *Row.__slots__)),
    )
}


def _reader(names: Iterable[str]) -> Callable[[Any], tuple[Any, ...]]:
    """What reads these attributes. Compiled, because ``attrgetter`` takes four times as long."""
    read: Callable[[Any], tuple[Any, ...]] = eval(f"lambda noted: ({''.join(f'noted.{name}, ' for name in names)})")
    return read


_IMAGES = {kind: _reader(slots) for kind, slots in _SLOTS.items()}
_run_image, _attempt_image, _instance_image = _IMAGES[Run], _IMAGES[Attempt], _IMAGES[Instance]
_values_of = _reader(_VALUES)


class State:
    """What a keeper knows. One batch at a time changes it, and is kept or undone as a whole."""

    __slots__ = (
        "_containers",
        "_growing",
        "_keyed",
        "_keys_before",
        "_objects",
        "_values",
        "accounts",
        "all_paused",
        "attempts_by_verdict",
        "dead_letters",
        "derived_number",
        "derived_out",
        "drained",
        "events",
        "idle_waiters",
        "in_hand",
        "in_use",
        "instances_by_end",
        "keys",
        "late",
        "letters",
        "live",
        "orders",
        "over",
        "paused",
        "pending",
        "reconcile_set",
        "rows",
        "second",
        "seen",
        "sequence",
        "taken",
        "unused_waiters",
        "version",
        "waiters",
        "watched",
        "working",
    )  # fmt: skip

    def __init__(self, settings: Settings, version: str = "") -> None:
        self.version = version
        """Of the definitions in force."""
        self.in_use: dict[str, int] = {}
        """How many unfinished instances, and attempts that outlive theirs, there are of each version."""
        self.unused_waiters: dict[str, tuple[ReplyId, ...]] = {}
        """Who waits until nothing is of a version any more."""
        self.rows: dict[EntityId, Row] = {}
        self.pending: dict[EntityId, None] = {}
        """Pending rows that nothing has looked at since they changed, oldest first."""
        self.live: dict[InstanceKey, Instance] = {}
        """Unfinished instances, oldest first."""
        self.late: dict[AttemptId, Late] = {}
        """Attempts that had not ended when their instance was over: each counts once, when it ends."""
        self.working = 0
        """Instances with a task in line, running or waiting for a backoff."""
        self.keys = self.orders = self.second = 0
        self.taken: dict[EntityId, tuple[str, ...]] = {}
        """Names used for an entity in this second, so that readable ids never collide."""
        self.seen: Remembered[Seen] = Remembered(settings.max_remembered_ids)
        self.dead_letters: deque[Letter] = deque(maxlen=settings.max_dead_letters)
        self.letters = 0
        """The number of the newest."""
        self.derived_out: dict[str, tuple[int, Event]] = {}
        """Derived events on their way through the router, by id; numbered in order."""
        self.derived_number = 0
        self.events = {"accepted": 0, "duplicates": 0, "rejected": 0, "expired": 0, "dead_letters": 0}
        self.instances_by_end = dict.fromkeys(("completed", "failed", "cancelled", "expired"), 0)
        self.attempts_by_verdict = dict.fromkeys(map(str, Verdict), 0)
        self.accounts = Accounts()
        self.paused: set[WorkflowId] = set()
        self.all_paused = False
        """Whatever ``paused`` says, no workflow starts a task."""
        self.drained: frozenset[AgentName] = frozenset()
        """Agents that get no new work."""
        self.waiters: dict[InstanceKey, tuple[tuple[ReplyId, int], ...]] = {}
        """Who waits for an instance, and for which revision of it."""
        self.idle_waiters: list[ReplyId] = []
        self.watched: frozenset[ChangeType] = frozenset()
        self.sequence = 0
        self.reconcile_set = False
        self.in_hand: object
        """What of a message of many parts is being acted on. Not rolled back: it says what crashed."""
        self.over = False
        """The batch is settled and its effects are being performed: it cannot be undone any more."""
        self._objects: dict[Noted, tuple[Any, ...]] = {}
        self._containers: dict[int, tuple[Any, Any]] = {}
        self._keyed: dict[int, tuple[dict[Any, Any], dict[Any, Any]]] = {}
        self.begin()

    # --- noting ----------------------------------------------------------------------------------

    def begin(self) -> None:
        """A batch begins: what the last one led to is settled and done."""
        self._objects.clear()
        if self._containers:
            self._containers.clear()
        if self._keyed:
            self._keyed.clear()
        self._values = _values_of(self)
        self._growing = (len(self.pending), len(self.rows), len(self.taken))
        self._keys_before = self.keys
        self.seen.marked = False
        self.in_hand = None
        self.over = False

    def touch(self, changing: Noted) -> None:
        """This object is about to change."""
        if changing not in self._objects:
            self._objects[changing] = _IMAGES[type(changing)](changing)

    def touch_instance(self, instance: Instance) -> None:
        """Fields of it, or of its revising, are about to change, or its tasks to be made; not the tasks."""
        objects = self._objects
        if instance not in objects and instance.key <= self._keys_before:
            if instance.revising is not None:
                self.touch(instance.revising)
            objects[instance] = _instance_image(instance)

    def touch_run(self, run: Run) -> None:
        """It, or its newest attempt, is about to change."""
        objects = self._objects
        if run not in objects:
            if run.attempts:
                attempt = run.attempts[-1]
                objects[attempt] = _attempt_image(attempt)
            objects[run] = _run_image(run)

    def touch_accounts(self) -> None:
        """What the attempts' time came to is about to change."""
        if self.accounts not in self._objects:
            self.touch(self.accounts)
            self.will_change(self.accounts.ended)
            self.will_change(self.accounts.wasted_ns)

    def touch_whole(self, instance: Instance) -> None:
        """Anything of it is about to change."""
        self.touch_instance(instance)
        if instance.key <= self._keys_before and not instance.untouched:
            for run in instance.runs:
                self.touch_run(run)

    def will_change(self, container: set[Any] | list[Any] | deque[Any] | dict[Any, Any]) -> None:
        """This small container is about to change in place."""
        if id(container) not in self._containers:
            self._containers[id(container)] = (container, container.copy())

    def note(self, held: dict[Any, Any], key: Any) -> None:
        """This key of a large dict is about to be set or taken out."""
        known = self._keyed.get(id(held))
        if known is None:
            known = self._keyed[id(held)] = (held, {})
        known[1].setdefault(key, held.get(key, _ABSENT))

    def uses(self, version: str, change: int) -> None:
        """So many more are of this version, or fewer."""
        self.will_change(self.in_use)
        count = self.in_use.get(version, 0) + change
        if count:
            self.in_use[version] = count
        else:
            del self.in_use[version]

    def derived_sent(self, events: Sequence[Event]) -> None:
        """These follow from recorded outcomes and are with the router until they come back."""
        for event in events:
            assert event.id is not None
            self.derived_number += 1
            self.note(self.derived_out, event.id)
            self.derived_out[event.id] = (self.derived_number, event)

    def derived_back(self, identity: str) -> None:
        if identity in self.derived_out:
            self.note(self.derived_out, identity)
            del self.derived_out[identity]

    # --- undoing ---------------------------------------------------------------------------------

    def roll_back(self) -> None:
        """Be again what it was before the batch that crashed, in ``receive`` or in ``settle``.

        Whatever logic has worked on it holds parts of what is undone: make a new one. Does nothing
        when no batch has begun since the last one was settled.
        """
        if self.over:
            return
        for noted, image in self._objects.items():
            for slot, value in zip(_SLOTS[type(noted)], image, strict=True):
                setattr(noted, slot, value)
        for name, value in zip(_VALUES, self._values, strict=True):
            setattr(self, name, value)
        for container, copy in self._containers.values():
            container.clear()
            (container.extend if isinstance(container, (list, deque)) else container.update)(copy)
        self._roll_back_keys()
        for name, count in zip(_GROWING, self._growing, strict=True):
            grown = getattr(self, name)
            while len(grown) > count:
                grown.popitem()
        self.seen.roll_back()
        self.over = True

    def _roll_back_keys(self) -> None:
        live = self.live
        while live and next(reversed(live)) > self.keys:
            live.popitem()
        for held, known in self._keyed.values():
            for key, value in known.items():
                if value is _ABSENT:
                    held.pop(key, None)
                else:
                    held[key] = value
        if id(live) in self._keyed:
            self.live = dict(sorted(live.items()))
