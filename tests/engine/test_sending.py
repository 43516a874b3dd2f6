"""``send``: any message of any actor's protocol, by name and plain fields; whatever is sent, the engine goes on."""

from __future__ import annotations

import json
import typing
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors import Engine, EngineStopped, Error, Event, NotFoundError, RefusedError, RequestError
from actors.codec import encode
from actors.protocol import OPEN, message_from, takes
from tests.engine import engine_actions
from tests.engine.conftest import BOUND_S, Watched, one_task
from tests.protocol.strategies import JSON, of

ACTORS = ("router", "keeper", "scheduler", "agent_0")


@pytest.fixture
def running() -> Iterator[Engine]:
    """An engine that must be unharmed at the end."""
    with Engine(one_task("quick", isolation="thread"), agents=2, actions={"quick": engine_actions.quick}) as engine:
        yield engine
        assert_unharmed(engine)


def assert_unharmed(engine: Engine) -> None:
    """It runs what is asked of it, and no actor has crashed meanwhile."""
    assert engine.stats()["supervision"]["restarts"] == {}
    assert engine.stats()["supervision"]["quarantines"] == 0
    engine.resume()
    engine.resume("flow")
    for agent in engine.agents():
        engine.undrain(agent["name"])
    instance = engine.wait(engine.run("flow", "afterwards"), BOUND_S)
    assert instance is not None
    assert instance.status == "completed"


def test_a_message_is_sent_and_its_answer_is_plain_json(running: Engine) -> None:
    entity = running.send("keeper", "PutEntity", {"seed": {"id": "600036", "name": "招商银行", "priority": 0}})
    (answer,) = running.send("router", "Publish", {"events": [{"type": "DATA_READY", "entity_id": "600036"}]})
    ended = running.send("keeper", "AwaitReceipt", {"receipt": answer["receipt"]}, timeout=BOUND_S)
    id = ended if isinstance(ended, str) else ended["id"]

    assert entity["name"] == "招商银行"
    assert running.wait(id, BOUND_S).status == "completed"  # type: ignore[union-attr]
    assert running.send("keeper", "ReadInstance", {"id": id}) is None
    assert [agent["name"] for agent in running.send("scheduler", "ReadQueues")["agents"]] == ["agent_0", "agent_1"]
    assert running.send("agent_1", "ReadStats")["incarnation"] == 1


@pytest.mark.parametrize(
    ("actor", "message", "fields", "error", "said"),
    [
        ("keper", "Cancel", {}, NotFoundError, "no actor 'keper'; did you mean 'keeper'?"),
        ("agent_7", "ReadStats", {}, NotFoundError, "no actor 'agent_7'; did you mean 'agent_1'?"),
        (
            "nobody",
            "Cancel",
            {},
            NotFoundError,
            "no actor 'nobody'; there are: router, keeper, scheduler, agent_0, agent_1",
        ),
        ("scheduler", "Nope", {}, NotFoundError, "takes no message 'Nope'; it takes: ReadQueues, ReadStats, Inspect"),
        (None, "ReadStats", {}, NotFoundError, "no actor null"),
        ("keeper", "Cancle", {}, NotFoundError, "the keeper takes no message 'Cancle'; did you mean 'Cancel'?"),
        ("keeper", "Cancel", {"id": "nothing"}, NotFoundError, "no unfinished instance or task 'nothing'"),
        ("keeper", "Cancel", {"id": 3}, RequestError, "Cancel: id must be text, not 3"),
        ("keeper", "SetPriority", {"id": "x", "priority": -1}, RequestError, "a priority is a whole number from 0"),
        ("keeper", "ResolveTask", {"id": "x", "outcome": "faild"}, RequestError, "outcome 'faild': say one of"),
        ("keeper", "RunWorkflow", {"workflow": "flow", "entity": "a/b"}, RequestError, "an entity's id is text"),
        ("keeper", "PutEntity", {"seed": {"id": ""}}, RequestError, "an entity's id is text"),
        ("keeper", "ReadInstances", {"limit": 10**9}, RequestError, "limit is at most 10,000"),
        (
            "router",
            "Publish",
            {"events": [{"type": "NOPE", "entity_id": "x"}]},
            RequestError,
            "unknown event type 'NOPE'; known are: ",
        ),
        ("scheduler", "StopAgents", {"grace": 0}, RefusedError, "StopAgents is told by the engine's own parts"),
    ],
)
def test_what_cannot_be_taken_is_refused_in_a_sentence(
    running: Engine, actor: Any, message: Any, fields: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error) as refusal:
        running.send(actor, message, fields, timeout=BOUND_S)

    assert type(refusal.value) is error
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_an_answer_is_waited_for_no_longer_than_asked(start: Callable[..., Watched]) -> None:
    engine = start(one_task("quick", isolation="thread")).engine
    engine.pause("flow")
    receipt = engine.publish(Event("DATA_READY", "X"))

    with pytest.raises(TimeoutError):
        engine.send("keeper", "AwaitInstance", {"id": receipt.instances[0]}, timeout=0.05)
    for wrong in (0, -1, True, "1", float("nan")):
        with pytest.raises(RequestError, match="timeout must be seconds"):
            engine.send("keeper", "ReadStats", timeout=wrong)  # type: ignore[arg-type]


