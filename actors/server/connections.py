"""One connection: who is at its other end, and how long it may take over what it sends.

uvicorn's own protocol, and around it what it does not do: check the user behind a Unix socket,
bound how many connections there are, and end those that send their headers a byte at a time,
that take no answer, or whose other end is gone.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
import sys
from typing import Any

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from actors import plain

HEADERS_S = 10.0
"""So long a request's line and headers may take to come, from its first byte or from the connection's start."""
IDLE_S = 75.0
"""A connection kept alive of which nothing comes is closed."""
LOOK_S = 30.0
STUCK_LOOKS = 4
"""A connection of which nothing was taken from one look to the next, so many times, is hung up on."""
MAX_HEADERS = 32_768
MAX_CONNECTIONS = 256
KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 60_000}
"""What tells on TCP that the other end is gone: after a minute without a sign of it."""

_QUIET = logging.Logger("actors.server", logging.CRITICAL)  # noqa: LOG001 - it is nobody's child
"""What a stranger sends fills nobody's log; faults of ours are logged where they are answered."""


class Door:
    """What all connections to one socket have in common."""

    def __init__(self, app: Any, *, max_connections: int = MAX_CONNECTIONS) -> None:
        self.config = Config(
            app,
            http=H11Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=int(IDLE_S),
            h11_max_incomplete_event_size=MAX_HEADERS,
        )
        self.config.load()
        self.state = ServerState()
        self.most = max_connections

    @property
    def open(self) -> int:
        return len(self.state.connections)

    def connection(self, *, local: bool) -> Connection:
        return Connection(self, local=local)

    def refuses(self, transport: asyncio.BaseTransport, *, local: bool) -> tuple[int, str, str] | None:
        """Why this connection is not served, as status, code and sentence."""
        if self.open > self.most:
            return 503, "too_many", f"there are {self.most} connections already; close some, or try again later"
        if not local:
            return None
        user = peer_user(transport.get_extra_info("socket"))
        if user not in (0, os.geteuid()):
            return 403, "forbidden", "the engine's socket is for its own user and root"
        return None

    def close_idle(self) -> None:
        """Close what serves no request now; the others close when they have answered."""
        for connection in list(self.state.connections):
            connection.shutdown()

    def abort(self) -> None:
        for connection in list(self.state.connections):
            connection.transport.abort()


class Connection(H11Protocol):
    def __init__(self, door: Door, *, local: bool) -> None:
        # What a request finds in its scope, so that it can tell from where it came, and hang up.
        super().__init__(door.config, door.state, {"connection": self})
        self.logger = _QUIET
        self.access_log = False
        self.local = local
        self._door = door
        self._late: asyncio.TimerHandle | None = None
        self._look: asyncio.TimerHandle | None = None
        self._unsent = 0
        self._stuck = 0

    def abort(self) -> None:
        """Hang up at once, whatever has not been sent."""
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if not self.local:
            keep_alive(transport.get_extra_info("socket"))
        self._look = self.loop.call_later(LOOK_S, self._look_for_progress)
        refusal = self._door.refuses(transport, local=self.local)
        if refusal is not None:
            self._refuse(*refusal)
            return
        self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._headers_came()
        self._unset_keepalive_if_required()
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._answering():
            self._headers_came()
        elif self.timeout_keep_alive_task is None:
            self._wait_for_headers()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # A body that goes on after its answer, or a next request that is there in part, has its time from now.
        waits = self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]
        if not waits and not self._answering() and not self.transport.is_closing():
            self._unset_keepalive_if_required()
            self._wait_for_headers()

    def resume_writing(self) -> None:
        self._stuck = 0
        super().resume_writing()

    def _look_for_progress(self) -> None:
        """Hang up where what was sent is not taken: closing would wait for that for ever."""
        unsent = self.transport.get_write_buffer_size()
        self._stuck = self._stuck + 1 if unsent and unsent >= self._unsent > 0 else 0
        self._unsent = unsent
        if self._stuck >= STUCK_LOOKS:
            self.transport.abort()
            return
        self._look = self.loop.call_later(LOOK_S, self._look_for_progress)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - its sentence is for HTTP's own people
        self._refuse(400, "request", "this is no HTTP request")

    def _answering(self) -> bool:
        """Whether a request has come and its answer is not complete."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _wait_for_headers(self) -> None:
        if self._late is None and not self.transport.is_closing():
            self._late = self.loop.call_later(HEADERS_S, self._too_late)

    def _headers_came(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _too_late(self) -> None:
        self._late = None
        self._refuse(408, "slow", f"the headers took longer than {HEADERS_S:g} s")

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Answer without asking the application, and hang up."""
        body = plain.encoded({"error": {"code": code, "message": message}})
        headers = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
        try:
            parts = (h11.Response(status_code=status, headers=headers), h11.Data(data=body), h11.EndOfMessage())
            for part in parts:
                self.transport.write(self.conn.send(part) or b"")
        except h11.LocalProtocolError:
            self.transport.abort()  # In the middle of another answer.
            return
        self.transport.close()


def peer_user(peer: Any) -> int | None:
    """The user at the other end of a Unix socket; None where the system does not tell."""
    if hasattr(socket, "SO_PEERCRED"):
        _, user, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
        return int(user)
    if sys.platform == "darwin":
        # struct xucred: version, user, number of groups, groups; LOCAL_PEERCRED is 1, its level 0.
        _, user = struct.unpack_from("II", peer.getsockopt(0, 1, 76))
        return int(user)
    return os.geteuid()  # The socket's mode, 0600, is what keeps others away.


def keep_alive(opened: Any) -> None:
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        if hasattr(socket, name):
            opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
