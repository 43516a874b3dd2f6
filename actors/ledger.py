"""What an agent has begun here and not yet reported ended: known from the effects that were performed.

A logic that crashed is not asked what it did. The attempts that are still in this book are the
orphans which the next logic must end before the agent may work again; and what was reported
last may have been lost on its way, so that it can be told again.
"""

from __future__ import annotations

from actors.effects import Abandon, Kill
from actors.frozen import frozen
from actors.logic.reaping import Death, Orphan
from actors.messages import AgentReady, AttemptEnded, AttemptSuspended, EndTaken, Message
from actors.model import AttemptId, Job

REMEMBERED = frozenset({AttemptEnded, AttemptSuspended, AgentReady})
"""What an agent tells the scheduler that changes what it has in hand."""


@frozen
class Remains:
    """What a crashed agent leaves to its next logic."""

    incarnation: int
    """The one that died: the newest that was announced."""
    death: Death
    orphans: tuple[Orphan, ...]
    last: AttemptEnded | AttemptSuspended | None
    """The newest report that took an attempt from the agent."""
    ends: tuple[AttemptEnded, ...]
    """Reported ends of attempts that had no agent any more, not confirmed yet."""


class Ledger:
    def __init__(self) -> None:
        self.incarnation = 1
        self._begun: dict[AttemptId, tuple[Job | None, int]] = {}
        self._aside: set[AttemptId] = set()
        self._last: AttemptEnded | AttemptSuspended | None = None
        self._ends: dict[AttemptId, AttemptEnded] = {}

    def began(self, job: Job) -> None:
        self._begun[job.attempt] = (job, self.incarnation)
        self._last = None

    @property
    def runs(self) -> Job | None:
        """What the agent was at last, if its end has not been told."""
        jobs = [job for attempt, (job, _) in self._begun.items() if attempt not in self._aside]
        return jobs[-1] if jobs else None

    def told(self, message: Message) -> None:
        """One of ``REMEMBERED`` goes to the scheduler."""
        if isinstance(message, AttemptEnded):
            begun = self._begun.pop(message.attempt, None)
            if begun is None:
                return  # Refused: it was never begun here.
            if begun[0] is not None and message.attempt not in self._aside:
                self._last = message
            else:
                self._aside.discard(message.attempt)
                self._ends[message.attempt] = message
        elif isinstance(message, AttemptSuspended):
            self._begun.pop(message.attempt, None)
            self._last = message
        elif isinstance(message, AgentReady):
            self.incarnation = max(self.incarnation, message.incarnation)

    def confirmed(self, message: EndTaken) -> None:
        self._ends.pop(message.attempt, None)

    def killed(self, effect: Kill) -> None:
        """One that was suspended is nobody's until it is killed; its end must be reported from here."""
        self._begun.setdefault(effect.attempt, (None, self.incarnation))

    def abandoned(self, effect: Abandon) -> None:
        if effect.attempt in self._begun:
            self._aside.add(effect.attempt)

    def remains(self, death: Death) -> Remains:
        orphans = [
            Orphan(attempt, job, incarnation, attempt in self._aside)
            for attempt, (job, incarnation) in self._begun.items()
        ]
        return Remains(self.incarnation, death, tuple(orphans), self._last, tuple(self._ends.values()))
