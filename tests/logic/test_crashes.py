"""A keeper that crashes, at whatever instruction, is rebuilt on the state it had before the batch.

And goes on exactly as one that never crashed.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from actors.effects import KEEPER, ROUTER
from actors.logic.history import again
from actors.messages import (
    AwaitIdle,
    AwaitInstance,
    AwaitReceipt,
    AwaitUnused,
    DrainAgent,
    DropDeadLetter,
    ExplainTask,
    PauseWorkflow,
    Publish,
    PutEntity,
    ReadInstances,
    RetryDeadLetter,
    Watch,
)
from actors.model import NOBODY, AgentName, Coalesce, EntityId, EntitySeed, Event, WorkflowId
from actors.views import Receipt
from tests.logic.crashing import AT_LAST, CrashingWorld
from tests.logic.flows import on_data, workflow
from tests.logic.test_any_history import ENTITIES, Story, workflows


class BusyStory(Story):
    """Any history in which people also put, wait, ask and say things twice."""

    kind = CrashingWorld

    def step(self) -> None:
        if self.draw(st.integers(0, 3)):
            super().step()
        else:
            self.people()
            self.audit.check()

    def people(self) -> None:
        world, entity = self.world, EntityId(self.draw(st.sampled_from(ENTITIES)))
        kinds = ["put", "again", "again", "idle", "look", "wait", "wait", "why", "retry", "load"]
        kind = self.draw(st.sampled_from(kinds))
        live = world.keeping_view() if kind in ("wait", "why") else []
        if kind == "put":
            phase = self.draw(st.sampled_from([None, "data_ready", "collected"]))
            world.promise(KEEPER, PutEntity(EntitySeed(entity, phase=phase)))
        elif kind == "again":
            self.published += 1
            world.promise(ROUTER, Publish((Event("DATA_READY", entity, id=self.draw(st.sampled_from("xyz"))),)))
        elif kind == "load":
            version = f"v{len(world.library)}"
            kept = [one for one in workflows() if one.id in ("study", "quotes", "each") or self.draw(st.integers(0, 3))]
            world.promise(KEEPER, world.load(version, *kept))
            world.promise(KEEPER, AwaitUnused(self.draw(st.sampled_from(sorted(world.library))), NOBODY))
        elif kind == "idle":
            world.promise(ROUTER, AwaitIdle(NOBODY))
        elif kind == "retry" and world.records:
            world.promise(KEEPER, again(world.records[self.draw(st.sampled_from(sorted(world.records)))]))
        elif kind == "look":
            world.promise(KEEPER, ReadInstances())
        elif live and kind == "wait":
            one, revision = self.draw(st.sampled_from(live)).id, self.draw(st.integers(0, 3))
            world.promise(KEEPER, AwaitInstance(one, NOBODY))
            world.promise(KEEPER, AwaitReceipt(Receipt("some", (one,), False, (revision,)), NOBODY))
        elif live:
            world.promise(KEEPER, ExplainTask(self.draw(st.sampled_from(live)).tasks[0].id))


class CrashingStory(BusyStory):
    """Any history, in which the keeper may crash anywhere."""

    def crash(self) -> int:
        """Anywhere in what a message takes, or later in a batch of several, or when all is done; or not at all."""
        return int(self.draw(st.one_of(st.sampled_from([0, AT_LAST]), st.integers(1, 1_500), st.integers(1, 6_000))))


@pytest.mark.timeout(180)
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
)
@given(st.data())
def test_wherever_the_keeper_crashes_it_goes_on_as_if_it_had_not(data: st.DataObject) -> None:
    story = CrashingStory(data)
    assert isinstance(story.world, CrashingWorld)
    story.world.crash_at = story.crash
    for _ in range(data.draw(st.integers(5, 60))):
        story.step()
    story.world.crash_at = itertools.cycle([AT_LAST, 0, 0, 0]).__next__
    story.end_everything()


class CursedStory(BusyStory):
    """Any history, in which now and then a message crashes the keeper for good."""

    def curse(self, message: Any) -> bool:
        return not isinstance(message, (Watch, ReadInstances)) and self.draw(st.integers(0, 7)) == 7

    def part(self, count: int) -> int:
        return int(self.draw(st.integers(0, count - 1)))


@pytest.mark.timeout(180)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
)
@given(st.data())
def test_whatever_message_is_quarantined_nothing_is_stuck_for_the_lack_of_it(data: st.DataObject) -> None:
    story = CursedStory(data)
    assert isinstance(story.world, CrashingWorld)
    story.world.curse, story.world.part = story.curse, story.part
    for _ in range(data.draw(st.integers(20, 100))):
        story.step()
    story.world.curse = lambda _: False
    story.end_everything()


def test_every_container_of_the_state_is_as_it_was_when_a_batch_that_changed_it_crashes_at_last() -> None:
    world = CrashingWorld(
        on_data("each", coalesce=Coalesce.ALL), workflow("other"), agents=1, max_lined_up=1, max_remembered_ids=20
    )
    world.crash_at = itertools.cycle([AT_LAST, 0]).__next__
    first = world.publish("a", id="one")
    idle = world.promise(KEEPER, AwaitIdle(NOBODY))
    waits = [world.promise(KEEPER, AwaitReceipt(first, NOBODY)) for _ in range(2)]
    world.publish("a", id="two")  # The same name in the same second.
    for number in range(4):  # Its line is full: more dead letters than are kept.
        assert world.refusal(Event("DATA_READY", "a", data=number))
    world.ask(KEEPER, DropDeadLetter(3))
    world.promise(KEEPER, RetryDeadLetter(4))
    for number in range(25):  # More ids than are remembered.
        world.publish(f"b{number}")
    assert world.publish("c", id="three") != world.publish("c", id="three")  # A duplicate.
    world.tell(KEEPER, PauseWorkflow(WorkflowId("other"), paused=True))
    world.tell(KEEPER, PauseWorkflow(None, paused=True))
    world.run("other", "d")
    world.tell(KEEPER, PauseWorkflow(None, paused=False))
    world.tell(KEEPER, DrainAgent(AgentName("agent_0"), drained=True))
    world.tell(KEEPER, DrainAgent(AgentName("agent_0"), drained=False))
    world.put("e", phase="collected")
    world.put("e", phase="by_hand")
    world.publish("e")
    world.tell(KEEPER, PauseWorkflow(WorkflowId("other"), paused=False))
    kept_before = idle.kept

    world.finish_all()

    assert (kept_before, idle.kept) == (False, True)
    assert all(one.kept for one in waits)
    assert {str(one.status) for one in world.instances()} == {"completed"}
    assert len(world.crashed_in) > 100
