"""Actions that compute from real ticks: a signal, an order, a trend.

Ticks that come faster than they can be acted on merge into the newest, so an action sees only
some of them. The tick file is the truth and the event a hint: ``data.tape`` says where the tick
stands in it, and the actions read there what came before, never what comes after. So a result
is a function of the file and the place in it, whatever was merged, cut or run twice.
"""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from exchange import LOT, is_open, trading_seconds, whole_lots
from ledger import DEFAULT, Ledger, Opening, Order, Refused
from trend import Fit

from actors import Context, NonRetryable, action
from actors.ticks.columns import columns_of
from actors.ticks.files import TickFile
from actors.ticks.lines import Position, Tick

HERE = Path(__file__).resolve().parent
COLUMNS = columns_of(HERE)
TICKS_PER_CHECKPOINT = 256


@action("calculate_signal")
def calculate_signal(ctx: Context) -> dict[str, Any]:
    """BUY, SELL or HOLD, from the stock's last ``params.window`` ticks.

    Two things must agree: the average price of the newest ``fast`` ticks, weighted by volume,
    must differ from that of the window by ``threshold_bp`` hundredths of a percent, and buyers or
    sellers must have the larger part of the volume, by the fraction ``imbalance``.
    """
    tick = tick_of(ctx)
    window = ticks_so_far(ctx, tick, ctx.params["window"])
    fast = window[-ctx.params["fast"] :]
    drift = 10_000 * (average(fast) / average(window) - 1)
    volume = {side: sum(one.get("volume_lots", 0) for one in window if one.get("side") == side) for side in "BS"}
    imbalance = (volume["B"] - volume["S"]) / (volume["B"] + volume["S"] or 1)
    signal = "HOLD"
    if len(window) == ctx.params["window"]:
        if drift >= ctx.params["threshold_bp"] and imbalance >= ctx.params["imbalance"]:
            signal = "BUY"
        elif drift <= -ctx.params["threshold_bp"] and imbalance <= -ctx.params["imbalance"]:
            signal = "SELL"
    return {
        "signal": signal,
        "price": tick["price"],
        "time": tick.get("time", ""),
        "ticks": len(window),
        "drift_bp": round(drift, 3),
        "imbalance": round(imbalance, 3),
    }


@action("execute_order")
def execute_order(ctx: Context) -> dict[str, Any]:
    """Send the order that the signal calls for to the paper account, if the rules allow one."""
    signal = ctx.inputs["calculate_signal"]
    side, clock, day = signal["signal"], signal["time"], day_of(ctx)
    if side == "HOLD":
        return no_order("HOLD")
    if not is_open(clock):
        return no_order("CLOSED")
    # A key is store id and task: each store, so each run over a fresh one, has an account of its own.
    account = ctx.idempotency_key.rpartition("-")[0]
    opening = Opening(ctx.params["cash"], ctx.params["held"])
    with closing(Ledger(HERE / ctx.params.get("ledger", DEFAULT))) as ledger:
        position = ledger.position(account, ctx.entity.id, day, opening)
        last = position.last_clock
        if last and trading_seconds(clock) - trading_seconds(last) < ctx.params["pause_s"]:
            return no_order("PAUSE")
        limit = position.cash / signal["price"] if side == "BUY" else position.sellable
        shares = whole_lots(min(ctx.params["shares"], limit))
        if shares < LOT:
            return no_order("NO_CASH" if side == "BUY" else "T+1" if position.held else "NOT_HELD")
        order = Order(ctx.idempotency_key, account, ctx.entity.id, day, clock, side, signal["price"], shares)
        try:
            order_id = ledger.place(order, opening)
        except Refused as refused:
            return no_order(str(refused))
    return {"order_id": order_id, "status": "FILLED", "side": side, "shares": shares, "price": signal["price"]}


@action("fit_trend")
def fit_trend(ctx: Context) -> dict[str, Any]:
    """Fit a line to the stock's prices over the day so far. Cut, it goes on from the last ticks it took in."""
    tick = tick_of(ctx)
    tape = tick.get("tape")
    if not isinstance(tape, dict):
        fit = Fit()
        fit.add(tick)
        return {**fit.verdict(), "continued_from": 0}
    place, fit = Position(), Fit()
    if ctx.restored and ctx.restored["file"] == tape["file"]:
        place, fit = Position(*ctx.restored["place"]), Fit(*ctx.restored["sums"])
    continued_from = int(fit.count)
    for found in TickFile(Path(tape["file"]), COLUMNS).read(after=place, until=tape["end"], entity=ctx.entity.id):
        if isinstance(found, Tick):
            fit.add(found.data)
            if fit.count % TICKS_PER_CHECKPOINT == 0:
                ctx.checkpoint({"file": tape["file"], "place": list(found.position), "sums": fit.sums()})
    return {**fit.verdict(), "time": tick["time"], "continued_from": continued_from}


def tick_of(ctx: Context) -> dict[str, Any]:
    """The tick that the attempt is about. Without an event (the table started it): the newest one known."""
    data = ctx.event.data if ctx.event is not None else ctx.entity.data
    price = data.get("price") if isinstance(data, dict) else None
    if isinstance(price, bool) or not isinstance(price, int | float) or not price > 0:
        raise NonRetryable(f"{ctx.entity.id}: a tick needs a price above 0, as in price=10.9")
    return dict(data)


def ticks_so_far(ctx: Context, tick: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """The stock's newest ticks up to this one; this one alone if it is in no file."""
    tape = tick.get("tape")
    if not isinstance(tape, dict):
        return [tick]
    found = TickFile(Path(tape["file"]), COLUMNS).recent(ctx.entity.id, until=tape["end"], count=count)
    return [one.data for one in found]


def average(ticks: list[dict[str, Any]]) -> float:
    """The average price by volume; the plain one where nothing was traded."""
    prices: list[float] = [one["price"] for one in ticks]
    lots: list[int] = [one.get("volume_lots", 0) for one in ticks]
    if not any(lots):
        return sum(prices) / len(prices)
    return sum(price * count for price, count in zip(prices, lots, strict=True)) / sum(lots)


def day_of(ctx: Context) -> str:
    """The trading day as the event's timestamp says; empty if it has none."""
    stamp = ctx.event.timestamp if ctx.event is not None else None
    return "" if stamp is None else (datetime.fromtimestamp(stamp, UTC) + timedelta(hours=8)).date().isoformat()


def no_order(reason: str) -> dict[str, Any]:
    return {"status": "NO_ORDER", "reason": reason}
