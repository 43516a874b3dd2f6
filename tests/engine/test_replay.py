"""A replay keeps the file's gaps, loses nothing, and says which line was wrong."""

from __future__ import annotations

import itertools
import math
import threading
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.errors import EngineStopped, NotFoundError, Overloaded, RefusedError, RequestError
from actors.model import Event
from actors.replay import MAX_BATCH, MAX_FAULTS, Batch, Progress, batches, replay
from actors.ticks.columns import Column, Columns, Kind
from actors.ticks.files import TickFile
from actors.ticks.lines import BadLine, Position, Tick
from actors.views import Receipt

HEADER = "time,symbol,price\n"
COLUMNS = Columns(data={"price": Column("price", Kind.NUMBER)})


def tick(at: float, entity: str = "000001") -> Tick:
    return Tick(entity, at, None, {}, Position())


def bad() -> BadLine:
    return BadLine("bad", Position())


def dues(*ats: float, speed: float = 1.0, skip_gaps: float | None = None) -> list[float]:
    return [batch.due for batch in batches(iter([tick(at) for at in ats]), speed=speed, skip_gaps=skip_gaps)]


# --- when what is due --------------------------------------------------------------------------


def test_gaps_are_divided_by_the_speed() -> None:
    assert dues(100, 103, 109, speed=3) == [0, 1, 3]


def test_a_long_gap_is_cut_to_the_length_given_and_a_short_one_is_kept() -> None:
    assert dues(0, 60, 5460, 5463, speed=60, skip_gaps=60) == [0, 1, 2, 2.05]


def test_at_infinite_speed_everything_is_due_at_once() -> None:
    assert dues(0, 3, 6, speed=math.inf) == [0, 0, 0]


def test_time_that_runs_backwards_is_no_gap() -> None:
    assert dues(86_398, 1, 4) == [0, 0, 3]


def test_ticks_of_one_instant_are_due_together_with_the_bad_lines_among_them() -> None:
    lines: list[Tick | BadLine] = [tick(1, "a"), bad(), tick(1, "b"), tick(4, "a"), bad()]

    found = list(batches(iter(lines), speed=1))

    assert found == [
        Batch(0, (tick(1, "a"), tick(1, "b")), (bad(),)),
        Batch(3, (tick(4, "a"),), (bad(),)),
    ]


@given(st.lists(st.one_of(st.none(), st.floats(0, 1e5)), max_size=60), st.floats(0.1, 1e4), st.floats(0, 100))
def test_every_line_is_in_one_batch_in_order_and_dues_never_go_back(
    ats: list[float | None], speed: float, skip_gaps: float
) -> None:
    lines: list[Tick | BadLine] = [bad() if at is None else tick(at) for at in ats]

    found = list(batches(iter(lines), speed=speed, skip_gaps=skip_gaps))

    assert [one for batch in found for one in batch.ticks] == [line for line in lines if isinstance(line, Tick)]
    assert sum(len(batch.bad) for batch in found) == ats.count(None)
    assert [batch.due for batch in found] == sorted(batch.due for batch in found)
    assert all(
        later.due - earlier.due <= skip_gaps / speed * 1.001 + 1e-6 for earlier, later in itertools.pairwise(found)
    )


def test_a_file_of_one_instant_still_goes_out_in_bounded_batches() -> None:
    found = list(batches((tick(5) for _ in range(3 * MAX_BATCH + 1)), speed=1))

    assert [len(batch.ticks) for batch in found] == [MAX_BATCH, MAX_BATCH, MAX_BATCH, 1]


# --- publishing --------------------------------------------------------------------------------


class Recorder:
    """An engine as a replay sees it: keeps what it was given, refuses as told."""

    def __init__(self, before: Callable[[Sequence[Event]], None] = lambda events: None) -> None:
        self.accepted: dict[str, Event] = {}
        self._before = before

    def publish_many(self, events: Sequence[Event]) -> list[Receipt]:
        try:
            self._before(events)
        except Overloaded as error:
            self._take(events[: error.accepted])
            raise
        return self._take(events)

    def _take(self, events: Sequence[Event]) -> list[Receipt]:
        receipts = []
        for event in events:
            assert event.id is not None
            receipts.append(Receipt(event.id, duplicate=event.id in self.accepted))
            self.accepted.setdefault(event.id, event)
        return receipts

    @property
    def prices(self) -> list[float]:
        return [event.data["price"] for event in self.accepted.values()]


