"""Looking into an engine whose actors crash and hang: taps go on, and who hangs is still shown."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import pytest

from actors import EngineError, messages
from actors.supervisor import Bounds
from tests.faults.conftest import BOUND_S, OFTEN, Crashes, World


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What hangs waits for it; it opens at the end."""
    opened = threading.Event()
    yield opened
    opened.set()


def _shown(world: World, name: str) -> dict[str, Any]:
    (shown,) = [each for each in world.engine.actors() if each["name"] == name]
    return shown


def test_an_actor_that_hangs_is_shown_and_a_tap_goes_on_with_the_one_in_its_place(
    world: World, crashes: Crashes, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.assembly.Bounds", lambda: Bounds(look_s=0.05, hang_s=0.5, core=OFTEN, agent=OFTEN))
    world.engine.start()
    told: SimpleQueue[dict[str, Any]] = SimpleQueue()
    world.engine.tap("scheduler", told.put, max_per_s=10_000)
    crashes.hanging["scheduler", messages.TasksReady] = gate
    world.publish(1)
    assert crashes.happened.acquire(timeout=BOUND_S)

    hanging = _shown(world, "scheduler")
    deadline = time.monotonic() + BOUND_S
    while _shown(world, "scheduler")["generation"] == 0 and time.monotonic() < deadline:
        hanging = max(hanging, _shown(world, "scheduler"), key=lambda shown: float(shown["oldest_waiting_ms"]))

    assert hanging["state"] == "busy"
    assert hanging["oldest_waiting_ms"] > 100
    world.all_done()
    assert _shown(world, "scheduler")["restarts"] >= 1
    assert world.engine.inspect("scheduler")["knows"] is True
    heard = iter(lambda: told.get(timeout=BOUND_S)["message"], None)
    assert "SchedulerRestored" in heard  # What the new actor asked for.
    gate.set()


@pytest.mark.parametrize("actor", ["router", "keeper", "scheduler", "agent_0"])
def test_a_look_that_crashes_the_actor_is_refused_and_the_engine_goes_on(
    world: World, crashes: Crashes, actor: str
) -> None:
    world.engine.start()
    world.publish(2)
    crashes.planned[actor, messages.Inspect] = [ValueError, ValueError]

    with pytest.raises(EngineError, match=f"the {actor} could not handle Inspect"):
        world.engine.inspect(actor)

    world.publish(2)
    world.all_done()
    assert world.engine.inspect(actor) is not None
    assert _shown(world, actor)["quarantined"] == 1
