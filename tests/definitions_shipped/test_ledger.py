"""The paper account: an order once, nothing without cash, nothing sold that was bought today."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def ledger(module: Callable[[str], Any]) -> Any:
    return module("ledger")


def order(ledger: Any, key: str = "k1", **fields: Any) -> Any:
    usual = {
        "account": "a",
        "stock": "000001",
        "day": "2024-01-02",
        "clock": "09:31:00",
        "side": "BUY",
        "price": 10.0,
        "shares": 100,
    }
    return ledger.Order(key=key, **{**usual, **fields})


def test_a_second_order_with_a_known_key_is_the_first_one(ledger: Any, tmp_path: Path) -> None:
    opening = ledger.Opening(cash=1_500, held=0)
    with closing(ledger.Ledger(tmp_path / "l.sqlite")) as book:
        first = book.place(order(ledger), opening)
        again = book.place(order(ledger), opening)

        assert again == first
        assert len(book.orders("a")) == 1
        assert book.position("a", "000001", "2024-01-02", opening).cash == 500


def test_what_was_bought_today_cannot_be_sold_today_but_tomorrow(ledger: Any, tmp_path: Path) -> None:
    opening = ledger.Opening(cash=10_000, held=200)
    with closing(ledger.Ledger(tmp_path / "l.sqlite")) as book:
        book.place(order(ledger, "buy"), opening)
        book.place(order(ledger, "old", side="SELL", shares=200), opening)

        with pytest.raises(ledger.Refused, match=r"T\+1"):
            book.place(order(ledger, "new", side="SELL"), opening)
        book.place(order(ledger, "next day", side="SELL", day="2024-01-03"), opening)

        with pytest.raises(ledger.Refused, match="NOT_HELD"):
            book.place(order(ledger, "more", side="SELL", day="2024-01-03"), opening)


def test_nothing_is_bought_without_the_cash_of_the_whole_account(ledger: Any, tmp_path: Path) -> None:
    opening = ledger.Opening(cash=2_500, held=0)
    with closing(ledger.Ledger(tmp_path / "l.sqlite")) as book:
        book.place(order(ledger, "1"), opening)
        book.place(order(ledger, "2", stock="600000"), opening)

        with pytest.raises(ledger.Refused, match="NO_CASH"):
            book.place(order(ledger, "3"), opening)
        book.place(order(ledger, "4", account="b"), opening)


def test_a_refused_order_leaves_nothing_behind(ledger: Any, tmp_path: Path) -> None:
    opening = ledger.Opening(cash=0, held=0)
    with closing(ledger.Ledger(tmp_path / "l.sqlite")) as book:
        with pytest.raises(ledger.Refused):
            book.place(order(ledger), opening)

        assert book.orders("a") == []
        assert book.place(order(ledger), ledger.Opening(cash=1_000, held=0)) == "PAPER_000001"


def test_the_file_itself_refuses_odd_lots(ledger: Any, tmp_path: Path) -> None:
    with closing(ledger.Ledger(tmp_path / "l.sqlite")) as book, pytest.raises(sqlite3.IntegrityError):
        book.place(order(ledger, shares=150), ledger.Opening(cash=10_000, held=0))


def test_many_processes_that_place_the_same_and_other_orders_make_each_once(ledger: Any, tmp_path: Path) -> None:
    path, folder = tmp_path / "l.sqlite", Path(ledger.__file__).parent
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import ledger, pathlib\n"
        "book = ledger.Ledger(pathlib.Path(sys.argv[2]))\n"
        "print(flush=True); sys.stdin.readline()\n"
        "for n in range(60):\n"
        "    try: book.place(ledger.Order(f'k{n}', 'a', '000001', 'd', '09:31:00', 'BUY', 10.0, 100),"
        " ledger.Opening(50_000, 0))\n"
        "    except ledger.Refused: pass\n"
    )
    command = [sys.executable, "-c", script, str(folder), str(path)]
    running = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(3)]
    for process in running:
        assert process.stdout is not None
        process.stdout.readline()

    for process in running:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in running:
        process.communicate(timeout=30)

    assert [process.returncode for process in running] == [0, 0, 0]
    with closing(ledger.Ledger(path)) as book:
        # 50,000 yuan buy fifty lots at 10 yuan; whichever process comes first, no key is bought twice.
        keys = [one.key for one in book.orders("a")]
    assert len(keys) == len(set(keys)) == 50


def test_run_as_a_program_it_shows_what_the_newest_account_did(ledger: Any, tmp_path: Path) -> None:
    path, opening = tmp_path / "l.sqlite", ledger.Opening(cash=10_000, held=500)
    with closing(ledger.Ledger(path)) as book:
        book.place(order(ledger, "old", account="yesterday"), opening)
        book.place(order(ledger, "1", price=10.05), opening)
        book.place(order(ledger, "2", side="SELL", price=10.1, shares=300, clock="10:00:00"), opening)

    shown = subprocess.run([sys.executable, ledger.__file__, str(path)], capture_output=True, text=True, check=True)

    assert shown.stdout.splitlines() == [
        "2024-01-02 09:31:00 000001 BUY     100 x 10.05",
        "2024-01-02 10:00:00 000001 SELL    300 x 10.10",
        "000001: 2 orders, bought 100, sold 300, cash +2025.00",
    ]
