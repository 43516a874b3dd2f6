"""An instance that is looked at or raised before its turn runs all the same."""

from __future__ import annotations

import threading

from actors import Engine, Event
from actors.runners.context import Context

WAIT_S = 10


def test_a_stock_the_table_does_not_know_runs_when_it_arrives_urgently() -> None:
    with Engine({"id": "w", "tasks": [{"id": "t", "action": "t"}]}, actions={"t": lambda ctx: ctx.priority}) as engine:
        ended = engine.wait(engine.publish(Event("HIGH_PRIORITY_ARRIVED", "000003", priority=0)), WAIT_S)

    assert ended is not None
    assert (ended.status, ended.tasks[0].result) == ("completed", 0)


def test_an_instance_read_and_raised_while_another_of_its_pair_runs_has_its_turn_after_it() -> None:
    go = threading.Event()

    def wait_for_it(ctx: Context) -> int:
        go.wait(WAIT_S)
        return ctx.priority

    with Engine({"id": "w", "tasks": [{"id": "t", "action": "t"}]}, actions={"t": wait_for_it}) as engine:
        engine.put_entity("000001", phase="waiting")
        first, second = engine.run("w", "000001"), engine.run("w", "000001")
        (waiting,) = second.instances
        assert engine.instance(waiting).tasks[0].status == "pending"
        engine.set_priority(waiting, 1)
        go.set()
        ended = [engine.wait(receipt, WAIT_S) for receipt in (first, second)]

    assert [(one.status, one.tasks[0].result) for one in ended if one is not None] == [
        ("completed", 2),
        ("completed", 1),
    ]
