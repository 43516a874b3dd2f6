"""What an action says by ``print`` and by ``logging``, on its way to where its ``ctx.log`` lines go.

So each line carries its instance, task, attempt, entity and agent, whichever way it was said. What
is printed is taken in worker processes alone, and there only for an engine that has its program to
itself: in the engine's own process standard output is everybody's.
"""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO, TypeAlias

from actors.model import Level
from actors.runners.notes import MAX_LINE_CHARS

Say: TypeAlias = Callable[[Level, str], None]

CURRENT: ContextVar[Say | None] = ContextVar("actors_said", default=None)
"""Of the attempt whose code runs in this context."""


class Ears:
    """A worker process's, where one attempt runs at a time. Between attempts all goes where it went before."""

    def __init__(self) -> None:
        self.say: Say | None = None
        self.out = Printed(self, sys.stdout, Level.INFO)
        self.err = Printed(self, sys.stderr, Level.WARNING)

    def listen(self, *, output: bool) -> None:
        """From now on: to log records, and with ``output`` to what is printed. What imports have set up stays."""
        if output:
            sys.stdout, sys.stderr = self.out, self.err
        root = logging.getLogger()
        if not root.handlers and root.level == logging.WARNING:
            root.setLevel(logging.INFO)
        root.addHandler(Records(self._say))

    def over(self) -> None:
        """The action has ended: say what it has not finished saying."""
        for stream in (self.out, self.err):
            stream.finish()

    def _say(self) -> Say | None:
        return self.say


class Printed(io.TextIOBase):
    """A text stream whose lines are log lines of the attempt; its ``buffer`` and descriptor are the old ones."""

    def __init__(self, ears: Ears, before: TextIO, level: Level) -> None:
        self._ears = ears
        self._before = before
        self._level = level
        self._lock = threading.Lock()
        self._open = ""

    @property
    def buffer(self) -> Any:
        return self._before.buffer

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._before.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self._before.errors

    def fileno(self) -> int:
        return self._before.fileno()

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        self._before.flush()

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        say = self._ears.say
        if say is None:
            return self._before.write(text)
        with self._lock:
            *lines, rest = (self._open + text).split("\n")
            self._open = rest[: 4 * MAX_LINE_CHARS]
        self._tell(say, lines)
        return len(text)

    def finish(self) -> None:
        with self._lock:
            rest, self._open = self._open, ""
        if self._ears.say is not None:
            self._tell(self._ears.say, [rest])

    def _tell(self, say: Say, lines: Iterable[str]) -> None:
        for line in lines:
            if line.strip():
                say(self._level, line.rstrip()[:MAX_LINE_CHARS])


class Records(logging.Handler):
    """Log records of an attempt become log lines of it. Others go to ``otherwise``, if that is given."""

    def __init__(self, say: Callable[[], Say | None] = CURRENT.get, otherwise: logging.Handler | None = None) -> None:
        super().__init__()
        self._say = say
        self._otherwise = otherwise

    def emit(self, record: logging.LogRecord) -> None:
        say = self._say()
        if say is not None:
            try:
                say(_level(record.levelno), f"{record.name}: {self.format(record)}"[:MAX_LINE_CHARS])
            except Exception:  # noqa: BLE001 - as every handler: what cannot be formatted must not end who logs it
                self.handleError(record)
        elif self._otherwise is not None and record.levelno >= logging.WARNING:
            self._otherwise.handle(record)


@contextmanager
def overheard(otherwise: logging.Handler) -> Iterator[None]:
    """Within it, log records of actions that run in this process are lines of their attempts.

    For a process that is ours. Warnings of others go to ``otherwise``.
    """
    root, records = logging.getLogger(), Records(otherwise=otherwise)
    before = root.level
    root.addHandler(records)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.setLevel(before)
        root.removeHandler(records)


def _level(number: int) -> Level:
    return max((level for level in Level if level <= number), default=Level.DEBUG)
