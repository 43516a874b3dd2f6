"""Overload: events merge where only the newest counts, and line up where each one does."""

from __future__ import annotations

from actors.effects import KEEPER, ROUTER, SCHEDULER
from actors.messages import AwaitReceipt, Publish, ReviseTasks, TasksRevised
from actors.model import NOBODY, Coalesce, EntitySeed, Event
from actors.views import Receipt
from tests.logic.worlds import World, chain, full_world, on_data, task, workflow


def data(world: World, label: str) -> object:
    event = world.live(label).job.event
    return None if event is None else event.data


# --- latest ------------------------------------------------------------------------------------


def test_an_event_merges_into_an_instance_that_has_not_started() -> None:
    world = full_world(on_data("quotes"), agents=1)
    first = world.publish("a", data=1)
    second = world.publish("a", data=2)
    third = world.publish("a", data=3)
    assert first.instances == second.instances == third.instances

    world.end("study@low1")

    assert (data(world, "quotes@a"), world.live("quotes@a").job.merged) == (3, 3)
    assert world.instance("a").merged == 3


def test_the_merged_jobs_keep_their_place_in_line() -> None:
    world = full_world(on_data("quotes"), agents=1)
    world.publish("a", data=1)
    world.publish("b", data=1)
    world.publish("a", data=2)

    world.end("study@low1")

    assert world.running() == ["quotes@a"]


def test_while_it_runs_one_more_is_started_with_the_newest_and_says_how_many_it_stands_for() -> None:
    world = World(on_data("quotes"))
    world.publish("a", data=1)
    for n in range(2, 6):
        world.publish("a", data=n)
    assert data(world, "quotes@a") == 1

    world.end("quotes@a")

    assert (data(world, "quotes@a"), world.live("quotes@a").job.merged) == (5, 4)
    world.end("quotes@a")
    assert (world.running(), len(world.instances("a"))) == ([], 2)


def test_pending_work_is_at_most_one_waiting_instance_per_pair_whatever_the_rate() -> None:
    world = World(on_data("quotes"), on_data("other"), agents=2)
    for n in range(500):
        world.publish(f"e{n % 5}", data=n)

    running = [one for one in world.instances() if one.status == "running"]
    assert len(running) <= 5 * 2 * 2


def test_a_merge_that_comes_too_late_for_the_jobs_goes_on_in_the_next_instance() -> None:
    world = full_world(on_data("quotes"), agents=1)
    world.publish("a", data="old")
    answer = world.promise(ROUTER, Publish((Event("DATA_READY", "a", data="new"),)))
    world.deliver(ROUTER, KEEPER)  # The offer is on its way ...
    assert world.messages(ReviseTasks)
    world.end("study@low1", settle=False)  # ... and the agent comes free first.
    world.deliver("agent_0")
    inbox = world.inbox[SCHEDULER]
    inbox.rotate(1)
    world.deliver(SCHEDULER, most=1)
    world.settle()
    receipt: Receipt = answer()[0].receipt

    assert data(world, "quotes@a") in {"old", "new"}
    seen = [data(world, "quotes@a")]
    world.end("quotes@a")
    seen += [data(world, "quotes@a")] if world.running() else []
    world.finish_all()

    assert seen[-1] == "new"
    waited = world.promise(KEEPER, AwaitReceipt(receipt, NOBODY))
    world.settle()
    assert waited() is not None


def test_a_refused_offer_continues_in_the_next_instance() -> None:
    world = full_world(on_data("quotes", task("x"), task("y")), agents=2)
    world.publish("a", data="old")
    world.end("study@low1", settle=False)
    world.deliver("agent_0", SCHEDULER)  # x starts; what the keeper is told of it waits in its inbox ...
    told = list(world.inbox[KEEPER])
    world.inbox[KEEPER].clear()
    receipt_of = world.promise(ROUTER, Publish((Event("DATA_READY", "a", data="new"),)))
    world.deliver(ROUTER, KEEPER)  # ... behind the event.
    world.inbox[KEEPER].extend(told)
    world.settle()

    assert [m.taken for m in world.messages(TasksRevised)] == [False]
    receipt: Receipt = receipt_of()[0].receipt
    assert data(world, "x@a") == "old"
    waited = world.promise(KEEPER, AwaitReceipt(receipt, NOBODY))
    world.settle()
    assert waited() is None  # The first instance is not what it waits for.
    world.end("x@a")
    world.end("y@a")
    assert data(world, "x@a") == "new"
    assert waited() is None
    world.end("x@a")
    world.end("y@a")

    assert waited().id == world.instances("a")[1].id


