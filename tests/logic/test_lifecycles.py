"""How tasks, instances and entities move to their ends: retries, backoff, waiting too long, rounds, phases."""

from __future__ import annotations

import pytest

from actors.effects import KEEPER
from actors.errors import NotFoundError
from actors.messages import AwaitInstance, QueueTimeoutDue, ReadEntities
from actors.model import NOBODY, Backoff, EntityId, EntityStatus, Trigger
from tests.logic.machine import UTC
from tests.logic.worlds import World, chain, full_world, on_data, task, workflow

# --- retries -----------------------------------------------------------------------------------


def test_a_failed_task_is_retried_as_often_as_told_then_fails_with_its_instance_and_entity() -> None:
    world = World(workflow("work", task("work", retry=2), task("next", after=("work",))))
    world.run("work", "a")
    for _ in range(2):
        world.fail("work@a")
        assert world.running() == ["work@a"]

    world.fail("work@a")

    failed = world.task("work@a")
    assert (failed.status, failed.retries, failed.max_retry, len(failed.attempts)) == ("failed", 2, 2, 3)
    assert world.task("next@a").status == "cancelled"
    assert (world.instance("a").status, world.entity("a").status) == ("failed", "failed")


def test_a_failed_task_frees_its_agent() -> None:
    world = World(workflow("work"), agents=1)
    world.run("work", *[f"e{n}" for n in range(6)])
    for n in range(5):
        world.fail(f"work@e{n}")

    assert world.running() == ["work@e5"]


def test_what_says_it_will_not_get_better_is_not_retried() -> None:
    world = World(workflow("work", task("work", retry=5)))
    world.run("work", "a")

    world.fail("work@a", retryable=False)

    assert (world.task("work@a").status, world.task("work@a").retries) == ("failed", 0)


def test_a_retry_waits_for_its_backoff_which_grows_up_to_its_bound() -> None:
    backoff = Backoff(initial_ms=100, factor=3, max_ms=500)
    world = World(workflow("work", task("work", retry=4, backoff=backoff)))
    world.run("work", "a")

    for pause in (100, 300, 500, 500):
        world.fail("work@a")
        world.pass_ms(pause - 1)
        assert world.running() == []
        world.pass_ms(1)
        assert world.running() == ["work@a"]


def test_jitter_stays_within_its_share() -> None:
    backoff = Backoff(initial_ms=1000, jitter=0.5)
    pauses = set()
    world = World(workflow("work", task("work", retry=1, backoff=backoff)), agents=20)
    world.run("work", *[f"e{n}" for n in range(20)])
    for n in range(20):
        world.fail(f"work@e{n}")
    for (_, key), (at, _, _) in world.timers.items():
        if isinstance(key, tuple) and key[0] == "backoff":
            pauses.add((at - world.now) / 1e6)

    assert len(pauses) > 10
    assert min(pauses) >= 500
    assert max(pauses) <= 1500


def test_an_absurd_backoff_ends_at_its_bound() -> None:
    backoff = Backoff(initial_ms=10, factor=1e200, max_ms=700)
    world = World(workflow("work", task("work", retry=3, backoff=backoff)))
    world.run("work", "a")
    world.fail("work@a")
    world.pass_ms(10)
    world.fail("work@a")
    world.pass_ms(700)
    world.fail("work@a")
    world.pass_ms(700)

    assert world.running() == ["work@a"]


def test_a_task_in_backoff_frees_its_agent_and_is_not_idle() -> None:
    world = World(workflow("work", task("work", retry=1, backoff=Backoff(initial_ms=100))), workflow("other"))
    world.run("work", "a")
    world.run("other", "b")
    world.fail("work@a")
    assert world.running() == ["other@b"]
    world.end("other@b")

    assert not world.idle()


def test_a_cancel_during_the_backoff_ends_it() -> None:
    world = World(workflow("work", task("work", retry=1, backoff=Backoff(initial_ms=100))))
    world.run("work", "a")
    world.fail("work@a")

    world.cancel("a")
    world.pass_ms(500)

    assert (world.instance("a").status, world.running()) == ("cancelled", [])


