"""Requests and answers over an engine's Unix socket, and streams that end when somebody wants it.

The standard library's HTTP is all that this needs: it is there in a fifth of the time that a
larger one takes to import, which is half of what a command like ``engine inject`` takes.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from actors.client.failing import error_of
from actors.errors import EngineError, EngineUnreachable, RequestError

ANSWER_S = 60.0
"""An engine that is busy answers late; one that does not answer at all has hung."""
MAX_ANSWER_BYTES = 512 * 1024 * 1024
MAX_EVENT_BYTES = 16 * 1024 * 1024
"""A longer event of a stream is none of ours."""
_BLOCK = 65_536

Plain = dict[str, Any]


class Wire:
    """One engine's socket. Any number of threads may use it; each request has a connection of its own."""

    def __init__(self, path: Path, *, answer_s: float = ANSWER_S) -> None:
        self.path = path
        self._answer_s = answer_s
        self._open: set[socket.socket] = set()
        self._lock = threading.RLock()  # A signal handler may interrupt what its own thread is at.
        self._over = False

    def ask(self, method: str, path: str, body: Any = None, *, query: Mapping[str, Any] | None = None) -> Plain:
        """Send a request; return the answer. Raises the error that the answer stands for."""
        content, headers = (b"", {}) if body is None else (encoded(body), {"content-type": "application/json"})
        with self._connected(self._answer_s) as connection:
            with _hung_up():
                connection.request(method, path + _query(query), content, headers)
            answer = connection.getresponse()
            told = answer.read(MAX_ANSWER_BYTES)
        return _read(answer.status, told)

    def upload(self, path: str, lines: Iterable[bytes]) -> Plain:
        """Send lines of JSON as one stream; return the answer."""
        with self._connected(self._answer_s) as connection:
            headers = {"content-type": "application/x-ndjson", "transfer-encoding": "chunked"}
            with _hung_up():
                connection.request("POST", path, iter(lines), headers, encode_chunked=True)
            answer = connection.getresponse()
            told = answer.read(MAX_ANSWER_BYTES)
        return _read(answer.status, told)

    def stream(
        self,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        last_id: str | None = None,
        quiet_s: float | None = None,
    ) -> Iterator[tuple[str | None, str, Plain]]:
        """Server-sent events as (id, type, data).

        Until the server ends them, ``interrupt`` does, or none has come for ``quiet_s`` seconds.
        """
        headers = {"accept": "text/event-stream"} | ({} if last_id is None else {"last-event-id": last_id})
        try:
            with self._connected(self._answer_s) as connection:
                under = connection.sock  # The connection itself lets go of it with the answer.
                connection.request("GET", path + _query(query), headers=headers)
                answer = connection.getresponse()
                if answer.status >= 300:
                    raise error_of(answer.status, answer.read(MAX_ANSWER_BYTES))
                under.settimeout(quiet_s)
                with contextlib.suppress(TimeoutError):
                    yield from _events(answer)
        except KeyboardInterrupt:
            if not self._over:
                raise

    def interrupt(self) -> None:
        """End all streams, and have all other requests raise ``KeyboardInterrupt``, until ``go_on``."""
        with self._lock:
            self._over = True
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def go_on(self) -> None:
        with self._lock:
            self._over = False

    @contextlib.contextmanager
    def _connected(self, seconds: float | None) -> Iterator[http.client.HTTPConnection]:
        connection = _Connection(self.path, seconds)
        try:
            self._connect(connection)
            with self._listed(connection.sock):
                yield connection
        except (OSError, http.client.HTTPException) as error:
            if self._over:
                raise KeyboardInterrupt from None
            if isinstance(error, TimeoutError):
                raise TimeoutError(
                    f"the engine on {self.path} does not answer; its log may say why, 'engine doctor' looks into it"
                ) from None
            raise EngineUnreachable(
                f"the engine on {self.path} went away before it answered ({_why(error)}); its log says why"
            ) from None
        finally:
            connection.close()

    def _connect(self, connection: http.client.HTTPConnection) -> None:
        try:
            connection.connect()
        except OSError as error:
            raise EngineUnreachable(
                f"no engine answers on {self.path} ({_why(error)}); start one with 'engine start', or name its data "
                "directory with --data-dir"
            ) from None

    @contextlib.contextmanager
    def _listed(self, under: socket.socket) -> Iterator[None]:
        with self._lock:
            if self._over:
                raise KeyboardInterrupt
            self._open.add(under)
        try:
            yield
        finally:
            with self._lock:
                self._open.discard(under)


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, seconds: float | None) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        under = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            under.settimeout(self.timeout)
            under.connect(os.fspath(self._path))
        except BaseException:
            under.close()
            raise
        self.sock = under

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **more: Any) -> None:
        super().request(method, url, body, {"connection": "close", **(headers or {})}, **more)


def _hung_up() -> contextlib.AbstractContextManager[None]:
    """An engine that has heard enough hangs up while we still write; its answer, which is there, says why."""
    return contextlib.suppress(BrokenPipeError, ConnectionResetError)


def _query(given: Mapping[str, Any] | None) -> str:
    asked = {name: value for name, value in (given or {}).items() if value is not None}
    return f"?{urlencode(asked, errors='surrogateescape')}" if asked else ""


def _why(error: BaseException) -> str:
    told = error.strerror if isinstance(error, OSError) else None
    return (told or str(error) or type(error).__name__).lower()


def encoded(value: Any) -> bytes:
    """JSON in UTF-8. Raises ``RequestError`` for what it has no form for."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        raise RequestError("a value is not UTF-8; write it in UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise RequestError(f"a value has no form in JSON: {error}") from None


def _read(status: int, body: bytes) -> Plain:
    if status >= 300:
        raise error_of(status, body)
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise EngineError(f"the engine's answer makes no sense (status {status}): it is no JSON object")
    return found


def _events(answer: http.client.HTTPResponse) -> Iterator[tuple[str | None, str, Plain]]:
    """Server-sent events out of bytes. Comments, which keep the line open, are passed over."""
    last: str | None = None
    kind, data = "message", list[str]()
    for line in _lines(iter(lambda: answer.read1(_BLOCK), b"")):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield last, kind, _read(200, "\n".join(data).encode())
            kind, data = "message", []
        elif name == "data":
            data.append(value)
        elif name == "id":
            last = value
        elif name == "event":
            kind = value


def _lines(blocks: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield line.rstrip(b"\r").decode("utf-8", "replace")
        if len(rest) > MAX_EVENT_BYTES:
            raise EngineError("the engine's stream makes no sense: a line has no end")
