"""Real actors with a small logic that adds up, and crashes, hangs or fails where a test says so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from actors.actor import LogicActor
from actors.clock import SystemClock
from actors.desk import Desk
from actors.effects import Effect, Reply
from actors.errors import EngineStopped, RequestError
from actors.messages import AwaitIdle, ReadStats
from actors.model import ErrorInfo, Instant, ReplyId
from actors.repair import Logic
from actors.seat import Intensity, Seat, Surroundings
from actors.supervisor import Bounds, Supervisor

BOUND_S = 10.0
NEVER = Intensity(1_000_000, 60.0)
FAILURES: tuple[type[BaseException], ...] = (ValueError, SystemExit, KeyboardInterrupt, MemoryError, RecursionError)


@dataclass(frozen=True, slots=True)
class Add:
    """Add it to what was added."""

    number: int


@dataclass(frozen=True, slots=True)
class Enter:
    """Effect: write the number in the book."""

    number: int


@dataclass
class Plan:
    """What goes wrong, by what is at work: a message, or ``begin``, ``settle``, ``quarantined``."""

    crash: dict[object, list[type[BaseException]]] = field(default_factory=dict)
    """Raised one after the other."""
    hang: dict[object, threading.Event] = field(default_factory=dict)
    """Waited for."""
    hanging: threading.Event = field(default_factory=threading.Event)

    def at(self, work: object) -> None:
        left = self.crash.get(work)
        if left:
            raise left.pop(0)(f"planned at {work}")
        gate = self.hang.pop(work, None)
        if gate is not None:
            self.hanging.set()
            assert gate.wait(BOUND_S)


class Adding:
    """Enters every number, and answers who asks; an ``AwaitIdle`` is answered when 0 is added."""

    def __init__(self, plan: Plan, generation: int) -> None:
        self.generation = generation
        self._plan = plan
        self._waiting: list[ReplyId] = []

    def begin(self, now: Instant) -> list[Effect]:
        self._plan.at("begin")
        return []

    def receive(self, message: Any, now: Instant) -> list[Any]:
        self._plan.at(message)
        match message:
            case Add(number):
                effects: list[Any] = [Enter(number)]
                if number == 0:
                    effects += [Reply(reply, self.generation) for reply in self._waiting]
                    self._waiting.clear()
                return effects
            case ReadStats(reply):
                return [Reply(reply, self.generation)]
            case AwaitIdle(reply):
                self._waiting.append(reply)
        return []

    def settle(self, now: Instant) -> list[Effect]:
        self._plan.at("settle")
        return []

    def quarantined(self, message: Any, error: ErrorInfo, now: Instant) -> list[Any]:
        self._plan.at("quarantined")
        return [Enter(-message.number)] if isinstance(message, Add) else []


class AddingActor(LogicActor):
    """Its book outlives it."""

    book: list[int]
    effect_plan: Plan

    def performs(self, table: dict[type, Callable[[Any], None]]) -> None:
        table[Enter] = self._enter

    def _enter(self, effect: Enter) -> None:
        self.effect_plan.at(effect)
        self.book.append(effect.number)


def check(actor: str, message: object) -> None:
    if not isinstance(message, Add | ReadStats | AwaitIdle):
        raise RequestError(f"{actor} takes no {type(message).__name__}")


class Company:
    """Some adding actors, as an engine would have them."""

    def __init__(self, *names: str, intensity: Intensity = NEVER, bounds: Bounds | None = None) -> None:
        self.clock = SystemClock()
        self.desk = Desk()
        self.failures: list[tuple[str, str]] = []
        self.around = Surroundings(self.clock, NoTimers(), self.desk, fail=self._fail, check=check)
        self.plans = {name: Plan() for name in names}
        self.effect_plans = {name: Plan() for name in names}
        self.books: dict[str, list[int]] = {name: [] for name in names}
        self.seats = {name: Seat(name, self.around, intensity) for name in names}
        self.supervisor = Supervisor(self.clock, bounds or Bounds(look_s=60.0, start_s=BOUND_S), self._fail)

    def _fail(self, name: str, trace: str) -> None:
        self.failures.append((name, trace))
        self.supervisor.halt()
        self.desk.close(EngineStopped("failed"))

    def makers(self) -> Mapping[str, Callable[[], LogicActor]]:
        return {name: self._maker(name) for name in self.seats}

    def _maker(self, name: str) -> Callable[[], LogicActor]:
        def make() -> LogicActor:
            actor = AddingActor(self.seats[name], self._build(name), self.around)
            actor.book, actor.effect_plan = self.books[name], self.effect_plans[name]
            return actor

        return make

    def _build(self, name: str) -> Callable[[int], Logic]:
        return lambda generation: Adding(self.plans[name], generation)

    def start(self) -> Company:
        self.supervisor.start(self.makers(), "watchdog")
        return self

    def actor(self, name: str) -> LogicActor:
        return self.supervisor.actors[name]

    def tell(self, name: str, *messages: object) -> None:
        for message in messages:
            self.seats[name].inbox.post(message)

    def tell_together(self, name: str, *messages: object) -> None:
        """They are one batch: the actor is held at a message before them until they are all there."""
        gate = threading.Event()
        plan = self.plans[name]
        plan.hanging.clear()
        held = Add(1_000_000)
        plan.hang[held] = gate
        self.tell(name, held)
        assert plan.hanging.wait(BOUND_S)
        self.tell(name, *messages)
        gate.set()

    def book(self, name: str) -> list[int]:
        """What has been entered when all that was sent before is dealt with, without what held it."""
        self.ask(name)
        return [number for number in self.books[name] if number != 1_000_000]

    def ask(self, name: str, kind: type[ReadStats | AwaitIdle] = ReadStats, timeout: float = BOUND_S) -> Any:
        number, answer = self.desk.open()
        self.tell(name, kind(number))
        return answer.get(timeout=timeout)

    def stop(self) -> list[str]:
        left = self.supervisor.stop()
        self.desk.close(EngineStopped("stopped"))
        return left


class NoTimers:
    def set(self, owner: str, key: object, at: Instant, fire: Callable[[], None]) -> None: ...

    def clear(self, owner: str, key: object) -> None: ...


@pytest.fixture
def company() -> Iterator[Callable[..., Company]]:
    """``company("a", "b", ...)`` starts actors of these names; they are stopped at the end."""
    made: list[Company] = []

    def start(*names: str, **options: Any) -> Company:
        made.append(Company(*names, **options))
        return made[-1].start()

    yield start
    for each in made:
        each.stop()
