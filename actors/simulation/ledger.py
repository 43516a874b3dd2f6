"""What a shell knows of its actor from what it took in and performed, whatever a crashed logic has forgotten."""

from __future__ import annotations

from typing import Any

from actors.effects import Abandon, Effect, Kill, Reply, Resume, Send, Start
from actors.ledger import REMEMBERED, Ledger
from actors.logic.reaping import Death, Orphan
from actors.messages import AttemptEnded, AttemptSuspended, EndTaken
from actors.model import NOBODY, ErrorInfo, ReplyId

_NO_DEATH = Death(ErrorInfo("none", "only looked at"))


class OpenAsks:
    """Messages that expect an answer, taken in and neither answered nor handed on."""

    def __init__(self) -> None:
        self._open: dict[ReplyId, tuple[str, Any]] = {}

    def took(self, sender: str, message: Any) -> None:
        reply = getattr(message, "reply", NOBODY)
        if reply != NOBODY:
            self._open[reply] = (sender, message)

    def performed(self, effect: Effect) -> None:
        if isinstance(effect, Reply):
            self._open.pop(effect.to, None)
        elif isinstance(effect, Send):
            self._open.pop(getattr(effect.message, "reply", NOBODY), None)

    def all(self) -> list[tuple[str, Any]]:
        """Oldest first, with who sent them."""
        return list(self._open.values())


class AgentLedger:
    """The book that the engine's own shells keep of an agent's attempts, fed with effects as they are performed."""

    def __init__(self) -> None:
        self._book = Ledger()

    @property
    def incarnation(self) -> int:
        """The newest that was told of."""
        return self._book.incarnation

    @incarnation.setter
    def incarnation(self, made: int) -> None:
        self._book.incarnation = made

    @property
    def orphans(self) -> tuple[Orphan, ...]:
        return self._book.remains(_NO_DEATH).orphans

    @property
    def reported(self) -> tuple[AttemptEnded | AttemptSuspended | None, tuple[AttemptEnded, ...]]:
        """The newest report that took an attempt from the agent, and unconfirmed ends of others."""
        remains = self._book.remains(_NO_DEATH)
        return remains.last, remains.ends

    def took(self, message: Any) -> None:
        if isinstance(message, EndTaken):
            self._book.confirmed(message)

    def performed(self, effect: Effect) -> None:
        match effect:
            case Start(job) | Resume(job):
                self._book.began(job)
            case Abandon():
                self._book.abandoned(effect)
            case Kill():
                self._book.killed(effect)
            case Send(_, message) if type(message) in REMEMBERED:
                self._book.told(message)
            case _:
                pass
