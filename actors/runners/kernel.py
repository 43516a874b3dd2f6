"""What the kernel offers to keep a tree of processes in hand and Python has no name for.

Linux has all of it. Elsewhere these do nothing, and what they keep from happening can happen
there: orphans of a killed engine run on.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from contextlib import suppress
from pathlib import Path

LINUX = sys.platform == "linux"
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PROC = Path("/proc")
_CLOCK_MONOTONIC = 1
_TFD_TIMER_ABSTIME = 1
_LIBRARY = ctypes.CDLL(None, use_errno=True)
"""Loaded once: a forked worker pays for every page it touches."""
_QUICK = ctypes.PyDLL(None, use_errno=True)
"""The same for calls that never wait, for which letting go of the interpreter costs more than the call."""


class Alarm:
    """A descriptor that can be read when a time has come: set by any thread, without waking the one that waits.

    Raises ``OSError`` where the kernel has no such thing.
    """

    def __init__(self) -> None:
        if not LINUX:
            raise OSError(errno.ENOSYS, "no timerfd on this system")
        self._fd = _QUICK.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    def fileno(self) -> int:
        return int(self._fd)

    def set(self, at: float) -> None:
        """Go off at ``at``, in seconds of ``time.monotonic``, instead of when it was set for before."""
        seconds, rest = divmod(max(int(at * 1e9), 1), 1_000_000_000)
        # The interval first (none), then the time.
        _QUICK.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, (ctypes.c_longlong * 4)(0, 0, seconds, rest), None)

    def clear(self) -> None:
        """Take note that it went off."""
        with suppress(BlockingIOError):
            os.read(self._fd, 8)

    def close(self) -> None:
        os.close(self._fd)


def die_with_parent(signal_number: int, parent: int) -> bool:
    """Have the kernel send this process the signal when the thread that started it ends.

    False when that has happened already: ``parent`` is gone.
    """
    if LINUX:
        _prctl(_PR_SET_PDEATHSIG, signal_number)
    return os.getppid() == parent


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    if LINUX:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def children() -> list[int]:
    """The processes whose parent this one is, ended ones that were not waited for included."""
    if not LINUX:
        return []
    me = os.getpid()
    try:
        return [int(pid) for pid in _read(f"/proc/{me}/task/{me}/children").split()]
    except FileNotFoundError:  # a kernel built without CONFIG_PROC_CHILDREN
        return [pid for pid in _pids() if _status_field(pid, "PPid:") == me]


def is_stopped(pid: int) -> bool:
    """Whether the process stands still by SIGSTOP."""
    try:
        state = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split(maxsplit=1)[0]
    except (OSError, IndexError):
        return False
    return state in {b"T", b"t"}


def thread_count() -> int:
    """Threads of this process, those that Python does not know included."""
    try:
        return len(list((_PROC / "self/task").iterdir()))
    except OSError:
        return 1


def open_files() -> int:
    """One more than the highest descriptor that is open."""
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            return 1 + max(map(int, os.listdir(folder)))
        except OSError:
            continue
    return 16


def address_space() -> int:
    """Bytes of address space this process has mapped; 0 where that cannot be told."""
    try:
        return int((_PROC / "self/statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        return 0


def tasks_of_user() -> int:
    """How many processes and threads this user has: what RLIMIT_NPROC counts."""
    me = os.getuid()
    return sum(max(_status_field(pid, "Threads:"), 1) for pid in _pids() if _status_field(pid, "Uid:") == me)


def _read(path: str) -> bytes:
    """A file of /proc at once, without the layers of ``open``: this is in the way of every end."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 1 << 20)
    finally:
        os.close(fd)


def _prctl(option: int, value: int) -> None:
    if _LIBRARY.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")


def _pids() -> list[int]:
    try:
        return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]
    except OSError:
        return []


def _status_field(pid: int, name: str) -> int:
    """The first number of a line of ``/proc/PID/status``; -1 when the process is gone."""
    try:
        for line in (_PROC / f"{pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1])
    except OSError:
        pass
    return -1
