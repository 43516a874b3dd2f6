"""The helper process that owns an engine's workers: ``python -m actors.runners.spawner``.

One thread and no main module of the user's, so that it can fork safely from any program. It
imports the actions once, forks a worker on request (or executes one, where an import left
threads running), tells how each ended, and is the parent of whatever escapes a worker that
ended, to kill it. When the engine goes away it takes everything with it.
"""

from __future__ import annotations

import gc
import os
import selectors
import shutil
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import NoReturn

from actors.model import Json
from actors.runners import kernel, worker
from actors.runners.loading import Actions
from actors.runners.wire import FdLink, Garbled
from actors.runners.workplace import Place, Setup

_MAX_FRAME = 65_536
_FINISH_S = 10
_EXECUTED = "import sys; from actors.runners.worker import main; main(sys.argv)"


@dataclass(slots=True)
class Child:
    """A worker as its parent sees it."""

    pid: int
    folder: str
    buried: bool = False
    """The engine will not signal it any more, so that its number may be free for others."""
    told: bool = False
    """The engine knows that it is dead."""
    status: tuple[int | None, int | None] | None = None
    """Exit code, else signal; None while it lives."""


class Spawner:
    """Serves one engine over one link until that ends."""

    def __init__(self, link: FdLink, wakeup: Wakeup, setup: Setup, actions: Actions) -> None:
        self._link = link
        self._wakeup = wakeup
        self._selector = selectors.DefaultSelector()
        self._setup = setup
        self._actions = actions
        self._executes = not kernel.LINUX or kernel.thread_count() > 1
        self._workers: dict[int, Child] = {}
        self._sweepers: set[int] = set()
        self._imported = frozenset(kernel.children())
        """What an import started: nobody's stray."""

    def serve(self) -> None:
        """Work until the engine closes its end, or a signal says that it is gone."""
        faults = {name: astuple(fault) for name, fault in self._actions.faults.items()}
        self._link.send(["ready", faults, self._executes])
        self._selector.register(self._wakeup.hears, selectors.EVENT_READ)
        self._selector.register(self._link, selectors.EVENT_READ)
        while not self._link.ended:
            blocked = selectors.EVENT_WRITE if self._link.blocked else 0
            self._selector.modify(self._link, selectors.EVENT_READ | blocked)
            ready = {key.fileobj for key, _ in self._selector.select()}
            if self._wakeup.hears in ready and signal.SIGTERM in self._wakeup.hears.recv(4096):
                return
            self._link.flush()
            for frame in self._link.receive():
                self._take(frame)
            self._look()

    def finish(self) -> None:
        """Kill every worker and whatever else is a child of this process, wait for it, sweep up."""
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(_FINISH_S)
        for child in self._workers.values():
            _kill_group(child.pid)
        while True:
            for pid in kernel.children():
                _kill(pid)
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                break
        shutil.rmtree(self._setup.base, ignore_errors=True)

    def _take(self, frame: Json) -> None:
        match frame:
            case ["fork", int(number)]:
                self._start(number)
            case ["bury", int(number)]:
                child = self._workers.get(number)
                if child is not None and not child.buried:
                    child.buried = True
                    if child.status is None:
                        _kill_group(child.pid)
            case ["ask"]:
                self._link.send(["here"])
            case _:
                raise Garbled(f"unknown request {str(frame)[:80]}")

    def _start(self, number: int) -> None:
        end, board = self._link.take_fds(2)
        folder = os.path.join(self._setup.base, str(number))
        place = Place(end=end, board=board, folder=folder, parent=os.getpid())
        try:
            os.mkdir(folder, 0o700)
            pid = self._execute(place) if self._executes else os.fork()
        except OSError as error:
            pid = -1
            self._link.send(["failed", number, f"cannot start a worker process: {error}"])
        if pid == 0:
            self._become(place)
        os.close(end)
        os.close(board)
        if pid > 0:
            # The worker does it too; whichever comes first, the group is there before anybody is told.
            with suppress(OSError):
                os.setpgid(pid, pid)
            self._workers[number] = Child(pid, folder)
            self._link.send(["forked", number, pid])

    def _become(self, place: Place) -> NoReturn:
        """In the forked child: turn into a worker and never come back."""
        status = 70
        try:
            self._wakeup.close()
            self._selector.close()
            self._link.close()
            worker.serve(place, self._setup, self._actions)
            status = 0
        finally:
            # Whatever was raised, this process must not run the spawner's code.
            os._exit(status)

    def _execute(self, place: Place) -> int:
        for fd in (place.end, place.board):
            os.set_inheritable(fd, True)  # noqa: FBT003
        setup = os.path.join(self._setup.base, "setup")
        arguments = [sys.executable, "-P", "-c", _EXECUTED, place.to_text(), setup]
        environment = {**os.environ, "PYTHONPATH": self._setup.root}
        return os.posix_spawn(sys.executable, arguments, environment, setpgroup=0)

    def _look(self) -> None:
        """See who has ended, kill what is left of it, and tell the engine when nothing is."""
        finished = []
        for number, child in self._workers.items():
            if child.status is None:
                child.status = _peek(child.pid)
                if child.status is None:
                    continue
                _kill_group(child.pid)
            if child.buried:
                finished.append(number)
            elif not child.told:
                child.told = True
                self._link.send(["dead", number])
        # Strays cannot be told apart by worker: an end is reported when there is none at all.
        if (finished or self._sweepers) and not self._strays():
            for number in finished:
                child = self._workers.pop(number)
                with suppress(ChildProcessError):
                    os.waitpid(child.pid, 0)
                self._link.send(["gone", number, *(child.status or (None, None))])
                self._sweep(child.folder)

    def _strays(self) -> bool:
        """Kill the children that are nobody's: descendants of a worker that has ended. True while there are any."""
        known = {child.pid for child in self._workers.values()} | self._imported
        left = False
        for pid in kernel.children():
            if pid in known:
                continue
            if pid not in self._sweepers:
                _kill(pid)
            ended, _ = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._sweepers.discard(pid)
            elif pid not in self._sweepers:
                left = True
        return left

    def _sweep(self, folder: str) -> None:
        """Remove a worker's folder; what may take long is done by a process of its own."""
        try:
            os.rmdir(folder)
        except FileNotFoundError:
            return
        except OSError:
            if self._executes:
                shutil.rmtree(folder, ignore_errors=True)
                return
            pid = os.fork()
            if pid == 0:
                try:
                    shutil.rmtree(folder, ignore_errors=True)
                finally:
                    os._exit(0)
            self._sweepers.add(pid)