def test_a_failing_task_stops_the_others_of_its_instance() -> None:
    world = World(workflow("work", task("x"), task("y"), task("z")), agents=2)
    world.run("work", "a")

    world.fail("x@a")

    assert world.running() == []
    assert [str(t.status) for t in world.instance("a").tasks] == ["failed", "cancelled", "cancelled"]
    assert world.instance("a").status == "failed"


def test_an_instance_ends_only_when_nothing_of_it_runs() -> None:
    world = World(workflow("work", task("x"), task("y")), agents=2)
    world.deaf.add("y")
    world.run("work", "a")
    world.fail("x@a")
    assert world.instance("a").status == "running"

    world.end("y@a", "won the race")

    assert world.instance("a").status == "failed"
    assert world.task("y@a").result == "won the race"


# --- waiting too long --------------------------------------------------------------------------


def test_a_task_that_waits_past_its_queue_timeout_fails() -> None:
    world = full_world(workflow("hurry", task("hurry", queue_timeout_ms=50)), agents=1)
    world.run("hurry", "a")

    world.pass_ms(49)
    assert world.instance("a").status == "running"
    world.pass_ms(1)

    error = world.task("hurry@a").error
    assert error is not None
    assert (error.type, world.instance("a").status) == ("QueueTimeout", "failed")
    world.end("study@low1")
    assert world.running() == []


def test_the_queue_timeout_counts_to_the_first_start_only() -> None:
    hurry = task("hurry", queue_timeout_ms=50)
    world = World(workflow("hurry", hurry), workflow("order", priority=0))
    world.run("hurry", "a")
    world.run("order", "now")

    world.pass_ms(500)
    world.end("order@now")

    assert world.running() == ["hurry@a"]


def test_what_got_its_agent_just_before_its_queue_timeout_runs_on() -> None:
    world = full_world(workflow("hurry", task("hurry", queue_timeout_ms=50)), agents=1)
    world.run("hurry", "a")
    world.end("study@low1", settle=False)
    world.deliver("agent_0", "scheduler", KEEPER, "scheduler")
    world.now += 50_000_000
    world.ring()
    keeper = world.inbox[KEEPER]
    keeper.rotate(1)  # The timer is read before the assignment.

    world.settle()
    world.finish_all()

    assert world.instance("a").status == "completed"


def test_a_queue_timeout_that_rings_late_does_nothing_to_what_has_started_before() -> None:
    world = World(workflow("hurry", task("hurry", queue_timeout_ms=50)), workflow("order", priority=0))
    world.run("hurry", "a")
    key = world.live("hurry@a").job.attempt.task
    world.run("order", "now")

    world.tell(KEEPER, QueueTimeoutDue(key))
    world.end("order@now")

    assert world.running() == ["hurry@a"]


def test_a_later_task_of_a_chain_has_its_own_queue_timeout() -> None:
    flow = workflow("two", task("x"), task("y", after=("x",), queue_timeout_ms=50), priority=5)
    world = World(flow, workflow("study", priority=2))
    world.run("two", "a")
    world.run("study", "b")  # Preempts x.
    world.end("study@b")
    world.pass_ms(100)
    world.run("study", "c", "d")
    world.end("study@c")
    world.end("study@d")
    world.end("x@a")
    world.run("study", "e")  # Preempts y, which has started: its clock has stopped.
    world.pass_ms(100)
    world.end("study@e")

    assert world.running() == ["y@a"]


# --- entities ----------------------------------------------------------------------------------


def test_an_entity_is_processing_while_any_instance_runs_then_completed() -> None:
    world = World(on_data("x"), on_data("y"), agents=2)
    world.publish("a")
    world.end("x@a")
    assert world.entity("a").status == "processing"
    world.pass_ms(1_500)

    world.end("y@a")

    entity = world.entity("a")
    assert entity.status == "completed"
    assert entity.last_processed == pytest.approx(UTC + 1.5)


def test_one_failure_of_the_round_makes_it_failed_whatever_came_after() -> None:
    world = World(on_data("x"), on_data("y"), agents=2)
    world.publish("a")
    world.fail("x@a")
    world.end("y@a")
    assert world.entity("a").status == "failed"

    world.publish("a")
    world.end("x@a")
    world.end("y@a")

    assert world.entity("a").status == "completed"


