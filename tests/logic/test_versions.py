"""Other definitions come into force while instances run: those go on as they began, what starts is of the newest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from actors.effects import KEEPER, ROUTER, SCHEDULER
from actors.errors import NotFoundError
from actors.messages import AdoptDefinitions, AwaitUnused, PauseWorkflow, Publish, RunWorkflow
from actors.model import NOBODY, Coalesce, EntityId, Event, Workflow, WorkflowId
from tests.logic.test_any_history import Story, workflows
from tests.logic.worlds import World, chain, full_world, on_data, task, why, workflow


def adopt(world: World, version: str, *flows: Workflow, **options: Any) -> None:
    world.ask(KEEPER, world.load(version, *flows, **options))


def test_an_instance_goes_on_as_it_began_and_a_new_one_is_of_the_newest_version() -> None:
    world = World(chain("flow", 2), agents=2)
    world.run("flow", "old")

    adopt(world, "two", workflow("flow", task("other")))
    world.run("flow", "new")
    world.end("flow1@old")

    assert world.running() == ["flow2@old", "other@new"]
    assert [job.version for job in world.told.jobs] == ["", "two", ""]
    assert [one.version for one in world.instances()] == ["", "two"]


def test_an_attempt_after_a_failure_is_of_the_version_of_its_instance() -> None:
    world = World(workflow("flow", task("work", retry=1)), agents=1)
    world.run("flow", "old")
    adopt(world, "two", workflow("flow", task("work")))

    world.fail("work@old")

    assert world.live("work@old").job.version == ""
    assert world.live("work@old").job.attempt.number == 2


def test_an_event_merges_into_no_instance_of_an_older_version() -> None:
    world = full_world(on_data("quotes", task("q")), agents=1)
    first = world.publish("a", data=1)
    adopt(world, "two", on_data("quotes", task("q")))

    second = world.publish("a", data=2)
    third = world.publish("a", data=3)

    assert second.instances == third.instances != first.instances
    assert [(one.version, one.merged) for one in world.instances("a")] == [("", 1), ("two", 2)]


def test_late_news_goes_on_in_an_instance_of_the_newest_version() -> None:
    world = full_world(on_data("quotes", task("q"), priority=2), agents=1)
    world.publish("a", data=1)
    world.promise(ROUTER, Publish((Event("DATA_READY", "a", data=2),)))
    world.deliver(ROUTER, KEEPER)  # Offered, and not taken yet.
    world.end("study@low1", settle=False)
    world.promise(KEEPER, world.load("two", on_data("quotes", task("q"))))
    world.settle()

    world.finish_all()

    assert world.instances("a")[-1].version in ("", "two")
    assert {str(one.status) for one in world.instances("a")} == {"completed"}


def test_what_a_workflow_left_undone_that_is_taken_out_is_done_by_its_own_version() -> None:
    world = World(on_data("gone", task("g1"), task("g2", after=("g1",))), agents=1)
    receipt = world.publish("a")
    adopt(world, "two", workflow("other"))

    world.end("g1@a")
    nothing = world.publish("a")
    name = receipt.instances[0]
    seen = why(world, "g2@a")
    world.cancel("a")

    assert nothing.instances == ()
    assert "runs on" in seen
    assert [(one.id, str(one.status)) for one in world.instances("a")] == [(name, "cancelled")]


def test_a_workflow_that_is_taken_out_cannot_be_started_and_can_be_paused() -> None:
    world = World(chain("gone", 2), agents=1)
    world.run("gone", "a")
    adopt(world, "two", workflow("other"))

    world.ask(KEEPER, PauseWorkflow(WorkflowId("gone"), paused=True))
    world.end("gone1@a")
    paused = world.running()
    with pytest.raises(NotFoundError, match="there are: other"):
        world.ask(KEEPER, RunWorkflow(WorkflowId("gone"), EntityId("b")))
    world.ask(KEEPER, PauseWorkflow(WorkflowId("gone"), paused=False))

    assert paused == []
    assert world.running() == ["gone2@a"]


def test_a_limit_is_the_newest_versions_for_instances_of_all_of_them() -> None:
    world = World(workflow("flow"), agents=4)
    world.run("flow", "a", "b")

    adopt(world, "two", workflow("flow", max_concurrent=3))
    world.run("flow", "c", "d")

    assert world.running() == ["flow@a", "flow@b", "flow@c"]
    assert "at most 3" in why(world, "flow@d")


def test_a_limit_that_is_lowered_stops_nothing_and_lets_nothing_start_until_it_is_kept() -> None:
    world = World(workflow("flow", max_concurrent=3), agents=4)
    world.run("flow", "a", "b", "c", "d")

    adopt(world, "two", workflow("flow", max_concurrent=1))
    world.end("flow@a")
    world.end("flow@b")
    before = world.running()
    world.end("flow@c")

    assert before == ["flow@c"]
    assert world.running() == ["flow@d"]


def test_a_limit_that_is_raised_or_taken_away_is_used_at_once() -> None:
    world = World(workflow("flow", max_concurrent=1), agents=4)
    world.run("flow", "a", "b", "c", "d")

    adopt(world, "two", workflow("flow", max_concurrent=2))
    two = world.running()
    adopt(world, "three", workflow("flow"))

    assert two == ["flow@a", "flow@b"]
    assert len(world.running()) == 4


def test_who_was_there_before_the_limit_inherits_from_who_waits_for_a_place() -> None:
    world = World(workflow("flow", priority=5), agents=2)
    world.run("flow", "a", "b")
    adopt(world, "two", workflow("flow", priority=0, max_concurrent=2))

    world.run("flow", "c")

    assert "counts as priority 0" in why(world, "flow@a")


def test_a_workflow_that_is_taken_out_keeps_its_last_limit() -> None:
    world = World(workflow("gone", max_concurrent=1), agents=2)
    world.run("gone", "a", "b")

    adopt(world, "two", workflow("other"))

    assert world.running() == ["gone@a"]


def test_triggers_and_bounds_are_the_newest_versions() -> None:
    world = World(on_data("quotes"), agents=1, event_types=frozenset({"TICK"}))
    adopt(world, "two", on_data("ticks", trigger_event="TICK", coalesce=Coalesce.ALL), max_lined_up=1)

    on_data_now = world.publish("a")
    ticks = [world.answers(Event("TICK", "a"))[0].refusal for _ in range(3)]

    assert on_data_now.instances == ()
    assert [bool(refusal) for refusal in ticks] == [False, False, True]


def test_events_that_each_count_in_the_newest_version_merge_no_more() -> None:
    world = full_world(on_data("quotes"), agents=1)
    adopt(world, "two", on_data("quotes", coalesce=Coalesce.ALL))

    world.promise(ROUTER, Publish(tuple(Event("DATA_READY", "a", data=n) for n in range(3))))
    world.settle()

    assert len(world.instances("a")) == 3


def test_definitions_that_nobody_loaded_are_not_adopted() -> None:
    world = World(workflow("flow"), agents=1)

    with pytest.raises(NotFoundError, match="no definitions of version 'nowhere'"):
        world.ask(KEEPER, AdoptDefinitions("nowhere"))
    world.run("flow", "a")

    assert world.running() == ["flow@a"]


def test_who_waits_for_the_end_of_a_version_is_told_when_nothing_is_of_it_any_more() -> None:
    world = World(workflow("flow", task("flow", retry=1)), agents=2)
    world.run("flow", "a", "b")
    adopt(world, "two", workflow("flow"))
    unused = world.promise(KEEPER, AwaitUnused("", NOBODY))
    world.settle()
    world.end("flow@a")
    world.fail("flow@b")
    before = unused.kept
    world.end("flow@b")

    assert (before, unused()) == (False, True)


def test_a_version_is_in_use_while_an_attempt_of_it_goes_on_whose_instance_is_over() -> None:
    world = World(workflow("flow", task("flow", grace_ms=1)), agents=1)
    world.deaf.add("flow")
    world.run("flow", "a")
    adopt(world, "two", workflow("flow"))
    unused = world.promise(KEEPER, AwaitUnused("", NOBODY))
    world.cancel("a")
    world.pass_ms(10)
    over, before = str(world.instance("a").status), unused.kept
    world.stop("flow@a")

    assert (over, before, unused()) == ("cancelled", False, True)


def test_who_waits_for_the_end_of_a_version_is_told_no_when_it_is_in_force_again() -> None:
    world = World(workflow("flow"), agents=1)
    world.run("flow", "a")
    adopt(world, "two", workflow("flow"))
    unused = world.promise(KEEPER, AwaitUnused("", NOBODY))
    world.ask(KEEPER, AdoptDefinitions(""))

    assert unused() is False


@pytest.mark.parametrize("crashed", [SCHEDULER, ROUTER])
def test_a_neighbour_that_crashes_comes_back_with_the_newest_version(crashed: str) -> None:
    world = World(on_data("quotes", max_concurrent=5), workflow("study"), agents=3)
    changed = on_data("quotes", max_concurrent=1, coalesce=Coalesce.ALL)
    world.ask(KEEPER, world.load("two", changed, workflow("study")))

    world.crash(crashed)  # It is built with what was first.
    world.settle()
    world.promise(ROUTER, Publish(tuple(Event("DATA_READY", name, data=n) for name in "ab" for n in range(2))))
    world.settle()

    assert len(world.instances()) == 4
    assert len(world.running()) == 1


class ReloadingStory(Story):
    """Any history in which other definitions come into force, and the scheduler crashes."""

    def step(self) -> None:
        if self.draw(st.integers(0, 9)):
            super().step()
            return
        world = self.world
        if self.draw(st.integers(0, 3)) == 0:
            if world.settings.starvation_ms is None:
                world.crash(SCHEDULER)
            return
        limits = [None, 1, 2, 3]
        kept = [
            replace(flow, max_concurrent=self.draw(st.sampled_from(limits)))
            for flow in workflows()
            if flow.id in ("study", "quotes") or self.draw(st.integers(0, 4))
        ]
        world.promise(KEEPER, world.load(f"v{len(world.library)}", *kept))
        world.promise(KEEPER, AwaitUnused(self.draw(st.sampled_from(sorted(world.library))), NOBODY))

    def end_everything(self) -> None:
        self.world.finish_all()
        final = f"v{len(self.world.library)}"
        self.world.promise(KEEPER, self.world.load(final, *workflows()))
        waiting = [self.world.promise(KEEPER, AwaitUnused(each, NOBODY)) for each in self.world.library]
        super().end_everything()
        assert [one() for one in waiting] == [each != final for each in self.world.library]
        assert self.world.keeping.state.in_use == {}


@pytest.mark.timeout(120)
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),
)
@given(st.data())
def test_whatever_is_loaded_meanwhile_everything_ends_and_no_version_is_left_in_use(data: st.DataObject) -> None:
    story = ReloadingStory(data)
    for _ in range(data.draw(st.integers(20, 120))):
        story.step()
    story.end_everything()
