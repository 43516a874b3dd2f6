"""A pause and a drained agent outlive the crash of every actor that knows of them."""

from __future__ import annotations

import pytest

from actors.messages import ReadStats
from tests.faults.conftest import BOUND_S, Crashes, World


@pytest.mark.parametrize("actor", ["keeper", "scheduler", "agent_0"])
def test_what_is_paused_or_drained_is_so_after_a_crash(world: World, crashes: Crashes, actor: str) -> None:
    engine = world.engine.start()
    engine.drain("agent_0")
    engine.pause()
    world.publish(3)
    crashes.planned[actor, ReadStats] = [ValueError]
    world.parts.ask(actor, ReadStats, BOUND_S)
    assert crashes.happened.acquire(timeout=BOUND_S)

    assert {agent["name"]: agent["state"] for agent in engine.agents()} == {"agent_0": "drained", "agent_1": "idle"}
    assert engine.stats()["paused"] == ["*"]
    assert world.actions.runs == []
    engine.resume()
    world.all_done()

    agents = {attempt.agent for one in engine.instances() for task in one.tasks for attempt in task.attempts}
    assert agents == {"agent_1"}
    engine.undrain("agent_0")
    assert [agent["state"] for agent in engine.agents()] == ["idle", "idle"]
