"""A replayed day through the engine: every urgent tick acted on or merged into a newer one, memory flat.

Two records that know nothing of each other are compared: what was published, and what the
actions themselves wrote down, one line per run, with the tick they saw and how many events the
engine said it stood for.
"""

from __future__ import annotations

import dataclasses
import gc
import math
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from actors import Engine
from actors.definitions import load
from actors.model import Definitions, Settings
from actors.replay import Progress, replay
from actors.ticks.columns import columns_of
from actors.ticks.files import TickFile
from actors.ticks.lines import Tick
from tests.definitions_shipped.fake_context import context

URGENT = ("000001", "600000")
TREND = ("000002", "000004", "000005", "600004")
AUDIT = r"""

import os


def _write_down(ctx, result):
    line = f"{ctx.entity.id} {ctx.event.data['tape']['line']} {ctx.merged} {ctx.priority}\n"
    file = os.open(HERE / "audit.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, line.encode())
    os.close(file)
    return result


@action("calculate_signal")
def audited_signal(ctx):
    return _write_down(ctx, calculate_signal(ctx))


@action("fit_trend")
def audited_trend(ctx):
    return _write_down(ctx, fit_trend(ctx))
"""


@pytest.fixture
def audited(ashare: Path) -> Path:
    """The folder, its actions made to write down each run that came to its end."""
    file = ashare / "actions.py"
    text = file.read_text(encoding="utf-8")
    for name in ("calculate_signal", "fit_trend"):
        assert f'@action("{name}")' in text
        text = text.replace(f'@action("{name}")', f'@action("plain_{name}")')
    file.write_text(text + AUDIT, encoding="utf-8")
    return ashare


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of the audit: up to which tick, and for how many events."""

    line: int
    merged: int


def written_down(folder: Path) -> dict[str, list[Run]]:
    runs: dict[str, list[Run]] = defaultdict(list)
    for row in (folder / "audit.txt").read_text(encoding="utf-8").splitlines():
        entity, line, merged, priority = row.split()
        assert int(priority) == (0 if entity in URGENT else 2)
        run = Run(int(line), int(merged))
        # Cut between writing it down and returning, a study runs once more; orders are never cut.
        if entity in URGENT or runs[entity][-1:] != [run]:
            runs[entity].append(run)
    return runs


def published(ticks: TickFile) -> dict[str, list[int]]:
    """The lines of each stock."""
    lines: dict[str, list[int]] = defaultdict(list)
    for one in ticks.read():
        assert isinstance(one, Tick)
        lines[one.entity_id].append(one.position.line)
    return lines


def assert_all_accounted_for(lines: dict[str, list[int]], runs: dict[str, list[Run]]) -> None:
    """Between two runs of a stock, the later one stands for exactly the ticks that came after the earlier one's."""
    assert set(runs) == set(lines)
    for entity, own in lines.items():
        acted = [run.line for run in runs[entity]]
        assert acted == sorted(set(acted)), f"{entity}: ran out of order, or twice for one tick"
        assert acted[-1] == own[-1], f"{entity}: the newest tick was not acted on"
        before = 0
        for run in runs[entity]:
            stands_for = sum(before < line <= run.line for line in own)
            assert run.merged == stands_for, f"{entity}: line {run.line} stands for {stands_for}, said {run.merged}"
            before = run.line


def assert_orders_keep_the_rules(module: Callable[[str], Any], engine: Engine) -> int:
    """Audit the ledger on its own, then against what the engine recorded; return how many orders there are."""
    ledger, exchange = module("ledger"), module("exchange")
    with closing(ledger.Ledger(ledger.DEFAULT)) as book:
        orders = book.orders()
    for stock in {order.stock for order in orders}:
        sellable = 20_000
        for order in (order for order in orders if order.stock == stock):
            assert exchange.is_open(order.clock)
            assert order.shares % 100 == 0
            sellable -= order.shares if order.side == "SELL" else 0
            assert sellable >= 0, "sold what was bought the same day"
    tasks = [one.tasks[1] for one in engine.instances(workflow="high_freq_trading", limit=100_000)]
    filled = [task.result["order_id"] for task in tasks if task.result["status"] == "FILLED"]
    assert len(set(filled)) == len(filled)
    assert len({order.key for order in orders}) == len(orders) >= len(filled)
    return len(orders)


def first_minutes(ticks: TickFile, folder: Path, until: str) -> TickFile:
    """The file up to that time of day."""
    rows = ticks.path.read_text(encoding="utf-8").splitlines()
    kept = [rows[0], *(row for row in rows[1:] if row < until)]
    path = folder / f"part_{ticks.path.name}"
    path.write_text("\n".join(kept) + "\n", encoding="utf-8")
    return TickFile(path, ticks.columns)


def play(definitions: Definitions | Path, ticks: TickFile, speed: float, **more: Any) -> tuple[Engine, Progress]:
    """Run an engine over the file to its end; the caller stops it."""
    engine = Engine(definitions)
    engine.start()
    try:
        result = replay(engine, ticks, speed=speed, skip_gaps=60, **more)
        engine.wait_idle(60)
    except BaseException:
        engine.stop(grace=0)
        raise
    return engine, result


