"""What the end of an attempt means for its task: the whole rule book, case by case."""

from __future__ import annotations

from itertools import product

import pytest

from actors.logic.judging import Verdict, judge
from actors.logic.workflows import Run
from actors.model import Backoff, Delivery, ErrorInfo, OnPreempt, Outcome, OutcomeKind, StopReason, Task

OWN = ErrorInfo("ValueError", "no such price")
CRASH = ErrorInfo("Crash", "killed by signal 11")
REASONS = (None, *StopReason)
ONCE = Task("t", 0, delivery=Delivery.AT_MOST_ONCE)


def ended(kind: OutcomeKind, *, error: ErrorInfo | None = None, began: int | None = 1) -> Outcome:
    return Outcome(kind, error=error, began=began, ended=2)


@pytest.mark.parametrize(("reason", "task"), list(product(REASONS, (Task("t", 0), ONCE))))
def test_a_completion_is_a_completion_whatever_had_been_asked(reason: StopReason | None, task: Task) -> None:
    assert judge(Run(task), ended(OutcomeKind.COMPLETED), reason, 3).verdict is Verdict.COMPLETED


@pytest.mark.parametrize("kind", [OutcomeKind.STOPPED, OutcomeKind.LOST])
@pytest.mark.parametrize("reason", REASONS)
def test_at_most_once_is_unknown_after_any_end_but_its_own(kind: OutcomeKind, reason: StopReason | None) -> None:
    assert judge(Run(ONCE), ended(kind), reason, 3).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("reason", [None, StopReason.PREEMPT, StopReason.TIMEOUT, StopReason.SHUTDOWN])
def test_an_exception_of_its_own_is_a_failure_and_is_what_is_shown(reason: StopReason | None) -> None:
    run = Run(Task("t", 0, retry=1))

    first = judge(run, ended(OutcomeKind.FAILED, error=OWN), reason, 3)
    run.retries = 1
    second = judge(run, ended(OutcomeKind.FAILED, error=OWN), reason, 3)

    assert (first.verdict, first.error) == (Verdict.RETRY, OWN)
    assert (second.verdict, second.error) == (Verdict.FAILED, OWN)


@pytest.mark.parametrize("kind", [OutcomeKind.FAILED, OutcomeKind.STOPPED, OutcomeKind.LOST])
def test_what_was_cancelled_does_not_come_back(kind: OutcomeKind) -> None:
    run = Run(Task("t", 0, retry=9))

    assert judge(run, ended(kind, error=OWN), StopReason.CANCEL, 3).verdict is Verdict.CANCELLED


@pytest.mark.parametrize("kind", [OutcomeKind.STOPPED, OutcomeKind.LOST])
def test_a_timeout_counts_as_the_actions_failure_however_it_was_stopped(kind: OutcomeKind) -> None:
    judgement = judge(Run(Task("t", 0, retry=1)), ended(kind, error=CRASH), StopReason.TIMEOUT, 3)

    assert judgement.verdict is Verdict.RETRY
    assert judgement.error is not None
    assert judgement.error.type == "Timeout"


@pytest.mark.parametrize("reason", [None, StopReason.PREEMPT, StopReason.SHUTDOWN])
def test_a_loss_comes_back_until_there_were_too_many_and_is_poison_then(reason: StopReason | None) -> None:
    run = Run(Task("t", 0, retry=9))
    verdicts = []
    for losses in range(4):
        run.losses = losses
        verdicts.append(judge(run, ended(OutcomeKind.LOST, error=CRASH), reason, 3).verdict)

    assert verdicts == [Verdict.LOST, Verdict.LOST, Verdict.LOST, Verdict.FAILED]


@pytest.mark.parametrize(
    ("mode", "verdict"),
    [
        (OnPreempt.REQUEUE, Verdict.PREEMPTED),
        (OnPreempt.SUSPEND, Verdict.PREEMPTED),
        (OnPreempt.CANCEL, Verdict.CANCELLED),
    ],
)
def test_what_was_preempted_is_requeued_unless_it_is_to_be_given_up(mode: OnPreempt, verdict: Verdict) -> None:
    run = Run(Task("t", 0, on_preempt=mode))

    assert judge(run, ended(OutcomeKind.STOPPED), StopReason.PREEMPT, 3).verdict is verdict


def test_what_the_engine_stopped_when_it_went_down_is_pending_as_it_was() -> None:
    assert judge(Run(Task("t", 0)), ended(OutcomeKind.STOPPED), StopReason.SHUTDOWN, 3).verdict is Verdict.AGAIN


def test_who_raises_the_stop_without_being_asked_has_failed() -> None:
    assert judge(Run(Task("t", 0)), ended(OutcomeKind.STOPPED), None, 3).verdict is Verdict.FAILED


def test_at_most_once_that_had_not_begun_is_judged_as_any_other() -> None:
    run = Run(ONCE)

    lost = judge(run, ended(OutcomeKind.LOST, error=CRASH, began=None), None, 3)
    stopped = judge(run, ended(OutcomeKind.STOPPED, began=None), StopReason.PREEMPT, 3)

    assert (lost.verdict, stopped.verdict) == (Verdict.LOST, Verdict.PREEMPTED)


def test_only_retries_wait_for_a_backoff() -> None:
    run = Run(Task("t", 0, retry=1, backoff=Backoff(initial_ms=50)))

    assert judge(run, ended(OutcomeKind.FAILED, error=OWN), None, 3).delay == 50
    assert judge(run, ended(OutcomeKind.LOST, error=CRASH), None, 3).delay == 0
    assert judge(run, ended(OutcomeKind.STOPPED), StopReason.PREEMPT, 3).delay == 0
