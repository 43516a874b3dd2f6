"""What the other tests of the engine leave out of its interface: receipts that merged, bounds, callers in a crowd."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors import Engine, EngineStopped, Event
from actors.errors import NotFoundError, RefusedError, RequestError
from actors.model import Isolation
from actors.views import ChangeType, StateChanged
from tests.engine.conftest import ACTIONS, BOUND_S, Watched, one_task

# --- receipts ----------------------------------------------------------------------------------


def test_a_receipt_of_an_event_that_merged_waits_for_what_it_merged_into(
    start: Callable[..., Watched], tmp_path: Path
) -> None:
    flow = one_task("wait_for_file", params={"file": str(tmp_path / "go")}, isolation="thread")
    watched = start(flow, agents=1)
    watched.engine.publish(Event("DATA_READY", "busy"))
    watched.until(ChangeType.TASK_STARTED)
    first = watched.engine.publish(Event("DATA_READY", "X", data=1))
    merged = watched.engine.publish(Event("DATA_READY", "X", data=2))
    assert merged.instances == first.instances
    (tmp_path / "go").touch()

    run = watched.engine.wait(merged, BOUND_S)

    assert run is not None
    assert (run.id, run.merged, run.status) == (first.instances[0], 2, "completed")
    assert watched.engine.wait(merged, BOUND_S) == run  # As often as one likes.


def test_a_receipt_of_an_event_that_came_while_it_ran_waits_for_the_run_after_it(
    start: Callable[..., Watched], tmp_path: Path
) -> None:
    release = [threading.Event(), threading.Event()]
    seen: list[Any] = []

    def hold(ctx: Any) -> Any:
        seen.append(ctx.event.data)
        assert release[len(seen) - 1].wait(BOUND_S)
        return ctx.event.data

    watched = start(one_task("hold", isolation="thread"), actions={"hold": hold})
    watched.engine.publish(Event("DATA_READY", "X", data=1))
    watched.until(ChangeType.TASK_STARTED)
    later = [watched.engine.publish(Event("DATA_READY", "X", data=n)) for n in (2, 3)]
    release[0].set()
    watched.until(ChangeType.INSTANCE_ENDED)

    with pytest.raises(TimeoutError):
        watched.engine.wait(later[0], timeout=0.05)
    release[1].set()

    for receipt in later:
        run = watched.engine.wait(receipt, BOUND_S)
        assert run is not None
        assert run.tasks[0].result == 3
    assert seen == [1, 3]


def test_the_receipt_names_the_most_important_instance_first(start: Callable[..., Watched]) -> None:
    flows = {
        "workflows": {
            name: {"priority": priority, "tasks": [{"id": name, "action": "quick", "isolation": "thread"}]}
            for name, priority in (("calm", 5), ("urgent", 0), ("plain", 2))
        }
    }
    engine = start(flows).engine

    receipt = engine.publish(Event("DATA_READY", "X"))

    assert [engine.wait(id, BOUND_S).workflow for id in receipt.instances] == ["urgent", "plain", "calm"]  # type: ignore[union-attr]
    run = engine.wait(receipt, BOUND_S)
    assert run is not None
    assert run.workflow == "urgent"


# --- state alone -------------------------------------------------------------------------------


def test_with_every_event_deleted_all_pending_entities_still_run(start: Callable[..., Watched]) -> None:
    flow = one_task("quick", isolation="thread")
    entities = [{"id": f"{n:06}", "priority": n % 3} for n in range(40)]
    engine = start({"workflows": [flow], "settings": {"entities": entities, "agents": 3}}).engine

    engine.wait_idle(BOUND_S)

    assert len(engine.instances(status="completed")) == 40
    assert {str(entity.status) for entity in engine.entities()} == {"completed"}


def test_idleness_waits_for_timed_events_still_to_come(start: Callable[..., Watched]) -> None:
    settings = {"events": [{"after_ms": 80, "type": "DATA_READY", "entity_id": "late"}]}
    engine = start({"workflows": [one_task("quick", isolation="thread")], "settings": settings}).engine

    engine.wait_idle(BOUND_S)

    assert engine.entity("late").status == "completed"


# --- reading -----------------------------------------------------------------------------------


def test_instances_are_chosen_by_status_and_workflow_newest_first(start: Callable[..., Watched]) -> None:
    flows = {
        "workflows": {
            "good": {"trigger": "manual", "tasks": [{"id": "g", "action": "quick", "isolation": "thread"}]},
            "bad": {"trigger": "manual", "tasks": [{"id": "b", "action": "fail_for_good", "isolation": "thread"}]},
        }
    }
    engine = start(flows).engine
    for entity in ("X", "Y", "Z"):
        engine.wait(engine.run("good", entity), BOUND_S)
        engine.wait(engine.run("bad", entity), BOUND_S)

    assert [i.entity_id for i in engine.instances(workflow="good")] == ["Z", "Y", "X"]
    assert {i.workflow for i in engine.instances(status="failed")} == {"bad"}
    assert [i.entity_id for i in engine.instances(status="failed", limit=2)] == ["Z", "Y"]
    assert engine.instances(status="running") == []
    one = engine.instances(workflow="good")[0]
    assert engine.instance(one.id) == one


def test_stats_count_what_happened(start: Callable[..., Watched]) -> None:
    engine = start(one_task("quick", isolation="thread"), agents=2).engine
    engine.publish_many([Event("DATA_READY", f"E{n}", id=f"id{n % 4}") for n in range(5)])
    engine.wait_idle(BOUND_S)

    stats = engine.stats()

    assert (stats["instances"]["completed"], stats["tasks"]["completed"], stats["entities"]) == (4, 4, 4)
    assert (stats["events"]["accepted"], stats["events"]["duplicates"]) == (4, 1)
    assert stats["agents"] == {"idle": 2, "running": 0, "stopping": 0, "suspended": 0, "set_aside": 0, "drained": 0}
    assert (stats["preemptions"], stats["latency_ms"]["median"], stats["queues"]) == (0, None, {})


def test_agents_and_isolations_are_shown(start: Callable[..., Watched], tmp_path: Path) -> None:
    fields = {"params": {"file": str(tmp_path / "go")}, "isolation": "thread", "capabilities": ["cpu"]}
    flow = one_task("wait_for_file", **fields)
    settings = {"agents": {"local": {"count": 1}, "gpu": {"count": 1, "capabilities": ["gpu"]}}}
    watched = start({"workflows": [flow], "settings": settings})
    receipt = watched.engine.publish(Event("DATA_READY", "X", priority=1))
    watched.until(ChangeType.TASK_STARTED)

    shown = watched.engine.agents()

    assert [(agent["name"], agent["state"]) for agent in shown] == [("local_0", "running"), ("gpu_0", "idle")]
    assert shown[0]["task"] == watched.engine.instance(receipt.instances[0]).tasks[0].id
    assert "local_0" in watched.engine.why(shown[0]["task"])["why"]
    assert watched.engine.isolations() == {"wait_for_file": Isolation.THREAD}
    (tmp_path / "go").touch()
    watched.engine.wait_idle(BOUND_S)
    assert watched.engine.why(shown[0]["task"])["why"] == "it ended as completed on local_0, attempt 1"


def test_a_rejected_event_is_in_the_dead_letters_with_its_reason(start: Callable[..., Watched]) -> None:
    settings = {"on_unknown_entity": "reject"}
    engine = start({"workflows": [one_task("quick", isolation="thread")], "settings": settings}).engine
    with pytest.raises(RefusedError):
        engine.publish(Event("DATA_READY", "nobody", data={"price": 1}))

    (letter,) = engine.dead_letters()

    assert (letter["entity_id"], letter["data"], letter["type"]) == ("nobody", {"price": 1}, "DATA_READY")
    assert "put it first" in letter["why"]


# --- steering ----------------------------------------------------------------------------------


def test_lowering_what_runs_makes_it_give_way(start: Callable[..., Watched], tmp_path: Path) -> None:
    flow = one_task("wait_for_file", params={"file": str(tmp_path / "go")}, isolation="thread")
    watched = start(flow, agents=1)
    running = watched.engine.publish(Event("DATA_READY", "A"))
    watched.until(ChangeType.TASK_STARTED)
    watched.engine.publish(Event("DATA_READY", "B"))

    watched.engine.set_priority(running.instances[0], 9)

    preempted = watched.until(ChangeType.TASK_PREEMPTED)[0]
    assert preempted.entity_id == "A"
    (tmp_path / "go").touch()
    watched.engine.wait_idle(BOUND_S)
    assert watched.engine.instance(running.instances[0]).tasks[0].preemptions == 1


def test_resolving_works_where_workflow_and_task_are_called_alike(start: Callable[..., Watched]) -> None:
    order = {"id": "order", "action": "sleep", "params": {"seconds": 60}, "timeout": 30, "isolation": "process"}
    order |= {"delivery": "at_most_once", "preemptible": False}
    engine = start({"id": "order", "tasks": [order]}).engine
    receipt = engine.publish(Event("DATA_READY", "X"))
    run = engine.wait(receipt, BOUND_S)
    assert run is not None
    assert run.tasks[0].status == "unknown"

    engine.resolve(run.tasks[0].id, "completed")

    ended = engine.wait(receipt, BOUND_S)
    assert ended is not None
    assert ended.status == "completed"
    with pytest.raises(RequestError, match="one of completed"):
        engine.resolve(run.tasks[0].id, "done")
    with pytest.raises(NotFoundError):
        engine.resolve(run.tasks[0].id, "completed")


# --- who calls, and from where -----------------------------------------------------------------


def test_many_threads_may_publish_wait_and_read_at_once(start: Callable[..., Watched]) -> None:
    engine = start(one_task("quick", isolation="thread")).engine
    done: list[str] = []

    def work(name: str) -> None:
        for n in range(15):
            run = engine.wait(engine.publish(Event("DATA_READY", f"{name}-{n}")), BOUND_S)
            engine.entities()
            assert run is not None
            done.append(run.entity_id)

    threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND_S)

    assert len(set(done)) == len(done) == 120


def test_an_action_in_a_thread_may_use_the_engine(start: Callable[..., Watched]) -> None:
    def publish_more(ctx: Any) -> int:
        if ctx.entity.id.count("+") < 3:
            engine.publish(Event("DATA_READY", ctx.entity.id + "+"))
        return len(engine.entities())

    engine = start(one_task("publish_more", isolation="thread"), actions={"publish_more": publish_more}).engine
    engine.publish(Event("DATA_READY", "X"))
    engine.wait_idle(BOUND_S)

    assert sorted(e.id for e in engine.entities()) == ["X", "X+", "X++", "X+++"]
    assert len(engine.instances(status="completed")) == 4


def test_a_listener_may_use_the_engine(start: Callable[..., Watched]) -> None:
    engine = start(one_task("quick", isolation="thread")).engine
    seen: list[str] = []
    enough = threading.Event()

    def listen(change: StateChanged) -> None:
        seen.append(str(engine.instance(change.instance_id).status))
        enough.set()

    engine.subscribe(listen, types=["instance_ended"])
    engine.publish(Event("DATA_READY", "X"))

    assert enough.wait(BOUND_S)
    assert seen == ["completed"]


def test_who_subscribes_before_the_start_is_told_of_everything() -> None:
    told: list[StateChanged] = []
    settings = {"entities": [{"id": "X"}]}
    engine = Engine({"workflows": [one_task("quick", isolation="thread")], "settings": settings}, actions=ACTIONS)
    engine.subscribe(told.append)

    with engine:
        engine.wait_idle(BOUND_S)

    kinds = [str(change.type) for change in told]
    assert [kind for kind in kinds if "instance" in kind] == ["instance_created", "instance_ended"]
    assert [change.seq for change in told] == sorted({change.seq for change in told})
    assert kinds.index("task_ready") < kinds.index("task_started") < kinds.index("task_completed")


def test_stopping_answers_everybody_who_waits(tmp_path: Path) -> None:
    flow = one_task("wait_for_file", params={"file": str(tmp_path / "never")}, isolation="thread")
    engine = Engine(flow, actions=ACTIONS).start()
    watched = Watched(engine)
    receipt = engine.publish(Event("DATA_READY", "X"))
    watched.until(ChangeType.TASK_STARTED)
    raised: list[BaseException] = []
    ready = threading.Barrier(3)

    def wait(call: Callable[[], object]) -> None:
        ready.wait(BOUND_S)
        try:
            call()
        except EngineStopped as error:
            raised.append(error)

    calls: list[Callable[[], object]] = [lambda: engine.wait(receipt, BOUND_S), lambda: engine.wait_idle(BOUND_S)]
    threads = [threading.Thread(target=wait, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    ready.wait(BOUND_S)

    assert engine.stop(grace=0.0) == []

    for thread in threads:
        thread.join(BOUND_S)
    assert len(raised) == 2


def test_an_error_in_the_with_block_stops_at_once_and_goes_on(tmp_path: Path) -> None:
    flow = one_task("wait_for_file", params={"file": str(tmp_path / "never")}, isolation="thread")
    began = time.monotonic()

    def fail_inside() -> None:
        with Engine(flow, actions=ACTIONS) as engine:
            watched = Watched(engine)
            engine.publish(Event("DATA_READY", "X"))
            watched.until(ChangeType.TASK_STARTED)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_inside()

    assert time.monotonic() - began < 4


def test_a_second_stop_hurries_the_first(tmp_path: Path) -> None:
    flow = one_task("wait_for_file", params={"file": str(tmp_path / "never")}, isolation="thread")
    engine = Engine(flow, actions=ACTIONS).start()
    watched = Watched(engine)
    engine.publish(Event("DATA_READY", "X"))
    watched.until(ChangeType.TASK_STARTED)
    patient = threading.Thread(target=engine.stop, kwargs={"grace": 60.0})
    patient.start()
    refused = threading.Event()
    while not refused.is_set():
        try:
            engine.put_entity("Y")
        except EngineStopped:
            refused.set()  # It is stopping: new work is refused first.

    engine.stop()

    patient.join(BOUND_S)
    assert not patient.is_alive()


def test_every_actor_is_shown_with_its_inbox_and_what_it_has_dealt_with(start: Callable[..., Watched]) -> None:
    engine = start(one_task("quick", isolation="thread"), agents=2).engine
    assert engine.wait(engine.publish(Event("DATA_READY", "X")), BOUND_S) is not None
    engine.wait_idle(BOUND_S)

    shown = {actor["name"]: actor for actor in engine.actors()}

    assert list(shown) == ["keeper", "scheduler", "agent_0", "agent_1", "router"]
    for actor in shown.values():
        assert actor["handled"] > 0 or actor["name"].startswith("agent_")
        assert actor["restarts"] == actor["generation"] == actor["dead_letters"] == actor["quarantined"] == 0
        assert actor["state"] in ("idle", "busy")
