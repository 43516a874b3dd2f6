"""Where the shell's lines come from: a text, or a pipe. A person's come from ``actors.shell.prompt``.

Reading blocks one thread, which ``close`` from another thread wakes and ends.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterator
from typing import Protocol

from actors.errors import RequestError
from actors.words import MAX_LINE_CHARS, TOO_LONG

_BLOCK = 65_536


class Lines(Protocol):
    """Lines, one at a time."""

    @property
    def interactive(self) -> bool:
        """Whether a person types them."""
        ...

    def read(self) -> str | None:
        """Return the next line, None at the end or when closed; ``RequestError`` for one that is no text."""
        ...

    def close(self) -> None:
        """End a ``read`` under way and all later ones."""
        ...


class TextLines:
    """Lines of a text that is there already."""

    interactive = False

    def __init__(self, text: str) -> None:
        self._lines: Iterator[str] = iter(text.splitlines())

    def read(self) -> str | None:
        line = next(self._lines, None)
        if line is not None and not line.isprintable() and any("\ud800" <= character <= "\udfff" for character in line):
            raise RequestError("the line is not UTF-8; write it in UTF-8")
        return line

    def close(self) -> None:
        self._lines = iter(())


class PipeLines:
    """Lines of UTF-8 from a descriptor that stays the caller's.

    Not ``sys.stdin``: a thread that blocks in it cannot be woken and breaks the interpreter's end.
    """

    interactive = False

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rest = b""
        self._over = False
        self._lock = threading.Lock()
        self._pipe: tuple[int, int] | None = os.pipe()
        self._woken = self._pipe[0]

    def read(self) -> str | None:
        dropped = 0
        while (end := self._rest.find(b"\n")) < 0 and (block := self._block()):
            if len(self._rest) > MAX_LINE_CHARS:
                dropped += len(self._rest)
                self._rest = b""
            self._rest += block
        if self._over or (end < 0 and not self._rest):
            return None
        line, self._rest = (self._rest, b"") if end < 0 else (self._rest[:end], self._rest[end + 1 :])
        if dropped:
            raise RequestError(
                f"the line has {dropped + len(line)} bytes; at most {MAX_LINE_CHARS} are read; {TOO_LONG}"
            )
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            raise RequestError(f"the line is not UTF-8 (byte {error.start + 1}); write it in UTF-8") from None

    def close(self) -> None:
        self._over = True
        with self._lock:
            if self._pipe is not None:
                os.write(self._pipe[1], b".")

    def release(self) -> None:
        """Give back what was opened; the thread that reads calls this when it is through."""
        with self._lock:
            pipe, self._pipe = self._pipe, None
        for descriptor in pipe or ():
            os.close(descriptor)

    def _block(self) -> bytes:
        """Read some bytes; none at the end of the input or when closed."""
        ready, _, _ = select.select([self._descriptor, self._woken], [], [])
        return b"" if self._woken in ready else os.read(self._descriptor, _BLOCK)
