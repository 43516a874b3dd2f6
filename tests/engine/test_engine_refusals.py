"""What is refused at the edge, by name; the engine runs on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from actors import Engine, Event
from actors.errors import RequestError
from actors.messages import ChangesMade, ReadQueues
from tests.engine.conftest import ACTIONS, BOUND_S, Watched, one_task

# --- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize("agents", [0, -1, 2.5, "5", True])
def test_a_number_of_agents_that_is_none_is_refused(agents: Any) -> None:
    with pytest.raises(RequestError, match="agents"):
        Engine(one_task("quick"), actions=ACTIONS, agents=agents)


def test_publishing_nothing_is_answered_with_nothing(start: Callable[..., Watched]) -> None:
    assert start(one_task("quick", isolation="thread")).engine.publish_many([]) == []


def test_a_handle_asks_only_what_has_an_answer(start: Callable[..., Watched]) -> None:
    refs = start(one_task("quick", isolation="thread")).engine.refs

    assert [agent["state"] for agent in refs["scheduler"].ask(ReadQueues())["agents"]] == ["idle"] * 5
    with pytest.raises(RequestError, match="tell it instead"):
        refs["router"].ask(ChangesMade(()))


@pytest.mark.parametrize("params", [["a"], {"a": {1}}, {"a": float("inf")}, {1: 2}])
def test_bad_params_of_a_start_by_hand_are_refused_and_nothing_starts(
    start: Callable[..., Watched], params: Any
) -> None:
    engine = start(one_task("quick", isolation="thread")).engine

    with pytest.raises(RequestError, match="params"):
        engine.run("flow", "X", params)

    assert engine.instances() == []


@pytest.mark.parametrize("entity", ["", "a/b", "x" * 300, "tab\t", " padded", 7, None])
def test_an_entitys_id_is_checked_wherever_it_is_given(start: Callable[..., Watched], entity: Any) -> None:
    engine = start(one_task("quick", isolation="thread")).engine

    for call in (lambda: engine.put_entity(entity), lambda: engine.run("flow", entity)):
        with pytest.raises(RequestError, match="id"):
            call()

    assert engine.entities() == ()


@pytest.mark.parametrize("name", [None, 5, ["X"], {}, b"X"])
def test_a_name_that_is_no_text_is_refused_and_the_engine_runs_on(start: Callable[..., Watched], name: Any) -> None:
    engine = start(one_task("quick", isolation="thread")).engine
    wrong: Any = name or 5  # Here None stands for every one.
    calls: list[Callable[[], object]] = [
        lambda: engine.run(name, "X"),
        lambda: engine.entity(name),
        lambda: engine.instance(name),
        lambda: engine.instances(workflow=wrong),
        lambda: engine.wait(name, 1),
        lambda: engine.cancel(name),
        lambda: engine.set_priority(name, 1),
        lambda: engine.pause(wrong),
        lambda: engine.resume(wrong),
        lambda: engine.why(name),
        lambda: engine.retry(name),
        lambda: engine.drain(name),
        lambda: engine.undrain(name),
        lambda: engine.retry_dead_letter(name),
        lambda: engine.drop_dead_letter("1"),  # type: ignore[arg-type]
        lambda: engine.resolve(name, "completed"),
        lambda: engine.resolve("X", name),
        lambda: engine.instances(status=wrong),
    ]

    for call in calls:
        with pytest.raises(RequestError):
            call()

    assert engine.wait(engine.publish(Event("DATA_READY", "X")), BOUND_S) is not None
