"""A handler that hangs in a running engine: another takes the place, or the engine stops itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors import messages
from actors.cli import run
from actors.errors import EngineFailed
from actors.messages import Bootstrap, ReadStats
from actors.seat import Intensity
from actors.status import Status
from actors.supervisor import Bounds
from tests.faults.conftest import BOUND_S, OFTEN, Crashes, World


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What hangs waits for it; it opens at the end."""
    opened = threading.Event()
    yield opened
    opened.set()


@pytest.fixture
def _impatient(crashes: Crashes, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds = Bounds(look_s=0.05, hang_s=0.3, core=OFTEN, agent=OFTEN)
    monkeypatch.setattr("actors.assembly.Bounds", lambda: bounds)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize(
    ("actor", "kind"),
    [
        ("router", messages.Publish),
        ("scheduler", messages.TasksReady),
        ("scheduler", messages.AttemptEnded),
        ("agent_0", messages.RunAttempt),
        ("agent_0", messages.ActionEnded),
    ],
)
def test_what_hangs_is_replaced_and_nothing_is_lost_or_done_twice(
    world: World, crashes: Crashes, gate: threading.Event, actor: str, kind: type
) -> None:
    world.engine.start()
    old = world.parts.supervisor.actors[actor]
    crashes.hanging[actor, kind] = gate
    publishing = threading.Thread(target=world.publish, args=(4,))
    publishing.start()
    assert crashes.happened.acquire(timeout=BOUND_S)

    publishing.join(BOUND_S)
    assert not publishing.is_alive()
    world.all_done()

    assert world.parts.supervisor.actors[actor] is not old
    gate.set()
    assert old.gone(BOUND_S)
    world.publish(4)
    world.all_done()
    assert world.engine.stop() == []


@pytest.mark.usefixtures("_impatient")
def test_a_keeper_that_hangs_fails_the_engine_for_nobody_may_write_beside_it(
    world: World, crashes: Crashes, gate: threading.Event
) -> None:
    world.engine.start()
    world.publish(2)
    world.all_done()
    crashes.hanging["keeper", ReadStats] = gate

    with pytest.raises(EngineFailed, match=r"the keeper failed .*hung"):
        world.engine.stats()

    with pytest.raises(EngineFailed):
        world.publish(1)
    assert len(world.parts.store.newest(status=None, workflow=None, limit=9)) == 2
    gate.set()
    assert world.engine.stop() == []


def test_with_the_bounds_of_every_day_it_is_noticed_within_two_seconds(
    world: World, crashes: Crashes, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.assembly.Bounds", Bounds)
    world.engine.start()
    old = world.parts.supervisor.actors["router"]
    crashes.hanging["router", ReadStats] = gate
    number, answer = world.parts.desk.open()
    world.parts.tell("router", ReadStats(number))
    assert crashes.happened.acquire(timeout=BOUND_S)
    began = time.monotonic()

    answer.get(timeout=BOUND_S)

    assert time.monotonic() - began < 2.0
    assert world.parts.supervisor.actors["router"] is not old


def test_an_engine_that_stops_itself_ends_the_program_with_its_own_status(
    crashes: Crashes, monkeypatch: pytest.MonkeyPatch, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("actors.assembly.Bounds", lambda: Bounds(core=Intensity(1, 60.0)))
    crashes.planned["keeper", Bootstrap] = [ValueError]

    status = run(["start", "--definitions", str(root / "definitions" / "preemption"), "--until-idle"])

    assert status == Status.ENGINE_FAILED
    assert Status.ENGINE_FAILED.value == 70
    assert "the keeper failed" in capsys.readouterr().err


def test_a_commit_has_a_longer_bound_of_its_own(
    world: World, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.assembly.Bounds", lambda: Bounds(look_s=60.0))
    world.engine.start()
    committing = threading.Event()
    commit = world.parts.store.commit

    def commit_slowly(finished: Any, retried: Any) -> None:
        committing.set()
        assert gate.wait(BOUND_S)
        commit(finished, retried)

    monkeypatch.setattr(world.parts.store, "commit", commit_slowly)
    world.publish(1)
    assert committing.wait(BOUND_S)
    now = world.parts.clock.now()

    assert look(world, now, range(100)) == "None", "20 s are no fault"
    assert "hung" in look(world, now, range(100, 200))
    gate.set()
    assert world.engine.stop() == []


def test_what_looks_at_everything_has_a_longer_bound_too(
    world: World, crashes: Crashes, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.assembly.Bounds", lambda: Bounds(look_s=60.0))
    world.engine.start()
    crashes.hanging["keeper", messages.ReadInstances] = gate
    number, answer = world.parts.desk.open()
    world.parts.tell("keeper", messages.ReadInstances(reply=number))
    assert crashes.happened.acquire(timeout=BOUND_S)
    now = world.parts.clock.now()

    assert look(world, now, range(100)) == "None"
    gate.set()
    assert answer.get(timeout=BOUND_S) == ()


def look(world: World, since: int, fifths: range) -> str:
    """Have the watchdog look at these fifths of seconds; return what the engine says of its failure."""
    for fifth in fifths:
        world.parts.supervisor.look(since + fifth * 200_000_000)
    return str(world.parts.failure)
