"""A paper account: orders that are filled at once, at their price, without fees.

The rules that must hold whatever happens to whoever calls: an order with a key that is known
is not placed again, nothing is bought without the cash, and nothing is sold that is not held
or was bought the same day (T+1). They are checked in the transaction that records the order,
so neither two processes nor a kill can get between.

Run as a program it shows what the newest account did.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

DEFAULT = Path(__file__).resolve().parent / ".engine" / "ledger.sqlite"
MILLI = 1000
"""Prices are kept in thousandths of a yuan, whole: sums of money must be exact."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    number INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    stock TEXT NOT NULL,
    day TEXT NOT NULL,
    clock TEXT NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('BUY', 'SELL')),
    price INTEGER NOT NULL CHECK (price > 0),
    shares INTEGER NOT NULL CHECK (shares > 0 AND shares % 100 = 0)
);
CREATE INDEX IF NOT EXISTS by_stock ON orders (account, stock, number);
"""


@dataclass(frozen=True, slots=True)
class Opening:
    """What an account has before its first order."""

    cash: float
    """Yuan."""
    held: int
    """Shares of each stock, bought on an earlier day."""


@dataclass(frozen=True, slots=True)
class Order:
    key: str
    """Idempotency key: a second order with it is the first one."""
    account: str
    stock: str
    day: str
    """The trading day; empty if nobody knows it, which then is one day."""
    clock: str
    side: str
    price: float
    shares: int


@dataclass(frozen=True, slots=True)
class Position:
    """Of one stock in one account, and the cash of all of it."""

    held: int
    sellable: int
    """Held and not bought on that day."""
    cash: float
    last_clock: str
    """When the last order of the stock went out that day; empty if none did."""


class Refused(Exception):
    """The account does not allow the order; nothing was recorded."""


class Ledger:
    """One file of accounts; opened for one use and closed after it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A rollback journal, not WAL: several processes write, and old SQLite races there.
        self._database = sqlite3.connect(path, timeout=5.0, isolation_level=None)
        self._database.execute("PRAGMA synchronous=FULL")
        if not self._database.execute("SELECT 1 FROM sqlite_master WHERE name = 'by_stock'").fetchone():
            self._database.executescript(_SCHEMA)

    def close(self) -> None:
        self._database.close()

    def position(self, account: str, stock: str, day: str, opening: Opening) -> Position:
        """What the account may do with the stock on that day."""
        bought, bought_today, sold = self._database.execute(
            "SELECT coalesce(sum(CASE side WHEN 'BUY' THEN shares END), 0),"
            " coalesce(sum(CASE WHEN side = 'BUY' AND day = ? THEN shares END), 0),"
            " coalesce(sum(CASE side WHEN 'SELL' THEN shares END), 0)"
            " FROM orders WHERE account = ? AND stock = ?",
            (day, account, stock),
        ).fetchone()
        spent = self._database.execute(
            "SELECT coalesce(sum(CASE side WHEN 'BUY' THEN shares * price ELSE -shares * price END), 0)"
            " FROM orders WHERE account = ?",
            (account,),
        ).fetchone()[0]
        last = self._database.execute(
            "SELECT clock FROM orders WHERE account = ? AND stock = ? AND day = ? ORDER BY number DESC LIMIT 1",
            (account, stock, day),
        ).fetchone()
        held = opening.held + bought - sold
        return Position(held, held - bought_today, opening.cash - spent / MILLI, last[0] if last else "")

    def place(self, order: Order, opening: Opening) -> str:
        """Record the order as filled; return its id. Of a known key: the id it got the first time.

        Raises ``Refused`` with ``NO_CASH``, ``T+1`` or ``NOT_HELD``.
        """
        with self._transaction():
            known = self._database.execute("SELECT number FROM orders WHERE key = ?", (order.key,)).fetchone()
            if known is not None:
                return _id(known[0])
            position = self.position(order.account, order.stock, order.day, opening)
            if order.side == "BUY" and order.shares * order.price > position.cash:
                raise Refused("NO_CASH")
            if order.side == "SELL" and order.shares > position.sellable:
                raise Refused("T+1" if order.shares <= position.held else "NOT_HELD")
            price = round(order.price * MILLI)
            values = (order.key, order.account, order.stock, order.day, order.clock, order.side, price, order.shares)
            written = self._database.execute(
                "INSERT INTO orders (key, account, stock, day, clock, side, price, shares) VALUES (?,?,?,?,?,?,?,?)",
                values,
            )
            return _id(written.lastrowid or 0)

    def orders(self, account: str | None = None) -> list[Order]:
        """The account's orders, or the newest account's, oldest first."""
        if account is None:
            newest = self._database.execute("SELECT account FROM orders ORDER BY number DESC LIMIT 1").fetchone()
            account = newest[0] if newest else ""
        rows = self._database.execute(
            "SELECT key, account, stock, day, clock, side, price, shares FROM orders WHERE account = ? ORDER BY number",
            (account,),
        )
        return [
            Order(key, account_of, stock, day, clock, side, price / MILLI, shares)
            for key, account_of, stock, day, clock, side, price, shares in rows
        ]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")


def _id(number: int) -> str:
    return f"PAPER_{number:06}"


def main() -> int:
    """Show the newest account's orders and what they come to."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    if not path.exists():
        sys.stderr.write(f"no ledger at {path}; replay a tick file first\n")
        return 1
    with closing(Ledger(path)) as ledger:
        orders = ledger.orders()
    for order in orders:
        line = f"{order.day} {order.clock} {order.stock} {order.side:4} {order.shares:6} x {order.price:.2f}\n"
        sys.stdout.write(line)
    for stock in sorted({order.stock for order in orders}):
        of = [order for order in orders if order.stock == stock]
        shares = {side: sum(order.shares for order in of if order.side == side) for side in ("BUY", "SELL")}
        flow = sum((1 if order.side == "SELL" else -1) * order.shares * order.price for order in of)
        sys.stdout.write(
            f"{stock}: {len(of)} orders, bought {shares['BUY']}, sold {shares['SELL']}, cash {flow:+.2f}\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
