"""What an attempt says while it runs, kept small until it is taken in.

One note is under way at a time; ``credit`` lets the next go. Meanwhile only the newest
checkpoint, the newest progress and the newest log lines are kept, the rest counted.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from actors.messages import Note
from actors.model import Json, Level

MAX_LINES = 100
MAX_LINE_CHARS = 2000


class Mailbox:
    """The notes of one attempt, on their way to whoever runs it.

    ``emit`` is called with one note at a time, on the thread that said it or gave the credit,
    and never after ``close`` has returned. It must not block. All methods may be called from
    any thread, ``credit`` also from inside ``emit``.
    """

    __slots__ = ("_checkpoint", "_closed", "_emit", "_lines", "_lock", "_lost", "_progress", "_under_way", "newest")

    def __init__(self, emit: Callable[[Note], None]) -> None:
        self.newest: Json = None
        """The newest checkpoint of this attempt; None if it saved none."""
        self._emit = emit
        self._lock = threading.RLock()
        self._checkpoint: Json = None
        self._progress: tuple[float, str] | None = None
        self._lines: deque[tuple[Level, str]] | None = None
        self._lost = 0
        self._under_way = False
        self._closed = False

    def checkpoint(self, value: Json) -> None:
        """Keep ``value``, checked before, as the newest checkpoint. None says nothing."""
        if value is None:
            return
        with self._lock:
            if not self._closed:
                self.newest = self._checkpoint = value
                self._send()

    def progress(self, fraction: float, note: str) -> None:
        with self._lock:
            self._progress = (fraction, note[:MAX_LINE_CHARS])
            self._send()

    def line(self, level: Level, text: str) -> None:
        """Keep one log line; the oldest gives way and is counted when there are too many."""
        with self._lock:
            if self._lines is None:
                self._lines = deque()
            if len(self._lines) == MAX_LINES:
                self._lines.popleft()
                self._lost += 1
            self._lines.append((level, text[:MAX_LINE_CHARS]))
            self._send()

    def credit(self) -> None:
        """The last note was taken in: send what has come since, or the next thing that comes."""
        with self._lock:
            self._under_way = False
            self._send()

    def close(self) -> None:
        """The action has ended: send what it still had to say, without credit, then nothing more.

        A checkpoint alone is not sent: the outcome carries ``newest``.
        """
        with self._lock:
            if self._lines or self._progress is not None:
                self._under_way = False
                self._send()
            self._closed = True

    def _send(self) -> None:
        """Emit what is kept, if there is anything and nothing is under way. The lock is held."""
        if self._under_way or self._closed:
            return
        if self._checkpoint is None and self._progress is None and not self._lines:
            return
        note = Note(self._checkpoint, self._progress, tuple(self._lines or ()), self._lost)
        self._checkpoint = self._progress = self._lines = None
        self._lost = 0
        self._under_way = True
        self._emit(note)
