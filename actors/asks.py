"""What an actor has been asked and not yet answered, whatever a crashed logic has forgotten of it."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable
from typing import Any

from actors import messages
from actors.model import NOBODY, ReplyId

_SWEEP = 1024


def _asking_types() -> frozenset[type]:
    kinds = {kind for union in (messages.Message,) for kind in typing.get_args(union)}
    return frozenset(kind for kind in kinds if "reply" in {field.name for field in dataclasses.fields(kind)})


ASKING = _asking_types()
"""Messages that somebody outside may wait for the answer of, by their ``reply``."""


class OpenAsks:
    """Asks taken in and neither answered nor handed on to another actor; they are fed again after a crash."""

    def __init__(self, waits: Callable[[ReplyId], bool]) -> None:
        """``waits`` says whether somebody still waits for that answer: callers may give up."""
        self._waits = waits
        self._open: dict[ReplyId, Any] = {}
        self._limit = _SWEEP

    def __len__(self) -> int:
        """How many it keeps, those of callers included who gave up."""
        return len(self._open)

    def took(self, message: Any) -> None:
        """One of ``ASKING`` was taken in."""
        if message.reply == NOBODY:
            return
        self._open[message.reply] = message
        if len(self._open) > self._limit:  # Callers that gave up leave theirs behind.
            self._open = {number: ask for number, ask in self._open.items() if self._waits(number)}
            self._limit = max(_SWEEP, 2 * len(self._open))

    def handed_on(self, message: Any) -> None:
        """One of ``ASKING`` was sent to another actor, who answers it if it is one of these."""
        self._open.pop(message.reply, None)

    def answered(self, number: ReplyId) -> None:
        self._open.pop(number, None)

    def all(self) -> list[Any]:
        """Those that somebody waits for, oldest first."""
        return [ask for number, ask in self._open.items() if self._waits(number)]
