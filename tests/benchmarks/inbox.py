"""How many messages a second an actor's inbox takes in and hands out, against ``queue.SimpleQueue`` under Pykka.

The baseline is a Pykka actor whose inbox is a bare ``SimpleQueue``, told through its ref: the
fastest inbox that Pykka can have, and one that loses messages when its actor ends.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import pykka

from actors.actor import LogicActor
from actors.clock import SystemClock, TimerThread
from actors.desk import Desk
from actors.effects import Effect
from actors.messages import TimeoutDue
from actors.model import ErrorInfo, Instant
from actors.seat import Intensity, Seat, Surroundings
from actors.taps import Taps
from tests.benchmarks.bars import Bar, spread

MESSAGES = 40_000
ROUNDS = 9
PATIENCE_S = 60.0


class Counting:
    """Counts messages, in a logic or in an actor, and says when all have come."""

    def __init__(self) -> None:
        self.left = 0
        self.through = threading.Event()

    def expect(self, count: int) -> None:
        self.left = count
        self.through.clear()

    def one(self) -> None:
        self.left -= 1
        if not self.left:
            self.through.set()


class Bare(pykka.ThreadingActor):
    use_daemon_thread = True

    def __init__(self, counting: Counting) -> None:
        super().__init__()
        self._counting = counting

    @staticmethod
    def _create_actor_inbox() -> Any:
        return SimpleQueue()

    def on_receive(self, message: object) -> None:
        self._counting.one()


class Logic:
    """The least that a logic of ours can be."""

    def __init__(self, counting: Counting) -> None:
        self._counting = counting

    def begin(self, now: Instant) -> list[Effect]:
        return []

    def receive(self, message: object, now: Instant) -> list[Effect]:
        self._counting.one()
        return []

    def settle(self, now: Instant) -> list[Effect]:
        return []

    def quarantined(self, message: object, error: ErrorInfo, now: Instant) -> list[Effect]:
        return []


def rates() -> list[Bar]:
    """With one sender and with four, in turn with the baseline."""
    counting = Counting()
    around = Surroundings(SystemClock(), TimerThread("none"), Desk(), fail=_fail, check=lambda *_: None)
    seat = Seat("ours", around, Intensity(3, 60.0))
    ours = LogicActor(seat, lambda _: Logic(counting), around)
    ours.launch()
    bare = Bare.start(counting)
    bars: list[Bar] = []
    for senders in (1, 4):
        ratios: list[float] = []
        found: dict[str, list[float]] = {"ours": [], "SimpleQueue under Pykka": []}
        for turn in range(ROUNDS + 1):
            ratio = _rate(ours.inbox.post, senders, counting), _rate(bare.tell, senders, counting)
            if turn:  # The first is warm-up.
                ratios.append(ratio[0] / ratio[1])
                for name, rate in zip(found, ratio, strict=True):
                    found[name].append(rate)
        for name, each in found.items():
            print(f"{senders} sender(s), {name}: {spread(each, 'messages/s', digits=0)}")
        baseline = f"{statistics.median(found['SimpleQueue under Pykka']):.0f} messages/s"
        name = f"inbox, {senders} sender{'s' * (senders > 1)}: rate to SimpleQueue under Pykka"
        bars.append(Bar(name, statistics.median(ratios), "times", 0.7, at_least=True, baseline=baseline))
    bars.append(_tapped(seat, counting))
    ours.retire()
    bare.stop()
    assert ours.gone(PATIENCE_S)
    return bars


def _tapped(seat: Seat, counting: Counting) -> Bar:
    """What it costs the actor that somebody listens in, at the usual 100 messages a second."""
    taps = Taps("benchmark", float)
    ratios: list[float] = []
    for _ in range(ROUNDS):
        alone = _rate(seat.inbox.post, 1, counting)
        remove = taps.add(seat, lambda told: None, 100)
        ratios.append(_rate(seat.inbox.post, 1, counting) / alone)
        remove()
    taps.stop(PATIENCE_S)
    print(f"1 sender, tapped: {spread(ratios, 'times the rate without')}")
    return Bar("  tapped: rate to the same actor's untapped", statistics.median(ratios), "times")


def _rate(tell: Callable[[Any], None], senders: int, counting: Counting) -> float:
    """Messages a second from the first that is sent to the last that is received."""
    message = TimeoutDue()
    each = MESSAGES // senders
    counting.expect(each * senders)
    gate = threading.Event()

    def send() -> None:
        gate.wait()
        for _ in range(each):
            tell(message)

    threads = [threading.Thread(target=send) for _ in range(senders)]
    for thread in threads:
        thread.start()
    began = time.perf_counter()
    gate.set()
    if not counting.through.wait(PATIENCE_S):
        raise TimeoutError(f"{counting.left} messages have not come")
    taken = time.perf_counter() - began
    for thread in threads:
        thread.join()
    return each * senders / taken


def _fail(name: str, trace: str) -> None:
    raise AssertionError(f"{name}: {trace}")
