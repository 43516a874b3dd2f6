"""Publishes a tick file as it once happened: the same gaps, some times as fast.

Nothing is dropped on the way: a batch that the engine is too busy for is published again after
the pause it asks for, and a line that cannot be used is reported with its number. Each event's
id names its file and line, so that a replay broken off and begun again over the same store does
nothing twice.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from actors.errors import Overloaded, RequestError
from actors.model import Event
from actors.ticks.files import TickFile
from actors.ticks.lines import SHANGHAI_OFFSET, BadLine, Position, Tick
from actors.views import Receipt

MAX_FAULTS = 20
"""Bad lines that are shown; beyond that they are counted."""
MAX_BATCH = 500
"""Ticks published together: of a file that gives all its lines the same instant, too."""
MAX_NAME = 100
"""Characters of the file's name in an event's id, which is bounded too."""
_REPORT_SECONDS = 0.2
_DAY = 86_400


class Publisher(Protocol):
    """What a replay needs of an engine."""

    def publish_many(self, events: Sequence[Event]) -> Sequence[Receipt]: ...


@dataclass(frozen=True, slots=True)
class Batch:
    """What is due at one instant."""

    due: float
    """Seconds after the start of the replay."""
    ticks: tuple[Tick, ...]
    bad: tuple[BadLine, ...]
    """Lines met on the way that cannot be used."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a replay is, and at its end how it went."""

    fraction: float = 0.0
    """Of the file's bytes, from 0 to 1."""
    published: int = 0
    """Events accepted, those that merge into newer ones included."""
    duplicates: int = 0
    """Events that this store had accepted before."""
    skipped: int = 0
    """Lines that cannot be used, and events that were refused."""
    faults: tuple[str, ...] = ()
    """What is wrong with the first of these, as ``file:line: what and the cure``."""
    market_time: str = ""
    """The time of the last tick published, as the file has it."""
    behind: float = 0.0
    """Seconds that the last batch was late."""
    most_behind: float = 0.0
    elapsed: float = 0.0
    done: bool = False
    """It is over: at the end of the file, or stopped."""
    stopped: bool = False


def batches(lines: Iterator[Tick | BadLine], *, speed: float, skip_gaps: float | None = None) -> Iterator[Batch]:
    """Group ticks of one instant and say when each group is due.

    A gap between two instants lasts its length divided by ``speed`` (infinite: nothing); with
    ``skip_gaps``, one longer than that many seconds of market time counts as that long. Time
    that runs backwards, as over midnight in a file without dates, is no gap at all.
    """
    due, at = 0.0, None
    ticks: list[Tick] = []
    bad: list[BadLine] = []
    for line in lines:
        if isinstance(line, BadLine):
            bad.append(line)
        elif at is None or line.at == at:
            at = line.at
            ticks.append(line)
        else:
            yield Batch(due, tuple(ticks), tuple(bad))
            gap = max(0.0, line.at - at)
            due += min(gap, gap if skip_gaps is None else skip_gaps) / speed
            ticks, bad, at = [line], [], line.at
        if len(ticks) + len(bad) >= MAX_BATCH:
            yield Batch(due, tuple(ticks), tuple(bad))
            ticks, bad = [], []
    if ticks or bad:
        yield Batch(due, tuple(ticks), tuple(bad))


def replay(
    engine: Publisher,
    ticks: TickFile | str | Path,
    *,
    speed: float = 1.0,
    skip_gaps: float | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    stop: threading.Event | None = None,
) -> Progress:
    """Publish the file's ticks to the engine; return when the last is accepted, or ``stop`` is set.

    ``on_progress`` is called in this thread, about five times a second, at once for a bad
    line, and at the end. A replay that falls behind catches up without pauses. Raises
    ``RequestError`` for a file that cannot be used as a whole or for a speed that is none, and
    what the engine raises when it is not running.
    """
    if not speed > 0:
        raise RequestError(f"a replay's speed must be above 0, not {speed:g}; 60 plays an hour in a minute")
    if skip_gaps is not None and not skip_gaps >= 0:
        raise RequestError(f"gaps to skip must be 0 seconds or more, not {skip_gaps:g}")
    source = ticks if isinstance(ticks, TickFile) else TickFile(Path(ticks))
    run = _Replay(engine, source, on_progress, stop or threading.Event())
    return run.run(batches(source.read(), speed=speed, skip_gaps=skip_gaps))


