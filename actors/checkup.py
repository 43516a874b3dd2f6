"""What an engine needs here, looked at one by one: what is installed, writable and reachable, and what to do.

Each check is a function that returns findings and changes nothing that lasts.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import resource
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from actors.errors import DefinitionError, EngineUnreachable, Error
from actors.extras import missing_extra

MIN_FREE_BYTES = 100 * 1024 * 1024
MIN_FILES = 256
"""Open files for a few agents: each worker process takes two."""
MAX_NAMED = 5


class State(StrEnum):
    OK = "ok"
    OFF = "off"
    """Not there, and only needed for something that one may do without."""
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    state: State
    is_so: str
    do: str = ""
    """What to do about it, as one sentence."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose engine is looked at."""

    definitions: Path
    data: Path


def findings(asked: Asked) -> Iterator[Finding]:
    """Everything, as it is looked at. A check that breaks is a finding too."""
    for check in CHECKS:
        try:
            yield from check(asked)
        except Exception as error:  # noqa: BLE001 - whatever it is: the other checks are to be made
            yield Finding(check.__name__.strip("_"), State.FAIL, f"the check itself failed: {error!r}"[:300])


def _python(asked: Asked) -> Iterator[Finding]:  # noqa: ARG001 - every check has this face
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.platform == "win32":
        yield Finding("system", State.FAIL, "Windows", "run this in WSL (Windows Subsystem for Linux)")
    elif sys.platform != "linux":
        yield Finding("system", State.WARN, sys.platform, "tasks cannot be suspended here; on Linux they can")
    else:
        yield Finding("system", State.OK, f"Linux {os.uname().release}")
    good = sys.version_info >= (3, 11)
    yield Finding("python", State.OK if good else State.FAIL, f"{version} ({sys.executable})", "" if good else
                  "use Python 3.11 or newer")  # fmt: skip


_CORE = ("pykka", "yaml", "structlog", "pydantic", "cel")
_EXTRAS = {
    "server": ("click", "rich", "prompt_toolkit", "fastapi", "uvicorn", "jinja2", "prometheus_client"),
    "sql": ("sqlalchemy",),
    "postgres": ("psycopg",),
    "ray": ("ray",),
}
_FOR = {"server": "The command line", "sql": "SQLite", "postgres": "PostgreSQL", "ray": "A Ray cluster"}
_NAMES = {"yaml": "pyyaml", "cel": "common-expression-language", "prometheus_client": "prometheus-client"}


def _packages(asked: Asked) -> Iterator[Finding]:  # noqa: ARG001
    missing = [name for name in _CORE if importlib.util.find_spec(name) is None]
    if missing:
        named = " ".join(_NAMES.get(name, name) for name in missing)
        yield Finding("core packages", State.FAIL, f"missing: {named}", f"{sys.executable} -m pip install {named}")
    else:
        yield Finding("core packages", State.OK, _versions(_CORE))
    for extra, names in _EXTRAS.items():
        missing = [name for name in names if importlib.util.find_spec(name) is None]
        if not missing:
            yield Finding(f"extra '{extra}'", State.OK, _versions(names))
            continue
        cure = str(missing_extra(extra, _FOR[extra], missing[0]))
        state = State.FAIL if extra == "server" else State.OFF
        yield Finding(f"extra '{extra}'", state, f"missing: {' '.join(missing)}", cure)


def _versions(names: Sequence[str]) -> str:
    found = []
    for name in names:
        try:
            found.append(f"{name} {importlib.metadata.version(_NAMES.get(name, name))}")
        except importlib.metadata.PackageNotFoundError:
            found.append(name)
    return ", ".join(found)


def _definitions(asked: Asked) -> Iterator[Finding]:
    from actors.definitions import load

    try:
        found = load(asked.definitions)
    except DefinitionError as error:
        some = "; ".join(str(fault) for fault in error.faults[:MAX_NAMED])
        cure = f"engine validate {asked.definitions} names all of them"
        yield Finding("definitions", State.FAIL, f"{len(error.faults)} faults: {some}", cure)
        return
    tasks = sum(len(workflow.tasks) for workflow in found.workflows.values())
    text = f"{asked.definitions}: {len(found.workflows)} workflows, {tasks} tasks, version {found.version}"
    yield Finding("definitions", State.OK, text)
    programs = {task.run[0] for workflow in found.workflows.values() for task in workflow.tasks if task.run}
    gone = sorted(name for name in programs if not name.startswith("./") and shutil.which(name) is None)
    if gone:
        yield Finding("commands", State.WARN, f"not found: {', '.join(gone[:MAX_NAMED])}", "install them, or set PATH")


