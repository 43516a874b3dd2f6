"""What the end of an attempt means for its task: the rule book. It says; it changes nothing."""

from __future__ import annotations

from enum import StrEnum

from actors.frozen import frozen
from actors.logic.workflows import Run
from actors.model import Delivery, ErrorInfo, Millis, OnPreempt, Outcome, OutcomeKind, StopReason, Task


class Verdict(StrEnum):
    COMPLETED = "completed"
    RETRY = "retry"
    PREEMPTED = "preempted"
    LOST = "lost"
    AGAIN = "again"
    """Stopped by the engine's shutdown: pending as it was."""
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


@frozen
class Judgement:
    verdict: Verdict
    error: ErrorInfo | None = None
    delay: Millis = 0


def judge(run: Run, outcome: Outcome, reason: StopReason | None, max_infra_losses: int) -> Judgement:
    """What an attempt's end means for its task.

    A completion is a completion, whatever had been asked. With ``at_most_once``, every end
    after the first line other than the action's own return or exception is ``unknown``.
    Preemption and loss do not touch the retries. Cancelled work does not come back.
    """
    task = run.task
    own_end = outcome.kind in (OutcomeKind.COMPLETED, OutcomeKind.FAILED)
    if outcome.kind is OutcomeKind.COMPLETED:
        return Judgement(Verdict.COMPLETED)
    if task.delivery is Delivery.AT_MOST_ONCE and not own_end and outcome.began is not None:
        how = outcome.error or _stopped_error(task, reason)
        return Judgement(Verdict.UNKNOWN, how)
    if reason is StopReason.CANCEL:
        return Judgement(Verdict.CANCELLED)
    if reason is StopReason.TIMEOUT and not own_end:
        return _failed(run, _stopped_error(task, reason))
    if outcome.kind is OutcomeKind.FAILED:
        return _failed(run, outcome.error or ErrorInfo("Error", "the action failed"))
    if outcome.kind is OutcomeKind.LOST:
        error = outcome.error or ErrorInfo("Lost", "its process is gone")
        if run.losses + 1 > max_infra_losses:
            text = f"poison: lost {run.losses + 1} times, the last time: {error.message}"
            return Judgement(Verdict.FAILED, ErrorInfo("Poison", text, error.traceback, retryable=False))
        return Judgement(Verdict.LOST, error)
    if reason is StopReason.PREEMPT:
        verdict = Verdict.CANCELLED if task.on_preempt is OnPreempt.CANCEL else Verdict.PREEMPTED
        return Judgement(verdict)
    if reason is StopReason.SHUTDOWN:
        return Judgement(Verdict.AGAIN)
    return _failed(run, ErrorInfo("AttemptStopped", "the action raised AttemptStopped without being asked to stop"))


def _failed(run: Run, error: ErrorInfo) -> Judgement:
    if error.retryable and run.retries < run.task.retry:
        return Judgement(Verdict.RETRY, error, _pause(run))
    return Judgement(Verdict.FAILED, error)


def _stopped_error(task: Task, reason: StopReason | None) -> ErrorInfo:
    if reason is StopReason.TIMEOUT:
        return ErrorInfo("Timeout", f"took longer than its timeout of {task.timeout_ms} ms")
    return ErrorInfo("Stopped", f"stopped in the middle ({reason})")


def _pause(run: Run) -> Millis:
    """The backoff before the next retry. Its jitter is spread by the count alone: no chance in here."""
    backoff = run.task.backoff
    if backoff is None:
        return 0
    try:
        pause = min(float(backoff.max_ms), backoff.initial_ms * backoff.factor**run.retries)
    except OverflowError:
        pause = float(backoff.max_ms)
    spread = ((run.order * 2_654_435_761 + run.retries * 40_503) % 2_001) / 1_000 - 1
    return max(0, round(pause * (1 + backoff.jitter * spread)))
