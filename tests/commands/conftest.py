"""Commands of the command line on a live engine of this process, each with its status and what it printed."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from actors import Engine, Event, RefusedError, cli
from actors.doors import Doors

DEFINITIONS: dict[str, Any] = {
    "workflows": {
        "flow": {
            "tasks": [{"id": "first", "action": "first"}, {"id": "last", "action": "first", "depends_on": ["first"]}]
        },
        "order": {
            "trigger": "manual",
            "tasks": [
                {"id": "send", "action": "held", "timeout": 30, "delivery": "at_most_once", "preemptible": False}
            ],
        },
        "slow": {"trigger": "manual", "tasks": [{"id": "held", "action": "held", "timeout": 60_000}]},
    },
    "settings": {"agents": 2, "on_unknown_entity": "reject"},
}


class Printed(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class CommandLine:
    """Runs commands as ``engine`` would, in this process."""

    def __init__(self, engine: Engine, data: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.engine = engine
        self.data = data
        self._capture = capture

    def __call__(self, *arguments: str) -> Printed:
        self._capture.readouterr()
        status = cli.run([*arguments, "--data-dir", str(self.data)])
        out, err = self._capture.readouterr()
        return Printed(status, out, err)

    @contextmanager
    def prepared_for(self, line: str) -> Iterator[None]:
        """Have there be what the command is to show, and take it away afterwards."""
        if line == "queues":
            self.engine.pause("slow")
            self.engine.put_entity("D", phase="idle")
            waiting = self.engine.run("slow", "D").instances[0]
            yield
            self.engine.cancel(waiting)
            self.engine.resume("slow")
        elif line == "dead":
            with contextlib.suppress(RefusedError):
                self.engine.publish(Event("DATA_READY", "nobody"))
            yield
        elif line.startswith("tap"):
            # An engine at rest takes no messages; this has its router take some.
            over = threading.Event()
            asker = threading.Thread(target=self._ask_until, args=(over,))
            asker.start()
            yield
            over.set()
            asker.join(5)
        else:
            yield

    def _ask_until(self, over: threading.Event) -> None:
        while not over.wait(0.02):
            self.engine.stats()

    def unknown_task(self) -> str:
        """A task whose outcome nobody knows."""
        self.engine.put_entity("U", phase="idle")
        ended = self.engine.wait(self.engine.run("order", "U"), 20)
        assert ended is not None
        return ended.tasks[0].id


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    def held(ctx: Any) -> None:
        ctx.sleep(60)

    live = Engine(DEFINITIONS, actions={"first": lambda ctx: {"名": "平安"}, "held": held})
    doors = Doors(live, tmp_path / "data", None)
    try:
        live.start()
        doors.open()
        yield live
    finally:
        live.stop(grace=0)
        doors.close()


@pytest.fixture
def run(engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(engine, tmp_path / "data", capsys)
