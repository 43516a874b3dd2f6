"""The control API under load: events a second by the batch route, streams that are read and not read, pages.

The engine and its API are in this process, every client is in another.
"""

from __future__ import annotations

import contextlib
import gc
import http.client
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from actors import Engine, Event
from actors.data_dir import DataDir
from actors.server.control import Control
from tests.benchmarks import paging
from tests.benchmarks.bars import Bar, spread

EVENTS = 200_000
ENTITIES = 1_000
GOAL = 20_000
REPEATS = 200
PAUSE_S = 0.02
STREAMS = 50
NEVER_READ = 10
CHANGES_S = 10.0
DAY_MS = 86_400_000


def batch() -> list[Bar]:
    """Accepted events a second, and how fast urgent work starts meanwhile."""
    with _engine() as engine, _served(engine) as path:
        _urgent(engine, 20)
        quiet = _urgent(engine, REPEATS)
        unhindered = _load(path, EVENTS, 0)
        rate = unhindered["accepted"] / unhindered["seconds"]
        sender = _loading(path, EVENTS // 2, min(GOAL, rate * 0.9))
        time.sleep(1.0)
        busy = _urgent(engine, REPEATS, until_ended=sender)
        paced = _told(sender)
        engine.pause("noise")
        merging = _load(path, EVENTS // 2, 0, "NOISE")
    print(f"urgent work without load: {spread(quiet, 'ms')}")
    print(f"urgent work beside {paced['accepted'] / paced['seconds']:,.0f} events/s: {spread(busy, 'ms')}")
    return [
        Bar("API: events accepted by the batch route", rate, "events/s", GOAL, at_least=True),
        Bar(
            f"  urgent beside {paced['accepted'] / paced['seconds']:,.0f} events/s",
            statistics.median(busy),
            "ms",
            baseline=f"{statistics.median(quiet):.2f} ms without",
        ),
        Bar("  its 95th of 100", _p95(busy), "ms", baseline=f"{_p95(quiet):.2f} ms without"),
        Bar("  accepted, each merged into an instance", merging["accepted"] / merging["seconds"], "events/s"),
    ]


def streams() -> list[Bar]:
    """Fifty who follow all changes, ten of whom never read."""
    with _engine() as engine, _served(engine) as path:
        _urgent(engine, 20)
        noise = _Noise(engine)
        noise.make(1.0)
        quiet = _urgent(engine, REPEATS, noise=noise)
        followers = [_follow(path) for _ in range(NEVER_READ)]
        readers = _reading(path, STREAMS - NEVER_READ)
        try:
            noise.make(3.0)
            gc.collect()
            before = _rss_mb()
            busy = _urgent(engine, REPEATS, noise=noise)
            noise.make(CHANGES_S)
            gc.collect()
            grown = _rss_mb() - before
            assert readers.poll() is None, "a stream ended"
        finally:
            for one in followers:
                one.close()
            readers.kill()
            readers.communicate()
    print(f"urgent work without streams: {spread(quiet, 'ms')}")
    print(f"urgent work beside {STREAMS} streams: {spread(busy, 'ms')}; {noise.made:,} instances made")
    ratio = statistics.median(busy) / statistics.median(quiet)
    return [
        Bar(f"API: urgent beside {STREAMS} streams, {NEVER_READ} never read", ratio, "times", 1.5),
        Bar("  its 95th of 100", _p95(busy), "ms", baseline=f"{_p95(quiet):.2f} ms without"),
        Bar("  memory grown meanwhile", grown, "MB", 8),
    ]


def pages() -> list[Bar]:
    """The newest 100 of 100,000 instances, as JSON over the socket."""
    with paging._engine() as engine, _served(engine) as path:
        paging._publish(engine)
        engine.wait_idle(paging.IDLE_S)
        times = []
        for _ in range(50):
            began = time.perf_counter()
            items = json.loads(_get(path, "/v1/instances?limit=100"))["items"]
            times.append((time.perf_counter() - began) * 1000)
            assert len(items) == 100
    print(f"a page of 100: {spread(times, 'ms')}")
    return [Bar("API: list of 100 of 100,000 instances", statistics.median(times), "ms", 20)]


# --- the engine ----------------------------------------------------------------------------------


def quick(_: Any) -> int:
    """Say when it began."""
    return time.monotonic_ns()


def waits(ctx: Any) -> None:
    while True:
        ctx.sleep(10)


def _engine() -> Engine:
    def task(id: str, action: str) -> list[dict[str, Any]]:
        return [{"id": id, "action": action, "isolation": "thread", "timeout": DAY_MS}]

    return Engine(
        {
            "settings": {"event_types": ["TICK", "URGENT", "NOISE"], "max_finished": 1_000},
            "workflows": [
                {"id": "background", "priority": 5, "trigger": "manual", "tasks": task("work", "waits")},
                {"id": "urgent", "priority": 0, "trigger_event": "URGENT", "tasks": task("act", "quick")},
                {"id": "noise", "priority": 3, "trigger_event": "NOISE", "tasks": task("hum", "quick")},
            ],
        },
        actions={"quick": quick, "waits": waits},
        agents=5,
    )


@contextlib.contextmanager
def _served(engine: Engine) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        data = DataDir.open(Path(folder) / "data")
        control = Control(engine, data, None)
        control.start()
        try:
            yield str(data.listens_at)
        finally:
            control.close()
            data.close()


class _Noise:
    """Instances that come and go: each tells some eight changes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.made = 0

    def some(self) -> None:
        events = [Event("NOISE", f"n{(self.made + n) % 50}", priority=3) for n in range(10)]
        self._engine.publish_many(events)
        self.made += 10

    def make(self, seconds: float) -> None:
        """For so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.some()
            time.sleep(PAUSE_S)


def _urgent(
    engine: Engine, repeats: int, *, until_ended: subprocess.Popen[str] | None = None, noise: _Noise | None = None
) -> list[float]:
    """Milliseconds from an urgent event to its action's first line, an agent being free."""
    found = []
    for number in range(repeats):
        if until_ended is not None and until_ended.poll() is not None:
            break
        if noise is not None:
            noise.some()
        time.sleep(PAUSE_S)
        began = time.monotonic_ns()
        run = engine.wait(engine.publish(Event("URGENT", f"u{number % 7}", priority=0)), 20)
        assert run is not None
        result = run.tasks[0].result
        assert isinstance(result, int)
        found.append((result - began) / 1e6)
    return found


# --- the clients ---------------------------------------------------------------------------------


def _loading(path: str, events: int, rate: float, type_: str = "TICK") -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.benchmarks.loading", path, str(events), str(rate), type_, str(ENTITIES)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _told(sender: subprocess.Popen[str]) -> dict[str, float]:
    out, _ = sender.communicate(timeout=120)
    found: dict[str, float] = json.loads(out)
    return found


def _load(path: str, events: int, rate: float, type_: str = "TICK") -> dict[str, float]:
    return _told(_loading(path, events, rate, type_))


def _follow(path: str) -> socket.socket:
    """One who never reads."""
    opened = socket.socket(socket.AF_UNIX)
    opened.connect(path)
    opened.sendall(b"GET /v1/changes HTTP/1.1\r\nHost: engine\r\n\r\n")
    return opened


READER = """
import selectors, socket, sys
all_of_them = selectors.DefaultSelector()
for _ in range(int(sys.argv[2])):
    one = socket.socket(socket.AF_UNIX)
    one.connect(sys.argv[1])
    one.sendall(b"GET /v1/changes HTTP/1.1\\r\\nHost: engine\\r\\n\\r\\n")
    all_of_them.register(one, selectors.EVENT_READ)
print("follows", flush=True)
while True:
    for key, _ in all_of_them.select():
        if not key.fileobj.recv(1 << 20):
            sys.exit("a stream ended")
"""


def _reading(path: str, number: int) -> subprocess.Popen[str]:
    """A process with so many streams that it reads as they come."""
    started = subprocess.Popen([sys.executable, "-c", READER, path, str(number)], stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    assert started.stdout.readline() == "follows\n"
    return started


def _get(path: str, target: str) -> bytes:
    connection = http.client.HTTPConnection("engine")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(path)
    try:
        connection.request("GET", target)
        return connection.getresponse().read()
    finally:
        connection.close()


def _p95(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.95)]


def _rss_mb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024
