"""What handles take: messages of the actor's protocol whose fields are of their types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from actors import Event, RequestError
from actors.messages import Cancel, ChangePriority, Publish, PutEntity, RunWorkflow, TasksReady
from actors.model import AttemptId, EntityId, EntitySeed, TaskKey, WorkflowId
from actors.typed import fits
from tests.engine.conftest import BOUND_S, Watched, one_task

WRONG: list[tuple[str, Any, str]] = [
    ("keeper", PutEntity(None), "seed takes EntitySeed, not a NoneType"),  # type: ignore[arg-type]
    ("keeper", PutEntity(EntitySeed(7)), "seed takes EntitySeed"),  # type: ignore[arg-type]
    ("keeper", Cancel(7), "id takes str, not a int"),  # type: ignore[arg-type]
    ("keeper", RunWorkflow(WorkflowId("w"), EntityId("x"), params=[1]), "params takes"),  # type: ignore[arg-type]
    ("router", Publish((Event("DATA_READY", "X"), "Y")), "events takes"),  # type: ignore[arg-type]
    ("scheduler", ChangePriority(TaskKey(1), True), "priority takes"),
    ("scheduler", TasksReady(((1, 2),)), "tasks takes"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("actor", "message", "said"), WRONG, ids=[type(m).__name__ + s[:12] for _, m, s in WRONG])
def test_a_message_with_a_field_of_another_type_is_refused_and_harms_nothing(
    start: Callable[..., Watched], actor: str, message: Any, said: str
) -> None:
    engine = start(one_task("quick", isolation="thread")).engine

    with pytest.raises(RequestError, match=said):
        engine.refs[actor].tell(message)

    assert engine.wait(engine.publish(Event("DATA_READY", "Y")), BOUND_S) is not None


def test_every_part_of_a_container_is_looked_at() -> None:
    assert fits((AttemptId(TaskKey(1), 2),), tuple[AttemptId, ...])
    assert not fits((AttemptId(TaskKey(1), 2), None), tuple[AttemptId, ...])
    assert fits((0.5, "x"), tuple[float, str] | None)
    assert fits(None, tuple[float, str] | None)
    assert not fits((0.5,), tuple[float, str] | None)
    assert not fits({"a": "b"}, dict[str, int])
    assert not fits(True, int)
