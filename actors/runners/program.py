"""Runs a command as the action of an attempt, in a worker, which is its supervisor.

The program shares the worker's process group, so that killing or suspending the group takes
both, and what it leaves behind comes back to the worker.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from actors.errors import NonRetryable
from actors.model import Job, Json
from actors.runners import kernel
from actors.runners.context import Context
from actors.runners.jobs import entity_to_json, event_to_json
from actors.runners.limits import cpu_text
from actors.runners.notes import MAX_LINE_CHARS
from actors.runners.stopping import Control
from actors.runners.wire import decode, encode

_CHUNK = 65_536
_TAIL_BYTES = 4_000
_LEFT_BYTES = 1 << 20
"""What is still read after the program has ended: more than a pipe holds."""


class CommandFailed(Exception):
    """The program ended with an exit status other than 0, or by a signal, or its output is unusable."""


class CommandUnusable(NonRetryable):
    """The program cannot be started at all."""


class Program:
    """The action of a task that says ``run:``; called like any other, it returns the program's result."""

    def __init__(self, job: Job, control: Control, *, folders: Sequence[str], max_bytes: int) -> None:
        self._job = job
        self._control = control
        self._folders = folders
        self._output = LastLine(max_bytes)
        self._errors = Lines()

    def __call__(self, ctx: Context) -> Json:
        # The stop is passed on as SIGTERM; how it ends is the program's to decide.
        self._control.quietly(self._control.add_shield, 1)
        if self._control.reason is not None:
            raise self._control.stopped()
        with _signals_as_bytes() as wakeup:
            process = self._launch()
            try:
                status = self._attend(process, wakeup, ctx.log.info)
            finally:
                if process.poll() is None:
                    process.kill()
                process.wait()
                for stream in (process.stdout, process.stderr):
                    if stream is not None:
                        stream.close()
        for line in self._errors.rest():
            ctx.log.info(line)
        if status == 0:
            return self._output.value()
        if self._control.reason is not None:
            raise self._control.stopped()
        raise CommandFailed(self._failure(status))

    def _launch(self) -> subprocess.Popen[bytes]:
        arguments = [self._located(word) for word in self._job.task.run or ()]
        worker = os.getpid()

        def die_with_worker() -> None:
            if not kernel.die_with_parent(signal.SIGKILL, worker):
                os._exit(0)

        with tempfile.TemporaryFile() as given:
            given.write(encode(self._given()))
            given.seek(0)
            try:
                return subprocess.Popen(
                    arguments,
                    stdin=given,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    bufsize=0,
                    preexec_fn=die_with_worker,  # noqa: PLW1509 - a worker that runs a command has one thread
                )
            except (OSError, ValueError, subprocess.SubprocessError) as error:
                raise CommandUnusable(f"cannot run {arguments[0]!r}: {error}") from None

    def _located(self, word: str) -> str:
        """``./x`` and ``../x`` are meant from the definitions folder, wherever the program runs."""
        if not self._folders or not word.startswith(("./", "../")):
            return word
        # A copy has what is in the folder, and nothing of what is beside it.
        places = [os.path.normpath(os.path.join(folder, word)) for folder in self._folders]
        inside = [place for place in places[:-1] if word.startswith("./") and os.path.exists(place)]
        return (inside or places[-1:])[0]

    def _given(self) -> Json:
        """What the program reads from its standard input."""
        job = self._job
        return {
            "params": job.params,
            "inputs": job.inputs,
            "entity": entity_to_json(job.entity),
            "event": event_to_json(job.event),
            "restored": job.restored,
            "idempotency_key": job.idempotency_key,
            "attempt": job.attempt.number,
            "task_id": job.task_id,
            "merged": job.merged,
        }

    def _attend(self, process: subprocess.Popen[bytes], wakeup: socket.socket, log: Callable[[str], None]) -> int:
        """Read what the program says until it has ended, and pass the stop on. Its return code."""
        streams = [stream for stream in (process.stdout, process.stderr) if stream is not None]
        told = False
        with selectors.DefaultSelector() as selector:
            selector.register(wakeup, selectors.EVENT_READ)
            for stream in streams:
                os.set_blocking(stream.fileno(), False)
                selector.register(stream, selectors.EVENT_READ)
            while process.poll() is None:
                if self._control.reason is not None and not told:
                    told = True
                    # To the group, as a terminal would; this process takes no notice of it.
                    os.killpg(0, signal.SIGTERM)
                for key, _ in selector.select():
                    if key.fileobj is wakeup:
                        wakeup.recv(4096)
                    elif self._take(process, key.fileobj, log) == 0:  # type: ignore[arg-type]
                        selector.unregister(key.fileobj)
        for stream in streams:
            left = _LEFT_BYTES
            while left > 0 and (count := self._take(process, stream, log)) > 0:
                left -= count
        return process.returncode

    def _take(self, process: subprocess.Popen[bytes], stream: IO[bytes], log: Callable[[str], None]) -> int:
        """Read once: how many bytes came, 0 at the stream's end, -1 if there are none now."""
        try:
            data = os.read(stream.fileno(), _CHUNK)
        except BlockingIOError:
            return -1
        if stream is process.stdout:
            self._output.add(data)
        else:
            for line in self._errors.add(data):
                log(line)
        return len(data)

    def _failure(self, status: int) -> str:
        limits = self._job.task.limits
        if status == -signal.SIGXCPU and limits is not None and limits.cpu_s is not None:
            how = cpu_text(limits)
        elif status < 0:
            how = f"the program was ended by {_signal_name(-status)}"
        else:
            how = f"the program ended with exit status {status}"
        tail = self._errors.tail()
        return f"{how}: {tail}" if tail else how