@pytest.fixture
def synthetic(ashare: Path, module: Callable[[str], Any]) -> TickFile:
    path = ashare.parent / "day_20240102.csv"
    path.write_text("\n".join(module("generate").rows(seed=7)) + "\n", encoding="utf-8")
    return first_minutes(TickFile(path, columns_of(ashare)), ashare.parent, "09:45")


def test_published_as_fast_as_it_goes_every_tick_is_acted_on_or_merged_into_a_newer_one(
    audited: Path, synthetic: TickFile, module: Callable[[str], Any]
) -> None:
    engine, result = play(audited, synthetic, math.inf)
    with closing_engine(engine):
        lines = published(synthetic)
        assert (result.published, result.skipped, result.duplicates) == (sum(map(len, lines.values())), 0, 0)
        runs = written_down(audited)
        assert_all_accounted_for(lines, runs)
        # It was fast enough that ticks had to merge, else this shows nothing.
        assert sum(map(len, runs.values())) < result.published
        assert_orders_keep_the_rules(module, engine)
        assert {str(one.status) for one in engine.instances(limit=100_000)} == {"completed"}


def test_each_recorded_signal_is_what_the_whole_file_says_at_that_tick(
    ashare: Path, synthetic: TickFile, module: Callable[[str], Any]
) -> None:
    engine, _ = play(ashare, synthetic, 3_000)
    with closing_engine(engine):
        ended = engine.instances(workflow="high_freq_trading", limit=100_000)
    by_time = {(one.entity_id, one.data["time"]): one for one in synthetic.read() if isinstance(one, Tick)}
    actions = module("actions")
    params = {"window": 20, "fast": 5, "threshold_bp": 3, "imbalance": 0.2}

    assert len(ended) > 20
    for instance in ended:
        signal = instance.tasks[0].result
        tick = by_time[str(instance.entity_id), signal["time"]]
        assert signal == actions.calculate_signal(context(tick.entity_id, tick.data, params=params))


def test_the_first_minutes_of_a_real_day_at_300_times_its_speed(
    audited: Path, shared_data: Path, tmp_path: Path, module: Callable[[str], Any]
) -> None:
    whole = TickFile(shared_data / "market" / "ashare_ticks_20190201.csv", columns_of(audited))
    ticks = first_minutes(whole, tmp_path, "09:40")

    engine, result = play(audited, ticks, 300)
    with closing_engine(engine):
        lines = published(ticks)
        assert result.published == sum(map(len, lines.values())) > 700
        assert_all_accounted_for(lines, written_down(audited))
        assert_orders_keep_the_rules(module, engine)


@pytest.fixture
def own_heap() -> Iterator[None]:
    """Let the collector not walk what all tests before have left: every look at the memory would take a second."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.usefixtures("own_heap")
def test_a_whole_real_day_runs_through_at_300_times_its_speed_with_flat_memory(
    audited: Path, shared_data: Path, module: Callable[[str], Any], record_property: Callable[[str, object], None]
) -> None:
    ticks = TickFile(shared_data / "market" / "ashare_ticks_20190201.csv", columns_of(audited))
    definitions = load(audited)
    # Histories of bounded length fill up in the first minutes, so that what still grows is a leak.
    settings: Settings = dataclasses.replace(definitions.settings, max_finished=500, max_remembered_ids=1_000)
    resident: list[tuple[float, float]] = []

    def sample(progress: Progress) -> None:
        resident.append((progress.fraction, resident_mb()))

    engine, result = play(dataclasses.replace(definitions, settings=settings), ticks, 300, on_progress=sample)
    with closing_engine(engine):
        lines = published(ticks)
        runs = written_down(audited)
        orders = assert_orders_keep_the_rules(module, engine)
        stats = engine.stats()
    assert (result.published, result.skipped, result.duplicates) == (16_768, 0, 0)
    assert_all_accounted_for(lines, runs)
    early = max(mb for fraction, mb in resident if fraction < 0.25)
    late = max(mb for fraction, mb in resident if fraction >= 0.75)
    urgent = {entity: (len(lines[entity]), len(runs[entity])) for entity in URGENT}
    for name, value in (
        ("ticks, runs of the urgent stocks", urgent),
        ("runs of the others", {entity: len(runs[entity]) for entity in TREND}),
        ("orders", orders),
        ("resident MB until a quarter, from three quarters", (round(early, 1), round(late, 1))),
        ("most behind, seconds", round(result.most_behind, 3)),
        ("seconds", round(result.elapsed, 1)),
        ("stats", stats),
    ):
        record_property(name, value)
        print(f"{name}: {value}")
    assert orders > 0
    assert late - early < 5


# --- helpers of this file ----------------------------------------------------------------------


class closing_engine:  # noqa: N801 - read as closing()
    """Stop the engine at the end of the block, whatever happens in it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._engine.stop(grace=0)


def resident_mb() -> float:
    """What this process holds in memory, its workers not counted."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
