"""The synthetic day: the same for everybody who names the same seed, and shaped like a real one."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from actors.ticks.columns import columns_of
from actors.ticks.files import TickFile
from actors.ticks.lines import BadLine, Tick
from tests.definitions_shipped.fake_context import context


def make(folder: Path, out: Path, seed: int = 7) -> str:
    command = [sys.executable, "-I", str(folder / "generate.py"), "--seed", str(seed), "--out", str(out)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(ashare: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"{n}_20240102.csv" for n in range(3)]
    for file, seed in zip(files, (7, 7, 8), strict=True):
        make(ashare, file, seed)

    first, again, other = (file.read_bytes() for file in files)
    assert first == again != other
    # Pinned, so that figures quoted of this day stay true.
    assert hashlib.sha256(first).hexdigest()[:16] == "fc5e176fd9df7af1"


@pytest.fixture
def day(ashare: Path, tmp_path: Path) -> list[Tick]:
    out = tmp_path / "ashare_20240102.csv"
    said = make(ashare, out)
    found = list(TickFile(out, columns_of(ashare)).read())
    assert not [one for one in found if isinstance(one, BadLine)]
    assert said == f"{out}: {len(found)} ticks of 6 stocks\n"
    return [one for one in found if isinstance(one, Tick)]


def test_ticks_stand_on_a_three_second_grid_in_both_sessions_and_the_auctions(day: list[Tick]) -> None:
    clocks = sorted({one.data["time"] for one in day})

    assert (clocks[0], clocks[1], clocks[-2], clocks[-1]) == ("09:25:02", "09:30:02", "14:57:02", "15:00:00")
    assert not [clock for clock in clocks if "11:30:02" < clock < "13:00:02"]
    gaps = Counter(later - earlier for earlier, later in pairwise(sorted({one.at for one in day})))
    assert {gap for gap in gaps if gap > 12} == {178, 300, 5400}
    assert all(gap % 3 == 0 for gap in gaps if gap < 178)


def test_every_stock_trades_in_whole_fen_within_its_limits_and_auctions_have_no_side(day: list[Tick]) -> None:
    assert {one.entity_id for one in day} == {"000001", "000002", "000004", "000005", "600000", "600004"}
    for entity in {one.entity_id for one in day}:
        mine = [one for one in day if one.entity_id == entity]
        opening = mine[0].data["price"]
        assert all(abs(one.data["price"] / opening - 1) <= 0.1 for one in mine)
        assert all(round(one.data["price"] * 100, 6).is_integer() for one in mine)
        assert all(abs(later.data["price"] - earlier.data["price"]) < 0.0101 for earlier, later in pairwise(mine))
        assert all(one.data["volume_lots"] >= 1 for one in mine)
    assert {one.data["side"] for one in day if one.data["time"] in ("09:25:02", "15:00:00")} == {"N"}
    assert {one.data["side"] for one in day if "09:30" < one.data["time"] < "14:58"} == {"B", "S"}


def test_a_synthetic_day_calls_for_orders_of_both_sides(
    module: Callable[[str], Any], ashare: Path, day: list[Tick]
) -> None:
    actions = module("actions")
    mine = [one.data for one in day if one.entity_id == "000001"]
    params = {"window": 20, "fast": 5, "threshold_bp": 3, "imbalance": 0.2}
    signals = Counter(
        actions.calculate_signal(context("000001", data, params=params))["signal"] for data in mine[:: len(mine) // 200]
    )

    assert min(signals[side] for side in ("BUY", "SELL", "HOLD")) >= 5


def test_a_file_that_cannot_be_written_is_one_sentence(ashare: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-I", str(ashare / "generate.py"), "--out", str(tmp_path / "none" / "x.csv")]

    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert ended.stderr == f"{tmp_path}/none/x.csv cannot be written: No such file or directory\n"
