"""Commands of the command line on a live engine of this process, each with its status and what it printed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from actors import Engine, cli
from actors.doors import Doors

DEFINITIONS: dict[str, Any] = {
    "workflows": {
        "flow": {
            "tasks": [{"id": "first", "action": "first"}, {"id": "last", "action": "first", "depends_on": ["first"]}]
        },
        "slow": {"trigger": "manual", "tasks": [{"id": "held", "action": "held", "timeout": 60_000}]},
    },
    "settings": {"agents": 2},
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
