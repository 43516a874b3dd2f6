"""The newest of what a worker wrote is read whole, or not at all."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from actors.model import Level
from actors.runners.board import Board, Reading, Word, shared_file, size_for
from actors.runners.wire import decode, encode

MAX_BYTES = 1000


@pytest.fixture
def boards() -> Iterator[tuple[Board, Board]]:
    """The same memory, as the worker and as the engine have it."""
    fd = shared_file(MAX_BYTES)
    worker, engine = Board(fd, MAX_BYTES), Board(fd, MAX_BYTES)
    os.close(fd)
    yield worker, engine
    worker.close()
    engine.close()


def test_the_newest_value_is_read(boards: tuple[Board, Board]) -> None:
    worker, engine = boards
    assert engine.checkpoint.read() is None
    for number in range(1, 6):
        worker.checkpoint.write(encode([number] * number))
        assert engine.checkpoint.read() == (encode([number] * number), number)


def test_a_value_that_is_being_written_is_not_read(boards: tuple[Board, Board]) -> None:
    """The one before it is, which is in the other place."""
    worker, engine = boards
    worker.checkpoint.write(b"first")
    worker.checkpoint.write(b"second")
    # What a worker does that is killed halfway through its third checkpoint.
    at = engine.memory.find(b"first")
    worker.memory[at : at + 3] = b"thi"

    assert engine.checkpoint.read() == (b"second", 2)


def test_a_value_that_was_written_over_is_not_read(boards: tuple[Board, Board]) -> None:
    worker, engine = boards
    worker.checkpoint.write(b"value")
    at = engine.memory.find(b"value")
    worker.memory[at] = ord("w")

    assert engine.checkpoint.read() is None


def test_the_newest_lines_are_kept_and_the_others_counted(boards: tuple[Board, Board]) -> None:
    worker, engine = boards
    reading = Reading(engine, decode)
    for number in range(250):
        worker.write_line(Level.INFO, f"line {number}")

    note = reading.note()
    assert note is not None
    assert note.lines == tuple((Level.INFO, f"line {number}") for number in range(150, 250))
    assert note.lost_lines == 150
    assert reading.note() is None
    worker.write_line(Level.ERROR, "x" * 5000)
    note = reading.note()
    assert note is not None
    assert note.lines == ((Level.ERROR, "x" * 2000),)


def test_each_value_is_handed_over_once(boards: tuple[Board, Board]) -> None:
    worker, engine = boards
    reading = Reading(engine, decode)
    worker.checkpoint.write(encode({"rows": 1}))
    worker.progress.write(encode([0.5, "half"]))

    note = reading.note()
    assert note is not None
    assert (note.checkpoint, note.progress, note.lines, note.lost_lines) == ({"rows": 1}, (0.5, "half"), (), 0)
    assert reading.note() is None
    newest = reading.checkpoint()
    assert newest is not None
    assert newest[0] == {"rows": 1}


def test_what_was_left_by_the_attempt_before_is_not_seen(boards: tuple[Board, Board]) -> None:
    worker, engine = boards
    worker.checkpoint.write(encode("secret"))
    worker.write_line(Level.INFO, "secret")
    engine.clear()
    reading = Reading(engine, decode)

    assert reading.note() is None
    assert reading.checkpoint() is None
    worker.write_line(Level.INFO, "own")
    note = reading.note()
    assert note is not None
    assert note.lines == ((Level.INFO, "own"),)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_in_the_memory_reading_it_does_no_harm(boards: tuple[Board, Board], seed: int) -> None:
    worker, engine = boards
    chance = random.Random(seed)
    worker.memory[:] = chance.randbytes(size_for(MAX_BYTES))
    reading = Reading(engine, decode)

    note = reading.note()
    assert note is None or len(note.lines) <= 100
    reading.checkpoint()
    assert isinstance(engine.words[Word.BEGAN], int)


def test_the_memory_cannot_be_cut_short() -> None:
    """Reading it then would end the engine."""
    if not hasattr(os, "memfd_create"):
        pytest.skip("no sealed memory on this system")
    fd = shared_file(MAX_BYTES)
    with pytest.raises(PermissionError):
        os.ftruncate(fd, 0)
    os.close(fd)
