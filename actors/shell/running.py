"""Runs the shell's lines, one after the other, on the tree of commands.

From a person a wrong line is told and the next is read. A script stops at its first error, with
the line's number and that command's exit status, unless it is told to keep going.
"""

from __future__ import annotations

import threading

from actors.commands.face import Face
from actors.commands.kinds import Typed
from actors.commands.tree import COMMANDS, run_command
from actors.errors import EngineError, Error, RequestError
from actors.printable import one_line
from actors.shell.lines import Lines
from actors.status import Status, sentence, status_of
from actors.words import Word, split

LEAVE = ("quit", "exit")


class Shell:
    """Lines to one engine, the face's. ``own``: the engine ends with the shell, and the shell with it."""

    def __init__(self, face: Face, *, own: bool = False, keep_going: bool = False) -> None:
        self._face = face
        self._own = own
        self._keep_going = keep_going
        self._busy = threading.Lock()

    def run(self, lines: Lines) -> tuple[Status, bool]:
        """Run all lines; return the status of the first that failed, and whether ``quit`` ended it.

        Raises ``KeyboardInterrupt`` out of a script, and ``EngineError`` when a shell's own engine is gone.
        """
        first, number = Status.OK, 0
        while True:
            number += 1
            try:
                line = lines.read()
                if line is None:
                    return first, False
                self._face.go_on()
                for words in split(line):
                    if len(words) == 1 and words[0].text in LEAVE and words[0].key is None:
                        return first, True
                    self._act(words, number, lines)
            except _Failed as failed:
                status = failed.status
            except (Error, OSError, KeyboardInterrupt) as error:
                if self._own and isinstance(error, EngineError):
                    raise
                if isinstance(error, KeyboardInterrupt) and not lines.interactive:
                    raise
                status = status_of(error)
                place = "" if lines.interactive else f"line {number}: "
                self._face.complain(one_line(f"{place}{' '.join(sentence(error).split())}"))
            else:
                continue
            first = first or status
            if not lines.interactive and not self._keep_going:
                return first, False

    def interrupt(self) -> bool:
        """End the line under way, from any thread or a signal handler; false if none is known to be."""
        self._face.interrupt()
        return self._busy.locked()

    def _act(self, words: list[Word], number: int, lines: Lines) -> None:
        place = COMMANDS.get(words[0].text) if words[0].key is None else None
        if place is not None and not place.in_shell:
            raise RequestError(f"'{words[0].text}' is not for the shell; run 'engine {words[0].text}' beside it")
        with self._busy:
            status = run_command([Typed.of(word) for word in words], self._face)
        if status and not lines.interactive:
            self._face.complain(one_line(f"line {number}: '{words[0].text}' ended with status {status}"))
        if status:
            raise _Failed(Status(status))


class _Failed(Exception):
    """A command has said itself what is wrong, and its status."""

    def __init__(self, status: Status) -> None:
        super().__init__()
        self.status = status
