"""Where the shell's lines come from: a person at a terminal, or a pipe.

Reading blocks one thread, which ``close`` from another thread wakes and ends.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from actors.errors import RequestError
from actors.orders import MAX_LINE_CHARS

PROMPT = "engine> "
_BLOCK = 65_536

Completions = Mapping[str, Any]
"""By first word: the words that may follow (as a set), or None."""


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


@contextlib.contextmanager
def lines_from(descriptor: int, completions: Completions) -> Iterator[Lines]:
    """Lines from standard input: with editing and completion if a person types, plain otherwise."""
    if os.isatty(descriptor) and sys.stdout.isatty():
        from prompt_toolkit.patch_stdout import patch_stdout

        # What others print goes above the prompt.
        with patch_stdout():
            yield PromptLines(completions)
    else:
        pipe = PipeLines(descriptor)
        try:
            yield pipe
        finally:
            pipe.release()


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
            raise RequestError(f"the line has {dropped + len(line)} bytes; at most {MAX_LINE_CHARS} are read")
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            raise RequestError(f"the line is not UTF-8 (byte {error.start + 1})") from None

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


class PromptLines:
    """Lines edited at a terminal. Ctrl-C drops the line, Ctrl-D ends."""

    interactive = True

    def __init__(self, completions: Completions) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import NestedCompleter

        self._over = False
        self._session: PromptSession[str] = PromptSession(
            completer=NestedCompleter.from_nested_dict(dict(completions)), complete_while_typing=False
        )

    def read(self) -> str | None:
        while not self._over:
            try:
                # Signals are the main thread's; this one only edits.
                return self._session.prompt(PROMPT, handle_sigint=False, pre_run=self._leave_if_over)
            except KeyboardInterrupt:
                continue
            except EOFError:
                break
        return None

    def close(self) -> None:
        self._over = True
        loop = self._session.app.loop
        if loop is not None:
            # The loop may end at this very moment; then nobody reads any more.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._leave_if_over)

    def _leave_if_over(self) -> None:
        app = self._session.app
        if self._over and app.is_running and not app.is_done:
            app.exit(exception=EOFError)
