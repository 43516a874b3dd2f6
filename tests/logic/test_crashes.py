"""A keeper that crashes, at whatever instruction, is rebuilt on the state it had before the batch.

And goes on exactly as one that never crashed.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from actors.effects import KEEPER, ROUTER
from actors.messages import (
    AwaitIdle,
    AwaitInstance,
    AwaitReceipt,
    ExplainTask,
    Publish,
    PutEntity,
    ReadInstances,
    Watch,
)
from actors.model import NOBODY, EntityId, EntitySeed, Event
from actors.views import Receipt
from tests.logic.crashing import AT_LAST, CrashingWorld
from tests.logic.test_any_history import ENTITIES, Story


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
        kind = self.draw(st.sampled_from(["put", "again", "again", "idle", "look", "wait", "wait", "why"]))
        live = world.keeping_view() if kind in ("wait", "why") else []
        if kind == "put":
            phase = self.draw(st.sampled_from([None, "data_ready", "collected"]))
            world.promise(KEEPER, PutEntity(EntitySeed(entity, phase=phase)))
        elif kind == "again":
            self.published += 1
            world.promise(ROUTER, Publish((Event("DATA_READY", entity, id=self.draw(st.sampled_from("xyz"))),)))
        elif kind == "idle":
            world.promise(ROUTER, AwaitIdle(NOBODY))
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
    max_examples=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
)
@given(st.data())
def test_wherever_the_keeper_crashes_it_goes_on_as_if_it_had_not(data: st.DataObject) -> None:
    story = CrashingStory(data)
    assert isinstance(story.world, CrashingWorld)
    story.world.crash_point = story.crash
    for _ in range(data.draw(st.integers(5, 60))):
        story.step()
    story.world.crash_point = lambda: 0
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
