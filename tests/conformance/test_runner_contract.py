"""What ``ports.Runner`` promises about beginning, ending and saying something, for every runner."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

import pytest

from actors.model import AttemptId, Entity, EntityId, Event, Isolation, Level, OutcomeKind, StopReason, TaskKey
from tests.conformance.runners_under_test import MAX_BYTES, World, can_kill, now, only, with_ctx

# A stop that lands in a finaliser, which the garbage collector may run in any thread, is swallowed by
# Python with this warning, and comes again.
pytestmark = pytest.mark.filterwarnings("ignore:(?s).*AttemptStopped:pytest.PytestUnraisableExceptionWarning")

UNKNOWN = AttemptId(TaskKey(999_999), 1)


def late_calls(world: World, attempt: AttemptId) -> None:
    """Everything an agent may still say about an attempt that is over."""
    runner = world.runner
    runner.interrupt(attempt, StopReason.PREEMPT)
    runner.kill(attempt)
    runner.suspend(attempt)
    runner.resume(attempt, world.report("late"))
    runner.credit(attempt)
    runner.abandon(attempt)


# --- beginning -----------------------------------------------------------------------------------


def test_start_returns_at_once(world: World) -> None:
    begun = time.monotonic()
    attempt = world.start("waits")
    took = time.monotonic() - begun

    assert took < 1.0
    assert world.told[attempt].outcome is None


def test_began_is_when_the_first_line_ran(world: World) -> None:
    before = now()
    attempt = world.start("waits")
    world.said(attempt)
    after = now()

    began = world.runner.began(attempt)

    assert began is not None
    assert before <= began <= after
    world.runner.interrupt(attempt, StopReason.CANCEL)
    assert world.ended(attempt).began == began


def test_began_is_none_for_what_is_not_known(world: World) -> None:
    assert world.runner.began(UNKNOWN) is None


def test_calls_about_an_unknown_attempt_do_nothing(world: World) -> None:
    late_calls(world, UNKNOWN)

    assert world.ended(world.start("gives", value=1)).result == 1
    assert not world.strays


def test_calls_about_an_attempt_that_is_over_stop_nothing_else(world: World) -> None:
    first = world.start("gives", value=1)
    world.ended(first)
    second = world.start("waits")
    world.said(second)

    late_calls(world, first)

    world.nothing_more(second)
    third = world.start("gives", value=3)
    assert world.ended(third).result == 3


@pytest.mark.parametrize("value", [None, True, 7, 1.5, "价格 10.9", [1, [2]], {"a": {"b": [None, "ü"]}}])
def test_a_result_is_what_the_action_gave(world: World, value: Any) -> None:
    outcome = world.ended(world.start("gives", value=value))

    assert (outcome.kind, outcome.error) == (OutcomeKind.COMPLETED, None)
    assert outcome.result == value
    assert type(outcome.result) is type(value)
    assert not outcome.killed
    assert outcome.began is not None


@with_ctx
def test_an_action_sees_what_its_job_says(world: World) -> None:
    entity = Entity(EntityId("000001"), priority=0, data=["tick"])
    fields = {
        "entity": entity,
        "event": Event("DATA_READY", "000001", data={"price": 10.9}),
        "inputs": {"collect": {"rows": [1, 2]}},
        "restored": {"rows": 4},
        "merged": 3,
        "priority": 0,
    }
    attempt = world.start("tells", number=2, fields=fields, lots=100)

    told = world.ended(attempt).result

    job = world.told[attempt].job
    assert told["entity"] == ["000001", "data_ready", "pending", 0, ["tick"]]
    assert told["event"] == ["DATA_READY", "000001", {"price": 10.9}]
    assert told["params"] == {"folder": str(world.folder), "lots": 100}
    assert told["inputs"] == {"collect": {"rows": [1, 2]}}
    assert (told["restored"], told["merged"], told["attempt"], told["priority"]) == ({"rows": 4}, 3, 2, 0)
    assert told["idempotency_key"] == job.idempotency_key
    assert (told["task_id"], told["instance_id"], told["workflow"]) == (job.task_id, job.instance_id, "flow")
    assert (told["cancelled"], told["reason"]) == (False, None)
    assert 29.0 < told["time_left"] <= 30.0


@with_ctx
def test_what_an_action_does_to_its_input_does_not_reach_the_engine(world: World) -> None:
    entity = Entity(EntityId("000001"), data=["tick"])
    attempt = world.start("tells", fields={"entity": entity})
    world.ended(attempt)

    job = world.told[attempt].job
    assert "spoilt" not in job.params
    assert "spoilt" not in job.inputs
    assert entity.data == ["tick"]


@only(Isolation.COMMAND)
def test_a_command_is_given_its_job_as_json(world: World) -> None:
    attempt = world.start("tells", fields={"inputs": {"collect": [1]}, "restored": {"rows": 4}}, lots=100)

    told = world.ended(attempt).result

    assert told["params"] == {"folder": str(world.folder), "lots": 100}
    assert (told["inputs"], told["restored"]) == ({"collect": [1]}, {"rows": 4})


# --- ending --------------------------------------------------------------------------------------


def test_a_failure_is_reported_as_one(world: World) -> None:
    outcome = world.ended(world.start("fails", kind="ValueError", text="no quotes today"))

    assert outcome.kind is OutcomeKind.FAILED
    assert outcome.error is not None
    assert "no quotes today" in outcome.error.message
    assert outcome.error.retryable


@with_ctx
@pytest.mark.parametrize("kind", ["SystemExit", "KeyboardInterrupt", "StopIteration", "AttemptStopped"])
def test_an_exception_of_any_kind_that_nobody_asked_for_is_a_failure(world: World, kind: str) -> None:
    outcome = world.ended(world.start("fails", kind=kind))

    assert outcome.kind is OutcomeKind.FAILED
    assert outcome.error is not None
    assert world.ended(world.start("gives", value="still running")).result == "still running"


@with_ctx
def test_an_error_names_its_type_its_text_and_the_line_that_raised_it(world: World) -> None:
    error = world.ended(world.start("fails", kind="ValueError", text="no quotes")).error

    assert error is not None
    assert (error.type, error.message) == ("ValueError", "no quotes")
    assert "contract_actions.py" in error.traceback
    assert "in fails" in error.traceback


@with_ctx
def test_a_failure_that_will_not_get_better_says_so(world: World) -> None:
    error = world.ended(world.start("fails", kind="NonRetryable")).error

    assert error is not None
    assert not error.retryable


@with_ctx
def test_the_texts_of_an_error_are_bounded(world: World) -> None:
    error = world.ended(world.start("fails", kind="ValueError", text="x" * 50_000)).error

    assert error is not None
    assert len(error.message) <= 2_000
    assert len(error.traceback) <= 8_000


@with_ctx
def test_an_exception_without_words_is_a_failure_all_the_same(world: World) -> None:
    error = world.ended(world.start("fails_unspeakably")).error

    assert error is not None
    assert "Unspeakable" in error.type


@with_ctx
def test_a_result_that_is_not_json_fails_and_says_where(world: World) -> None:
    outcome = world.ended(world.start("gives_set"))

    assert (outcome.kind, outcome.result) == (OutcomeKind.FAILED, None)
    assert outcome.error is not None
    assert "['rows'][1]['seen']" in outcome.error.message
    assert "set" in outcome.error.message


@with_ctx
def test_a_result_that_is_too_large_fails_and_says_how_large(world: World) -> None:
    fits = world.ended(world.start("gives_much", bytes=MAX_BYTES - 2))
    outcome = world.ended(world.start("gives_much", bytes=MAX_BYTES - 1))

    assert fits.kind is OutcomeKind.COMPLETED
    assert outcome.kind is OutcomeKind.FAILED
    assert outcome.error is not None
    assert "65,537" in outcome.error.message


@with_ctx
def test_an_action_that_is_not_there_fails_at_once(world: World) -> None:
    outcome = world.ended(world.start("no_such_action"))

    assert (outcome.kind, outcome.began) == (OutcomeKind.FAILED, None)
    assert outcome.error is not None
    assert "no_such_action" in outcome.error.message
    assert not outcome.error.retryable


@can_kill
@pytest.mark.parametrize("behaviour", ["crashes", "exits_hard"])
def test_a_process_that_dies_by_itself_is_a_loss(world: World, behaviour: str) -> None:
    if world.subject.isolation is Isolation.COMMAND and behaviour == "exits_hard":
        behaviour = "crashes"
    outcome = world.ended(world.start(behaviour))

    assert outcome.kind is OutcomeKind.LOST
    assert not outcome.killed
    assert outcome.error is not None
    assert outcome.began is not None
    assert world.ended(world.start("gives", value=1)).result == 1


def test_many_attempts_at_once_end_once_each(world: World) -> None:
    """One runner serves all agents, from their threads at the same time."""
    chance = random.Random(7)
    plans = [[chance.choice(["gives", "waits", "fails"]) for _ in range(8)] for _ in range(4)]

    def work(agent: int) -> None:
        for number, behaviour in enumerate(plans[agent], start=1):
            attempt = world.start(behaviour, task=100 + agent, number=number, value=agent, kind="ValueError")
            if behaviour == "waits":
                world.runner.interrupt(attempt, StopReason.PREEMPT)
            kinds[agent].append(world.ended(attempt).kind)

    kinds: list[list[OutcomeKind]] = [[] for _ in plans]
    agents = [threading.Thread(target=work, args=(agent,)) for agent in range(4)]
    for thread in agents:
        thread.start()
    for thread in agents:
        thread.join()

    expected = {"gives": OutcomeKind.COMPLETED, "waits": OutcomeKind.STOPPED, "fails": OutcomeKind.FAILED}
    assert kinds == [[expected[behaviour] for behaviour in plan] for plan in plans]


# --- saying something ----------------------------------------------------------------------------


@with_ctx
def test_the_outcome_carries_the_newest_checkpoint(world: World) -> None:
    before = now()
    outcome = world.ended(world.start("saves", numbers=[1, 2, 3]))

    assert outcome.checkpoint == {"number": 3}
    assert outcome.saved is not None
    assert before <= outcome.saved <= outcome.ended


@with_ctx
def test_an_attempt_that_saves_nothing_has_no_checkpoint(world: World) -> None:
    outcome = world.ended(world.start("gives", value=1, fields={"restored": {"of": "an earlier one"}}))

    assert (outcome.checkpoint, outcome.saved) == (None, None)


@with_ctx
def test_each_yield_is_a_checkpoint(world: World) -> None:
    attempt = world.start("yields", numbers=[1, 2])
    outcome = world.ended(attempt)

    assert outcome.kind is OutcomeKind.COMPLETED
    assert outcome.checkpoint == {"number": 2}
    assert outcome.result == (None if world.subject.isolation is Isolation.ASYNC else "done")


@with_ctx
def test_one_note_is_reported_and_the_next_only_after_credit(world: World) -> None:
    attempt = world.start("saves", numbers=list(range(50)), wait=True)
    world.until(lambda: world.told[attempt].notes, "a note")
    world.release()
    world.written(attempt, "saved")
    world.nothing_more(attempt)
    world.runner.credit(attempt)
    world.until(lambda: len(world.told[attempt].notes) == 2, "the second note")

    first, second = world.told[attempt].notes
    assert first.checkpoint == {"number": 0}
    # What came meanwhile came as one, the newest.
    assert second.checkpoint == {"number": 49}
    assert [text for _, text in second.lines] == ["saved"]
    world.runner.credit(attempt)
    world.nothing_more(attempt)


@with_ctx
def test_credit_lets_the_next_thing_through_at_once(world: World) -> None:
    attempt = world.start("talks")
    world.until(lambda: world.told[attempt].notes, "the first note")
    world.runner.credit(attempt)
    world.release()
    world.until(lambda: len(world.told[attempt].notes) >= 2, "the second note")


@with_ctx
def test_what_was_not_yet_reported_at_the_end_is_reported_before_it(world: World) -> None:
    """Lines beyond the bound are counted, the newest are kept, and nothing is lost in silence."""
    attempt = world.start("talks")
    world.until(lambda: world.told[attempt].notes, "the first note")
    world.release()
    outcome = world.ended(attempt)

    first, last = world.told[attempt].notes
    assert [text for _, text in first.lines] == ["first row=1"]
    assert last.lines[-1] == (Level.WARNING, "line 999")
    assert len(last.lines) + last.lost_lines == 1000
    assert len(last.lines) >= 100
    assert last.progress == (0.999, "at 999")
    assert outcome.checkpoint == {"last": True}


@with_ctx
def test_a_checkpoint_that_is_not_json_is_refused_and_the_one_before_stays(world: World) -> None:
    outcome = world.ended(world.start("saves_a_set"))

    assert outcome.kind is OutcomeKind.FAILED
    assert outcome.error is not None
    assert "checkpoint['bad'] is a set" in outcome.error.message
    assert outcome.checkpoint == {"good": 1}
