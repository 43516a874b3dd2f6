"""Lines edited at a terminal: completion, a history that lasts, live counts below.

Ctrl-C drops the line, Ctrl-D ends.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.patch_stdout import patch_stdout

from actors.commands.face import Face
from actors.shell.completing import offers
from actors.words import MAX_LINE_CHARS

PROMPT = "engine> "
MAX_HISTORY_BYTES = 1_000_000
"""A longer history loses its older half when a shell begins."""


class PromptLines:
    """``toolbar`` is asked for its text whenever the prompt is drawn."""

    interactive = True

    def __init__(self, face: Face, *, history: Path | None, toolbar: Callable[[], str]) -> None:
        self._over = False
        self._session: PromptSession[str] = PromptSession(
            completer=_Completer(face),
            complete_in_thread=True,
            complete_while_typing=False,
            history=_history(history),
            bottom_toolbar=toolbar,
            enable_open_in_editor=False,
        )
        self._main = threading.current_thread() is threading.main_thread()

    def read(self) -> str | None:
        while not self._over:
            try:
                # Signals are the main thread's; in another one this only edits.
                line = self._session.prompt(PROMPT, handle_sigint=self._main, pre_run=self._leave_if_over)
            except KeyboardInterrupt:
                continue
            except EOFError:
                break
            return line[: MAX_LINE_CHARS + 1]
        return None

    def redraw(self) -> None:
        """From any thread: there is something new below."""
        self._session.app.invalidate()

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


@contextlib.contextmanager
def above_the_prompt() -> Iterator[None]:
    """What anybody prints meanwhile goes above the line that is being typed."""
    with patch_stdout(raw=True):
        yield


class _Completer(Completer):
    """Runs in a thread of its own, so that typing never waits for the engine."""

    def __init__(self, face: Face) -> None:
        self._face = face

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:  # noqa: ARG002
        begun, found = offers(self._face, document.text_before_cursor)
        for offer in found:
            yield Completion(offer.text, start_position=-len(begun), display_meta=offer.hint)


def _history(path: Path | None) -> History:
    """Of a file that can be written; else one that ends with the shell."""
    if path is None:
        return InMemoryHistory()
    try:
        with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b") as file:
            size = file.seek(0, os.SEEK_END)
            if size > MAX_HISTORY_BYTES:
                file.seek(size - MAX_HISTORY_BYTES // 2)
                file.readline()
                kept = file.read()
                file.seek(0)
                file.write(kept)
                file.truncate()
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(path))
