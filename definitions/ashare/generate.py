"""Makes a tick file of a trading day that never was, for whoever has no real one.

    python definitions/ashare/generate.py --seed 7 --out ashare_20240102.csv

The same seed gives the same file, byte for byte. Columns, the three-second grid, both sessions
and the break, the auctions at 09:25 and 15:00 are as in real transaction snapshots; prices walk
at random, in steps of 0.01 yuan, drawn by moods that last some minutes and come back to a mean.
Standard library alone.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HEADER = "time,symbol,price,volume_lots,side"
GRID = 3
"""Seconds between two snapshots."""


@dataclass(frozen=True, slots=True)
class Stock:
    symbol: str
    open_fen: int
    """The opening price, in hundredths of a yuan."""
    activity: float
    """How likely a snapshot has a trade of it."""
    lots: int
    """A usual volume."""


STOCKS = (
    Stock("SH600000", 1050, 0.65, 150),
    Stock("SH600004", 1200, 0.75, 120),
    Stock("SZ000001", 1100, 0.92, 500),
    Stock("SZ000002", 2800, 0.95, 150),
    Stock("SZ000004", 1500, 0.04, 20),
    Stock("SZ000005", 300, 0.20, 200),
)


class Walk:
    """One stock's price through the day."""

    def __init__(self, stock: Stock, chance: random.Random) -> None:
        self.stock = stock
        self._chance = chance
        self._fen = stock.open_fen
        self._mood = 0.0
        self._mood_ends = 0

    def row(self, second: int, *, auction: bool = False) -> str | None:
        """The snapshot at this second; None if nothing was traded."""
        # Only ``random()`` is drawn from: of all its methods it alone is promised never to change.
        draw = self._chance.random
        trades, step, size = draw(), draw(), draw()
        if second >= self._mood_ends:
            # Back to the opening price the more, the farther it has gone: no stock leaves its limits.
            away = (self._fen - self.stock.open_fen) / (0.03 * self.stock.open_fen)
            self._mood = 0.16 * (draw() - 0.5) - 0.08 * away
            self._mood_ends = second + 120 + int(draw() * 600)
        if not auction and trades >= self.stock.activity:
            return None
        up = 0.15 + self._mood
        down = 0.15 - self._mood
        move = 1 if step < up else -1 if step > 1 - down else 0
        low, high = self.stock.open_fen * 91 // 100, self.stock.open_fen * 109 // 100
        self._fen = min(high, max(low, self._fen + move))
        side = "N" if auction else "B" if draw() < 0.5 + 0.3 * move + self._mood else "S"
        lots = 1 + int(self.stock.lots * (8 + 24 * size if auction else 4 * size**3 * _busy(second)))
        clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
        return f"{clock},{self.stock.symbol},{self._fen / 100:.2f},{lots},{side}"


def rows(seed: int) -> Iterator[str]:
    """The file's lines without line ends, the header first."""
    # A generator for each stock: what one draws does not change the others.
    walks = [Walk(stock, random.Random(f"{seed}/{stock.symbol}")) for stock in STOCKS]
    yield HEADER
    for second, auction in snapshots():
        for walk in walks:
            row = walk.row(second, auction=auction)
            if row is not None:
                yield row


def snapshots() -> Iterator[tuple[int, bool]]:
    """The seconds of the day with a snapshot, and whether it is an auction's."""
    yield _at(9, 25) + 2, True
    for begin, end in ((_at(9, 30), _at(11, 30)), (_at(13, 0), _at(14, 57))):
        for second in range(begin + 2, end + GRID, GRID):
            yield second, False
    yield _at(15, 0), True


def _at(hours: int, minutes: int) -> int:
    return hours * 3600 + minutes * 60


def _busy(second: int) -> float:
    """More is traded at the ends of the day than in its middle."""
    middle = _at(12, 15)
    return 0.5 + 1.5 * ((second - middle) / (middle - _at(9, 30))) ** 2


def main() -> int:
    parser = argparse.ArgumentParser(description="Make a tick file of a trading day that never was.")
    parser.add_argument("--seed", type=int, default=7, help="the same seed gives the same file (default: 7)")
    parser.add_argument("--out", type=Path, required=True, help="the file; a date in its name (20240102) is the day's")
    options = parser.parse_args()
    count = -1
    unfinished = options.out.with_name(options.out.name + ".part")
    try:
        with unfinished.open("w", encoding="utf-8", newline="\n") as file:
            for row in rows(options.seed):
                file.write(row + "\n")
                count += 1
        os.replace(unfinished, options.out)
    except OSError as error:
        sys.stderr.write(f"{options.out} cannot be written: {error.strerror}\n")
        return 1
    sys.stdout.write(f"{options.out}: {count} ticks of {len(STOCKS)} stocks\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
