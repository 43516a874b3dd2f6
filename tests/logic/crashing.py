"""A keeper that crashes at any instruction of its logic, and a twin of it that never does.

The shell's part is played here: what crashed is rolled back, a new logic goes on with the same
state, the messages are given to it again one by one. The twin gets the same messages in the
same portions; from both the same effects must come.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import Enum
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import actors.logic
from actors.effects import KEEPER, Effect, Reply
from actors.errors import EngineError
from actors.logic.keeping import Keeping
from actors.logic.rows import Row
from actors.logic.state import State
from actors.logic.workflows import Attempt, Instance, Revising, Run
from actors.messages import ReadInstances
from actors.model import NOBODY, ErrorInfo, Instant, ReplyId, Settings, Task, Trigger, Workflow
from actors.views import InstanceView
from tests.logic.flows import on_data, workflow
from tests.logic.worlds import World

LOGIC = str(Path(next(iter(actors.logic.__path__))))
BOOKKEEPING = frozenset({"in_hand", "over", "marked", "_before", "_replaced"})
"""What serves the undoing and is not undone."""

AT_LAST = -1
"""Instead of an instruction: when the whole batch has been acted on."""
BOOM = ErrorInfo("Boom", "it does so each time")


class Crash(BaseException):
    """What no handler of the logic expects."""


# --- looking at everything ---------------------------------------------------------------------


def digest(thing: object) -> Any:
    """All that can be reached from it, by value, and which mutable parts are the same thing twice."""
    return _digest(thing, {})


def _digest(thing: Any, met: dict[int, int]) -> Any:
    if thing is None or isinstance(thing, (str, int, float, Enum)):
        return thing
    if isinstance(thing, (Workflow, Task)):
        return thing.id
    if isinstance(thing, (set, frozenset)):
        return sorted(map(str, thing))
    if isinstance(thing, tuple):
        return tuple([_digest(part, met) for part in thing])
    if id(thing) in met:
        return f"@{met[id(thing)]}"
    met[id(thing)] = len(met)
    if isinstance(thing, Mapping):
        return [(_digest(key, met), _digest(value, met)) for key, value in thing.items()]
    if isinstance(thing, (list, deque)):
        return [_digest(part, met) for part in thing]
    parts = {name: getattr(thing, name) for name in _fields(thing)}
    if isinstance(thing, State):  # Nobody goes through these: their order says nothing.
        parts["waiters"] = sorted(parts["waiters"].items())
    return [(name, _digest(part, met)) for name, part in parts.items()]


def _fields(thing: object) -> list[str]:
    slots = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
    names = [*slots, *getattr(thing, "__dict__", ())]
    assert names, f"what is {thing!r}?"
    own = isinstance(thing, State)
    return [name for name in names if name not in BOOKKEEPING and not (own and name.startswith("_"))]


# --- crashing anywhere -------------------------------------------------------------------------


@contextmanager
def crash_at(instruction: int, state: State) -> Iterator[list[str]]:
    """Raise ``Crash`` before the so manieth instruction of the logic; yields where that was.

    A batch that is settled has nothing before it but its return.
    """
    left = instruction
    where: list[str] = []

    def trace(frame: FrameType, event: str, _: object) -> Callable[..., Any] | None:
        nonlocal left
        if event == "call":
            if not frame.f_code.co_filename.startswith(LOGIC):
                return None
            frame.f_trace_opcodes = True
        elif event == "opcode" and not (frame.f_code.co_name == "settle" and state.over):
            left -= 1
            if left == 0:
                where.append(f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} in {frame.f_code.co_name}")
                raise Crash(where[0])
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield where
    finally:
        sys.settrace(before)


def crashed(instruction: int, state: State, act: Callable[[], object]) -> str:
    """Where it crashed; empty if it was through before that instruction."""
    with crash_at(instruction, state) as where, suppress(Crash):
        act()
    return where[0] if where else ""


class RebuiltWorld(World):
    """The shell's part for a keeper that crashes of itself: rebuilt, given all again, the second time without."""

    def feed(self, name: str, batch: list[Any]) -> None:
        if name != KEEPER or not batch:
            super().feed(name, batch)
            return
        try:
            effects = take(self.keeping, batch, self.now)
        except Exception:  # noqa: BLE001 - As the shell does: whatever it is.
            self.rebuild()
            for message in batch:
                self._again(message)
        else:
            self._perform(KEEPER, effects)

    def _again(self, message: Any) -> None:
        try:
            effects = take(self.keeping, [message], self.now)
        except Exception as error:  # noqa: BLE001 - The same.
            self.rebuild()
            effects = self.keeping.quarantined(message, ErrorInfo(type(error).__name__, str(error)), self.now)
        self._perform(KEEPER, effects)

    def rebuild(self) -> None:
        state = self.keeping.state
        state.roll_back()
        self.keeping = Keeping(
            self.definitions, calendar=self.calendar, store_id="store", state=state, library=self.library
        )
        self.logic[KEEPER] = self.keeping


