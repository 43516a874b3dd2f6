"""The embedding API as programs use it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pykka
import pytest

from actors import Engine, EngineStopped, Event, RequestError
from actors.definitions import parse
from actors.errors import NotFoundError, RefusedError
from actors.messages import PutEntity, ReadEntities, ReadStats
from actors.model import EntityId, EntitySeed, OnUnknownEntity, Settings
from actors.views import ChangeType, StateChanged
from tests.engine.conftest import ACTIONS, BOUND_S, Watched, one_task

SAMPLE = """
from actors import Engine, Event

def double(ctx):
    return {"price": 2 * ctx.event.data["price"]}

quotes = {"id": "quotes", "tasks": [{"id": "double", "action": "double"}]}

with Engine(quotes, actions={"double": double}) as engine:
    receipt = engine.publish(Event("DATA_READY", "000001", priority=0, data={"price": 10.9}))
    run = engine.wait(receipt, timeout=10)
    print(run.status, run.tasks[0].result)
"""


def test_the_sample_runs_as_a_script_without_a_main_guard(tmp_path: Path, root: Path) -> None:
    script = tmp_path / "sample.py"
    script.write_text(SAMPLE)

    done = subprocess.run(
        [sys.executable, str(script)],
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("completed {'price': 21.8}\n", "")


def test_a_finished_instance_shows_its_tasks_attempts_results_and_times(start: Callable[..., Watched]) -> None:
    two = {
        "id": "flow",
        "tasks": [
            {"id": "a", "action": "quick", "params": {"result": 7}, "isolation": "thread"},
            {"id": "b", "action": "quick", "depends_on": ["a"], "isolation": "thread"},
        ],
    }
    engine = start(two).engine

    run = engine.wait(engine.publish(Event("DATA_READY", "000001")), BOUND_S)

    assert run is not None
    assert (run.workflow, run.entity_id, run.status, run.priority) == ("flow", "000001", "completed", 2)
    assert run.completed_at is not None
    assert run.completed_at >= run.created_at
    first, second = run.tasks
    assert (first.action, first.status, first.result, second.result) == ("quick", "completed", 7, {"a": 7})
    assert (first.retries, first.max_retry, first.preemptions, first.infra_losses, first.error) == (0, 0, 0, 0, None)
    (attempt,) = second.attempts
    assert attempt.agent is not None
    assert attempt.agent.startswith("agent_")
    assert attempt.outcome == "completed"
    assert attempt.started is not None
    assert attempt.ended is not None
    assert attempt.ready.ns <= attempt.started.ns <= attempt.ended.ns
    assert abs(attempt.ended.utc - run.completed_at) < 1
    assert engine.instance(run.id) == run
    assert [i.id for i in engine.instances(status="completed", workflow="flow")] == [run.id]
    assert engine.why(second.id)["status"] == "completed"


def test_definitions_may_be_a_dict_definitions_or_a_folder(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text("id: flow\ntasks: [{id: t, action: act}]\n")
    (tmp_path / "acts.py").write_text(
        "from actors import action\n\n@action('act')\ndef act(ctx):\n    return ctx.entity.id\n"
    )
    plain = one_task("quick", params={"result": "000001"}, isolation="thread")
    for definitions in (plain, parse(plain, actions=ACTIONS), tmp_path, str(tmp_path)):
        with Engine(definitions, actions=None if definitions in (tmp_path, str(tmp_path)) else ACTIONS) as engine:
            run = engine.wait(engine.publish(Event("DATA_READY", "000001")), BOUND_S)
            assert run is not None
            assert run.tasks[0].result == "000001"


def test_a_start_by_hand_ignores_triggers_and_its_params_override_the_tasks(start: Callable[..., Watched]) -> None:
    flow = one_task("quick", params={"result": 1}, isolation="thread") | {"trigger": "manual", "phase": "never"}
    engine = start(flow).engine
    engine.put_entity("X", phase="other")

    plain = engine.wait(engine.run("flow", "X"), BOUND_S)
    other = engine.wait(engine.run("flow", "X", params={"result": 2}), BOUND_S)

    assert plain is not None
    assert other is not None
    assert (plain.tasks[0].result, other.tasks[0].result) == (1, 2)
    with pytest.raises(NotFoundError, match="no workflow 'flaw'"):
        engine.run("flaw", "X")
    assert engine.wait(engine.run("flow", "Y"), BOUND_S) is not None
    assert engine.entity("Y").status == "completed"


def test_a_start_by_hand_for_an_unknown_entity_is_refused_where_they_are(start: Callable[..., Watched]) -> None:
    settings = Settings(on_unknown_entity=OnUnknownEntity.REJECT)
    engine = start(one_task("quick", isolation="thread"), settings=settings).engine

    with pytest.raises(NotFoundError, match="no entity 'Y'"):
        engine.run("flow", "Y")


def test_an_entity_that_is_put_starts_its_workflow_without_any_event(start: Callable[..., Watched]) -> None:
    engine = start(one_task("quick", isolation="thread")).engine

    for number in range(20):
        engine.put_entity(f"E{number}")
    engine.wait_idle(BOUND_S)

    assert {e.status for e in engine.entities()} == {"completed"}
    assert len(engine.instances(status="completed")) == 20
    assert all(e.last_processed is not None for e in engine.entities())


def test_a_receipt_without_instances_is_waited_for_at_once(start: Callable[..., Watched]) -> None:
    engine = start(one_task("quick", isolation="thread") | {"trigger": "manual"}).engine

    receipt = engine.publish(Event("DATA_READY", "X"))

    assert receipt.instances == ()
    assert engine.wait(receipt, BOUND_S) is None


def test_waiting_longer_than_its_timeout_raises_and_names_the_time(
    start: Callable[..., Watched], tmp_path: Path
) -> None:
    flow = one_task("wait_for_file", params={"file": str(tmp_path / "go")}, isolation="thread")
    engine = start(flow).engine
    receipt = engine.publish(Event("DATA_READY", "X"))

    with pytest.raises(TimeoutError, match=r"0\.05 s"):
        engine.wait(receipt, timeout=0.05)
    with pytest.raises(TimeoutError):
        engine.wait_idle(timeout=0.05)
    (tmp_path / "go").touch()
    assert engine.wait(receipt, BOUND_S) is not None


def test_engines_and_the_users_own_actors_do_not_touch_each_other(start: Callable[..., Watched]) -> None:
    class Own(pykka.ThreadingActor):
        def on_receive(self, message: Any) -> Any:
            return message * 2

    own = Own.start()
    try:
        one = start(one_task("quick", params={"result": 1}, isolation="thread")).engine
        two = start(one_task("quick", params={"result": 2}, isolation="thread")).engine
        first = one.wait(one.publish(Event("DATA_READY", "X")), BOUND_S)
        second = two.wait(two.publish(Event("DATA_READY", "X")), BOUND_S)
        one.stop(grace=0.0)
        third = two.wait(two.publish(Event("DATA_READY", "Y")), BOUND_S)

        assert [r.tasks[0].result for r in (first, second, third) if r is not None] == [1, 2, 2]
        assert own.ask(21) == 42
        two.stop(grace=0.0)
        assert own.is_alive()
    finally:
        own.stop()


def test_handles_take_messages_of_their_actors_protocol_and_no_other(start: Callable[..., Watched]) -> None:
    engine = start(one_task("quick", isolation="thread"), agents=2).engine
    refs = engine.refs

    assert sorted(refs) == ["agent_0", "agent_1", "keeper", "router", "scheduler"]
    refs["keeper"].tell(PutEntity(EntitySeed(EntityId("X"), priority=1)))
    assert refs["keeper"].ask(ReadEntities(EntityId("X"))).priority == 1
    assert refs["agent_0"].ask(ReadStats())["incarnation"] == 1
    with pytest.raises(RequestError, match="scheduler takes no PutEntity"):
        refs["scheduler"].tell(PutEntity(EntitySeed(EntityId("X"))))
    with pytest.raises(RequestError, match="no str"):
        refs["router"].tell("hello")


def test_subscribers_are_callables_or_actors_and_a_broken_one_harms_nobody(start: Callable[..., Watched]) -> None:
    told: list[StateChanged] = []
    enough = threading.Event()

    class Listener(pykka.ThreadingActor):
        def on_receive(self, message: Any) -> None:
            told.append(message)
            if message.type is ChangeType.INSTANCE_ENDED:
                enough.set()

    def broken(change: StateChanged) -> None:
        raise ValueError("broken")

    watched = start(one_task("quick", isolation="thread"))
    listener = Listener.start()
    try:
        watched.engine.subscribe(broken)
        unsubscribe = watched.engine.subscribe(listener, types=["instance_created", "instance_ended"])
        watched.engine.wait(watched.engine.publish(Event("DATA_READY", "X")), BOUND_S)

        assert enough.wait(BOUND_S)
        assert [change.type for change in told] == ["instance_created", "instance_ended"]
        unsubscribe()
        watched.engine.wait(watched.engine.publish(Event("DATA_READY", "X")), BOUND_S)
        watched.until(ChangeType.INSTANCE_ENDED, 2)
        assert len(told) == 2
    finally:
        listener.stop()
    with pytest.raises(RequestError, match="did you mean 'task_failed'"):
        watched.engine.subscribe(print, types=["task_faild"])


def test_when_the_engine_is_idle_its_subscribers_know_all_that_led_to_it(start: Callable[..., Watched]) -> None:
    watched = start(one_task("quick", isolation="thread"))

    for number in range(1, 51):
        watched.engine.publish(Event("DATA_READY", "X"))
        watched.engine.wait_idle(BOUND_S)
        told = [change for change in watched.changes if change.type is ChangeType.INSTANCE_ENDED]
        assert len(told) == number


def test_a_subscriber_may_wait_for_idleness_itself(start: Callable[..., Watched]) -> None:
    done = threading.Event()
    watched = start(one_task("quick", isolation="thread"))

    def listen(change: StateChanged) -> None:
        watched.engine.wait_idle(BOUND_S)
        done.set()

    watched.engine.subscribe(listen, types=["instance_ended"])
    watched.engine.publish(Event("DATA_READY", "X"))

    assert done.wait(BOUND_S)


def test_an_engine_starts_once_and_says_so_when_it_does_not_run() -> None:
    engine = Engine(one_task("quick", isolation="thread"), actions=ACTIONS)
    with pytest.raises(EngineStopped, match="not started"):
        engine.publish(Event("DATA_READY", "X"))

    engine.start()
    with pytest.raises(RefusedError, match="started before"):
        engine.start()
    assert engine.stop() == []
    assert engine.stop() == []

    with pytest.raises(EngineStopped, match="stopped"):
        engine.entities()


def test_pausing_holds_a_workflow_and_why_says_so(start: Callable[..., Watched]) -> None:
    engine = start(one_task("quick", isolation="thread")).engine
    engine.pause("flow")
    receipt = engine.publish(Event("DATA_READY", "X"))
    (run,) = engine.instances(status="running")

    assert engine.why(run.tasks[0].id)["why"] == "workflow flow is paused"
    assert engine.stats()["queues"] == {2: 1}
    assert engine.queues()[0]["depth"] == 1
    engine.resume("flow")

    assert engine.wait(receipt, BOUND_S) is not None
    with pytest.raises(NotFoundError, match="no workflow"):
        engine.pause("other")
