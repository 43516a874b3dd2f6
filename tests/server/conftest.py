"""An engine behind its control API, and clients of it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from actors import Engine
from actors.addresses import Address, Http
from actors.data_dir import DataDir
from actors.server.control import Control
from tests.engine.conftest import ACTIONS, Watched

TOKEN = "a-token-for-tests-only-0123456789"


class Served:
    """An engine that runs, and its API on a socket and on a free port of loopback."""

    def __init__(self, engine: Engine, data: DataDir, control: Control, port: int) -> None:
        self.engine = engine
        self.data = data
        self.control = control
        self.port = port
        self.watched = Watched(engine)
        self._clients: list[httpx.Client] = []

    def client(self, **options: Any) -> httpx.Client:
        """A client over the Unix socket."""
        transport = httpx.HTTPTransport(uds=str(self.data.listens_at))
        return self._kept(httpx.Client(transport=transport, base_url="http://engine", timeout=20, **options))

    def over_tcp(self, **options: Any) -> httpx.Client:
        return self._kept(
            httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=20, trust_env=False, **options)
        )

    def raw(self, *, tcp: bool = False) -> socket.socket:
        """A bare connection."""
        if tcp:
            return socket.create_connection(("127.0.0.1", self.port), timeout=20)
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        opened.settimeout(20)
        opened.connect(str(self.data.listens_at))
        return opened

    def _kept(self, client: httpx.Client) -> httpx.Client:
        self._clients.append(client)
        return client

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self.engine.stop(grace=0.0)
        assert self.control.close()
        self.data.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """``serve(definitions)`` starts an engine and its API; all are stopped at the end."""
    served: list[Served] = []

    def serve_one(definitions: Mapping[str, Any] | Path, **options: Any) -> Served:
        token = tmp_path / "token-file"
        token.write_text(TOKEN + "\n")
        http = options.pop("http", Http(Address("127.0.0.1", 0), token))
        data = DataDir.open(tmp_path / f"data-{len(served)}")
        engine = Engine(definitions, actions={**ACTIONS, **options.pop("actions", {})}, **options)
        control = Control(engine, data, http)
        engine.start()
        control.start()
        assert control.access is not None
        served.append(Served(engine, data, control, control.access.address.port))
        return served[-1]

    yield serve_one
    for one in served:
        one.close()
