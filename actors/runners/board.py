"""What the engine and one worker both see: a few numbers, newest values, a tape of log lines.

Shared memory, because it needs no reader: a checkpoint written here outlives the worker that is
killed in the next instant, the engine can ask when the action began without waking anybody,
and a worker that talks without end costs the engine nothing. Each number and each value has one
writer. What the worker writes is checked when it is read: lengths are bounded, and a checksum
tells a value that is whole from one that was being written.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import struct
import tempfile
import time
import zlib
from collections.abc import Callable
from enum import IntEnum

from actors.messages import Note
from actors.model import Instant, Json, Level
from actors.runners.notes import MAX_LINE_CHARS, MAX_LINES

_WORDS_BYTES = 4096
_PROGRESS_BYTES = 16_384
_LINE_BYTES = 4 * MAX_LINE_CHARS + 32
_LINE_SLOTS = MAX_LINES + 8
"""A few more than are handed over, because the worker may be writing while the engine reads."""
_HEADER = struct.Struct("=qqq")
_TRIES = 8


class Word(IntEnum):
    """Places of the numbers."""

    STOP = 0
    """The turn that must stop; 0: none."""
    REASON = 1
    """Why, as the place of the ``StopReason``."""
    CALLED = 2
    """1 while a note is announced and not yet looked at; the worker sets it, the engine clears it."""
    PAUSED = 5
    """For how long the attempt was suspended, in nanoseconds; the engine writes it."""
    BEGAN = 3
    """When the action's first line ran; 0: not yet."""
    LINES = 4
    """How many log lines were written in this turn."""
    CHECKPOINT = 8
    """First of seven words of a cell."""
    PROGRESS = 16


class Board:
    """One worker's shared memory. Engine and worker map the same file."""

    def __init__(self, fd: int, max_bytes: int) -> None:
        self._memory = mmap.mmap(fd, size_for(max_bytes))
        self._view = memoryview(self._memory)
        self.words = self._view[:_WORDS_BYTES].cast("q")
        at = _WORDS_BYTES
        self.progress = Cell(self, Word.PROGRESS, at, _PROGRESS_BYTES)
        at += 2 * _PROGRESS_BYTES
        self._tape = at
        at += _LINE_SLOTS * (_HEADER.size + _LINE_BYTES)
        self.checkpoint = Cell(self, Word.CHECKPOINT, at, max_bytes)

    @property
    def memory(self) -> mmap.mmap:
        return self._memory

    def clear(self) -> None:
        """Make it blank for the next attempt. Only while the worker is idle."""
        for place in range(24):
            self.words[place] = 0

    def close(self) -> None:
        self.words.release()
        self._view.release()
        self._memory.close()

    def write_line(self, level: Level, text: str) -> None:
        """The worker's: put one log line on the tape, over the oldest one when it is full."""
        number = self.words[Word.LINES] + 1
        data = json.dumps([int(level), text[:MAX_LINE_CHARS]], ensure_ascii=False).encode(errors="replace")[
            :_LINE_BYTES
        ]
        at = self._slot(number)
        self._memory[at + _HEADER.size : at + _HEADER.size + len(data)] = data
        _HEADER.pack_into(self._memory, at, number, len(data), zlib.crc32(data))
        self.words[Word.LINES] = number

    def read_lines(self, after: int) -> tuple[list[tuple[Level, str]], int]:
        """The engine's: the newest lines after line number ``after``, and the newest one's number."""
        newest = max(after, min(self.words[Word.LINES], 1 << 48))
        lines = []
        for number in range(max(after, newest - MAX_LINES) + 1, newest + 1):
            line = self._read_line(number)
            if line is not None:
                lines.append(line)
        return lines, newest

    def _read_line(self, number: int) -> tuple[Level, str] | None:
        """None when the line was written over, or is not what a worker of ours writes."""
        at = self._slot(number)
        found, length, checksum = _HEADER.unpack_from(self._memory, at)
        if found != number or not 0 <= length <= _LINE_BYTES:
            return None
        data = self._memory[at + _HEADER.size : at + _HEADER.size + length]
        if zlib.crc32(data) != checksum:
            return None
        try:
            level, text = json.loads(data)
            return Level(level), str(text)[:MAX_LINE_CHARS]
        except (ValueError, TypeError, RecursionError):
            return None

    def _slot(self, number: int) -> int:
        return self._tape + number % _LINE_SLOTS * (_HEADER.size + _LINE_BYTES)


