"""Where every event has gone, to the last one, however messages cross.

Nothing here fails, expires or is cancelled, and where each event counts all have one priority.
So the accounts must agree exactly: what instances stand for is what was accepted, the newest is
acted on, and who waits on a receipt is shown an instance that acted on that event or a newer one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from actors.effects import KEEPER, ROUTER
from actors.messages import AwaitReceipt, EventAnswer, Publish
from actors.model import NOBODY, Coalesce, Event, OutcomeKind
from actors.views import InstanceView, Receipt
from tests.logic.worlds import World, on_data, task, workflow

ENTITIES = ("x", "y", "z")
WORKFLOWS = (
    on_data("newest", task("first"), task("second", after=("first",)), max_concurrent=2),
    on_data("each", trigger_event="TICK", coalesce=Coalesce.ALL, priority=3),
    on_data("after", task("after"), trigger_event="TASK_COMPLETED", coalesce=Coalesce.ALL, priority=1),
    workflow("long", priority=9),
)
STEPS = st.sampled_from(["data", "data", "data", "tick", "end", "end", "read", "read", "read_one", "read_one", "rest"])


class Market:
    """A full engine to which numbered events come."""

    def __init__(self) -> None:
        self.world = World(*WORKFLOWS, agents=2, event_types=frozenset({"TICK"}))
        self.world.run("long", "p", "q")
        self.published: dict[tuple[str, str], list[int]] = defaultdict(list)
        self.waits: list[tuple[int, Callable[[], Any]]] = []
        """Each event's number, and what fetches its answer."""
        self.number = 0

    def step(self, what: str, number: int) -> None:
        world = self.world
        match what:
            case "data" | "tick":
                self.number += 1
                entity = ENTITIES[number % len(ENTITIES)]
                type_ = "DATA_READY" if what == "data" else "TICK"
                self.published[type_, entity].append(self.number)
                event = Event(
                    type_, entity, priority=(None, 0, 4)[number % 3] if what == "data" else 2, data=self.number
                )
                self.waits.append((self.number, world.promise(ROUTER, Publish((event,)))))
            case "read" | "read_one":
                names = [name for name, inbox in world.inbox.items() if inbox]
                if names:
                    world.deliver(names[number % len(names)], most=1 if what == "read_one" else None)
            case "end":
                actions = [a for a in world.actions.values() if a.job.workflow != "long"]
                if actions:
                    world._end(actions[number % len(actions)], OutcomeKind.COMPLETED)
            case _:
                world.settle()

    def acted(self, workflow: str, entity: str) -> list[int]:
        """The events that instances acted on, in order: by their first tasks' jobs."""
        first = {"newest": "first", "each": "each"}[workflow]
        jobs = [j for j in self.world.told.jobs if (j.task.id, j.entity.id, j.attempt.number) == (first, entity, 1)]
        return [j.event.data for j in jobs if j.event is not None]

    def instance_of(self, receipt: Receipt) -> InstanceView:
        """As the engine finds it: live at the keeper, or by the record that says where it went on."""
        answer = self.world.ask(KEEPER, AwaitReceipt(receipt, NOBODY))
        if isinstance(answer, InstanceView):
            return answer
        id, revision = str(answer), receipt.revisions[0]
        while revision > self.world.records[id][9] and self.world.records[id][10] is not None:
            id, revision = self.world.records[id][10], 0
        return next(one for one in self.world.instances() if one.id == id)


@settings(max_examples=100, deadline=None, database=None, phases=(Phase.generate,))
@given(steps=st.lists(st.tuples(STEPS, st.integers(0, 999)), min_size=20, max_size=120))
def test_every_event_is_acted_on_or_merged_into_a_newer_one(steps: list[tuple[str, int]]) -> None:
    market = Market()
    for what, number in steps:
        market.step(what, number)
    market.world.finish_all()

    runs = market.world.instances()
    for (type_, entity), numbers in market.published.items():
        name = "newest" if type_ == "DATA_READY" else "each"
        acted = market.acted(name, entity)
        assert sum(one.merged for one in runs if one.workflow == name and one.entity_id == entity) == len(numbers)
        assert acted == numbers if name == "each" else acted[-1] == numbers[-1]
        assert acted == sorted(set(acted)), "never an older one after a newer one"
    _check_receipts(market)
    for entity in ENTITIES:
        told = [c for c in market.world.changes if c.type == "task_completed" and c.entity_id == entity]
        after = [c for c in told if c.workflow != "after"]
        assert sum(one.workflow == "after" and one.entity_id == entity for one in runs) == len(after)
    assert {str(one.status) for one in runs} <= {"completed"}
    assert market.world.idle()


def _check_receipts(market: Market) -> None:
    """Of its run, each publisher is shown an instance that acted on its event or a newer one."""
    data = {j.instance_id: j.event.data for j in market.world.told.jobs if j.event is not None}
    for number, answer in market.waits:
        answers: tuple[EventAnswer, ...] = answer()
        receipt = answers[0].receipt
        assert receipt is not None
        assert not receipt.duplicate
        assert data[market.instance_of(receipt).id] >= number