def test_an_expired_instance_does_not_make_its_entity_failed() -> None:
    world = full_world(on_data("quotes"), agents=1)
    world.publish("a", valid_for_ms=10)

    world.pass_ms(10)

    assert world.entity("a").status == "completed"


def test_the_next_phase_applies_when_the_round_ends_and_starts_what_waits_for_it() -> None:
    world = World(
        on_data("collect", next_phase="collected"),
        workflow("fit", trigger=Trigger.STATE, phase="collected", next_phase="fitted"),
    )
    world.publish("a")
    world.end("collect@a")
    assert (world.entity("a").phase, world.entity("a").status) == ("collected", "pending")

    world.pass_ms(100)
    assert world.running() == ["fit@a"]
    world.end("fit@a")

    assert world.entity("a").phase == "fitted"
    world.pass_ms(1_000)
    assert world.idle()


def test_a_failed_round_does_not_move_on_to_the_next_phase() -> None:
    world = World(on_data("collect", next_phase="collected"))
    world.publish("a")

    world.fail("collect@a")

    assert (world.entity("a").phase, world.entity("a").status) == ("data_ready", "failed")


def test_a_round_in_which_anything_failed_does_not_move_on_either() -> None:
    world = World(on_data("collect", next_phase="collected"), on_data("other"), agents=2)
    world.publish("a")

    world.fail("other@a")
    world.end("collect@a")

    assert (world.entity("a").phase, world.entity("a").status) == ("data_ready", "failed")


def test_put_changes_only_the_fields_given_and_never_the_status_of_what_runs() -> None:
    world = World(on_data("quotes"))
    world.put("a", name="平安银行", priority=1, phase="closed")
    world.publish("a", data=1)

    world.put("a", status=EntityStatus.COMPLETED, name="other")

    entity = world.entity("a")
    assert (entity.name, entity.priority, entity.status, entity.data) == ("other", 1, "processing", 1)


def test_an_entity_that_is_not_there_is_named() -> None:
    world = World()

    with pytest.raises(NotFoundError, match="'nobody'"):
        world.ask(KEEPER, ReadEntities(EntityId("nobody")))


# --- ids and waiting ---------------------------------------------------------------------------


def test_readable_ids_have_the_creation_second_and_never_collide() -> None:
    world = World(chain("step", 2))
    world.run("step", "000001", "000001", "000001")
    ids = [one.id for one in world.instances("000001")]

    assert ids == ["step_000001_1630000000", "step_000001_1630000000_2", "step_000001_1630000000_3"]
    tasks = [t.id for one in world.instances() for t in one.tasks]
    assert len(set(tasks)) == 6
    world.pass_ms(1_000)
    world.run("step", "000001")
    assert world.instances("000001")[-1].id == "step_000001_1630000001"


def test_the_idempotency_key_is_the_same_for_every_attempt_and_no_other_task() -> None:
    world = World(workflow("work", task("work", retry=1), task("more")), agents=2)
    world.run("work", "a")
    world.fail("work@a")

    keys = [(job.task.id, job.idempotency_key) for job in world.told.jobs]
    assert [key for name, key in keys if name == "work"] == ["store-4096", "store-4096"]
    assert [key for name, key in keys if name == "more"] == ["store-4097"]


def test_who_waits_for_an_instance_is_told_its_end_and_late_comers_where_to_look() -> None:
    world = World(workflow("work"))
    world.run("work", "a")
    id = world.instance("a").id
    early = world.promise(KEEPER, AwaitInstance(id, NOBODY))
    world.settle()
    assert early() is None

    world.end("work@a", 5)

    assert (early().status, early().tasks[0].result) == ("completed", 5)
    assert world.ask(KEEPER, AwaitInstance(id, NOBODY)) == id


def test_times_of_an_attempt_are_ready_started_and_ended() -> None:
    world = full_world(workflow("work"), agents=1)
    world.run("work", "a")
    ready = world.now
    world.pass_ms(30)
    world.end("study@low1")
    world.pass_ms(12)
    world.end("work@a")

    attempt = world.task("work@a").attempts[0]
    assert attempt.started is not None
    assert attempt.ended is not None
    assert (attempt.ready.ns, attempt.started.ns, attempt.ended.ns) == (ready, ready + 30_000_000, ready + 42_000_000)
    assert attempt.ready.utc == pytest.approx(UTC + 0.001)
