"""What the victims of the latency benchmark do, and the urgent action that needs their agent.

Every victim counts and checkpoints the count, and writes into a ledger what it continued from
and what it had surely saved. The ledger is appended to with one short write per line, so that
it tells the truth however the writer ends.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

AGES = 3600.0
BURST_S = 0.025
"""How long a victim computes from one checkpoint to the next."""


def urgent(ctx: Any) -> int:
    """Its first line is the moment it is measured by."""
    return time.monotonic_ns()


async def urgent_coroutine(ctx: Any) -> int:
    return time.monotonic_ns()


class Ledger:
    """One victim's lines: ``entity began N`` with what it continues from, ``entity saved N`` once that is saved."""

    def __init__(self, ctx: Any) -> None:
        self._entity = ctx.entity.id
        self._file = os.open(ctx.params["ledger"], os.O_WRONLY | os.O_APPEND)
        self.count: int = ctx.restored or 0
        self.line("began")

    def line(self, what: str) -> None:
        os.write(self._file, f"{self._entity} {what} {self.count}\n".encode())

    def close(self) -> None:
        os.close(self._file)


@contextmanager
def ledger(ctx: Any) -> Iterator[Ledger]:
    book = Ledger(ctx)
    try:
        yield book
    finally:
        book.close()


def waits_in_ctx(ctx: Any) -> None:
    with ledger(ctx) as book:
        _save(ctx, book)
        ctx.sleep(AGES)


async def awaits_in_ctx(ctx: Any) -> None:
    with ledger(ctx) as book:
        _save(ctx, book)
        await ctx.sleep(AGES)


def sleeps(ctx: Any) -> None:
    with ledger(ctx) as book:
        _save(ctx, book)
        time.sleep(AGES)


def computes(ctx: Any) -> None:
    with ledger(ctx) as book:
        while True:
            _burst()
            _save(ctx, book)


def ignores(ctx: Any) -> None:
    """Computes, and lets nothing be raised in it."""
    book = Ledger(ctx)
    with ctx.shield():
        while True:
            _burst()
            _save(ctx, book)


def _save(ctx: Any, book: Ledger) -> None:
    book.count += 1
    ctx.checkpoint(book.count)
    book.line("saved")


def _burst() -> int:
    total = 0
    end = time.perf_counter() + BURST_S
    while time.perf_counter() < end:
        for number in range(200):
            total += number * number
    return total
