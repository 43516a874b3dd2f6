"""Every actor crashes at every message it takes, with everything that can be raised, and nothing is lost."""

from __future__ import annotations

import dataclasses
import enum
import time
import types
import typing
from collections.abc import Mapping
from typing import Any

import pytest

from actors import messages
from actors.errors import EngineError, EngineFailed
from actors.messages import (
    AgentReady,
    Bootstrap,
    Publish,
    ReadStats,
    RunAttempt,
    StopAgents,
    TasksReady,
    Watch,
)
from actors.model import NOBODY, Event
from actors.supervisor import Bounds
from tests.actors.conftest import FAILURES
from tests.faults.conftest import BOUND_S, Crashes, World

TAKES: dict[str, tuple[type, ...]] = {
    "router": typing.get_args(messages.ToRouter),
    "keeper": typing.get_args(messages.ToKeeper),
    "scheduler": typing.get_args(messages.ToScheduler),
    "agent_0": typing.get_args(messages.ToAgent),
}
AT_START = {("keeper", Bootstrap), ("keeper", Watch), ("scheduler", AgentReady)}
AT_STOP = {("scheduler", StopAgents)}
IN_BETWEEN = [
    (actor, kind) for actor, kinds in TAKES.items() for kind in kinds if (actor, kind) not in AT_START | AT_STOP
]


@pytest.mark.parametrize(("actor", "kind"), IN_BETWEEN, ids=[f"{actor}-{kind.__name__}" for actor, kind in IN_BETWEEN])
def test_a_crash_at_any_message_is_repaired_within_a_second_and_loses_nothing(
    world: World, crashes: Crashes, actor: str, kind: type
) -> None:
    world.engine.start()
    for failure in FAILURES:
        before = world.parts.supervisor.actors[actor].seat.restarts
        crashes.planned[actor, kind] = [failure]
        world.publish(2)
        began = time.monotonic()
        if not crashes.happened.acquire(timeout=0.02):
            stranger(world, actor, kind)
            assert crashes.happened.acquire(timeout=BOUND_S), "it took no such message"
            began = time.monotonic()

        world.parts.ask(actor, ReadStats, BOUND_S)

        assert time.monotonic() - began < 1.0
        world.all_done()
        assert world.parts.supervisor.actors[actor].seat.restarts == before + 1
    assert world.parts.supervisor.stats()["quarantines"] == 0
    assert world.engine.stop() == []


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize(("actor", "kind"), sorted(AT_START | AT_STOP, key=str))
def test_a_crash_while_the_engine_starts_or_stops_loses_nothing(
    world: World, crashes: Crashes, actor: str, kind: type, failure: type[BaseException]
) -> None:
    if (actor, kind) in AT_START:
        crashes.planned[actor, kind] = [failure]
    world.engine.start()
    world.publish(2)
    world.all_done()
    crashes.planned.setdefault((actor, kind), [failure])

    assert world.engine.stop() == []

    assert crashes.happened.acquire(blocking=False)


def test_an_order_to_stop_that_crashes_the_scheduler_twice_ends_the_engine_all_the_same(
    world: World, crashes: Crashes
) -> None:
    world.engine.start()
    crashes.planned["scheduler", StopAgents] = [ValueError] * 2

    assert world.engine.stop() == []

    assert crashes.planned["scheduler", StopAgents] == []


def test_a_scheduler_that_crashes_when_the_engine_stops_begins_nothing_more(world: World, crashes: Crashes) -> None:
    """The order to stop is in no inbox any more, and nobody waits for its answer."""
    world.engine.start()
    world.parts.hurry()
    world.parts.ask("scheduler", ReadStats, BOUND_S)
    crashes.planned["scheduler", TasksReady] = [ValueError]
    world.publish(2)
    assert crashes.happened.acquire(timeout=BOUND_S)

    assert [row["depth"] for row in world.engine.queues()] == [2]
    assert world.parts.ask("scheduler", ReadStats, BOUND_S)["agents"]["running"] == 0
    assert world.actions.runs == []
    assert world.engine.stop() == []


