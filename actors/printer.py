"""Whole lines to the terminal, from any thread, whether or not somebody still reads them."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable

_EVERY_SECONDS = 5.0
"""How often progress is printed where it cannot be overwritten."""
_CLEAR = "\r\x1b[K"


class Printer:
    """``line`` is for standard output, ``note`` and ``progress`` are for standard error.

    When standard output is closed at its other end, ``on_gone`` is called once, and what is
    said afterwards goes nowhere.
    """

    def __init__(self, on_gone: Callable[[], None]) -> None:
        self._on_gone = on_gone
        self._gone = False
        self._lock = threading.Lock()
        self._shown = False
        self._told = 0.0

    def line(self, text: str) -> None:
        with self._lock:
            self._clear()
            if self._gone:
                return
            try:
                sys.stdout.write(text + "\n")
                sys.stdout.flush()
                return
            except BrokenPipeError:
                self._gone = True
                discard_output()
        self._on_gone()

    def note(self, text: str) -> None:
        with self._lock:
            self._clear()
            sys.stderr.write(text + "\n")
            sys.stderr.flush()

    def progress(self, text: str, *, last: bool = False) -> None:
        """Show how far something is: in place on a terminal, else a line now and then."""
        with self._lock:
            if sys.stderr.isatty():
                sys.stderr.write(f"{_CLEAR}{text}" + ("\n" if last else ""))
                self._shown = not last
            elif last or time.monotonic() - self._told >= _EVERY_SECONDS:
                self._told = time.monotonic()
                sys.stderr.write(text + "\n")
            sys.stderr.flush()

    def _clear(self) -> None:
        if self._shown:
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()
            self._shown = False


def discard_output() -> None:
    """Send standard output nowhere from now on: its other end is closed, and Python's own flush would complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
