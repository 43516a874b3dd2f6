"""A shell on an engine: at a terminal with a prompt and all that goes with it, else a script."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from actors.client.client import Client
from actors.commands.face import Face
from actors.narration import Language
from actors.shell.lines import Lines, PipeLines, TextLines
from actors.shell.running import Shell
from actors.status import Status

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Attached:
    """Where a shell finds its engine, and what is particular to it."""

    socket: Path
    history: Path | None
    own: bool = False
    """The engine is this process's, which tells its changes itself, and ends with the shell."""
    keep_going: bool = False
    language: Language | None = None
    """Of the state changes above the prompt; None: they are not told."""


class Attachment:
    """One shell on one engine. ``run`` once, in any thread; the rest is for other threads."""

    def __init__(self, to: Attached, *, say: Say | None = None, complain: Say | None = None) -> None:
        self._to = to
        self._client = Client(to.socket)
        self._face = Face(client=self._client, say=say, complain=complain)
        self._shell = Shell(self._face, own=to.own, keep_going=to.keep_going)
        self._lines: Lines | None = None
        self._closed = False

    def run(self, text: str | None = None) -> tuple[Status, bool]:
        """Run the text's lines, else those of standard input; as ``Shell.run``."""
        with contextlib.closing(self._client), self._lines_of(text) as lines:
            self._lines = lines
            if self._closed:
                lines.close()
            status, left = self._shell.run(lines)
            # A person has seen what went wrong.
            return (Status.OK, True) if lines.interactive else (status, left)

    def interrupt(self) -> bool:
        """End what a person at the prompt has begun; false for a script, whose end is another's to decide."""
        if self._lines is None or not self._lines.interactive:
            return False
        self._shell.interrupt()
        return True

    def close(self) -> None:
        """Have ``run`` end soon, whatever it waits for."""
        self._closed = True
        if self._lines is not None:
            self._lines.close()
        self._shell.interrupt()

    @contextlib.contextmanager
    def _lines_of(self, text: str | None) -> Iterator[Lines]:
        descriptor = sys.stdin.fileno()
        if text is not None:
            yield TextLines(text)
        elif os.isatty(descriptor) and sys.stdout.isatty():
            with self._at_a_terminal() as lines:
                yield lines
        else:
            pipe = PipeLines(descriptor)
            try:
                yield pipe
            finally:
                pipe.release()

    @contextlib.contextmanager
    def _ending_by_sigterm(self) -> Iterator[None]:
        """Have the signal end the shell in order: the terminal is left as it was found."""
        if self._to.own or threading.current_thread() is not threading.main_thread():
            yield  # Signals are somebody else's.
            return
        before = signal.signal(signal.SIGTERM, lambda *_: self.close())
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    @contextlib.contextmanager
    def _at_a_terminal(self) -> Iterator[Lines]:
        from actors.shell.live import Live
        from actors.shell.prompt import PromptLines, above_the_prompt
        from actors.shell.telling import Telling

        shown = {"toolbar": "…"}
        lines = PromptLines(self._face, history=self._to.history, toolbar=lambda: shown["toolbar"])

        def change(toolbar: str) -> None:
            shown["toolbar"] = toolbar
            lines.redraw()

        with contextlib.ExitStack() as stack:
            # Each has a client of its own: an interrupted command leaves them as they are.
            beside = stack.enter_context(Client(self._to.socket))
            live = Live(beside, change)
            stack.callback(live.close)
            self._face.names = live.names
            stack.enter_context(above_the_prompt())
            stack.enter_context(self._ending_by_sigterm())
            if self._to.language is not None:
                told = stack.enter_context(Client(self._to.socket))
                telling = Telling(told, self._face.say, self._to.language)
                stack.callback(telling.close)
            yield lines
