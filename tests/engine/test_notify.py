"""A service manager is told when the engine is ready, reloads and stops, and its watchdog is fed by the scheduler."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from actors import Engine
from actors.notify import Notifier
from tests.engine.command_line import Running, folder

FLOW = "id: flow\ntasks: [{id: t, run: ['true']}]\n"
BOUND_S = 20.0


class Manager:
    """The manager's end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(BOUND_S)
        self.heard: list[str] = []

    def until(self, word: str) -> None:
        """Listen until the word is said."""
        while True:
            words = self._socket.recv(4096).decode().split("\n")
            self.heard += words
            if word in words:
                return

    def rest(self) -> None:
        """Take what was said before."""
        while not self.silent_for(0.0):
            self.until("WATCHDOG=1")

    def silent_for(self, seconds: float) -> bool:
        return not select.select([self._socket], [], [], seconds)[0]

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    one = Manager(tmp_path / "notify")
    yield one
    one.close()


def test_a_service_manager_is_told_of_start_reload_and_stop(
    tmp_path: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    definitions = folder(tmp_path / "d", workflows=FLOW)
    monkeypatch.setenv("NOTIFY_SOCKET", str(manager.path))
    monkeypatch.setenv("WATCHDOG_USEC", "300000")

    with Running("start", "--definitions", definitions, "--no-http") as running:
        manager.until("READY=1")
        manager.until("WATCHDOG=1")
        ready_with = [word for word in manager.heard if word.startswith("STATUS=")]
        (definitions / "workflows.yaml").write_text(FLOW + "max_concurrent: 3\n")
        running.signal(signal.SIGHUP)
        manager.until("RELOADING=1")
        manager.until("READY=1")
        running.wait_for(": ~flow (what runs keeps its own)")
        running.signal(signal.SIGTERM)
        manager.until("STOPPING=1")

        assert running.end() == 0
    assert ready_with == ["STATUS=2 agents"]


def test_a_reload_with_faults_is_refused_line_by_line_and_the_engine_goes_on(tmp_path: Path) -> None:
    definitions = folder(tmp_path / "d", workflows=FLOW)

    with Running("start", "--definitions", definitions, "--no-http") as running:
        running.wait_for("control API")
        (definitions / "workflows.yaml").write_text("id: flow\ntasks: [{id: t, run: ['true'], depends_on: [x, y]}]\n")
        running.signal(signal.SIGHUP)
        running.wait_for("definitions not reloaded: 2 faults; those of before stay in force")
        running.signal(signal.SIGHUP)
        running.wait_for("definitions not reloaded", times=2)
        running.signal(signal.SIGTERM)

        assert running.end() == 0
        assert sum(f"{definitions / 'workflows.yaml'}:2:" in line for line in running.lines) == 4
    assert not (definitions / ".engine" / "versions").exists()


def test_the_watchdog_starves_when_the_scheduler_stands_still(manager: Manager) -> None:
    held, hold, asked = threading.Event(), threading.Event(), threading.Event()
    notifier = Notifier({"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "30000"})
    with Engine({"id": "f", "tasks": [{"id": "t", "action": "a"}]}, actions={"a": lambda ctx: None}) as engine:
        asks: list[bool] = []

        def ask(tell: Callable[[BaseException | None], object]) -> None:
            asks.append(hold.is_set())

            def stand_still(error: BaseException | None) -> None:
                if hold.is_set():
                    held.set()
                    asked.wait(1.0)  # In the scheduler's turn; below what counts as hanging.
                tell(error)

            engine.pulse(stand_still)

        notifier.feed_from(ask)
        manager.until("WATCHDOG=1")
        hold.set()
        assert held.wait(BOUND_S)
        manager.rest()
        silent, asked_meanwhile = manager.silent_for(0.3), sum(asks)
        asked.set()
        manager.until("WATCHDOG=1")
        notifier.close()
    assert silent
    assert asked_meanwhile == 1  # Who has not answered is not asked again.


def test_without_a_manager_nothing_is_said_and_nothing_is_left() -> None:
    notifier = Notifier({})
    notifier.ready("here")
    notifier.feed_from(lambda tell: tell(None))
    notifier.close()

    assert notifier.watchdog_s == 0.0


def test_a_watchdog_that_is_meant_for_another_process_is_not_fed(manager: Manager) -> None:
    given = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "1000", "WATCHDOG_PID": str(os.getpid() + 1)}
    notifier = Notifier(given)

    assert notifier.watchdog_s == 0.0
    assert given == {}  # What is started from here does not find it.
    notifier.close()
