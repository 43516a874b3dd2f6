"""A keeper that crashes, at whatever instruction, is rebuilt on the state it had before the batch.

And goes on exactly as one that never crashed.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from actors.messages import ReadInstances, Watch
from tests.logic.crashing import CrashingWorld
from tests.logic.test_any_history import Story


class CrashingStory(Story):
    """Any history, in which the keeper may crash anywhere."""

    kind = CrashingWorld

    def crash(self) -> int:
        """About every second batch, anywhere in what a message takes, or later in a batch of several."""
        return int(self.draw(st.one_of(st.just(0), st.integers(1, 1_500), st.integers(1, 6_000))))


@pytest.mark.timeout(180)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
)
@given(st.data())
def test_wherever_the_keeper_crashes_it_goes_on_as_if_it_had_not(data: st.DataObject) -> None:
    story = CrashingStory(data)
    assert isinstance(story.world, CrashingWorld)
    story.world.crash = story.crash
    for _ in range(data.draw(st.integers(5, 60))):
        story.step()
    story.world.crash = lambda: 0
    story.end_everything()


class CursedStory(Story):
    """Any history, in which now and then a message crashes the keeper for good."""

    kind = CrashingWorld

    def curse(self, message: Any) -> bool:
        return not isinstance(message, (Watch, ReadInstances)) and self.draw(st.integers(0, 7)) == 7

    def part(self, count: int) -> int:
        return int(self.draw(st.integers(0, count - 1)))


@pytest.mark.timeout(180)
@settings(
    max_examples=60,
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