class LastLine:
    """The last line of an output of any length that is not blank."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._last = b""
        self._open = b""

    def add(self, data: bytes) -> None:
        *lines, rest = (self._open + data).split(b"\n")
        self._last = next((line for line in reversed(lines) if line.strip()), self._last)
        # One byte more than allowed, so that a line too long is seen to be that.
        self._open = rest[: self._max_bytes + 1]

    def value(self) -> Json:
        """As JSON if it is that, else as text; None if there is none."""
        line = (self._open if self._open.strip() else self._last).strip()
        if len(line) > self._max_bytes:
            raise CommandFailed(f"the last line of its output is longer than {self._max_bytes:,} bytes")
        if not line:
            return None
        try:
            return decode(line)
        except (ValueError, RecursionError):
            return line.decode(errors="replace")


class Lines:
    """An output taken apart into lines of bounded length, and its end."""

    def __init__(self) -> None:
        self._open = b""
        self._tail = b""

    def add(self, data: bytes) -> list[str]:
        """The lines that are complete now."""
        self._tail = (self._tail + data)[-_TAIL_BYTES:]
        *lines, rest = (self._open + data).split(b"\n")
        self._open = rest[: 4 * MAX_LINE_CHARS]
        return [_text(line) for line in lines if line.strip()]

    def rest(self) -> list[str]:
        """The last line, if it was never completed."""
        return [_text(self._open)] if self._open.strip() else []

    def tail(self) -> str:
        return self._tail.decode(errors="replace").strip()


@contextmanager
def _signals_as_bytes() -> Iterator[socket.socket]:
    """Within it, the end of a child and the stop are bytes on the socket, and SIGTERM ends nothing."""
    wakeup, wakes = socket.socketpair()
    for end in (wakeup, wakes):
        end.setblocking(False)  # noqa: FBT003
    handlers = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGCHLD, signal.SIGTERM)}
    before = signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
    try:
        with wakeup, wakes:
            yield wakeup
    finally:
        signal.set_wakeup_fd(before)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _text(line: bytes) -> str:
    return line[: 4 * MAX_LINE_CHARS].decode(errors="replace")[:MAX_LINE_CHARS]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
