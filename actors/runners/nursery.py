"""The engine's hold on its spawner: starts it, asks for workers, sees it out."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import actors
from actors.errors import EngineError
from actors.model import ActionSpec
from actors.runners.wire import FdLink
from actors.runners.workplace import Setup

_MAX_FRAME = 1 << 24
"""An answer may hold the traceback of every action that could not be imported."""
_KEPT = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "VIRTUAL_ENV",
    "LD_LIBRARY_PATH",
)
_KEPT_PREFIXES = ("LC_", "PYTHON", "OMP_", "OPENBLAS_", "MKL_")


@dataclass(frozen=True, slots=True)
class Terms:
    """What every spawner of one engine is started with."""

    actions: Mapping[str, ActionSpec]
    paths: Sequence[str]
    environment: Mapping[str, str]
    """Variables for the actions beside the few that are handed on."""
    folder: str | None
    max_bytes: int
    copy: str | None = None
    """A copy of the folder, whose code is run."""
    takes_output: bool = False
    """What actions print is a log line of theirs."""


class Nursery:
    """One spawner. ``launch`` it from a thread that lives as long as it: the kernel ends it with that thread.

    Requests may be made before the launch; they wait in the link.
    """

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        ours, self._theirs = socket.socketpair()
        self.link = FdLink(ours, _MAX_FRAME)
        self._process: subprocess.Popen[bytes] | None = None
        self._base = ""
        self.ready = False
        """It has imported the actions and starts workers."""
        self.asked_at: float | None = None
        """When it was asked to answer, if it has not yet."""

    def launch(self) -> None:
        """Start the process. Raises ``EngineError``."""
        root = str(Path(actors.__file__ or ".").resolve().parent.parent)
        self._base = tempfile.mkdtemp(prefix="actors-")
        setup = Setup(
            engine=os.getpid(),
            root=root,
            paths=tuple(os.path.abspath(path) for path in self._terms.paths),
            environment={**kept_environment(os.environ), **self._terms.environment},
            base=self._base,
            folder=self._terms.folder,
            copy=self._terms.copy,
            takes_output=self._terms.takes_output,
            max_bytes=self._terms.max_bytes,
            actions=self._terms.actions,
        )
        file = Path(self._base) / "setup"
        setup.save(file)
        number = self._theirs.fileno()
        try:
            self._process = subprocess.Popen(
                # -P: what lies in the working folder must not be taken for a module of ours.
                [sys.executable, "-P", "-m", "actors.runners.spawner", str(number), str(file)],
                stdin=subprocess.DEVNULL,
                env={**setup.environment, "PYTHONPATH": root},
                cwd=self._base,
                pass_fds=(number,),
                process_group=0,
            )
        except (OSError, ValueError) as error:
            raise EngineError(
                f"the helper process for actions cannot be started ({sys.executable!r}): {error}"
            ) from error
        finally:
            self._theirs.close()

    def start_worker(self, number: int, fds: Sequence[int]) -> None:
        self.link.send(["fork", number], fds)

    def bury(self, number: int) -> None:
        """Kill the worker if it lives; it will not be signalled by us again."""
        self.link.send(["bury", number])

    def ask(self) -> None:
        """Have it answer, if it can."""
        self.asked_at = time.monotonic()
        self.link.send(["ask"])

    def silence(self) -> float:
        """For how many seconds it has owed an answer; 0 if it owes none."""
        return 0.0 if self.asked_at is None else time.monotonic() - self.asked_at

    def close(self) -> None:
        """Have it end, and all its workers with it."""
        self.link.close()
        self._theirs.close()

    def ended(self) -> bool:
        """Whether the process has ended, or was never started."""
        return self._process is None or self._process.poll() is not None

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def sweep(self) -> None:
        """Remove the folder of its workers, when they have ended."""
        if self._base:
            shutil.rmtree(self._base, ignore_errors=True)
            self._base = ""

    def how_it_ended(self) -> str:
        code = self._process.returncode if self._process is not None else None
        if code is None:
            return "it was not started"
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


def kept_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The few variables that actions get: no secret of the embedding program's is among them."""
    return {name: value for name, value in environment.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)}
