"""A live engine behind its own door, and somebody who types at a shell on it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors import Engine
from actors.client.client import Client
from actors.commands.face import Face
from actors.doors import Doors
from actors.shell.running import Shell
from actors.status import Status

DEFINITIONS: dict[str, Any] = {
    "workflows": {
        "fast": {"tasks": [{"id": "quick", "action": "quick"}]},
        "slow": {"trigger": "manual", "tasks": [{"id": "held", "action": "held", "timeout": 60_000}]},
        "order": {
            "trigger": "manual",
            "tasks": [
                {"id": "send", "action": "held", "timeout": 30, "delivery": "at_most_once", "preemptible": False}
            ],
        },
    },
    "settings": {"agents": 2},
}


class Typed:
    """Lines as a person or a script would give them."""

    def __init__(self, lines: tuple[str, ...], *, interactive: bool) -> None:
        self.interactive = interactive
        self._lines = iter(lines)

    def read(self) -> str | None:
        return next(self._lines, None)

    def close(self) -> None:
        self._lines = iter(())


class Session:
    """Types lines at a shell and keeps what it says: ``said`` on standard output, ``told`` beside it."""

    def __init__(self, live: Engine, socket: Path) -> None:
        self.engine = live
        self.socket = socket
        self.said: list[str] = []
        self.told: list[str] = []
        self.client = Client(socket)
        self.face = Face(client=self.client, say=self._say, complain=self.told.append)

    def _say(self, text: str) -> None:
        self.said.extend(text.split("\n"))

    def type(self, *lines: str, interactive: bool = True, keep_going: bool = False) -> tuple[Status, bool]:
        self.said.clear()
        self.told.clear()
        return Shell(self.face, keep_going=keep_going).run(Typed(lines, interactive=interactive))


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    gate = threading.Event()

    def held(ctx: Any) -> str:
        while not gate.is_set():
            ctx.sleep(0.01)
        return "let go"

    def quick(ctx: Any) -> Any:
        return ctx.event.data if ctx.event else None

    live = Engine(DEFINITIONS, actions={"quick": quick, "held": held})
    doors = Doors(live, tmp_path / "data", None)
    try:
        with live:
            doors.open()
            assert doors.socket is not None
            session = Session(live, doors.socket)
            yield session
            session.client.close()
            gate.set()
    finally:
        doors.close()
