"""An engine is started once and stopped once; in between its actors can be asked."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from actors.assembly import Assembly
from actors.desk import Called
from actors.errors import EngineStopped, RefusedError
from actors.handles import ANSWER_S
from actors.model import Definitions
from actors.subscribers import Subscribers


class Lifecycle:
    """States: new, starting, running, stopping, stopped. Any thread may call."""

    def __init__(self, definitions: Definitions, given: Mapping[str, Callable[..., Any]], store: str | None) -> None:
        self.definitions = definitions
        self._given = given
        self._store = store
        self._parts: Assembly | None = None
        self._subscribers = Subscribers()
        self._takes_output = False
        self._state = "new"
        self._guard = threading.Lock()
        self._left: list[str] = []

    def start(self) -> Self:
        """Start it. Raises ``RefusedError`` if it was started before."""
        with self._guard:
            if self._state != "new":
                raise RefusedError("this engine was started before; make a new one")
            parts = Assembly(
                self._first(), self._given, self._store, self._subscribers, takes_output=self._takes_output
            )
            self._state = "starting"
            try:
                parts.start()
            except BaseException:
                self._state = "stopped"
                raise
            self._parts = parts
            self._state = "running"
        return self

    def _first(self) -> Definitions:
        """The definitions as they are to run."""
        return self.definitions

    def stop(self, grace: float = 5.0) -> list[str]:
        """Stop it; return the names of what is still running (a thread that ignores its stop).

        New work is refused at once. Attempts may go on for ``grace`` seconds, then they are told
        to stop and, where that is possible, killed. Called again meanwhile, from another thread or
        a signal handler, it stops what runs at once.
        """
        if self._state == "stopping" and self._parts is not None:
            self._parts.hurry()
            return []
        if self._state != "running" or self._parts is None:
            self._state = "stopped"
            return list(self._left)
        self._state = "stopping"
        self._left = self._parts.stop(grace=grace)
        self._state = "stopped"
        return list(self._left)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(grace=0.0 if kind is not None else 5.0)

    @property
    def state(self) -> str:
        """``new``, ``starting``, ``running``, ``stopping``, ``stopped``; or ``failed``: it stopped itself."""
        parts = self._parts
        return "failed" if parts is not None and parts.failure is not None else self._state

    @property
    def version(self) -> str:
        """Of the definitions in force: a hash of the folder's definitions and code."""
        return self.definitions.version

    def _running(self) -> Assembly:
        parts = self._parts
        if parts is None or self._state in ("new", "starting", "stopped"):
            raise EngineStopped(f"the engine is {'not started' if parts is None else 'stopped'}")
        if parts.failure is not None:
            raise parts.failure
        return parts

    def _accepting(self) -> Assembly:
        parts = self._running()
        if self._state != "running":
            raise EngineStopped("the engine is stopping; nothing was accepted")
        return parts

    def _ask(self, actor: str, message: Any, timeout: float | None = ANSWER_S) -> Any:
        parts = self._running()
        return parts.ask(actor, lambda number: dataclasses.replace(message, reply=number), timeout)

    def _ask_soon(self, actor: str, message: Any, tell: Callable[[BaseException | None], object]) -> None:
        """Send a message that expects an answer, and return; ``tell`` is called with None or the error it is."""
        parts = self._running()
        parts.tell(actor, dataclasses.replace(message, reply=parts.desk.expect(Called(tell))))