def test_all_jobs_of_an_instance_take_the_newer_event_or_none_does() -> None:
    world = full_world(on_data("quotes", task("x"), task("y")), agents=2)
    world.publish("a", data="old")
    world.publish("a", data="new")

    world.end("study@low1")
    world.end("study@low2")

    assert [data(world, "x@a"), data(world, "y@a")] == ["new", "new"]


def test_tasks_that_come_later_see_the_event_of_the_first_ones() -> None:
    world = World(chain("step", 2), on_data("quotes", task("x"), task("y", after=("x",))))
    world.publish("a", data="first")
    world.publish("a", data="second")

    world.end("x@a")

    assert data(world, "y@a") == "first"


def test_a_start_by_hand_takes_no_events_in() -> None:
    world = full_world(on_data("quotes"), agents=1)
    world.run("quotes", "a")

    world.publish("a", data=1)

    assert len(world.instances("a")) == 2


def test_merging_takes_the_newest_events_time_to_live() -> None:
    world = full_world(on_data("quotes"), agents=1)
    world.publish("a", valid_for_ms=50)
    world.pass_ms(40)
    world.publish("a", valid_for_ms=50)

    world.pass_ms(40)
    assert world.instance("a").status == "running"
    world.pass_ms(10)
    assert world.instance("a").status == "expired"


def test_merging_an_event_that_does_not_expire_lifts_the_deadline() -> None:
    world = full_world(on_data("quotes"), agents=1)
    world.publish("a", valid_for_ms=50)
    world.publish("a")

    world.pass_ms(1_000)

    assert world.instance("a").status == "running"


# --- all ---------------------------------------------------------------------------------------


def test_with_coalesce_all_each_event_runs_in_order() -> None:
    world = World(on_data("orders", coalesce=Coalesce.ALL), agents=3)
    for n in range(5):
        world.publish("a", data=n)

    seen = []
    while world.running():
        seen.append(data(world, "orders@a"))
        world.end("orders@a")

    assert seen == [0, 1, 2, 3, 4]


def test_different_entities_line_up_apart() -> None:
    world = World(on_data("orders", coalesce=Coalesce.ALL), agents=3)
    for entity in "aabb":
        world.publish(entity)

    assert world.running() == ["orders@a", "orders@b"]


def test_a_full_lane_rejects_the_event_whole() -> None:
    world = World(on_data("orders", coalesce=Coalesce.ALL), on_data("quotes"), agents=2, max_lined_up=2)
    for n in range(3):
        world.publish("a", data=n)
    before = len(world.instances("a"))

    refusal = world.refusal(Event("DATA_READY", "a", data="too many"))

    assert "2 events of a wait for orders" in refusal
    assert len(world.instances("a")) == before
    assert world.entity("a").data == 2
    world.end("orders@a")
    assert world.publish("a").instances  # Room again.


def test_with_coalesce_all_an_event_merges_only_into_what_the_table_started() -> None:
    world = full_world(on_data("orders", coalesce=Coalesce.ALL), agents=1)
    world.bootstrap(EntitySeed("a"))  # type: ignore[arg-type]

    world.publish("a", data=1)
    world.publish("a", data=2)

    assert len(world.instances("a")) == 2
    world.end("study@low1")
    assert data(world, "orders@a") == 1


def test_one_failing_does_not_hold_up_the_next_in_line() -> None:
    world = World(on_data("orders", coalesce=Coalesce.ALL))
    world.publish("a", data=1)
    world.publish("a", data=2)

    world.fail("orders@a")

    assert data(world, "orders@a") == 2


def test_workflow_ids_by_hand_and_by_event_share_one_line() -> None:
    world = World(on_data("orders", coalesce=Coalesce.ALL), workflow("other"))
    world.publish("a", data=1)
    world.run("orders", "a")
    world.publish("a", data=2)

    world.finish_all()

    events = [job.event.data if job.event else None for job in world.told.jobs]
    assert events == [1, None, 2]