def write(folder: Path, *rows: str, name: str = "ticks_20240102.csv") -> TickFile:
    path = folder / name
    path.write_text(HEADER + "".join(row + "\n" for row in rows), encoding="utf-8")
    return TickFile(path, COLUMNS)


def numbered(count: int) -> list[str]:
    return [f"09:30:{n // 2 % 60:02},00000{n % 2 + 1},{n}" for n in range(count)]


def test_each_tick_becomes_an_event_with_the_tick_as_data(tmp_path: Path) -> None:
    engine = Recorder()

    result = replay(engine, write(tmp_path, "09:30:02,000001,10.9"), speed=math.inf)

    (event,) = engine.accepted.values()
    assert (event.type, event.entity_id, event.priority, event.data) == ("DATA_READY", "000001", None, {"price": 10.9})
    assert event.timestamp == 1704159002.0
    assert (result.published, result.skipped, result.fraction, result.done, result.stopped) == (1, 0, 1.0, True, False)
    assert result.market_time == "09:30:02"


def test_the_real_gaps_pass_scaled(tmp_path: Path) -> None:
    rows = ["09:30:00,000001,1", "09:30:03,000001,2", "11:30:00,000001,3"]

    result = replay(Recorder(), write(tmp_path, *rows), speed=60, skip_gaps=6)

    assert 0.15 <= result.elapsed < 2


def test_a_malformed_line_is_told_with_its_number_and_nothing_else_is_lost(tmp_path: Path) -> None:
    rows = numbered(10)
    rows[4] = "09:30:02,000001,ten"
    engine = Recorder()
    told: list[Progress] = []

    result = replay(engine, write(tmp_path, *rows), speed=math.inf, on_progress=told.append)

    assert engine.prices == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert (result.published, result.skipped) == (9, 1)
    assert result.faults == (f"{tmp_path}/ticks_20240102.csv:6: price is 'ten', not a number",)
    assert any(progress.faults and not progress.done for progress in told)


def test_of_many_bad_lines_the_first_are_told_and_the_others_counted(tmp_path: Path) -> None:
    result = replay(Recorder(), write(tmp_path, *["nonsense"] * 100), speed=math.inf)

    assert (result.skipped, len(result.faults)) == (100, MAX_FAULTS)


def test_an_overloaded_engine_is_asked_again_and_every_event_arrives_once_and_in_order(tmp_path: Path) -> None:
    refusals = iter([0, 1, 1, None, 0, None] * 20)

    def sometimes_full(events: Sequence[Event]) -> None:
        accepted = next(refusals, None)
        if accepted is not None:
            raise Overloaded("full", retry_after=0.001, accepted=min(accepted, len(events)))

    engine = Recorder(sometimes_full)

    result = replay(engine, write(tmp_path, *numbered(40)), speed=math.inf)

    assert engine.prices == list(range(40))
    assert (result.published, result.duplicates, result.skipped) == (40, 0, 0)


def test_an_event_that_is_refused_is_told_by_its_line_and_its_neighbours_are_published(tmp_path: Path) -> None:
    def never_seven(events: Sequence[Event]) -> None:
        if any(event.data["price"] == 7 for event in events):
            raise RequestError("no sevens")

    engine = Recorder(never_seven)

    result = replay(engine, write(tmp_path, *numbered(10)), speed=math.inf)

    assert engine.prices == [0, 1, 2, 3, 4, 5, 6, 8, 9]
    assert (result.published, result.skipped, result.duplicates) == (9, 1, 0)
    assert result.faults == (f"{tmp_path}/ticks_20240102.csv:9: no sevens",)


