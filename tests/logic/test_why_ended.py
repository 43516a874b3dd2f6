"""``why`` of a task that has ended names what ended it, whether its instance is unfinished or in the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from actors.effects import KEEPER
from actors.logic.ended import why_ended
from actors.messages import Cancel, ResolveTask
from actors.model import Backoff, Delivery, Isolation, OnPreempt
from tests.logic.worlds import World, explained, on_data, task, workflow

PROCESS = Isolation.PROCESS
SECOND = 1_630_000_000


def ended(world: World, label: str) -> dict[str, Any]:
    """Of the entity's newest instance that has the task, as its record tells it."""
    name, entity = label.split("@")
    for instance in reversed(world.instances(entity)):
        for one in instance.tasks:
            if one.task == name:
                return why_ended(instance, one)
    raise AssertionError(label)


@dataclass(frozen=True)
class End:
    world: Callable[[], World]
    label: str
    why: str
    facts: dict[str, Any]


def _completed() -> World:
    world = World(workflow("study"), agents=1)
    world.run("study", "x")
    world.pass_ms(40)
    world.end("study@x")
    return world


def _completed_after_trouble() -> World:
    study = task("study", retry=2, isolation=PROCESS)
    world = World(workflow("study", study, priority=5), workflow("order", priority=0), agents=1)
    world.run("study", "x")
    world.fail("study@x")
    world.lose("study@x")
    world.run("order", "now")
    world.end("order@now")
    world.end("study@x")
    return world


def _failed() -> World:
    world = World(workflow("study", task("study", retry=1, backoff=Backoff(initial_ms=0, jitter=0))), agents=1)
    world.run("study", "x")
    world.fail("study@x")
    world.pass_ms(1)
    world.fail("study@x")
    return world


def _failed_for_good() -> World:
    world = World(workflow("study", task("study", retry=3)), agents=1)
    world.run("study", "x")
    world.fail("study@x", retryable=False)
    return world


def _timeout() -> World:
    world = World(workflow("study", task("study", timeout_ms=50)), agents=1)
    world.run("study", "x")
    world.pass_ms(60)
    return world


def _queue_timeout() -> World:
    world = World(workflow("study", task("study", queue_timeout_ms=30)), agents=1)
    world.run("study", "a", "x")
    world.pass_ms(40)
    return world


def _poison() -> World:
    world = World(workflow("study", task("study", isolation=PROCESS)), agents=1, max_infra_losses=0)
    world.run("study", "x")
    world.lose("study@x")
    return world


def _cancelled() -> World:
    world = World(workflow("study"), agents=1)
    world.run("study", "x")
    world.cancel("x")
    return world


def _gave_way() -> World:
    cheap = workflow("cheap", task("a", on_preempt=OnPreempt.CANCEL), task("b", after=("a",)), priority=6)
    world = World(cheap, workflow("order", priority=0), agents=1)
    world.run("cheap", "x")
    world.run("order", "now")
    return world


def _other_failed() -> World:
    world = World(workflow("f", task("a"), task("b"), task("c", after=("b",))), agents=2)
    world.run("f", "x")
    world.fail("a@x")
    return world


def _expired() -> World:
    world = World(on_data("quotes", valid_for_ms=10), agents=1)
    world.publish("busy")
    world.publish("x")
    world.pass_ms(20)
    return world


def _resolved() -> World:
    wire = task("wire", isolation=PROCESS, delivery=Delivery.AT_MOST_ONCE, preemptible=False)
    world = World(workflow("wire", wire), agents=1)
    world.run("wire", "x")
    world.lose("wire@x")
    world.ask(KEEPER, ResolveTask(world.task("wire@x").id, "completed"))
    return world


