"""The control API of one engine, from its sockets to its end: what ``engine start`` opens."""

from __future__ import annotations

from actors.addresses import Address, Http, listen
from actors.data_dir import DataDir, read_token
from actors.engine import Engine
from actors.server.app import make_app
from actors.server.serving import Listener, Serving
from actors.server.stream import Changes


class Control:
    """Made before the engine starts, started after it, closed after it has stopped."""

    def __init__(self, engine: Engine, data: DataDir, http: Http | None) -> None:
        """Open the sockets. Raises ``RequestError`` for an address that cannot be listened on."""
        self._engine = engine
        self._data = data
        self._token = data.token() if http is None or http.token_file is None else read_token(http.token_file)
        listeners = [Listener(data.bind(), local=True)]
        self.address: Address | None = None
        if http is not None:
            try:
                tcp, self.address = listen(http.address)
            except BaseException:
                listeners[0].socket.close()
                raise
            listeners.append(Listener(tcp, local=False))
        app = make_app(engine)
        self.changes: Changes = app.state.changes
        self._serving = Serving(app, listeners, end=self.changes.close)

    @property
    def url(self) -> str | None:
        """Where HTTP listens, if it does."""
        return None if self.address is None else f"http://{self.address}"

    def start(self) -> None:
        """Serve, and let clients find it."""
        self._serving.start()
        self._data.describe(definitions=self._engine.definitions.folder, http=self.url)

    def close(self) -> bool:
        """End it, also with open streams; false if its thread is late."""
        return self._serving.stop()