def _peek(pid: int) -> tuple[int | None, int | None] | None:
    """How the child ended, without letting its number go; None while it lives."""
    try:
        if not hasattr(os, "waitid"):  # macOS: then its number is let go at once
            pid, status = os.waitpid(pid, os.WNOHANG)
            code = os.waitstatus_to_exitcode(status)
            return None if pid == 0 else (code, None) if code >= 0 else (None, -code)
        info = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return (None, None)
    if info is None:
        return None
    return (info.si_status, None) if info.si_code == os.CLD_EXITED else (None, info.si_status)


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


class Wakeup:
    """Signals become bytes on a socket, so that one wait hears signals and the engine."""

    def __init__(self) -> None:
        self.hears, self._wakes = socket.socketpair()
        for end in (self.hears, self._wakes):
            end.setblocking(False)  # noqa: FBT003
        signal.set_wakeup_fd(self._wakes.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            # Ctrl-C is the engine's to handle, in stages.
            signal.signal(number, signal.SIG_IGN)

    def close(self) -> None:
        signal.set_wakeup_fd(-1)
        self.hears.close()
        self._wakes.close()


def main(arguments: list[str]) -> None:
    """``arguments``: the program's name, the descriptor of the link to the engine, the setup's file."""
    link = FdLink(socket.socket(fileno=int(arguments[1])), _MAX_FRAME)
    os.set_inheritable(link.fileno(), False)  # noqa: FBT003
    setup = Setup.load(Path(arguments[2]))
    wakeup = Wakeup()
    alive = kernel.die_with_parent(signal.SIGTERM, setup.engine)
    kernel.adopt_orphans()
    setup.enter()
    actions = Actions(setup.actions)
    worker.prepare(actions)
    gc.collect()
    gc.freeze()
    spawner = Spawner(link, wakeup, setup, actions)
    try:
        if alive:
            spawner.serve()
    finally:
        spawner.finish()


if __name__ == "__main__":
    main(sys.argv)