def test_what_is_unsafe_is_sent_when_that_is_said_and_is_logged(
    start: Callable[..., Watched], caplog: pytest.LogCaptureFixture
) -> None:
    engine = start(one_task("quick", isolation="thread")).engine
    fields = {"workflow": "flow", "held": True}

    with pytest.raises(RefusedError, match="say unsafe"):
        engine.send("scheduler", "HoldWorkflow", fields)
    assert engine.send("scheduler", "HoldWorkflow", fields, unsafe=True) is None

    (line,) = [record.getMessage() for record in caplog.records if "unsafe" in record.getMessage()]
    assert "actor=scheduler" in line
    assert "HoldWorkflow(workflow='flow', held=True)" in line
    receipt = engine.run("flow", "X")
    with pytest.raises(TimeoutError):
        engine.wait(receipt, 0.2)
    engine.send("scheduler", "HoldWorkflow", {**fields, "held": False}, unsafe=True)
    assert engine.wait(receipt, BOUND_S).status == "completed"  # type: ignore[union-attr]


def test_nothing_is_sent_to_an_engine_that_does_not_run() -> None:
    engine = Engine(one_task("quick", isolation="thread"), actions={"quick": engine_actions.quick})

    assert [each["name"] for each in engine.protocol("agent_4")][:1] == ["RunAttempt"]
    with pytest.raises(EngineStopped):
        engine.send("keeper", "ReadStats")


# --- whatever is sent ----------------------------------------------------------------------------


def _sent(actor: str) -> st.SearchStrategy[tuple[str, str, Any]]:
    """A message of the actor's, with fields of any kind."""
    kinds = takes(actor)
    names = st.sampled_from(list(kinds))
    hints = {name: list(typing.get_type_hints(kind)) or ["x"] for name, kind in kinds.items()}
    return names.flatmap(
        lambda name: st.tuples(
            st.just(actor), st.just(name), JSON | st.dictionaries(st.sampled_from(hints[name]), JSON, max_size=4)
        )
    )


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(ACTORS).flatmap(_sent))
def test_whatever_json_is_sent_is_answered_or_refused(running: Engine, sent: tuple[str, str, Any]) -> None:
    actor, name, fields = sent

    _send(running, actor, name, fields)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(ACTORS).flatmap(_sent))
def test_what_does_not_fit_is_refused_though_unsafe_is_said(running: Engine, sent: tuple[str, str, Any]) -> None:
    actor, name, fields = sent
    try:
        message_from(actor, name, fields, may_be_unsafe=True)
    except RequestError:
        with pytest.raises(RequestError):
            running.send(actor, name, fields, unsafe=True, timeout=0.2)


WELL_TYPED = [
    (actor, kind) for actor in ACTORS for kind in OPEN.get(actor, OPEN["agent"]) if "Await" not in kind.__name__
]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(WELL_TYPED).flatmap(lambda each: st.tuples(st.just(each[0]), of(each[1]))))
def test_whatever_open_message_of_the_right_types_is_sent_harms_nothing(running: Engine, sent: tuple[str, Any]) -> None:
    actor, message = sent
    fields = encode(message)
    fields.pop("reply", None)

    _send(running, actor, type(message).__name__, fields)


def _send(engine: Engine, actor: str, name: str, fields: Any) -> None:
    try:
        answer = engine.send(actor, name, fields, timeout=0.2)
    except (Error, TimeoutError) as error:
        assert "\n" not in str(error)  # noqa: PT017 - Refusing is one of two right answers.
    else:
        json.dumps(answer, allow_nan=False)
    assert engine.stats()["supervision"]["restarts"] == {}