class CrashingWorld(RebuiltWorld):
    """Its keeper crashes where ``crash_at`` says at each try at a batch: an instruction, ``AT_LAST``, 0: nowhere."""

    def __init__(self, *workflows: Workflow, **settings: Any) -> None:
        self.crash_at: Callable[[], int] = lambda: 0
        self.crashed_in: list[str] = []
        self.curse: Callable[[Any], bool] = lambda _: False
        self.part: Callable[[int], int] = lambda _: 0
        self.given_up: list[Any] = []
        """Messages that were quarantined: what they report is in no account."""
        self._twin: Keeping | None = None
        settings = {"max_remembered_ids": 20, "max_dead_letters": 2, **settings}
        collect = on_data("collect", priority=7, next_phase="collected")
        fit = workflow("fit", trigger=Trigger.STATE, phase="collected", priority=7)
        super().__init__(*workflows, collect, fit, **settings)

    def feed(self, name: str, batch: list[Any]) -> None:
        if name != KEEPER or not batch:
            super().feed(name, batch)
            return
        if self._twin is None:
            self._twin = Keeping(self.definitions, calendar=self.calendar, store_id="store", library=self.library)
        begins = 0
        for place, message in enumerate(batch):
            if self.curse(message):
                self._take(batch[begins:place])
                self._quarantine(message)
                begins = place + 1
        self._take(batch[begins:])

    def _take(self, batch: list[Any]) -> None:
        if not batch:
            return
        effects = self._try(batch)
        for portion in [batch] if effects is not None else [[message] for message in batch]:
            while effects is None:
                effects = self._try(portion)
            self._both(effects, partial(take, batch=portion, now=self.now))
            effects = None

    def _both(self, effects: list[Effect], act: Callable[[Keeping], list[Effect]]) -> None:
        """Perform them, if the twin does the same."""
        assert self._twin is not None
        expected = act(self._twin)
        assert list(map(repr, effects)) == list(map(repr, expected))  # Errors are alike, not equal.
        self._perform(KEEPER, effects)

    def _quarantine(self, message: Any) -> None:
        """As if it had crashed twice, and been rolled back; of one of many parts, some part in the middle."""
        self.given_up.append(message)
        parts = [*getattr(message, "entities", ()), *getattr(message, "events", ())]
        part = parts[self.part(len(parts))] if parts else None

        def act(keeping: Keeping) -> list[Effect]:
            keeping.state.in_hand = part
            return keeping.quarantined(message, BOOM, self.now)

        self._both(act(self.keeping), act)
        if getattr(message, "reply", NOBODY) != NOBODY:
            self._perform(KEEPER, [Reply(message.reply, EngineError("quarantined"))])

    def _try(self, batch: list[Any]) -> list[Effect] | None:
        """What it leads to; None if the keeper crashed, and was rebuilt as it was before."""
        keeping = self.keeping
        instruction = self.crash_at()
        if not instruction:
            return take(keeping, batch, self.now)
        before = digest(keeping.state)
        effects: list[Effect] = []
        where = crashed(instruction, keeping.state, lambda: effects.extend(take(keeping, batch, self.now)))
        if instruction == AT_LAST:
            where, keeping.state.over = "the very end", False
        if not where:
            return effects
        self.crashed_in.append(where)
        self.rebuild()
        assert digest(self.keeping.state) == before, f"not as before the crash at {where}"
        return None

    def keeping_view(self) -> list[InstanceView]:
        self._numbers += 1
        number = ReplyId(self._numbers)
        self.feed(KEEPER, [ReadInstances(reply=number)])
        shown: tuple[InstanceView, ...] = self._answers[number]
        return list(reversed(shown))


def take(keeping: Keeping, batch: list[Any], now: Instant) -> list[Effect]:
    effects: list[Effect] = []
    for message in batch:
        effects += keeping.receive(message, now)
    return effects + keeping.settle(now)


# --- changing nothing that was not noted --------------------------------------------------------


def guard_writes(patch: pytest.MonkeyPatch) -> set[str]:
    """From now on no field is set of what a batch has neither made nor noted; returns what is set, as it grows."""
    made: dict[int, object] = {}
    written: set[str] = set()
    state = State(Settings())
    begin_batch = State.begin

    def begin(beginning: State) -> None:
        nonlocal state
        state = beginning
        made.clear()
        begin_batch(beginning)

    def write(noted: Any, name: str, value: object) -> None:
        if id(noted) not in made:
            written.add(f"{type(noted).__name__}.{name}")
            assert noted in state._objects, f"{type(noted).__name__}.{name} is set to {value!r}, and was not noted"
        object.__setattr__(noted, name, value)

    def making(kind: type[Any]) -> Callable[..., None]:
        initialise = kind.__init__

        def init(noted: Any, *fields: Any) -> None:
            made[id(noted)] = noted
            initialise(noted, *fields)

        return init

    patch.setattr(State, "begin", begin)
    for kind in (Attempt, Instance, Revising, Row, Run):
        patch.setattr(kind, "__init__", making(kind))
        patch.setattr(kind, "__setattr__", write)
    return written
