"""What a worker process is given, and how a fresh process settles into it.

A process group of its own, not a session: with a session of its own the kernel's autogroup
would share the processor by session and ``nice`` would mean nothing.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from actors.model import ActionSpec, Limits
from actors.runners import kernel
from actors.runners.loading import CopyFinder, spec_from_json, spec_to_json
from actors.runners.wire import decode, encode

STOP_SIGNAL = signal.SIGURG
"""Raises the stop. Ignored by default, so that one that comes too early or to a program does no harm."""
_MB = 1 << 20
_RESET = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD)


@dataclass(frozen=True, slots=True)
class Setup:
    """The same for all processes of one engine."""

    engine: int
    """Its process id."""
    root: str
    """The folder that has this package."""
    paths: tuple[str, ...]
    """``sys.path`` for the actions."""
    environment: Mapping[str, str]
    base: str
    """A temporary folder of the engine's; each worker has its own in it."""
    folder: str | None
    """The definitions folder: relative programs are found there."""
    copy: str | None
    """A copy of it, whose code is run."""
    takes_output: bool
    """What actions print is a log line of theirs, instead of going where the engine's own output goes."""
    max_bytes: int
    actions: Mapping[str, ActionSpec]

    def folders(self) -> tuple[str, ...]:
        """Where relative programs are, in the order in which they are looked for."""
        return tuple(folder for folder in (self.copy, self.folder) if folder is not None)

    def save(self, file: Path) -> None:
        value = {name: getattr(self, name) for name in self.__slots__}
        value["actions"] = [spec_to_json(spec) for spec in self.actions.values()]
        value["environment"] = dict(self.environment)
        file.write_bytes(encode(value))

    @classmethod
    def load(cls, file: Path) -> Setup:
        value = decode(file.read_bytes())
        specs = [spec_from_json(spec) for spec in value.pop("actions")]
        value["paths"] = tuple(value["paths"])
        return cls(actions={spec.name: spec for spec in specs}, **value)

    def enter(self) -> None:
        """Have this process's modules and environment from the setup alone."""
        sys.path[:] = self.paths
        os.environ.clear()
        os.environ.update(self.environment)
        if self.folder is not None and self.copy is not None:
            CopyFinder(self.folder, self.copy).install()


@dataclass(frozen=True, slots=True)
class Place:
    """One worker's own."""

    end: int
    """Descriptor of its end of the link to the engine."""
    board: int
    """Descriptor of its shared memory."""
    folder: str
    """Its working folder, empty."""
    parent: int
    """The spawner's process id."""

    def to_text(self) -> str:
        return encode(asdict(self)).decode()

    @classmethod
    def from_text(cls, text: str) -> Place:
        return cls(**decode(text.encode()))


def settle(place: Place) -> None:
    """Make this fresh process the worker of that place."""
    with suppress(PermissionError):  # an executed worker's group was set when it was started
        os.setpgid(0, 0)
    for number in _RESET:
        signal.signal(number, signal.SIG_DFL)
    if not kernel.die_with_parent(signal.SIGKILL, place.parent):
        os._exit(0)
    kernel.adopt_orphans()
    os.chdir(place.folder)
    os.environ["TMPDIR"] = tempfile.tempdir = place.folder
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _reseed()


def restrict(nice: int, limits: Limits | None) -> None:
    """Make this worker one for less important work, or for one attempt with limits; there is no way back.

    The limits are for what the attempt takes beyond what the bare worker has.
    """
    if nice:
        os.nice(nice)
    if limits is None:
        return
    if limits.files is not None:
        _bound(resource.RLIMIT_NOFILE, kernel.open_files() + limits.files)
    if limits.processes is not None:
        _bound(resource.RLIMIT_NPROC, kernel.tasks_of_user() + limits.processes)
    if limits.cpu_s is not None:
        _bound(resource.RLIMIT_CPU, limits.cpu_s, spare=1)
    if limits.memory_mb is not None:
        _bound(resource.RLIMIT_AS, kernel.address_space() + limits.memory_mb * _MB)


def _bound(kind: int, amount: int, spare: int = 0) -> None:
    _, most = resource.getrlimit(kind)
    if most != resource.RLIM_INFINITY:
        amount = min(amount, most)
        spare = min(spare, most - amount)
    resource.setrlimit(kind, (amount, amount + spare))


def _reseed() -> None:
    """Forked workers would draw the same numbers; Python's own generator sees to that itself."""
    numpy: Any = sys.modules.get("numpy")
    random = getattr(numpy, "random", None)
    if random is not None:
        random.seed()
