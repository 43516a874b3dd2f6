"""A straight line through prices, by least squares, taken in one tick at a time."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any

from exchange import trading_seconds

HOUR = 3600.0
FLAT_PERCENT = 0.1
"""Less than this an hour is no trend."""
LEAST_FIT = 0.3
"""A line that explains less of the movement is none."""


@dataclass(slots=True)
class Fit:
    """Sums over (hours of trading, price): all that the line needs, and all that a checkpoint holds."""

    count: float = 0
    x: float = 0.0
    y: float = 0.0
    xx: float = 0.0
    xy: float = 0.0
    yy: float = 0.0
    first: float = 0.0
    """The first price: the sums are of differences to it, which keeps them exact enough."""

    def add(self, tick: dict[str, Any]) -> None:
        if not self.count:
            self.first = tick["price"]
        x = trading_seconds(tick["time"]) / HOUR if tick.get("time") else 0.0
        y = tick["price"] - self.first
        self.count += 1
        self.x += x
        self.y += y
        self.xx += x * x
        self.xy += x * y
        self.yy += y * y

    def sums(self) -> list[float]:
        return list(astuple(self))

    def verdict(self) -> dict[str, Any]:
        """Where it leads (UP, DOWN, FLAT), how steeply in percent an hour, and how well the line fits (0 to 1)."""
        spread_x = self.count * self.xx - self.x * self.x
        spread_y = self.count * self.yy - self.y * self.y
        slope = (self.count * self.xy - self.x * self.y) / spread_x if spread_x > 0 else 0.0
        fits = slope * slope * spread_x / spread_y if spread_y > 0 else 0.0
        percent = 100 * slope / self.first if self.first else 0.0
        trend = "FLAT"
        if abs(percent) >= FLAT_PERCENT and fits >= LEAST_FIT:
            trend = "UP" if percent > 0 else "DOWN"
        return {"trend": trend, "percent_an_hour": round(percent, 4), "fits": round(fits, 4), "ticks": int(self.count)}