def test_what_was_accepted_beside_a_refused_event_is_no_duplicate_when_it_is_handed_over_alone(tmp_path: Path) -> None:
    class TakesTheOthers(Recorder):
        """As the engine does when the keeper refuses one of several."""

        def publish_many(self, events: Sequence[Event]) -> list[Receipt]:
            receipts = self._take([event for event in events if event.data["price"] != 7])
            if len(receipts) < len(events):
                raise RefusedError("no sevens")
            return receipts

    engine = TakesTheOthers()

    result = replay(engine, write(tmp_path, *numbered(10)), speed=math.inf)

    assert len(engine.accepted) == 9
    assert (result.published, result.skipped, result.duplicates) == (9, 1, 0)


def test_replayed_again_into_the_same_store_everything_is_a_duplicate(tmp_path: Path) -> None:
    engine, ticks = Recorder(), write(tmp_path, *numbered(10))

    replay(engine, ticks, speed=math.inf)
    result = replay(engine, ticks, speed=math.inf)

    assert (len(engine.accepted), result.published, result.duplicates) == (10, 10, 10)


def test_another_file_of_the_same_name_is_not_taken_for_the_first(tmp_path: Path) -> None:
    engine = Recorder()

    replay(engine, write(tmp_path, *numbered(10)), speed=math.inf)
    replay(engine, write(tmp_path, *[row + ".5" for row in numbered(10)]), speed=math.inf)

    assert len(engine.accepted) == 20


def test_a_long_name_leaves_room_for_the_line_in_the_events_id(tmp_path: Path) -> None:
    engine = Recorder()

    replay(engine, write(tmp_path, *numbered(4), name="x" * 240), speed=math.inf)

    assert len(engine.accepted) == 4
    assert all(len(id) <= 200 for id in engine.accepted)


@pytest.mark.parametrize("where", ["in a gap", "while the engine is busy"])
def test_told_to_stop_it_stops_at_once(tmp_path: Path, where: str) -> None:
    stop = threading.Event()

    def stop_now(events: Sequence[Event]) -> None:
        stop.set()
        if where != "in a gap":
            raise Overloaded("full", retry_after=3600)

    engine = Recorder(stop_now)

    result = replay(engine, write(tmp_path, "09:30:00,000001,1", "15:00:00,000001,2"), speed=1, stop=stop)

    assert result.stopped
    assert result.done
    assert result.fraction < 1
    assert engine.prices == ([1] if where == "in a gap" else [])


def test_an_engine_that_stopped_ends_the_replay_with_its_error(tmp_path: Path) -> None:
    def stopped(events: Sequence[Event]) -> None:
        raise EngineStopped("the engine is stopped")

    with pytest.raises(EngineStopped):
        replay(Recorder(stopped), write(tmp_path, *numbered(2)), speed=math.inf)


@pytest.mark.parametrize("speed", [0, -1, math.nan])
def test_a_speed_that_is_none_is_refused(tmp_path: Path, speed: float) -> None:
    with pytest.raises(RequestError, match="speed must be above 0"):
        replay(Recorder(), write(tmp_path, *numbered(2)), speed=speed)


def test_a_negative_gap_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="0 seconds or more"):
        replay(Recorder(), write(tmp_path), skip_gaps=-1)
    with pytest.raises(NotFoundError, match="no file"):
        replay(Recorder(), tmp_path / "none.csv")


def test_progress_grows_to_the_end_and_says_how_late_it_is(tmp_path: Path) -> None:
    told: list[Progress] = []
    pause = threading.Event()

    def slow(events: Sequence[Event]) -> None:
        pause.wait(0.05)

    result = replay(Recorder(slow), write(tmp_path, *numbered(20)), speed=1e6, on_progress=told.append)

    assert [progress.fraction for progress in told] == sorted(progress.fraction for progress in told)
    assert told[-1] == result
    assert result.most_behind >= 0.4
    assert len(told) <= 2 + result.elapsed / 0.2


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    class Forgetful:
        def publish_many(self, events: Sequence[Event]) -> Sequence[Receipt]:
            return [Receipt("") for _ in events]

    long = write(tmp_path, *numbered(20_000))
    tracemalloc.start()
    try:
        replay(Forgetful(), long, speed=math.inf)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert long.size > 400_000
    assert peak < 1_500_000
