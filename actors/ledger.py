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


class Ledger:
    def __init__(self) -> None:
        self.incarnation = 1
        """The newest that was announced."""
        self.orphans: dict[AttemptId, Orphan] = {}

    def began(self, job: Job) -> None:
        self.orphans[job.attempt] = Orphan(job.attempt, job, self.incarnation)

    def told(self, message: Message) -> None:
        """A message that goes to the scheduler."""
        match message:
            case AttemptEnded(_, _, attempt) | AttemptSuspended(_, _, attempt):
                self.orphans.pop(attempt, None)
            case AgentReady(_, incarnation):
                self.incarnation = max(self.incarnation, incarnation)
            case _:
                return

    def killed(self, effect: Kill) -> None:
        """One that was suspended is nobody's until it is killed; its end must be reported from here."""
        if effect.attempt not in self.orphans:
            self.orphans[effect.attempt] = Orphan(effect.attempt, None, self.incarnation)

    def abandoned(self, effect: Abandon) -> None:
        left = self.orphans.get(effect.attempt)
        if left is not None:
            self.orphans[effect.attempt] = Orphan(left.attempt, left.job, left.incarnation, aside=True)
