"""What the A-share folder computes, checked against plain arithmetic over the whole file."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from actors.errors import NonRetryable
from actors.ticks.columns import columns_of
from actors.ticks.files import TickFile
from actors.ticks.lines import Tick
from tests.definitions_shipped.fake_context import FakeContext, Stopped, context

SIGNAL = {"window": 20, "fast": 5, "threshold_bp": 3, "imbalance": 0.2}
ORDER = {"cash": 100_000, "held": 2_000, "shares": 1_000, "pause_s": 60}
MORNING = datetime(2024, 1, 2, 1, 30, tzinfo=UTC).timestamp()
"""09:30 in Shanghai."""


@pytest.fixture
def actions(module: Callable[[str], Any]) -> Any:
    return module("actions")


@pytest.fixture
def ticks(ashare: Path, module: Callable[[str], Any]) -> TickFile:
    """The first hour of a synthetic day."""
    path = ashare.parent / "day_20240102.csv"
    rows = list(module("generate").rows(seed=7))[:5_000]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return TickFile(path, columns_of(ashare))


def of(ticks: TickFile, entity: str) -> list[Tick]:
    return [one for one in ticks.read() if isinstance(one, Tick) and one.entity_id == entity]


# --- the signal --------------------------------------------------------------------------------


def series(folder: Path, prices: list[float], sides: str) -> list[Tick]:
    rows = [
        f"09:30:{n:02},SZ000001,{price},10,{side}" for n, (price, side) in enumerate(zip(prices, sides, strict=True))
    ]
    path = folder / "series.csv"
    path.write_text("time,symbol,price,volume_lots,side\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return of(TickFile(path, columns_of(folder / "ashare")), "000001")


RISING = [10.0] * 15 + [10.1] * 5
FALLING = [10.0] * 15 + [9.9] * 5


@pytest.mark.parametrize(
    ("prices", "sides", "signal"),
    [
        (RISING, "B" * 20, "BUY"),
        (FALLING, "S" * 20, "SELL"),
        (RISING, "S" * 20, "HOLD"),
        (RISING, "BS" * 10, "HOLD"),
        ([10.0] * 20, "B" * 20, "HOLD"),
        (RISING[1:], "B" * 19, "HOLD"),
    ],
)
def test_price_and_volume_must_agree_over_a_full_window(
    actions: Any, tmp_path: Path, prices: list[float], sides: str, signal: str
) -> None:
    last = series(tmp_path, prices, sides)[-1]

    result = actions.calculate_signal(context("000001", last.data, params=SIGNAL))

    assert (result["signal"], result["ticks"]) == (signal, len(prices))


def test_the_averages_are_weighted_by_volume(actions: Any) -> None:
    heavy, light = {"price": 10.0, "volume_lots": 9}, {"price": 20.0, "volume_lots": 1}

    assert actions.average([heavy, light]) == 11.0
    assert actions.average([{"price": 10.0, "volume_lots": 0}, {"price": 20.0}]) == 15.0


def test_a_signal_is_computed_from_the_ticks_before_it_merged_ones_included_and_none_after(
    actions: Any, ticks: TickFile
) -> None:
    mine = of(ticks, "000001")
    at = 700
    window = [one.data for one in mine[at - 19 : at + 1]]
    expected = 10_000 * (actions.average(window[-5:]) / actions.average(window) - 1)

    # Only the last of the twenty was published; the file goes on behind it.
    result = actions.calculate_signal(context("000001", mine[at].data, params=SIGNAL, merged=20))

    assert result["time"] == mine[at].data["time"]
    assert (result["ticks"], result["drift_bp"]) == (20, pytest.approx(expected, abs=1e-3))


def test_a_tick_from_no_file_is_a_signal_from_itself_alone(actions: Any) -> None:
    result = actions.calculate_signal(context("000003", {"price": 10.9}, params=SIGNAL))

    assert (result["signal"], result["ticks"]) == ("HOLD", 1)


def test_without_an_event_the_entitys_newest_data_is_used(actions: Any) -> None:
    result = actions.calculate_signal(context("000003", {"price": 10.9}, params=SIGNAL, event=None))

    assert result["price"] == 10.9


@pytest.mark.parametrize("data", [None, {}, {"price": "ten"}, {"price": 0}, {"price": True}, [1]])
def test_a_tick_without_a_price_fails_for_good_and_says_what_it_needs(actions: Any, data: Any) -> None:
    with pytest.raises(NonRetryable, match="000001: a tick needs a price above 0"):
        actions.calculate_signal(context("000001", data, params=SIGNAL))


# --- the order ---------------------------------------------------------------------------------


def execute(actions: Any, side: str, clock: str = "09:31:00", *, key: str = "store-1", **more: Any) -> Any:
    signal = {"signal": side, "price": more.pop("price", 10.0), "time": clock}
    entity = more.pop("entity", "000001")
    params = {**ORDER, **more.pop("params", {})}
    ctx: FakeContext = context(
        entity, {}, params=params, inputs={"calculate_signal": signal}, idempotency_key=key, timestamp=MORNING, **more
    )
    return actions.execute_order(ctx)


def test_a_buy_signal_buys_whole_lots_and_the_ledger_has_them(actions: Any, module: Callable[[str], Any]) -> None:
    result = execute(actions, "BUY", price=33.0, params={"cash": 9_999})

    assert result == {"order_id": "PAPER_000001", "status": "FILLED", "side": "BUY", "shares": 300, "price": 33.0}
    ledger = module("ledger")
    with closing(ledger.Ledger(ledger.DEFAULT)) as book:
        (order,) = book.orders("store")
    assert (order.key, order.stock, order.day, order.shares) == ("store-1", "000001", "2024-01-02", 300)


@pytest.mark.parametrize(
    ("clock", "is_open"),
    [
        ("09:25:02", False),
        ("09:29:59", False),
        ("09:30:00", True),
        ("11:29:59.900", True),
        ("11:30:00", False),
        ("11:30:02", False),
        ("12:59:59", False),
        ("13:00:00", True),
        ("14:56:59", True),
        ("14:57:00", False),
        ("15:00:00", False),
    ],
)
def test_no_order_goes_out_outside_the_exchanges_sessions(actions: Any, clock: str, is_open: bool) -> None:
    result = execute(actions, "BUY", clock)

    assert (result["status"], result.get("reason")) == (("FILLED", None) if is_open else ("NO_ORDER", "CLOSED"))


def test_shares_bought_today_are_not_sold_today(actions: Any) -> None:
    sold = [execute(actions, "SELL", f"09:{30 + n}:00", key=f"store-{n}") for n in range(3)]
    bought = execute(actions, "BUY", "10:00:00", key="store-10")
    refused = execute(actions, "SELL", "10:05:00", key="store-11")

    assert [one["status"] for one in sold] == ["FILLED", "FILLED", "NO_ORDER"]
    assert bought["status"] == "FILLED"
    assert refused == {"status": "NO_ORDER", "reason": "T+1"}


def test_an_account_without_cash_buys_nothing(actions: Any) -> None:
    assert execute(actions, "BUY", params={"cash": 999})["reason"] == "NO_CASH"


def test_an_order_run_again_with_its_key_is_not_sent_again(actions: Any, module: Callable[[str], Any]) -> None:
    first = execute(actions, "BUY", params={"pause_s": 0})
    second = execute(actions, "BUY", params={"pause_s": 0})

    assert first == second
    ledger = module("ledger")
    with closing(ledger.Ledger(ledger.DEFAULT)) as book:
        assert len(book.orders()) == 1


def test_orders_of_a_stock_keep_a_pause_of_market_time_and_lunch_is_none(actions: Any) -> None:
    results = [
        execute(actions, "BUY", clock, key=f"store-{n}", params={"cash": 10**6})["status"]
        for n, clock in enumerate(["11:29:30", "11:29:50", "13:00:20", "13:00:30"])
    ]
    other = execute(actions, "BUY", "11:29:50", key="store-9", entity="600000")

    assert results == ["FILLED", "NO_ORDER", "NO_ORDER", "FILLED"]
    assert other["status"] == "FILLED"


def test_a_run_over_a_fresh_store_has_an_account_of_its_own(actions: Any) -> None:
    execute(actions, "SELL", params={"shares": 2_000})

    assert execute(actions, "SELL", "10:00:00", key="store-2")["reason"] == "NOT_HELD"
    assert execute(actions, "SELL", "10:00:00", key="other-2")["status"] == "FILLED"


def test_hold_sends_nothing_and_opens_no_ledger(actions: Any, module: Callable[[str], Any]) -> None:
    assert execute(actions, "HOLD") == {"status": "NO_ORDER", "reason": "HOLD"}
    assert not module("ledger").DEFAULT.exists()


# --- the trend ---------------------------------------------------------------------------------


def plain_fit(actions: Any, ticks: list[Tick]) -> float:
    """Percent an hour, from the definition of least squares."""
    xs = [actions.trading_seconds(one.data["time"]) / 3600 for one in ticks]
    ys = [one.data["price"] for one in ticks]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / sum((x - mean_x) ** 2 for x in xs)
    return float(100 * slope / ys[0])


def test_a_trend_is_fitted_over_the_day_so_far_and_no_further(actions: Any, ticks: TickFile) -> None:
    mine = of(ticks, "000002")

    result = actions.fit_trend(context("000002", mine[600].data))

    assert result["ticks"] == 601
    assert result["percent_an_hour"] == pytest.approx(plain_fit(actions, mine[:601]), abs=1e-3)


def test_a_trend_that_was_cut_goes_on_from_its_checkpoint_and_comes_to_the_same(actions: Any, ticks: TickFile) -> None:
    last = of(ticks, "000002")[-1]
    whole = actions.fit_trend(context("000002", last.data))
    cut = context("000002", last.data, stop_at=3)
    with pytest.raises(Stopped):
        actions.fit_trend(cut)

    continued = actions.fit_trend(context("000002", last.data, restored=cut.checkpoints[-1]))

    assert continued.pop("continued_from") == 3 * actions.TICKS_PER_CHECKPOINT
    assert whole.pop("continued_from") == 0
    assert continued == whole


def test_a_checkpoint_of_another_file_is_not_gone_on_from(actions: Any, ticks: TickFile) -> None:
    last = of(ticks, "000002")[-1]
    cut = context("000002", last.data, stop_at=1)
    with pytest.raises(Stopped):
        actions.fit_trend(cut)
    elsewhere = {**cut.checkpoints[-1], "file": "/elsewhere.csv"}

    assert actions.fit_trend(context("000002", last.data, restored=elsewhere))["continued_from"] == 0


@pytest.mark.parametrize(("step", "trend"), [(0.01, "UP"), (-0.01, "DOWN"), (0, "FLAT")])
def test_a_line_is_recognised_for_what_it_is(module: Callable[[str], Any], step: float, trend: str) -> None:
    fit = module("trend").Fit()
    for n in range(60):
        fit.add({"time": f"10:{n:02}:00", "price": 10 + n * step})

    verdict = fit.verdict()

    assert verdict["trend"] == trend
    assert verdict["percent_an_hour"] == pytest.approx(60 * step * 10)


def test_the_lunch_break_is_no_trading_time(module: Callable[[str], Any]) -> None:
    seconds = module("exchange").trading_seconds

    assert [seconds(clock) for clock in ("09:25:02", "09:30:00", "11:30:00", "12:10:00", "13:00:03", "15:00:00")] == [
        -298,
        0,
        7_200,
        7_200,
        7_203,
        14_400,
    ]