class _Replay:
    """One run: when to publish, what became of it, whom to tell."""

    def __init__(
        self,
        engine: Publisher,
        ticks: TickFile,
        on_progress: Callable[[Progress], None] | None,
        stop: threading.Event,
    ) -> None:
        self._engine = engine
        self._ticks = ticks
        self._tell = on_progress
        self._stop = stop
        self._size = max(1, ticks.size)
        self._began = time.monotonic()
        self._told = -math.inf
        self._faults: list[str] = []
        self._published = self._duplicates = self._skipped = 0
        self._at = 0
        self._market_time = ""
        self._behind = self._most_behind = 0.0

    def run(self, due: Iterator[Batch]) -> Progress:
        stopped = False
        for batch in due:
            stopped = self._stop.wait(max(0.0, batch.due - self._elapsed())) or self._publish(batch)
            if stopped:
                break
            self._report(urgent=bool(batch.bad))
        result = self._progress(done=True, stopped=stopped)
        if self._tell is not None:
            self._tell(result)
        return result

    def _publish(self, batch: Batch) -> bool:
        """Hand the batch over; true if told to stop before all of it was."""
        for bad in batch.bad:
            self._skip(bad.position, bad.message)
        if self._hand_over(batch.ticks):
            return True
        self._behind = max(0.0, self._elapsed() - batch.due)
        self._most_behind = max(self._most_behind, self._behind)
        lines: tuple[Tick | BadLine, ...] = (*batch.ticks, *batch.bad)
        self._at = max(self._at, *(line.position.end for line in lines))
        return False

    def _hand_over(self, ticks: Sequence[Tick], *, again: bool = False) -> bool:
        """Publish, waiting for as long as the engine is too busy; true if told to stop.

        ``again``: they may have been accepted a moment ago, which makes them no duplicates.
        """
        while ticks:
            try:
                receipts = self._engine.publish_many([self._event(tick) for tick in ticks])
            except Overloaded as error:
                self._accepted(ticks[: error.accepted])
                ticks = ticks[error.accepted :]
                self._report(urgent=False)
                if self._stop.wait(error.retry_after):
                    return True
            except RequestError as error:
                if len(ticks) > 1:
                    # One of them is refused. Alone, each can be told; the ids see to it that none is taken twice.
                    return any(self._hand_over((tick,), again=True) for tick in ticks)
                self._skip(ticks[0].position, str(error))
                self._report(urgent=True)
                return False
            else:
                self._accepted(ticks)
                self._duplicates += 0 if again else sum(receipt.duplicate for receipt in receipts)
                return False
        return False

    def _event(self, tick: Tick) -> Event:
        return Event(
            type=self._ticks.columns.type,
            entity_id=tick.entity_id,
            data=tick.data,
            timestamp=tick.timestamp,
            # The line's checksum tells another file of the same name from this one.
            id=f"{self._ticks.path.name[-MAX_NAME:]}:{tick.position.line}:{tick.checksum:08x}",
        )

    def _accepted(self, ticks: Sequence[Tick]) -> None:
        self._published += len(ticks)
        if ticks:
            self._market_time = _clock(ticks[-1].at)

    def _skip(self, position: Position, message: str) -> None:
        self._skipped += 1
        if self._skipped <= MAX_FAULTS:
            self._faults.append(f"{self._ticks.path}:{position.line}: {message}")

    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    def _report(self, *, urgent: bool) -> None:
        now = time.monotonic()
        if self._tell is not None and (urgent or now - self._told >= _REPORT_SECONDS):
            self._told = now
            self._tell(self._progress())

    def _progress(self, *, done: bool = False, stopped: bool = False) -> Progress:
        return Progress(
            fraction=1.0 if done and not stopped else min(1.0, self._at / self._size),
            published=self._published,
            duplicates=self._duplicates,
            skipped=self._skipped,
            faults=tuple(self._faults),
            market_time=self._market_time,
            behind=self._behind,
            most_behind=self._most_behind,
            elapsed=self._elapsed(),
            done=done,
            stopped=stopped,
        )


def _clock(at: float) -> str:
    """HH:MM:SS in Shanghai: of an instant since the epoch, or of seconds since midnight."""
    seconds = int(at) if at < _DAY else int(at + SHANGHAI_OFFSET)
    minute, second = divmod(seconds % _DAY, 60)
    return f"{minute // 60:02}:{minute % 60:02}:{second:02}"
