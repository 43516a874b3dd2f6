"""Faults to plant in the logic, each a small patch: what the storms must catch.

The first twelve are of the twelve kinds that every scheduler is prone to; the others concern locks,
kept places, inheritance, aging, the engine's stop, the account of work, pauses and drained agents.

They replace methods while a ``with`` block lasts; the shipped code has no switch for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from actors.effects import KEEPER
from actors.logic.attempts import Attempts
from actors.logic.fleet import Fleet, Kind
from actors.logic.floor import Floor
from actors.logic.inheritance import Inheritance
from actors.logic.judging import Verdict
from actors.logic.orders import Orders
from actors.logic.ready import ReadyLine
from actors.logic.scheduling import Scheduling
from actors.logic.succession import FULL, Succession
from actors.logic.working import Working
from actors.messages import AttemptClosed, CancelAttempt
from actors.model import Outcome, OutcomeKind, StopReason

Wrap = Callable[..., Any]


@contextmanager
def _patched(owner: type[Any], name: str, make: Callable[[Wrap], Wrap]) -> Iterator[None]:
    """The method, replaced by what ``make`` returns for it."""
    original = getattr(owner, name)
    setattr(owner, name, make(original))
    try:
        yield
    finally:
        setattr(owner, name, original)


def _slot_not_freed(free: Wrap) -> Wrap:
    def patched(self: Fleet, agent: Any, hold: Any) -> None:
        if hold is None or hold[0].number == 1:
            free(self, agent, hold)  # After a second attempt, its agent stays taken.

    return patched


def _flag_not_cleared(take: Wrap) -> Wrap:
    def patched(self: Working, *args: Any, **fields: Any) -> Any:
        flag = self._stopping
        effects = take(self, *args, **fields)
        self._stopping = flag
        return effects

    return patched


def _preempted_dropped(bring_back: Wrap) -> Wrap:
    def patched(self: Attempts, instance: Any, run: Any, judgement: Any, *rest: Any) -> None:
        if judgement.verdict is not Verdict.PREEMPTED:
            bring_back(self, instance, run, judgement, *rest)

    return patched


def _equals_preempt(victim_for: Wrap) -> Wrap:
    return lambda self, needed, priority: victim_for(self, needed, priority - 1)


def _limit_off_by_one(init: Wrap) -> Wrap:
    def patched(self: Floor, *args: Any, **fields: Any) -> None:
        init(self, *args, **fields)
        self.limits = {workflow: limit + 1 for workflow, limit in self.limits.items()}

    return patched


def _starts_not_counted(count: Wrap) -> Wrap:
    def patched(self: Floor, workflow: Any, change: int) -> None:
        count(self, workflow, min(change, 0))

    return patched


def _useless_victim(victim_for: Wrap) -> Wrap:
    return lambda self, needed, priority: victim_for(self, frozenset(), priority)


def _stale_cancel(receive: Wrap) -> Wrap:
    def patched(self: Working, message: Any, now: int) -> Any:
        if isinstance(message, CancelAttempt) and self._job is not None:
            message = replace(message, attempt=self._job.attempt)
        return receive(self, message, now)

    return patched


def _completion_loses(ended: Wrap) -> Wrap:
    def patched(self: Working, attempt: Any, outcome: Outcome) -> Any:
        if self._stopping is not None and outcome.kind is OutcomeKind.COMPLETED:
            outcome = replace(outcome, kind=OutcomeKind.STOPPED)
        return ended(self, attempt, outcome)

    return patched


def _early_requeue(preempt: Wrap) -> Wrap:
    def patched(self: Floor, waiting: Any, victim: Any, now: int) -> None:
        preempt(self, waiting, victim, now)
        if victim.stopping is not None and victim.sent and not victim.suspending:
            outcome = Outcome(OutcomeKind.STOPPED, ended=now)
            self.tell(KEEPER, AttemptClosed(victim.attempt, victim.agent.name, outcome, StopReason.PREEMPT))

    return patched


def _number_ignored(current: Wrap) -> Wrap:
    def patched(self: Floor, name: Any, incarnation: int, attempt: Any) -> Any:
        running = self.running.get(attempt.task)
        return current(self, name, incarnation, attempt if running is None else running.attempt)

    return patched


def _preemption_counts(bring_back: Wrap) -> Wrap:
    def patched(self: Attempts, instance: Any, run: Any, judgement: Any, *rest: Any) -> None:
        bring_back(self, instance, run, judgement, *rest)
        if judgement.verdict is Verdict.PREEMPTED and run.retries < run.task.retry:
            run.retries += 1

    return patched


def _lock_not_kept(keep_lock: Wrap) -> Wrap:
    return lambda self, waiting, attempt, priority: self.leave_lock(attempt.task)


def _lock_not_left(leave_lock: Wrap) -> Wrap:
    def patched(self: ReadyLine, task: Any) -> None:
        if self.get(task) is None:  # Who loses the agent on its way has it still.
            leave_lock(self, task)

    return patched


def _no_heir(refresh: Wrap) -> Wrap:
    return lambda self, task: None


def _place_not_kept(ceiling: Wrap) -> Wrap:
    return lambda self, workflow, free: FULL if free <= 0 else None


def _nobody_ages(age: Wrap) -> Wrap:
    return lambda self, waiting: None


def _counted_twice(closed_late: Wrap) -> Wrap:
    def patched(self: Attempts, message: Any) -> None:
        if message.attempt not in self._state.late:
            self._state.touch_accounts()
            self.accounts.closed(message, ())
        closed_late(self, message)

    return patched


def _stop_forgotten(init: Wrap) -> Wrap:
    def patched(self: Scheduling, *args: Any, **fields: Any) -> None:
        init(self, *args, **{**fields, "stop": None})

    return patched


def _left_standing(stop_suspended: Wrap) -> Wrap:
    return lambda self, now: None


def _pause_not_heeded(hold: Wrap) -> Wrap:
    def patched(self: Orders, workflow: Any, *, held: bool) -> None:
        if workflow is not None:
            hold(self, workflow, held=held)

    return patched


def _way_made_on_drained(first_victim: Wrap) -> Wrap:
    def patched(self: Kind) -> Any:
        drained = {entry[3].agent for entry in self.victims if entry[3].agent.drained}
        for agent in drained:
            agent.drained = False
        victim = first_victim(self)
        for agent in drained:
            agent.drained = True
        return victim

    return patched


FAULTS: dict[str, tuple[type[Any], str, Callable[[Wrap], Wrap]]] = {
    "agent slot not freed": (Fleet, "set_free", _slot_not_freed),
    "cancelling flag not cleared": (Working, "_take", _flag_not_cleared),
    "preempted task dropped": (Attempts, "_bring_back", _preempted_dropped),
    "equal priority preempts": (Fleet, "victim_for", _equals_preempt),
    "limit off by one": (Floor, "__init__", _limit_off_by_one),
    "starts not counted against the limit": (Floor, "count", _starts_not_counted),
    "victim that cannot be used": (Fleet, "victim_for", _useless_victim),
    "stale cancel accepted": (Working, "receive", _stale_cancel),
    "completion loses to cancel": (Working, "_ended", _completion_loses),
    "requeue before acknowledgement": (Floor, "preempt", _early_requeue),
    "attempt number ignored": (Floor, "current", _number_ignored),
    "retry counted on preemption": (Attempts, "_bring_back", _preemption_counts),
    "lock not kept for what follows": (ReadyLine, "keep_lock", _lock_not_kept),
    "lock not left with the agent on its way": (ReadyLine, "leave_lock", _lock_not_left),
    "nobody inherits": (Inheritance, "_refresh", _no_heir),
    "place not kept for what follows": (Succession, "ceiling", _place_not_kept),
    "nobody ages": (ReadyLine, "age", _nobody_ages),
    "pause of everything not heeded": (Orders, "hold", _pause_not_heeded),
    "way made on a drained agent": (Kind, "first_victim", _way_made_on_drained),
    "order to stop forgotten in a crash": (Scheduling, "__init__", _stop_forgotten),
    "what stands still forgotten by a stop": (Orders, "stop_suspended", _left_standing),
    "an end told twice counts twice": (Attempts, "_closed_late", _counted_twice),
}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """The logic has this fault while the block lasts."""
    owner, method, make = FAULTS[name]
    with _patched(owner, method, make):
        yield
