"""Stable ways to an engine's actors, for programs built on Pykka: they survive the actors' restarts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from actors import admission
from actors.errors import RequestError
from actors.ids import Ids

ANSWER_S = 30.0
"""A request that the engine itself answers is given up after this many seconds."""


class Handle:
    """A stable way to one actor: ``tell`` a message of its protocol, or ``ask`` and get its answer."""

    def __init__(
        self, name: str, tell: Callable[[str, Any], None], ask: Callable[[str, Any, float | None], Any]
    ) -> None:
        self.name = name
        self._tell = tell
        self._ask = ask
        self._ids = Ids()

    def tell(self, message: Any) -> None:
        """Raises ``RequestError`` for anything but a message this actor takes."""
        admission.message(self.name, message)
        self._tell(self.name, self._ids.given(message))

    def ask(self, message: Any, timeout: float = ANSWER_S) -> Any:
        """Send a message that has a ``reply`` field, and return the answer. Raises ``TimeoutError``."""
        admission.message(self.name, message)
        if "reply" not in {field.name for field in dataclasses.fields(message)}:
            raise RequestError(f"{type(message).__name__} has no answer; tell it instead")
        return self._ask(self.name, self._ids.given(message), timeout)

    def __repr__(self) -> str:
        return f"<Handle {self.name}>"
