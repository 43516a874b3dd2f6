"""What a crash leaves behind outside the logic: actions that run, effects that fail, a store that cannot save."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from actors import Engine
from actors.errors import AttemptStopped, EngineError, EngineFailed
from actors.messages import AwaitInstance, EndTaken, ReadStats
from actors.model import AttemptId, TaskKey
from tests.actors.conftest import FAILURES
from tests.faults.conftest import BOUND_S, Crashes, World


class Waits:
    """An action that goes on until it is told to stop, the first time; then it returns at once."""

    def __init__(self, world: World) -> None:
        self._act = world.actions.act
        self.running = threading.Event()
        self.stopped: list[str] = []

    def __call__(self, ctx: Any) -> str:
        if not self.running.is_set():
            self.running.set()
            try:
                while True:
                    ctx.sleep(BOUND_S)
            except AttemptStopped:
                self.stopped.append(ctx.task_id)
                raise
        return self._act(ctx)


def waiting(world: World) -> Waits:
    """Start the engine with an action that waits, and its first task running."""
    waits = Waits(world)
    world.engine = Engine(world.engine.definitions, agents=2, actions={"act": waits})
    world.engine.start()
    world.publish(1)
    assert waits.running.wait(BOUND_S)
    return waits


def at_work(world: World) -> str:
    names = [str(agent["name"]) for agent in world.engine.agents() if agent["state"] == "running"]
    return names[0]


@pytest.mark.parametrize("failure", FAILURES)
def test_an_agent_that_crashes_ends_what_it_had_begun_before_it_works_again(
    world: World, crashes: Crashes, failure: type[BaseException]
) -> None:
    waits = waiting(world)
    name = at_work(world)
    crashes.planned[name, ReadStats] = [failure]

    world.parts.ask(name, ReadStats, BOUND_S)
    world.all_done()

    assert len(waits.stopped) == 1
    seat = world.parts.supervisor.actors[name].seat
    assert seat.restarts == 1
    agent = next(agent for agent in world.engine.agents() if agent["name"] == name)
    assert (agent["state"], agent["incarnation"]) == ("idle", 2)


def test_an_agent_that_hangs_is_replaced_and_its_action_ended(world: World, crashes: Crashes) -> None:
    waits = waiting(world)
    name = at_work(world)
    old = world.parts.supervisor.actors[name]
    gate = threading.Event()
    crashes.hanging[name, EndTaken] = gate
    world.parts.tell(name, EndTaken(AttemptId(TaskKey(10**9), 1)))

    world.all_done()

    assert len(waits.stopped) == 1
    assert world.parts.supervisor.actors[name] is not old
    gate.set()
    assert old.gone(BOUND_S)


def test_a_scheduler_that_crashes_disturbs_no_action_that_runs(world: World, crashes: Crashes) -> None:
    waits = waiting(world)
    for failure in FAILURES:
        crashes.planned["scheduler", ReadStats] = [failure]
        world.parts.ask("scheduler", ReadStats, BOUND_S)

    name = at_work(world)
    assert waits.stopped == []
    assert world.engine.instances()[0].tasks[0].status == "running"
    crashes.planned[name, ReadStats] = [ValueError]
    world.parts.ask(name, ReadStats, BOUND_S)
    world.all_done()


def test_who_waits_at_the_keeper_is_kept_once_and_answered_once(world: World, crashes: Crashes) -> None:
    waiting(world)
    number, answer = world.parts.desk.open()
    (instance,) = world.engine.instances()
    world.parts.tell("keeper", AwaitInstance(instance.id, number))
    for failure in FAILURES:
        crashes.planned["keeper", ReadStats] = [failure]
        world.parts.ask("keeper", ReadStats, BOUND_S)

    assert [len(waiters) for waiters in world.parts.generations.state.waiters.values()] == [1]
    name = at_work(world)
    crashes.planned[name, ReadStats] = [ValueError]
    world.parts.ask(name, ReadStats, BOUND_S)
    assert answer.get(timeout=BOUND_S) is not None


def failing(method: Callable[..., Any], failures: list[type[BaseException]]) -> Callable[..., Any]:
    """The same, but first it raises these."""

    def fail_first(*arguments: Any) -> Any:
        if failures:
            raise failures.pop(0)("planned")
        return method(*arguments)

    return fail_first


@pytest.mark.parametrize("failure", FAILURES)
def test_an_attempt_that_could_not_be_started_is_lost_and_made_again(
    world: World, monkeypatch: pytest.MonkeyPatch, failure: type[BaseException]
) -> None:
    world.engine.start()
    runner = world.parts.benches.all[0]
    monkeypatch.setattr(runner, "start", failing(runner.start, [failure]))

    world.publish(3)

    world.all_done()


def test_a_commit_that_fails_once_is_made_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.engine.start()
    store = world.parts.store
    monkeypatch.setattr(store, "commit", failing(store.commit, [OSError]))

    world.publish(1)

    world.all_done()
    assert len(store.newest(status=None, workflow=None, limit=9)) == 1


def test_a_commit_that_fails_again_stops_the_engine_before_anything_follows_from_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.engine.start()
    store = world.parts.store
    monkeypatch.setattr(store, "commit", failing(store.commit, [OSError] * 9))
    (receipt,) = world.publish(1)

    with pytest.raises(EngineFailed, match="the store could not save"):
        world.engine.wait(receipt, BOUND_S)

    with pytest.raises(EngineError):
        world.engine.stats()
    assert world.engine.stop() == []
