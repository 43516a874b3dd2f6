"""What a shell knows of its actor from what it took in and performed, whatever a crashed logic has forgotten."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from actors.effects import Abandon, Effect, Reply, Resume, Send, Start
from actors.logic.reaping import Orphan
from actors.messages import AgentReady, AttemptEnded, AttemptSuspended, EndTaken
from actors.model import NOBODY, AttemptId, ReplyId


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
    """The attempts that began on one agent and are not over there; and what was reported last."""

    def __init__(self) -> None:
        self.incarnation = 1
        """The newest that was made or told of."""
        self._began: dict[AttemptId, Orphan] = {}
        self._last: AttemptEnded | AttemptSuspended | None = None
        self._ends: dict[AttemptId, AttemptEnded] = {}

    @property
    def orphans(self) -> tuple[Orphan, ...]:
        return tuple(self._began.values())

    @property
    def reported(self) -> tuple[AttemptEnded | AttemptSuspended | None, tuple[AttemptEnded, ...]]:
        """The newest report that took an attempt from the agent, and unconfirmed ends of others."""
        return self._last, tuple(self._ends.values())

    def took(self, message: Any) -> None:
        if isinstance(message, EndTaken):
            self._ends.pop(message.attempt, None)

    def performed(self, effect: Effect) -> None:
        match effect:
            case Start(job) | Resume(job):
                self._began[job.attempt] = Orphan(job.attempt, job, self.incarnation)
                self._last = None
            case Abandon(attempt):
                if attempt in self._began:
                    self._began[attempt] = replace(self._began[attempt], aside=True)
            case Send(_, AgentReady(_, incarnation)):
                self.incarnation = max(self.incarnation, incarnation)
            case Send(_, AttemptEnded() as report):
                orphan = self._began.pop(report.attempt, None)
                if orphan is None or orphan.aside:
                    self._ends[report.attempt] = report
                else:
                    self._last = report
            case Send(_, AttemptSuspended() as report):
                self._began.pop(report.attempt, None)
                self._last = report
            case _:
                pass
