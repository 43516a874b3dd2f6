"""Writes a record while the engine runs.

It has a thread and a buffer to itself (``ROOM`` changes), so that a slow terminal cannot cost the
record a line. A disk that fails costs the record its end and the engine nothing.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

from actors.errors import NotFoundError, RefusedError, RequestError
from actors.record import line_of
from actors.views import ChangeType, StateChanged

ROOM = 1_000_000
"""Changes that may wait to be written: a minute at the most the engine ever told; about 0.4 GB when full."""
_BLOCK = 1 << 16
_FLUSH_SECONDS = 0.5


class Recorder:
    """``take`` is the engine's subscriber; ``close`` once nothing more comes.

    ``on_failure`` is called once, with a sentence, when the file can no longer be written; what
    was written until then stays, whole lines of it.
    """

    def __init__(self, path: Path, on_failure: Callable[[str], None]) -> None:
        """Open the file. Raises ``RefusedError`` if there is one already, ``RequestError`` if it cannot be made."""
        self.path = path
        self.written = 0
        """Changes in the file."""
        self.lost = 0
        self.failed = False
        self._on_failure = on_failure
        self._pending: list[bytes] = []
        self._size = 0
        self._flushed = time.monotonic()
        self._lock = threading.RLock()
        self._file = _open(path)
        self._regular = stat.S_ISREG(os.fstat(self._file).st_mode)
        self._end = 0
        """Bytes of whole lines in the file."""

    def take(self, change: StateChanged) -> None:
        if self.failed:
            return
        line = line_of(change)
        with self._lock:
            if change.type is ChangeType.GAP:
                self.lost += int(change.detail.get("lost", 0))
            self._pending.append(line)
            self._size += len(line)
            if self._size >= _BLOCK or time.monotonic() - self._flushed >= _FLUSH_SECONDS:
                self.flush()

    def flush(self) -> None:
        """Hand what has come so far to the system; from any thread."""
        with self._lock:
            self._flushed = time.monotonic()
            lines, self._pending, self._size = self._pending, [], 0
            if self.failed or not lines:
                return
            data = b"".join(lines)
            try:
                left = memoryview(data)
                while left:
                    left = left[os.write(self._file, left) :]
            except OSError as error:
                self._fail(error)
                return
            self._end += len(data)
            self.written += len(lines)

    def close(self) -> None:
        """Write what is left. A full disk may show only now."""
        self.flush()
        try:
            if self._regular and not self.failed:
                os.fsync(self._file)
            os.close(self._file)
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        if self.failed:
            return
        self.failed = True
        if self._regular:
            # Where even that fails its last line may be cut; who reads it is told so.
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._end)
        why = (error.strerror or str(error)).lower()
        self._on_failure(f"{self.path}: the record ends after {self.written} changes: {why}; the engine goes on")


def _open(path: Path) -> int:
    try:
        try:
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        except FileExistsError:
            if path.is_file():
                raise RefusedError(
                    f"{path} exists; a record is not written over: name another file, or remove it"
                ) from None
            return os.open(path, os.O_WRONLY | os.O_CLOEXEC)  # A pipe, a terminal.
    except FileNotFoundError:
        raise NotFoundError(f"{path} cannot be made: there is no folder {path.parent}") from None
    except OSError as error:
        raise RequestError(
            f"{path} cannot be written: {(error.strerror or str(error)).lower()}; name another file"
        ) from error