@pytest.mark.parametrize("actor", ["router", "keeper", "scheduler", "agent_0"])
def test_a_message_that_crashes_its_logic_twice_is_shown_and_the_engine_goes_on(
    world: World, crashes: Crashes, actor: str
) -> None:
    world.engine.start()
    crashes.planned[actor, ReadStats] = [ValueError] * 2

    with pytest.raises(EngineError, match="could not handle ReadStats"):
        world.engine.refs[actor].ask(ReadStats(), timeout=BOUND_S)

    world.publish(2)
    world.all_done()
    supervision = world.engine.stats()["supervision"]
    assert [(kept["actor"], kept["error"]) for kept in supervision["quarantined"]] == [(actor, "ValueError('planned')")]
    assert "Traceback" in supervision["quarantined"][0]["traceback"]


def test_publications_in_flight_survive_the_crashes_of_every_actor(world: World, crashes: Crashes) -> None:
    world.engine.start()
    kinds = [("router", Publish), ("keeper", messages.EventBatch), ("scheduler", TasksReady), ("agent_0", RunAttempt)]
    for number, key in enumerate([*kinds, ("router", messages.EventsAnswered), ("keeper", messages.AttemptClosed)] * 5):
        crashes.planned[key] = [FAILURES[number % len(FAILURES)]]
        world.publish(7)

    world.all_done()


@pytest.mark.parametrize("actor", ["router", "keeper", "scheduler"])
def test_a_core_actor_that_crashes_too_often_fails_the_engine_and_every_call_says_so(
    world: World, crashes: Crashes, actor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.assembly.Bounds", Bounds)
    world.engine.start()
    world.publish(2)
    world.all_done()
    crashes.planned[actor, ReadStats] = [ValueError] * 3
    for _ in range(2):
        with pytest.raises(EngineError):
            world.engine.refs[actor].ask(ReadStats(), timeout=BOUND_S)

    for call in (world.engine.stats, world.engine.instances, lambda: world.engine.publish(Event("DATA_READY", "X"))):
        with pytest.raises(EngineFailed, match=f"the {actor} failed"):
            call()
    assert len(world.parts.store.newest(status=None, workflow=None, limit=9)) == 2, "its state is intact"
    assert world.engine.stop() == []


def test_an_agent_that_crashes_too_often_is_taken_out_and_the_others_go_on(
    world: World, crashes: Crashes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.assembly.Bounds", Bounds)
    world.engine.start()
    crashes.planned["agent_0", ReadStats] = [ValueError] * 5
    for _ in range(3):
        try:
            world.engine.refs["agent_0"].ask(ReadStats(), timeout=BOUND_S)
        except EngineError:
            continue

    assert world.engine.stats()["supervision"]["taken_out"] == ["agent_0"]
    world.publish(4)
    world.all_done()
    states = {agent["name"]: agent["state"] for agent in world.engine.agents()}
    assert states["agent_0"] not in ("idle", "running")
    assert states["agent_1"] == "idle"


# --- messages that nobody would send -------------------------------------------------------------


def stranger(world: World, actor: str, kind: type) -> None:
    """Send a message of this type that concerns nothing there is: of an older life, or of unknown tasks."""
    message = made(kind)
    if "reply" in {field.name for field in dataclasses.fields(kind)}:
        message = dataclasses.replace(message, reply=world.parts.desk.open()[0])
    world.parts.tell(actor, message)


def made(kind: Any) -> Any:
    """A value of this type that refers to nothing."""
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return None if type(None) in typing.get_args(kind) else made(typing.get_args(kind)[0])
    if origin is tuple:
        return () if typing.get_args(kind)[-1] is Ellipsis else tuple(made(part) for part in typing.get_args(kind))
    if origin is not None:
        return {}
    kind = getattr(kind, "__supertype__", kind)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return next(iter(kind))
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        fields = {field.name: made(hints[field.name]) for field in dataclasses.fields(kind)}
        return kind(**{**fields, **({"agent": "agent_0"} if fields.get("agent") == "" else {})})
    if isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return kind(*[made(hint) for hint in typing.get_type_hints(kind).values()])
    plain: Mapping[Any, Any] = {int: 0, str: "", bool: False, float: 0.0}
    return plain.get(kind)


def test_what_stands_for_no_caller_is_never_made() -> None:
    assert made(ReadStats) == ReadStats(NOBODY)
