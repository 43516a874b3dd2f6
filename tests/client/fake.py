"""A server on a Unix socket that answers what a test says, whatever an engine would."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple


class Asked(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    status: int
    body: Any
    """Bytes as they are, an iterable of them as a stream, anything else as JSON."""


class Fake:
    """``answer`` is called for each request, in a thread of its own."""

    def __init__(self, path: Path, answer: Callable[[Asked], Answer]) -> None:
        self.path = path
        self.asked: list[Asked] = []
        self._server = _Server(str(path), _handler(answer, self.asked))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def __enter__(self) -> Fake:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = False
    block_on_close = True


def _handler(answer: Callable[[Asked], Answer], asked: list[Asked]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def address_string(self) -> str:
            return "a socket"

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

        def _answer(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Asked(self.command, self.path, headers, self._body(headers))
            asked.append(request)
            status, body = answer(request)
            self.send_response(status)
            self.close_connection = True
            self.send_header("connection", "close")
            if hasattr(body, "__next__"):
                self.send_header("content-type", "text/event-stream")
                self.end_headers()
                for block in body:
                    self.wfile.write(block)
                    self.wfile.flush()
                return
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _body(self, headers: dict[str, str]) -> bytes:
            if headers.get("transfer-encoding") != "chunked":
                return self.rfile.read(int(headers.get("content-length", 0)))
            found = b""
            while size := int(self.rfile.readline(), 16):
                found += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return found

        do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - the names it looks for

    return Handler
