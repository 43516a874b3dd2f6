"""``inspect``: what an actor's logic knows, told by itself, bounded, and without effect on what it knows."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from actors import Event, NotFoundError, RequestError
from actors.views import ChangeType
from tests.engine.conftest import BOUND_S, Watched, one_task

MANY = 120


@pytest.fixture
def busy(start: Callable[..., Watched], tmp_path: Path) -> Watched:
    """One agent at work, and many tasks that wait for it."""
    flow = one_task("wait_for_file", params={"file": str(tmp_path / "go")}, isolation="thread")
    watched = start(flow, agents=1)
    watched.engine.publish_many(Event("DATA_READY", f"{number:06}") for number in range(MANY))
    watched.until(ChangeType.TASK_STARTED)
    return watched


def test_the_scheduler_tells_what_waits_and_what_runs(busy: Watched, tmp_path: Path) -> None:
    shown = busy.engine.inspect("scheduler")

    assert shown["knows"] is True
    assert shown["in_line"]["total"] == MANY - 1
    assert len(shown["in_line"]["first"]) == 50
    assert shown["in_line"]["first"][0]["waiting_ms"] > 0
    (running,) = shown["running"]["first"]
    assert (running["agent"], running["attempt"], running["stopping"]) == ("agent_0", 1, None)
    assert shown["agents"]["first"][0]["task_id"] == running["task_id"]
    assert shown["depth"]["first"] == [{"priority": 2, "depth": MANY - 1}]
    (tmp_path / "go").touch()


def test_the_keeper_tells_of_instances_and_entities(busy: Watched, tmp_path: Path) -> None:
    shown = busy.engine.inspect("keeper")

    assert shown["entities"]["total"] == shown["instances"]["total"] == MANY
    assert shown["instances"]["first"][0]["key"] == MANY
    assert shown["entities"]["first"][0]["id"] == "000000"
    assert shown["entities"]["first"][0]["status"] == "processing"
    (tmp_path / "go").touch()


def test_an_agent_tells_what_it_runs_and_the_router_what_it_has_counted(busy: Watched, tmp_path: Path) -> None:
    agent, router = busy.engine.inspect("agent_0"), busy.engine.inspect("router")

    assert agent["attempts"] == 1
    assert agent["runs"]["task_id"].startswith("task_")
    assert router["counts"]["published"] == MANY
    assert router["waiting"] == {"total": 0, "first": []}
    (tmp_path / "go").touch()


def test_what_is_told_is_json_and_the_engine_goes_on_as_if_nobody_had_asked(busy: Watched, tmp_path: Path) -> None:
    for actor in ("router", "keeper", "scheduler", "agent_0"):
        json.dumps(busy.engine.inspect(actor), allow_nan=False)
    with pytest.raises(NotFoundError, match="no actor 'sheduler'; did you mean 'scheduler'"):
        busy.engine.inspect("sheduler")

    (tmp_path / "go").touch()
    busy.engine.wait_idle(BOUND_S)
    assert busy.engine.stats()["instances"]["completed"] == MANY


def test_a_tap_shows_an_actors_messages_live_until_it_is_ended(start: Callable[..., Watched]) -> None:
    engine = start(one_task("quick", isolation="thread")).engine
    told: SimpleQueue[dict[str, Any]] = SimpleQueue()
    end = engine.tap("keeper", told.put)

    engine.put_entity("600036", name="招商银行", priority=0, phase="elsewhere", data={"text": "x" * 10_000})

    shown = told.get(timeout=BOUND_S)
    assert shown["actor"] == "keeper"
    assert shown["message"] == "PutEntity"
    assert shown["fields"]["seed"]["name"] == "招商银行"
    assert len(shown["fields"]["seed"]["data"]["text"]) == 201
    assert abs(shown["at"] - time.time()) < BOUND_S
    end()
    engine.put_entity("600037")
    engine.put_entity("600038")
    while not told.empty():  # What came before the end.
        assert "60003" not in str(told.get()["fields"].get("seed"))
    for wrong in (0, 10_001, True, 1.5, "7"):
        with pytest.raises(RequestError, match="max_per_s must be a whole number from 1 to 10,000"):
            engine.tap("keeper", told.put, max_per_s=wrong)  # type: ignore[arg-type]
