"""The folder in which a running engine keeps what belongs to it alone, and by which clients find it.

::

    .engine/           mode 0700
      lock             held by the engine that runs; its text is that engine's pid
      engine.json      {"pid", "started_at", "definitions", "socket", "http"}, while it runs
      control.sock     the control API, mode 0600
      token            what a write over TCP must show, mode 0600
      versions/        copies of definitions
      history          what was typed in the shell

One engine at a time: the lock is the system's, so that it ends with its process however that ends.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from actors.errors import EngineUnreachable, RefusedError, RequestError

NAME = ".engine"
SOCKET = "control.sock"
FAR = "engine-"
"""How the folder of a socket is called whose path would be too long here."""
MAX_SOCKET_BYTES = 107
"""A longer path is no address of a Unix socket."""
MAX_FILE_BYTES = 64 * 1024
"""What is read of ``engine.json`` or of a token."""
STARTING_S = 0.2
"""So long the engine that holds the lock may take to have written its pid."""


class DataDir:
    """The data directory of the engine in this process; ``open`` takes it, ``close`` gives it back."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock
        self._bound: tuple[Path, int, int] | None = None
        """The socket that was bound here, with the device and inode it has: another one is not ours to remove."""
        self._own_folder: Path | None = None
        self._about: dict[str, Any] = {}

    @classmethod
    def open(cls, path: Path) -> Self:
        """Take the folder, making it if need be.

        Raises ``RefusedError``, naming the pid, while another engine has it, and ``RequestError``
        if it cannot be made or is somebody else's.
        """
        _make_private(path)
        try:
            lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise RequestError(f"{path / 'lock'}: {_why(error)}; name another folder with --data") from None
        if not _locked(lock):
            holder = _holder(lock)
            os.close(lock)
            raise RefusedError(
                f"{path}: an engine runs here already (pid {holder}); stop it, or name another folder with --data"
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        found = cls(path, lock)
        found._clear()
        return found

    @property
    def listens_at(self) -> Path | None:
        """Where the control API listens, once it does."""
        return self._bound[0] if self._bound is not None else None

    @property
    def versions(self) -> Path:
        return self.path / "versions"

    @property
    def history(self) -> Path:
        return self.path / "history"

    def token(self) -> str:
        """What a write over TCP must show; made once, and kept over restarts."""
        file = self.path / "token"
        with contextlib.suppress(FileNotFoundError):
            found = read_token(file)
            os.chmod(file, 0o600)
            return found
        import secrets

        token = secrets.token_urlsafe(32)
        write_private(file, token + "\n")
        return token

    def bind(self) -> socket.socket:
        """A listening socket that only this user can reach; one that a dead engine left is replaced."""
        path = self._socket_path()
        path.unlink(missing_ok=True)  # We hold the lock: nobody listens on it.
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(path))  # In a folder that only we can enter, so that nobody is earlier than chmod.
            os.chmod(path, 0o600)
            found = os.stat(path)
            self._bound = (path, found.st_dev, found.st_ino)
            listener.listen(128)
        except OSError as error:
            listener.close()
            raise RequestError(f"{path}: no socket can be made there: {_why(error)}; name another --data") from None
        return listener

    def describe(self, *, definitions: str | None, http: str | None) -> None:
        """Write ``engine.json``, by which clients find the engine."""
        self._about = {
            "pid": os.getpid(),
            "started_at": time.time(),
            "definitions": definitions,
            "socket": None if self.listens_at is None else str(self.listens_at),
            "http": http,
        }
        write_private(self.path / "engine.json", json.dumps(self._about, ensure_ascii=False, indent=2) + "\n")

    def close(self) -> None:
        """Remove what only a running engine has, and give the folder back. Nothing the second time."""
        if self._lock < 0:
            return
        self._clear()
        os.ftruncate(self._lock, 0)
        os.close(self._lock)
        self._lock = -1

    def _clear(self) -> None:
        """Remove socket and ``engine.json``, ours or those a dead engine left."""
        self._clear_far()
        (self.path / "engine.json").unlink(missing_ok=True)
        if self._bound is not None:
            path, device, inode = self._bound
            with contextlib.suppress(OSError):
                found = os.stat(path)
                if (found.st_dev, found.st_ino) == (device, inode):
                    path.unlink()
            self._bound = None
        (self.path / SOCKET).unlink(missing_ok=True)
        if self._own_folder is not None:
            with contextlib.suppress(OSError):
                self._own_folder.rmdir()
            self._own_folder = None

    def _clear_far(self) -> None:
        """The socket of an engine that died where the path was too long for one here."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            with open(self.path / "engine.json", encoding="utf-8") as file:
                far = Path(json.loads(file.read(MAX_FILE_BYTES))["socket"])
            folder = os.lstat(far.parent)
            ours = folder.st_uid == os.geteuid() and far.parent.name.startswith(FAR) and far.name == SOCKET
            if ours and stat.S_ISDIR(folder.st_mode) and stat.S_ISSOCK(os.lstat(far).st_mode):
                far.unlink()
                far.parent.rmdir()

    def _socket_path(self) -> Path:
        path = self.path.resolve() / SOCKET
        if len(os.fsencode(path)) <= MAX_SOCKET_BYTES:
            return path
        import tempfile  # Here, because a client that only looks for an engine is to be quick.

        runtime = os.environ.get("XDG_RUNTIME_DIR")
        above = Path(runtime) if runtime and os.path.isdir(runtime) else Path(tempfile.gettempdir())
        # Under a name that nobody can have taken before: the folder above may be everybody's.
        self._own_folder = Path(tempfile.mkdtemp(prefix=FAR, dir=above))
        return self._own_folder / SOCKET


def default_path(definitions: str | Path) -> Path:
    """Where an engine of these definitions has its data directory, unless it is told otherwise.

    Inside the definitions folder; where that cannot be written, below the user's own state folder.
    """
    folder = Path(definitions)
    folder = (folder if folder.is_dir() else folder.parent).resolve()
    inside = folder / NAME
    if os.access(inside if inside.is_dir() else folder, os.W_OK | os.X_OK):
        return inside
    import hashlib

    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return Path(state) / "actors-engine" / hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]


def find(data: str | Path | None, definitions: str | Path) -> Mapping[str, Any]:
    """What ``engine.json`` says of the engine that runs in this data directory, or of these definitions.

    Raises ``EngineUnreachable``, with the cure, if none does.
    """
    path = Path(data) if data is not None else default_path(definitions)
    cure = "start one with 'engine start', or name its data directory with --data"
    if data is None and not Path(definitions).exists():
        raise EngineUnreachable(f"there is no definitions folder {definitions}, so no engine of it is found; {cure}")
    try:
        with open(path / "engine.json", encoding="utf-8") as file:
            about = json.loads(file.read(MAX_FILE_BYTES))
        if not isinstance(about, dict) or not isinstance(about.get("socket"), str):
            raise ValueError
    except FileNotFoundError:
        raise EngineUnreachable(f"no engine runs in {path}; {cure}") from None
    except OSError as error:
        raise EngineUnreachable(f"{path / 'engine.json'}: {_why(error)}; {cure}") from None
    except ValueError:
        raise EngineUnreachable(f"{path / 'engine.json'} is not what an engine writes; {cure}") from None
    if not alive(path):
        raise EngineUnreachable(f"the engine in {path} (pid {about.get('pid')}) has ended without a goodbye; {cure}")
    return about


def alive(path: Path) -> bool:
    """Whether an engine holds this data directory now."""
    try:
        lock = os.open(path / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in (errno.EWOULDBLOCK, errno.EACCES)
    finally:
        os.close(lock)
    return False


def read_token(file: Path) -> str:
    """The token in this file. Raises ``FileNotFoundError``, and ``RequestError`` for what can be none."""
    try:
        with open(file, "rb") as opened:
            text = opened.read(MAX_FILE_BYTES + 1).decode("ascii").strip()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RequestError(f"{file}: {_why(error)}") from None
    except UnicodeDecodeError:
        text = ""
    if not 16 <= len(text) <= MAX_FILE_BYTES or not text.isprintable() or " " in text:
        raise RequestError(f"{file} holds no token: one line of 16 or more ASCII characters without spaces is needed")
    return text


def write_private(file: Path, text: str) -> None:
    """Write a file that only this user can read, whole or not at all."""
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    opened = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(opened, "w", encoding="utf-8") as out:
            out.write(text)
        os.replace(beside, file)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _make_private(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = os.stat(path)
        if found.st_uid != os.geteuid():
            raise RequestError(f"{path} belongs to another user; name a folder of your own with --data")
        if stat.S_IMODE(found.st_mode) != 0o700:
            if any(path.iterdir()) and not (path / "lock").exists():
                raise RequestError(f"{path} holds other things already; name a new or an empty folder with --data")
            os.chmod(path, 0o700)
    except OSError as error:
        raise RequestError(f"{path} cannot be the data directory: {_why(error)}; name another with --data") from None


def _locked(lock: int) -> bool:
    """Take the lock. A client that looks whether an engine is here holds it too, for a moment."""
    deadline = time.monotonic() + STARTING_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)
        else:
            return True


def _holder(lock: int) -> str:
    deadline = time.monotonic() + STARTING_S
    while True:
        text = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
        if text.isdigit() or time.monotonic() >= deadline:
            return text if text.isdigit() else "unknown"
        time.sleep(0.01)


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