class Cell:
    """The newest of a kind of value: two places by turns, so that one of them is always whole."""

    def __init__(self, board: Board, words: int, at: int, max_bytes: int) -> None:
        self._board = board
        self._words = words
        self._at = at
        self._max_bytes = max_bytes

    @property
    def count(self) -> int:
        """How many values were written in this turn."""
        return self._board.words[self._words]

    def write(self, data: bytes) -> None:
        """The worker's: make ``data``, not longer than ``max_bytes``, the newest value."""
        words, number = self._board.words, self.count + 1
        side = number % 2
        at = self._at + side * self._max_bytes
        self._board.memory[at : at + len(data)] = data
        words[self._words + 1 + 2 * side] = len(data)
        words[self._words + 2 + 2 * side] = zlib.crc32(data)
        words[self._words + 5 + side] = time.monotonic_ns()
        words[self._words] = number

    def when(self, number: int) -> Instant:
        """When the value of that number was written, if no other has taken its place."""
        return self._board.words[self._words + 5 + number % 2]

    def read(self) -> tuple[bytes, int] | None:
        """The engine's: the newest value and its number.

        None when there is none, or none that is whole: the worker writes faster than this
        reads, or wrote over it by accident.
        """
        words = self._board.words
        for _ in range(_TRIES):
            number = self.count
            if number <= 0:
                return None
            side = number % 2
            length = words[self._words + 1 + 2 * side]
            if not 0 <= length <= self._max_bytes:
                return None
            at = self._at + side * self._max_bytes
            data = self._board.memory[at : at + length]
            if zlib.crc32(data) == words[self._words + 2 + 2 * side]:
                return data, number
        return None


class Reading:
    """The engine's place in one attempt's board: what it has handed over already."""

    def __init__(self, board: Board, decode: Callable[[bytes], Json]) -> None:
        self._board = board
        self._decode = decode
        self._checkpoints = 0
        self._progresses = 0
        self._lines = 0

    def note(self) -> Note | None:
        """What is new since the last call; None if nothing is."""
        board = self._board
        checkpoint = progress = None
        if board.checkpoint.count > self._checkpoints and (newest := board.checkpoint.read()):
            checkpoint, self._checkpoints = self._value(newest[0]), newest[1]
        if board.progress.count > self._progresses and (newest := board.progress.read()):
            progress, self._progresses = self._fraction(newest[0]), newest[1]
        before = self._lines
        lines, self._lines = board.read_lines(before)
        if checkpoint is None and progress is None and self._lines == before:
            return None
        return Note(checkpoint, progress, tuple(lines), self._lines - before - len(lines))

    def checkpoint(self) -> tuple[Json, Instant] | None:
        """The newest checkpoint of the attempt and when it was taken; None if it saved none."""
        newest = self._board.checkpoint.read()
        if newest is None or (value := self._value(newest[0])) is None:
            return None
        return value, self._board.checkpoint.when(newest[1])

    def _value(self, data: bytes) -> Json:
        try:
            return self._decode(data)
        except (ValueError, RecursionError):
            return None

    def _fraction(self, data: bytes) -> tuple[float, str] | None:
        try:
            fraction, note = self._decode(data)
            return float(fraction), str(note)[:MAX_LINE_CHARS]
        except (ValueError, TypeError, RecursionError, OverflowError):
            return None


def size_for(max_bytes: int) -> int:
    return _WORDS_BYTES + 2 * _PROGRESS_BYTES + _LINE_SLOTS * (_HEADER.size + _LINE_BYTES) + 2 * max_bytes


def shared_file(max_bytes: int) -> int:
    """A nameless file for a board, as a descriptor.

    Sealed on Linux, because reading a mapping whose file was cut short would end the engine.
    """
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("actors-board", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(fd, size_for(max_bytes))
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        return fd
    fd, path = tempfile.mkstemp(prefix="actors-board-")
    os.unlink(path)
    os.ftruncate(fd, size_for(max_bytes))
    return fd
