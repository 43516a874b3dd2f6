"""Whatever can be called can be an action."""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from actors import Engine, Event, action
from tests.engine.conftest import BOUND_S, Watched, one_task

# --- actions of every shape --------------------------------------------------------------------


class Doubler:
    def __init__(self, factor: int) -> None:
        self.factor = factor

    def __call__(self, ctx: Any) -> int:
        return self.factor * int(ctx.event.data)

    def bound(self, ctx: Any) -> int:
        return self(ctx)


def scaled(factor: int, ctx: Any) -> int:
    return factor * int(ctx.event.data)


@action("marked")
def marked(ctx: Any) -> int:
    return 2 * int(ctx.event.data)


SHAPES: dict[str, Callable[..., Any]] = {
    "lambda": lambda ctx: 2 * ctx.event.data,
    "partial": functools.partial(scaled, 2),
    "object": Doubler(2),
    "bound": Doubler(2).bound,
    "marked": marked,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_whatever_can_be_called_can_be_an_action(shape: str) -> None:
    with Engine({"id": "f", "tasks": [{"id": "t", "action": "do"}]}, actions={"do": SHAPES[shape]}) as engine:
        run = engine.wait(engine.publish(Event("DATA_READY", "X", data=21)), BOUND_S)

    assert run is not None
    assert run.tasks[0].result == 42


def test_a_marked_function_is_an_ordinary_function() -> None:
    class Fake:
        event = Event("DATA_READY", "X", data=4)

    assert marked(Fake()) == 8


def segfault(ctx: Any) -> None:
    if ctx.attempt < 3:
        os.kill(os.getpid(), signal.SIGSEGV)


def test_a_segfault_costs_one_attempt_and_no_retry(start: Callable[..., Watched]) -> None:
    engine = start(one_task("segfault", isolation="process"), actions={"segfault": segfault}, agents=1).engine

    run = engine.wait(engine.publish(Event("DATA_READY", "X")), BOUND_S)

    assert run is not None
    assert (run.status, run.tasks[0].infra_losses, run.tasks[0].retries) == ("completed", 2, 0)
