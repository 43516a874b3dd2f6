"""Engines for the tests of this folder, and waiting for what they come to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from actors import Engine, cli
from actors.views import ChangeType, StateChanged
from tests.engine import engine_actions
from tests.engine.simulated import Ended, Simulate

ACTIONS: dict[str, Callable[..., Any]] = {
    name: getattr(engine_actions, name)
    for name in (
        "quick", "wait_for_file", "tell_and_wait", "count", "fail_until", "fail_for_good", "crash", "sleep", "spin",
        "wait_async", "returns_a_set",
    )
}  # fmt: skip
BOUND_S = 20.0


class Watched:
    """An engine and the changes it told of."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.changes: list[StateChanged] = []
        self._more = threading.Condition()
        engine.subscribe(self._take)

    def _take(self, change: StateChanged) -> None:
        with self._more:
            self.changes.append(change)
            self._more.notify_all()

    def until(self, type_: ChangeType, times: int = 1, **fields: str) -> list[StateChanged]:
        """Wait until so many changes of this type and these fields have been told; return them."""

        def found() -> list[StateChanged]:
            return [
                change
                for change in self.changes
                if change.type is type_ and all(getattr(change, name) == value for name, value in fields.items())
            ]

        with self._more:
            assert self._more.wait_for(lambda: len(found()) >= times, BOUND_S), f"no {times} of {type_} {fields}"
            return found()

    def soon(self, holds: Callable[[], bool]) -> None:
        """Wait until this holds, of which no change of state tells."""
        deadline = time.monotonic() + BOUND_S
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.005)


@pytest.fixture
def start() -> Iterator[Callable[..., Watched]]:
    """``start(definitions, agents=…)`` starts an engine; all are stopped, at once, at the end."""
    engines: list[Engine] = []

    def start_one(definitions: Mapping[str, Any], **options: Any) -> Watched:
        engine = Engine(definitions, actions={**ACTIONS, **options.pop("actions", {})}, **options)
        engines.append(engine)
        engine.start()
        return Watched(engine)

    yield start_one
    for engine in engines:
        engine.stop(grace=0.0)


def one_task(action: str, **fields: Any) -> dict[str, Any]:
    """A workflow ``flow`` of the one task ``task``."""
    return {"id": "flow", "tasks": [{"id": "task", "action": action, "timeout": 60_000, **fields}]}


@pytest.fixture
def simulate(capsys: pytest.CaptureFixture[str]) -> Simulate:
    """Run the command in this process."""

    def run(*arguments: str | Path) -> Ended:
        status = cli.run(["simulate", *map(str, arguments)])
        return Ended(status, *capsys.readouterr())

    return run
