"""The whole engine's logic under any history in which logics crash, at any point, their inboxes kept or lost.

Nothing is lost and nothing doubled: the same audit as without crashes, and in the end all that
was accepted is done, every agent is free, and whoever asked was answered.
"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from actors.effects import KEEPER, ROUTER, SCHEDULER
from actors.errors import EngineError
from actors.messages import DueEvent, Publish, ScheduleEvents
from actors.model import NS_PER_MS, Event
from tests.logic.machine import Promise
from tests.logic.test_any_history import ENTITIES, Story

AGENTS = ("wide_0", "wide_1", "gpu_0")


class Crashes(Story):
    """A story in which logics crash."""

    def __init__(self, data: st.DataObject, *who: str) -> None:
        super().__init__(data)
        self.who = who
        self.promises: list[Promise] = []
        self.lost_by_us: Counter[int] = Counter()

    def step(self) -> None:
        kinds = ["deliver"] * 6 + ["act"] * 4 + ["start"] * 3 + ["publish"] * 2 + ["crash"] * 2
        kinds += ["steer", "time", "settle", "timed"]
        getattr(self, self.draw(st.sampled_from(kinds)))()
        self.audit.check()

    def crash(self) -> None:
        name = self.draw(st.sampled_from(self.who))
        self.world.crash(name, lose_inbox=self.draw(st.booleans()))

    def publish(self) -> None:
        self.published += 1
        kind = self.draw(st.sampled_from(["DATA_READY", "DATA_READY", "HIGH_PRIORITY_ARRIVED"]))
        entity = self.draw(st.sampled_from(ENTITIES))
        event = Event(kind, entity, self.draw(st.sampled_from([None, 0, 3])), self.published, id=f"e{self.published}")
        self.promises.append(self.world.promise(ROUTER, Publish((event,))))

    def timed(self) -> None:
        events = []
        for _ in range(self.draw(st.integers(1, 2))):
            self.published += 1
            at = self.world.now + self.draw(st.sampled_from([0, 5, 50])) * NS_PER_MS
            entity = self.draw(st.sampled_from(ENTITIES))
            events.append(DueEvent(at, Event("DATA_READY", entity, data=self.published, id=f"e{self.published}")))
        self.promises.append(self.world.promise(ROUTER, ScheduleEvents(tuple(events))))

    def _events_are_accounted_for(self) -> None:
        answers = [promise() for promise in self.promises]
        given = [answer for several in answers if not isinstance(several, EngineError) for answer in several]
        counts = self.world.stats(KEEPER)["events"]
        assert counts["accepted"] == sum(answer.receipt is not None for answer in given)
        stood_for = sum(i.merged for i in self.world.instances() if i.workflow == "quotes")
        assert stood_for >= counts["accepted"]


def tell(data: st.DataObject, *who: str) -> None:
    story = Crashes(data, *who)
    for _ in range(data.draw(st.integers(20, 120))):
        story.step()
    story.end_everything()


def many(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
    )


@pytest.mark.timeout(120)
@many(25)
@given(st.data())
def test_a_scheduler_that_crashes_loses_nothing_and_doubles_nothing(data: st.DataObject) -> None:
    tell(data, SCHEDULER)


@pytest.mark.timeout(120)
@many(25)
@given(st.data())
def test_a_router_that_crashes_loses_nothing_and_doubles_nothing(data: st.DataObject) -> None:
    tell(data, ROUTER)


@pytest.mark.timeout(120)
@many(25)
@given(st.data())
def test_an_agent_that_crashes_loses_nothing_and_doubles_nothing(data: st.DataObject) -> None:
    tell(data, *AGENTS)


@pytest.mark.timeout(120)
@many(40)
@given(st.data())
def test_whoever_crashes_nothing_is_lost_and_nothing_doubled(data: st.DataObject) -> None:
    tell(data, SCHEDULER, ROUTER, *AGENTS)
