"""Serves the control API from one thread with an event loop of its own.

The sockets are made before and handed over, so that who connects early waits instead of failing.
Signals are none of its business. ``stop`` is prompt, also with streams that never end and with
clients that take no answer: first all are asked to end, then hung up on.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import anyio.to_thread

from actors.errors import EngineError
from actors.log import logger
from actors.server.connections import Door

THREADS = 8
"""Calls to the engine at once; further ones wait for their turn."""
HANDSHAKE_S = 10.0
STARTING_S = 10.0
SETTLE_S = 0.02
ENDING_S = 1.0
"""So long what is being answered may take when the server stops."""


class Listener(NamedTuple):
    socket: socket.socket
    local: bool
    tls: ssl.SSLContext | None = None


class Serving:
    """Serves ``app`` on these sockets, which are its own from now on, from ``start`` to ``stop``."""

    def __init__(
        self,
        app: Any,
        listeners: Sequence[Listener],
        *,
        end: Callable[[], None] = lambda: None,
        name: str = "engine-api",
    ) -> None:
        """``end`` is called in the event loop when it stops: streams come to their end by it."""
        self._app = app
        self._end_streams = end
        self._listeners = listeners
        self.doors: list[Door] = []
        """Of each listener, once it serves."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None
        self._up = threading.Event()
        self._broken: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Return when it serves. Raises what kept it from that."""
        self._thread.start()
        if not self._up.wait(STARTING_S):
            raise EngineError(f"the control API did not come up within {STARTING_S:g} s")
        if self._broken is not None:
            raise self._broken

    def stop(self, timeout: float = 5.0) -> bool:
        """End all connections and the thread; false if that takes longer."""
        if self._thread.ident is None:
            for listener in self._listeners:
                listener.socket.close()
            return True
        loop, ending = self._loop, self._ending
        if loop is not None and ending is not None:
            with contextlib.suppress(RuntimeError):  # It has ended by itself.
                loop.call_soon_threadsafe(ending.set)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - the thread's last; who started it is told
            self._broken = error
            if self._up.is_set():
                logger().error("the control API failed", exc_info=error)
        finally:
            self._up.set()
            for listener in self._listeners:
                listener.socket.close()

    async def _serve(self) -> None:
        loop = self._loop = asyncio.get_running_loop()
        self._ending = asyncio.Event()
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        doors, servers = self.doors, []
        for listener in self._listeners:
            doors.append(door := Door(self._app))  # Each its own: who crowds one does not shut the other.
            make = functools.partial(door.connection, local=listener.local)
            handshake = HANDSHAKE_S if listener.tls is not None else None
            servers.append(
                await loop.create_server(
                    make, sock=listener.socket, ssl=listener.tls, backlog=128, ssl_handshake_timeout=handshake
                )
            )
        self._up.set()
        await self._ending.wait()
        for listener in self._listeners:
            loop.remove_reader(listener.socket)
        # Who was just accepted comes to its door before the server is closed, which would lose it.
        await asyncio.sleep(SETTLE_S)
        for server in servers:
            server.close()
        await self._end(doors)

    async def _end(self, doors: Sequence[Door]) -> None:
        """End the streams, close what is idle, give what is being answered a moment, and hang up on the rest."""
        self._end_streams()
        for door in doors:
            door.close_idle()
        await self._rest(doors)
        for door in doors:
            door.abort()
            for task in list(door.state.tasks):
                task.cancel()
        await self._rest(doors)
        await asyncio.sleep(SETTLE_S)  # What was hung up on is closed in the loop's next turn.

    async def _rest(self, doors: Sequence[Door]) -> None:
        tasks = [task for door in doors for task in door.state.tasks]
        if tasks:
            await asyncio.wait(tasks, timeout=ENDING_S)
