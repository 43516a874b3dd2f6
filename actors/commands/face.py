"""Who a command speaks to: the engine that is meant, and whoever typed the command.

At the command line a face lives as long as one command; the shell keeps one for all its lines.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from actors.commands.output import Output, Say, Style

if TYPE_CHECKING:
    from actors.client.client import Client


class Face:
    """``client``: the one engine of a shell; without it, each command finds the engine it names."""

    def __init__(self, *, client: Client | None = None, say: Say | None = None, complain: Say | None = None) -> None:
        self.in_shell = client is not None
        self._client = client
        self.say = say or _print
        self.complain = complain or _complain
        self.names: Callable[[str], list[str]] | None = None
        """What the engine has of a kind, if somebody keeps that ready; else it is asked."""
        self.protocols: dict[str, list[dict[str, Any]]] = {}
        """What each actor takes, once that was asked."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._client is not None and not self.in_shell:
            self._client.close()

    def output(self, style: Style) -> Output:
        return Output(self.say, self.complain, style)

    def reach(self, data: Path | None, definitions: Path | None) -> Client:
        """The engine that is meant. Raises ``EngineUnreachable`` if there is none."""
        if self._client is None:
            from actors.commands.finding import client_for

            self._client = client_for(data, definitions)
        return self._client

    def interrupt(self) -> None:
        """End the command under way, from any thread or a signal handler."""
        if self._client is not None:
            self._client.interrupt()

    def pause_for(self, seconds: float) -> bool:
        """Sleep between two looks; true if an interrupt cut it short."""
        if self._client is not None:
            return self._client.pause_for(seconds)
        time.sleep(seconds)
        return False

    def go_on(self) -> None:
        """What comes now is not what an interrupt was meant for."""
        if self._client is not None:
            self._client.go_on()


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _complain(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
