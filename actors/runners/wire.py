"""Frames between the engine, its spawner and the workers: a length, then JSON.

The other end is not trusted: a length beyond the bound, or what is not JSON, is ``Garbled``,
and whoever reads it gives up that end and nothing else.
"""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from collections import deque
from collections.abc import Sequence
from typing import NoReturn

from actors.model import Json

_LENGTH = struct.Struct("=I")
_CHUNK = 65_536
_MAX_FDS = 16


class Garbled(Exception):
    """The other end sent what no program of ours sends."""


def encode(value: Json) -> bytes:
    """Raises ``TypeError`` or ``ValueError`` for what is not JSON."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode(errors="replace")


def decode(data: bytes) -> Json:
    """Raises ``ValueError`` or ``RecursionError`` for what is not JSON."""
    return json.loads(data, parse_constant=_refuse)


def frame(value: Json) -> bytes:
    data = encode(value)
    return _LENGTH.pack(len(data)) + data


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


class Link:
    """One end of a private socket, for a thread that must never wait.

    ``send`` writes what the socket takes and keeps the rest for ``flush``. Not locked: its
    owner lets one thread at a time call.
    """

    def __init__(self, end: socket.socket, max_bytes: int) -> None:
        end.setblocking(False)  # noqa: FBT003
        self._socket = end
        self._max_bytes = max_bytes
        self._out: deque[tuple[memoryview, tuple[int, ...]]] = deque()
        self._in = bytearray()
        self._fds: deque[int] = deque()
        self.ended = False
        """The other end has closed, or is not listened to any more."""

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def blocked(self) -> bool:
        """Whether something waits for the socket to take more."""
        return bool(self._out)

    def send(self, value: Json, fds: Sequence[int] = ()) -> None:
        """Send a frame, descriptors with it: duplicates, so the caller may close its own."""
        self._out.append((memoryview(frame(value)), tuple(os.dup(fd) for fd in fds)))
        if len(self._out) == 1:
            self.flush()

    def flush(self) -> None:
        while self._out and not self.ended:
            data, fds = self._out[0]
            try:
                sent = socket.send_fds(self._socket, [data], list(fds)) if fds else self._socket.send(data)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                # The reader sees the end as well, and what it had still to say comes first.
                self._drop_out()
                return
            for fd in fds:
                os.close(fd)
            if sent == len(data):
                self._out.popleft()
            else:
                self._out[0] = (data[sent:], ())

    def receive(self) -> list[Json]:
        """The whole frames that have come; all of them, unless they are very many. Raises ``Garbled``."""
        while not self.ended and len(self._in) <= self._max_bytes:
            try:
                data = self._read()
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                data = b""
            if not data:
                self.ended = True
            self._in += data
        return self._frames()

    def take_fds(self, count: int) -> list[int]:
        """The next descriptors that came with a frame. Raises ``Garbled`` if there are fewer."""
        if len(self._fds) < count:
            raise Garbled("descriptors are missing")
        return [self._fds.popleft() for _ in range(count)]

    def close(self) -> None:
        self.ended = True
        self._drop_out()
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()
        self._socket.close()

    def _drop_out(self) -> None:
        for _, fds in self._out:
            for fd in fds:
                os.close(fd)
        self._out.clear()

    def _read(self) -> bytes:
        return self._socket.recv(_CHUNK)

    def _frames(self) -> list[Json]:
        found = []
        at = 0
        while len(self._in) - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._in, at)
            if length > self._max_bytes:
                raise Garbled(f"a frame of {length:,} bytes; at most {self._max_bytes:,} are allowed")
            begin = at + _LENGTH.size
            if len(self._in) < begin + length:
                break
            try:
                found.append(decode(bytes(self._in[begin : begin + length])))
            except (ValueError, RecursionError) as error:
                raise Garbled(f"a frame that is not JSON: {str(error)[:200]}") from None
            at = begin + length
        del self._in[:at]
        return found


class FdLink(Link):
    """A link on which descriptors come in as well."""

    def _read(self) -> bytes:
        data, ancillary, _, _ = self._socket.recvmsg(_CHUNK, socket.CMSG_SPACE(_MAX_FDS * 4))
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                numbers = array.array("i")
                numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
                self._fds.extend(numbers)
        return data


class Pipe:
    """A worker's end: it has nothing else to do, so it waits."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(True)  # noqa: FBT003
        self._socket = end

    def send(self, value: Json) -> None:
        self._socket.sendall(frame(value))

    def receive(self) -> Json:
        """The next frame. Raises ``EOFError`` when the other end has closed."""
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        return decode(self._exactly(length))

    def _exactly(self, count: int) -> bytes:
        data = self._socket.recv(count)
        while len(data) < count:
            more = self._socket.recv(min(count - len(data), _CHUNK)) if data else b""
            if not more:
                raise EOFError
            data += more
        return data
