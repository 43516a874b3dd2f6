"""What an agent has begun here and not yet reported ended: known from the effects that were performed.

A logic that crashed is not asked what it did. The attempts that are still in this book are the
orphans which the next logic must end before the agent may work again.
"""

from __future__ import annotations

from collections.abc import Mapping

from actors.effects import Abandon, Kill
from actors.frozen import frozen
from actors.messages import AgentReady, AttemptEnded, AttemptSuspended, Message
from actors.model import AttemptId, ErrorInfo, Job


@frozen
class Orphan:
    """An attempt whose agent's logic crashed while it ran, stood aside, or was being killed."""

    attempt: AttemptId
    job: Job | None
    """None for one that had been suspended here, and was to be killed."""
    incarnation: int
    """Under which it was begun; its end is reported under it."""
    aside: bool = False


@frozen
class Remains:
    """What a crashed agent leaves to its next logic."""

    incarnation: int
    """The one that died."""
    orphans: Mapping[AttemptId, Orphan]
    error: ErrorInfo
    in_hand: str
    """The message it died of, by its type; empty if it was none alone."""
    final: bool
    """It crashed too often: it ends what it had begun, says so and does not come back."""


REMEMBERED = frozenset({AttemptEnded, AttemptSuspended, AgentReady})
"""What an agent tells the scheduler that changes what it has in hand."""


class Ledger:
    def __init__(self) -> None:
        self.incarnation = 1
        """The newest that was announced."""
        self._begun: dict[AttemptId, tuple[Job | None, int]] = {}
        self._aside: set[AttemptId] = set()

    def began(self, job: Job) -> None:
        self._begun[job.attempt] = (job, self.incarnation)

    def told(self, message: Message) -> None:
        """One of ``REMEMBERED`` goes to the scheduler."""
        if isinstance(message, AgentReady):
            self.incarnation = max(self.incarnation, message.incarnation)
        elif isinstance(message, AttemptEnded | AttemptSuspended):
            self._begun.pop(message.attempt, None)
            if self._aside:
                self._aside.discard(message.attempt)

    def killed(self, effect: Kill) -> None:
        """One that was suspended is nobody's until it is killed; its end must be reported from here."""
        self._begun.setdefault(effect.attempt, (None, self.incarnation))

    def abandoned(self, effect: Abandon) -> None:
        if effect.attempt in self._begun:
            self._aside.add(effect.attempt)

    @property
    def orphans(self) -> dict[AttemptId, Orphan]:
        """What has begun here and was not reported ended."""
        return {
            attempt: Orphan(attempt, job, incarnation, attempt in self._aside)
            for attempt, (job, incarnation) in self._begun.items()
        }
