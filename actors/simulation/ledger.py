"""What an agent has begun and reported, as the engine's shells know it from what they took in and performed."""

from __future__ import annotations

from typing import Any

from actors.effects import Abandon, Effect, Kill, Resume, Send, Start
from actors.ledger import REMEMBERED, Ledger
from actors.logic.reaping import Death, Orphan
from actors.messages import AttemptEnded, AttemptSuspended, EndTaken
from actors.model import ErrorInfo

_NO_DEATH = Death(ErrorInfo("none", "only looked at"))


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
