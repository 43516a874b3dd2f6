"""The design document's simulated actions, with its durations and results.

Nothing is traded here: each action waits as long as the real one would take and returns what
the design says. ``definitions/ashare`` has actions that compute.
"""

from __future__ import annotations

from actors import Context, action


@action("collect_real_time_data")
def collect_real_time_data(ctx: Context) -> dict[str, float]:
    """Pretend to fetch a quote: 50 ms."""
    ctx.sleep(0.050)
    return {"price": 100.0, "volume": 10000}


@action("calculate_trading_signal")
def calculate_trading_signal(ctx: Context) -> dict[str, str | float]:
    """Pretend to weigh the quote: 30 ms."""
    quote = ctx.inputs["collect_data"]
    ctx.sleep(0.030)
    return {"signal": "BUY", "price": quote["price"]}


@action("execute_order")
def execute_order(ctx: Context) -> dict[str, str]:
    """Pretend to send the order and hear of its fill: 100 ms."""
    ctx.sleep(0.100)
    return {"order_id": "ORDER_123", "status": "FILLED"}


@action("collect_trend_data")
def collect_trend_data(ctx: Context) -> dict[str, str | float]:
    """Pretend to fetch the trend: 200 ms."""
    ctx.sleep(0.200)
    return {"trend": "UP", "strength": 0.8}


@action("calculate_trend")
def calculate_trend(ctx: Context) -> dict[str, str | float]:
    """Pretend to decide on the trend: 100 ms."""
    ctx.sleep(0.100)
    return {"action": "HOLD", "confidence": 0.7}