def _data(asked: Asked) -> Iterator[Finding]:
    from actors.data_dir import MAX_SOCKET_BYTES, SOCKET, alive, find

    path = asked.data
    there = next(above for above in (path, *path.parents) if above.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        yield Finding("data directory", State.FAIL, f"{path} cannot be written", "name another with --data")
        return
    far = len(os.fsencode(path.absolute() / SOCKET)) > MAX_SOCKET_BYTES
    note = " (its path is too long for a socket, which is made in the runtime directory)" if far else ""
    yield Finding("data directory", State.OK, f"{path}{note}")
    if not alive(path):
        yield Finding(
            "engine", State.OFF, "none runs here", f"start one: engine start --definitions {asked.definitions}"
        )
        return
    about = find(path, asked.definitions)
    yield _reached(about["socket"], int(about["pid"]))


def _reached(where: str, pid: int) -> Finding:
    try:
        from actors.client.client import Client

        with Client(where) as client:
            client.health()
    except (EngineUnreachable, ImportError, Error) as error:
        cure = f"see what it does (its log; 'py-spy dump --pid {pid}'), or end it: kill {pid}"
        return Finding("engine", State.FAIL, f"pid {pid} does not answer on {where}: {error}", cure)
    return Finding("engine", State.OK, f"pid {pid} answers on {where}")


def _processes(asked: Asked) -> Iterator[Finding]:  # noqa: ARG001
    from actors.clock import SystemClock
    from actors.runners.processes import ProcessRunner

    clock = SystemClock()
    runner = ProcessRunner({}, clock=clock, paths=sys.path)
    began = time.monotonic()
    try:
        runner.warm()
        took = (time.monotonic() - began) * 1000
        yield Finding("worker processes", State.OK, f"the first was ready after {took:.0f} ms")
    except Error as error:
        yield Finding("worker processes", State.FAIL, str(error), "actions in processes cannot run here until they can")
    finally:
        runner.close(clock.now() + 2_000_000_000)


def _room(asked: Asked) -> Iterator[Finding]:  # noqa: ARG001
    where = tempfile.gettempdir()
    free = shutil.disk_usage(where).free
    text = f"{where}: {free / 1e9:.1f} GB free"
    cure = "make room, or set TMPDIR to where there is some"
    yield Finding("temporary files", *((State.OK, text) if free >= MIN_FREE_BYTES else (State.FAIL, text, cure)))
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    text = f"{files} at once"
    cure = f"raise it: ulimit -n {min(4096, most if most > 0 else 4096)}"
    yield Finding("open files", *((State.OK, text) if files >= MIN_FILES else (State.WARN, text, cure)))


def _port(asked: Asked) -> Iterator[Finding]:
    from actors.addresses import DEFAULT_PORT

    where = _own_address(asked)
    if where:
        yield Finding("HTTP", State.OK, f"the engine that runs here has {where}")
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", DEFAULT_PORT))
        except OSError:
            text = f"127.0.0.1:{DEFAULT_PORT} is taken"
            yield Finding(
                "HTTP", State.WARN, text, "an engine takes a free port and prints it; or say --http or --no-http"
            )
            return
    yield Finding("HTTP", State.OK, f"127.0.0.1:{DEFAULT_PORT} is free")


def _own_address(asked: Asked) -> str | None:
    """Where the engine that was asked about serves HTTP, if one runs and does."""
    from actors.data_dir import find

    try:
        where = find(asked.data, asked.definitions).get("http")
    except EngineUnreachable:
        return None
    return where if isinstance(where, str) else None


def _text(asked: Asked) -> Iterator[Finding]:  # noqa: ARG001
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    if encoding in ("utf8", "gbk", "gb2312", "gb18030"):
        yield Finding("text", State.OK, sys.stdout.encoding)
    else:
        cure = "set PYTHONIOENCODING=utf-8, or a UTF-8 locale such as LC_ALL=C.UTF-8; else Chinese is shown as escapes"
        yield Finding("text", State.WARN, f"standard output takes {sys.stdout.encoding}", cure)


CHECKS: tuple[Callable[[Asked], Iterator[Finding]], ...] = (
    _python, _packages, _definitions, _data, _processes, _room, _port, _text,
)  # fmt: skip