ENDS = {
    "completed": End(_completed, "study@x", "it ended as completed on agent_0, attempt 1",
                     {"ended_by": "completion", "agent": "agent_0", "ran_ms": 40.0, "ended_at": SECOND + 0.04}),
    "completed after trouble": End(
        _completed_after_trouble, "study@x",
        "it ended as completed on agent_0, attempt 4, after 1 retry, 1 preemption, 1 loss of its agent",
        {"ended_by": "completion", "attempts": 4, "preempted_by": f"order_now_{SECOND}"},
    ),
    "failed": End(_failed, "study@x", "it ended as failed: ValueError: no such price (retry 1 of 1)",
                  {"ended_by": "failure", "error": {"type": "ValueError", "message": "no such price"}, "attempt": 2}),
    "failed for good": End(
        _failed_for_good, "study@x",
        "it ended as failed: ValueError: no such price (retry 0 of 3); the error is not retryable",
        {"ended_by": "failure"},
    ),
    "timeout": End(_timeout, "study@x", "it ended as failed: Timeout: took longer than its timeout of 50 ms",
                   {"ended_by": "timeout"}),
    "queue timeout": End(_queue_timeout, "study@x",
                         "it ended as failed: QueueTimeout: waited longer than 30 ms for an agent",
                         {"ended_by": "queue_timeout", "agent": None, "attempts": 0}),
    "poison": End(_poison, "study@x",
                  "it ended as failed: Poison: poison: lost 1 times, the last time: killed by signal 11",
                  {"ended_by": "poison"}),
    "cancelled": End(_cancelled, "study@x", "it ended as cancelled: its instance was cancelled",
                     {"ended_by": "cancel"}),
    "gave way": End(_gave_way, "a@x",
                    f"it ended as cancelled: it gave way to order_now_{SECOND} (on_preempt: cancel)",
                    {"ended_by": "preemption", "by": f"order_now_{SECOND}"}),
    "another gave way": End(_gave_way, "b@x",
                            f"it ended as cancelled: a_x_{SECOND} gave way, and with it the rest of its instance",
                            {"ended_by": "preemption_of", "by": f"a_x_{SECOND}"}),
    "another failed": End(_other_failed, "b@x",
                          f"it ended as cancelled: a_x_{SECOND} failed, and with it the rest of its instance",
                          {"ended_by": "failure_of", "by": f"a_x_{SECOND}"}),
    "another failed, before it was ready": End(
        _other_failed, "c@x", f"it ended as cancelled: a_x_{SECOND} failed, and with it the rest of its instance",
        {"ended_by": "failure_of", "by": f"a_x_{SECOND}", "ended_at": float(SECOND)},
    ),
    "expired": End(
        _expired, "quotes@x",
        "it ended as cancelled: its event was past the time for which it was valid before anything started",
        {"ended_by": "expiry"},
    ),
    "resolved": End(_resolved, "wire@x", "it ended as completed: a person said so", {"ended_by": "person"}),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_why_names_what_ended_a_task(name: str) -> None:
    end = ENDS[name]

    facts = ended(end.world(), end.label)

    assert facts["why"] == end.why
    assert {key: facts.get(key) for key in end.facts} == end.facts


def test_a_task_that_has_ended_in_an_unfinished_instance_is_told_of_in_the_same_way() -> None:
    world = World(workflow("f", task("a"), task("b", after=("a",))), agents=1)
    world.run("f", "x")
    world.end("a@x")

    facts = explained(world, "a@x")

    assert facts == ended(world, "a@x")
    assert facts["why"] == "it ended as completed on agent_0, attempt 1"


def test_of_an_instance_that_is_being_cancelled_an_ended_task_says_so() -> None:
    world = World(workflow("f", task("a"), task("b")), agents=1)
    world.deaf.add("a")
    world.run("f", "x")
    world.ask(KEEPER, Cancel(world.instance("x").id))

    assert explained(world, "b@x")["why"] == "it ended as cancelled: its instance was cancelled"
    assert explained(world, "a@x")["why"] == "it is being stopped on agent_0 (cancel)"
