"""What follows from messages that crash the keeper each time they are tried.

The conditions here crash as a defect would: with an error that nobody expects.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from actors.effects import KEEPER, ROUTER, SCHEDULER, Send
from actors.logic.attempts import Attempts
from actors.logic.history import view
from actors.messages import (
    AttemptClosed,
    AttemptParked,
    AwaitInstance,
    Bootstrap,
    CancelTask,
    ForwardedEvent,
    Publish,
    ReadDeadLetters,
    RouterRestarted,
    RouterRestored,
    RunWorkflow,
    SchedulerRestarted,
    SchedulerRestored,
)
from actors.model import (
    NOBODY,
    Delivery,
    EntityId,
    EntitySeed,
    ErrorInfo,
    Event,
    Isolation,
    Json,
    OnPreempt,
    Trigger,
)
from tests.logic.crashing import RebuiltWorld, digest
from tests.logic.flows import When, on_data, task, workflow


def crashes_on_bad(entity: Mapping[str, Json], event: Mapping[str, Json] | None) -> bool:
    if entity["data"] == "bad":
        raise ZeroDivisionError("a defect")
    return True


def world_with_a_defect(**settings: Any) -> RebuiltWorld:
    return RebuiltWorld(on_data("quote", when=When(crashes_on_bad, reads_event=True)), agents=3, **settings)


def letters(world: RebuiltWorld) -> list[str]:
    return [f"{letter['entity_id']}: {letter['why']}" for letter in world.ask(KEEPER, ReadDeadLetters())]


def break_on(report: str, patch: pytest.MonkeyPatch) -> None:
    """From now on the keeper crashes on this report."""

    def crash(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a defect")

    patch.setattr(Attempts, report, crash)


def test_of_several_events_those_that_crash_the_keeper_are_refused_and_the_others_acted_on() -> None:
    world = world_with_a_defect()

    answers = world.answers(
        *[Event("DATA_READY", name, data=data) for name, data in zip("abcd", ["", "bad"] * 2, strict=True)]
    )

    assert [answer.refusal[:12] for answer in answers] == ["", "quarantined:", "", "quarantined:"]
    assert world.running() == ["quote@a", "quote@c"]
    assert [letter[:15] for letter in letters(world)] == ["b: quarantined:", "d: quarantined:"]


def test_of_the_initial_entities_and_events_only_what_crashes_the_keeper_is_left_out() -> None:
    world = world_with_a_defect()
    seeds = tuple(EntitySeed(EntityId(name), data=data) for name, data in zip("abc", ["", "bad", ""], strict=True))
    event = ForwardedEvent(Event("DATA_READY", "d", data="bad"), 2, world.now, ("one",))

    world.tell(KEEPER, Bootstrap(seeds, (event,)))

    assert world.running() == ["quote@a", "quote@c"]
    assert {letter[:15] for letter in letters(world)} == {"b: quarantined:", "d: quarantined:"}
    assert world.entity("b").data == "bad"


def test_a_row_that_crashes_the_keeper_is_not_looked_at_again_until_it_changes() -> None:
    world = RebuiltWorld(workflow("quote", trigger=Trigger.STATE, when=When(crashes_on_bad)), agents=3)
    world.put("a", data="bad")
    world.put("b")

    world.pass_ms(1_000)

    assert world.running() == ["quote@b"]
    assert len(letters(world)) == 1
    world.put("a", data="good")
    world.pass_ms(1_000)
    assert world.running() == ["quote@a", "quote@b"]


def world_where_a_report_crashes(report: str, delivery: Delivery, patch: pytest.MonkeyPatch) -> RebuiltWorld:
    """Of a task's first attempt; the report is as good as any after that."""
    world = RebuiltWorld(workflow("job", task("job", delivery=delivery)), agents=1)
    with patch.context() as broken:
        if report == "assigned":
            break_on(report, broken)
        world.run("job", "a")
        break_on(report, broken)
        if report == "closed":
            world.end("job@a")
        elif report == "noted":
            world.checkpoint("job@a", 1)
    return world


