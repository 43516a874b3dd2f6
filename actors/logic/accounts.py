"""What the attempts' time came to: how long they ran, and how much of it was lost.

An attempt runs from its action's first line to its end, without the time it stood still,
suspended. When it was stopped or its process was lost, what it did since its newest checkpoint
(or else its first line) has to be done again or is given up: that is wasted, for the reason it
was stopped for, or ``lost``. What ended by itself, with a result or an exception, wastes
nothing. So what ran is what was of use and what was wasted, to the nanosecond, over every
attempt, each counted once, when its end is recorded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from actors.messages import AttemptClosed
from actors.model import NS_PER_MS, Instant, Outcome, OutcomeKind, StopReason

LOST = "lost"
Stood = Sequence[tuple[Instant, Instant | None]]


class Accounts:
    __slots__ = ("ended", "preemptions", "ran_ns", "useful_ns", "wasted_ns")

    def __init__(self) -> None:
        self.preemptions = 0
        """Times an attempt made way: stopped or suspended for more important work."""
        self.ended: Counter[str] = Counter()
        """Attempts that were stopped or lost, by why."""
        self.ran_ns = 0
        self.useful_ns = 0
        self.wasted_ns: Counter[str] = Counter()
        """By the reason of the stop, or ``lost``."""

    def suspended(self) -> None:
        self.preemptions += 1

    def closed(self, message: AttemptClosed, stood: Stood) -> None:
        """Take an attempt's end into account; ``stood`` is when it stood still."""
        outcome = message.outcome
        why = cut_short(outcome, message.reason)
        if why is not None:
            self.ended[why] += 1
            self.preemptions += why == StopReason.PREEMPT
        if outcome.began is None:
            return
        useful_to = outcome.ended if why is None else (outcome.saved or outcome.began)
        self.ran_ns += ran(outcome.began, outcome.ended, stood)
        self.useful_ns += ran(outcome.began, useful_to, stood)
        if why is not None:
            self.wasted_ns[why] += ran(useful_to, outcome.ended, stood)

    def shown(self) -> dict[str, object]:
        """As ``stats`` shows it, in ms."""
        return {
            "preemptions": self.preemptions,
            "cut_short": {why: self.ended[why] for why in sorted(self.ended)},
            "ran_ms": self.ran_ns / NS_PER_MS,
            "wasted_ms": self.wasted_ns.total() / NS_PER_MS,
            "wasted_by": {why: self.wasted_ns[why] / NS_PER_MS for why in sorted(self.wasted_ns)},
        }


def cut_short(outcome: Outcome, reason: StopReason | None) -> str | None:
    """Why it did not come to an end of its own; None if it did, whatever had been asked.

    What is lost is lost, also while it was being stopped: that is how it ended (law 3).
    ``AttemptStopped`` raised without having been asked is the action's own failure.
    """
    match outcome.kind:
        case OutcomeKind.LOST:
            return LOST
        case OutcomeKind.STOPPED:
            return None if reason is None else str(reason)
        case _:
            return None


def ran(since: Instant, until: Instant, stood: Stood) -> int:
    """Nanoseconds between two instants, without those it stood still."""
    still = 0
    for begin, end in stood:
        still += max(0, min(until, until if end is None else end) - max(since, begin))
    return max(0, until - since) - still