@pytest.mark.parametrize("report", ["assigned", "closed", "noted"])
def test_a_report_that_crashes_the_keeper_fails_its_task_as_poison_and_holds_no_agent(
    report: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_where_a_report_crashes(report, Delivery.AT_LEAST_ONCE, monkeypatch)

    (shown,) = world.instance("a").tasks
    assert (str(shown.status), shown.error.type if shown.error else "") == ("failed", "Poison")
    assert world.running() == []
    world.run("job", "b")
    assert world.running() == ["job@b"]


@pytest.mark.parametrize("report", ["closed", "noted"])
def test_what_may_not_run_twice_is_unknown_when_its_report_crashes_the_keeper(
    report: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_where_a_report_crashes(report, Delivery.AT_MOST_ONCE, monkeypatch)

    assert str(world.task("job@a").status) == "unknown"
    world.resolve("job@a", "completed")
    world.run("job", "b")
    assert world.running() == ["job@b"]


def test_what_was_never_released_has_not_begun_and_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    world = world_where_a_report_crashes("assigned", Delivery.AT_MOST_ONCE, monkeypatch)

    assert str(world.task("job@a").status) == "failed"
    assert world.told.started == []


def test_who_waited_before_a_crash_is_answered_once_after_it() -> None:
    world = world_with_a_defect()
    world.publish("a")
    waits = world.promise(KEEPER, AwaitInstance(world.instance("a").id, NOBODY))
    world.settle()

    world.promise(ROUTER, Publish((Event("DATA_READY", "b", data="bad"),)))
    world.settle()
    assert not waits.kept
    world.end("quote@a")

    assert waits.kept


def test_nothing_is_undone_of_a_batch_that_is_over() -> None:
    world = world_with_a_defect()
    world.publish("a")
    before = digest(world.keeping.state)

    world.keeping.state.roll_back()

    assert digest(world.keeping.state) == before


@pytest.mark.parametrize(
    ("question", "answer"), [(SchedulerRestarted, SchedulerRestored), (RouterRestarted, RouterRestored)]
)
def test_a_rebuilt_neighbour_is_answered_even_if_its_question_crashed_the_keeper(
    question: type[Any], answer: type[Any]
) -> None:
    world = RebuiltWorld(on_data("quote"), agents=1)

    effects = world.keeping.quarantined(question(3), ErrorInfo("ZeroDivisionError", "a defect"), world.now)

    assert [e.message.generation for e in effects if isinstance(e, Send) and isinstance(e.message, answer)] == [3]


# --- what outlives its instance ------------------------------------------------------------------

FROZEN = task("frozen", isolation=Isolation.PROCESS, on_preempt=OnPreempt.SUSPEND)


def one_has_failed(world: RebuiltWorld) -> bool:
    """As it is recorded now; what is under way between actors stays there."""
    return [view(r, world.calendar).status for r in world.records.values()] == ["failed"]


@pytest.mark.parametrize("crash_before", [AttemptParked, CancelTask])
def test_what_stands_still_when_its_report_crashes_the_keeper_is_ended_whatever_the_scheduler_loses(
    crash_before: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = RebuiltWorld(workflow("frozen", FROZEN, priority=4), workflow("order", priority=0), agents=1)
    world.run("frozen", "a")
    world.run("order", "now", settle=False)
    while not world.messages(AttemptParked, KEEPER):
        world.deliver(KEEPER, SCHEDULER, "agent_0")
    if crash_before is CancelTask:
        with monkeypatch.context() as broken:
            break_on("parked", broken)
            world.deliver(KEEPER)
        assert one_has_failed(world)
        assert world.messages(CancelTask, SCHEDULER)

    world.crash(SCHEDULER, lose_inbox=True)
    with monkeypatch.context() as broken:
        break_on("parked", broken)
        world.settle()

    assert [action.label for action in world.actions.values()] == ["order@now"]
    assert world.stats()["agents"]["suspended"] == 0
    assert not world.keeping.state.late


@pytest.mark.parametrize("lose", [False, True], ids=["inbox kept", "inbox lost"])
def test_what_runs_when_its_report_crashes_the_keeper_is_stopped_whatever_the_scheduler_loses(
    lose: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = RebuiltWorld(workflow("job"), agents=1)
    with monkeypatch.context() as broken:
        break_on("assigned", broken)
        world.run("job", "a", settle=False)
        world.deliver(KEEPER, SCHEDULER, KEEPER)
    assert one_has_failed(world)

    world.crash(SCHEDULER, lose_inbox=lose)
    world.settle()

    assert not world.actions
    assert not world.keeping.state.late


def test_what_is_suspended_after_it_was_given_up_is_ended_where_it_stands_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = RebuiltWorld(workflow("frozen", FROZEN, priority=4), workflow("order", priority=0), agents=1)
    with monkeypatch.context() as broken:
        break_on("assigned", broken)
        world.run("frozen", "a", settle=False)
        world.deliver(KEEPER, SCHEDULER)  # Told to run, and the keeper has yet to read it.
        world.run("order", "now", settle=False)
        world.deliver("agent_0")
        sent = list(world.inbox[KEEPER])
        world.inbox[KEEPER].clear()
        world.inbox[KEEPER].extend(one for one in sent if isinstance(one[1], RunWorkflow))
        world.deliver(KEEPER, SCHEDULER, "agent_0", "agent_0")  # The order has it suspended.
        world.inbox[KEEPER].extendleft(one for one in sent if not isinstance(one[1], RunWorkflow))
        world.deliver(KEEPER)  # Now it is given up, while its suspension is on the way.
    assert one_has_failed(world)

    world.crash(SCHEDULER, lose_inbox=True)
    world.settle()

    assert [action.label for action in world.actions.values()] == ["order@now"]
    assert world.stats()["agents"]["suspended"] == 0


def test_an_end_after_its_instance_whose_report_crashes_the_keeper_is_in_no_account(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = RebuiltWorld(workflow("job", task("job", delivery=Delivery.AT_MOST_ONCE)), agents=1)
    with monkeypatch.context() as broken:
        break_on("assigned", broken)
        break_on("closed", broken)
        world.run("job", "a")
    (end,) = world.messages(AttemptClosed, KEEPER)

    world.tell(KEEPER, end)

    assert world.stats(KEEPER)["cut_short"] == {}
    assert not world.keeping.state.late


def test_what_is_taken_out_of_line_after_its_instance_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    world = RebuiltWorld(workflow("job", task("job", queue_timeout_ms=50)), agents=1)
    world.run("job", "first")
    world.run("job", "a")

    with monkeypatch.context() as broken:
        break_on("queue_timeout", broken)
        world.pass_ms(60)

    assert world.instance("a").status == "failed"
    assert not world.keeping.state.late
