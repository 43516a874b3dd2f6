"""The control API of one engine, from its sockets to its end: what ``engine start`` opens."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Sequence

from actors.addresses import Http, listen
from actors.data_dir import DataDir, read_token
from actors.engine import Engine
from actors.errors import RequestError
from actors.server.access import Access
from actors.server.app import make_app
from actors.server.connections import Door
from actors.server.security import MAX_BODY, Gatekeeper
from actors.server.serving import Listener, Serving
from actors.server.stream import Changes
from actors.server.tapping import Tapping
from actors.server.waits import Waits


class Control:
    """Made before the engine starts, started after it, closed after it has stopped."""

    def __init__(self, engine: Engine, data: DataDir, http: Http | None) -> None:
        """Open the sockets. Raises ``RequestError`` for an address that cannot be listened on, a file that is none."""
        self._engine = engine
        self._data = data
        self.access: Access | None = None
        with contextlib.ExitStack() as undo:
            listeners = [Listener(undo.enter_context(data.bind()), local=True)]
            if http is not None:
                listeners.append(self._over_tcp(http, undo))
            undo.pop_all()
        app = make_app(engine, self.access)
        self.changes: Changes = app.state.changes
        self.taps: Tapping = app.state.taps
        self.waits: Waits = app.state.waits
        # Beside its data a request says a few other things, and may write each character as six.
        body = max(MAX_BODY, 6 * engine.definitions.settings.max_data_bytes)
        self._serving = Serving(Gatekeeper(app, self.access, max_body=body), listeners, end=self._end_streams)

    def _over_tcp(self, http: Http, undo: contextlib.ExitStack) -> Listener:
        http.check()
        token = self._data.token() if http.token_file is None else read_token(http.token_file)
        tls = tls_of(http)
        tcp, address = listen(http.address)
        undo.enter_context(tcp)
        self.access = Access(token, address, tls=tls is not None)
        return Listener(tcp, local=False, tls=tls)

    @property
    def doors(self) -> Sequence[Door]:
        """Of the Unix socket and of TCP, once they are served."""
        return self._serving.doors

    @property
    def url(self) -> str | None:
        """Where HTTP listens, if it does."""
        return None if self.access is None else f"{self.access.scheme}://{self.access.address}"

    def login_link(self) -> str | None:
        """An address that logs a browser in, once; None without HTTP."""
        return None if self.access is None else self.access.link()

    def _end_streams(self) -> None:
        self.changes.close()
        self.taps.close()

    def start(self) -> None:
        """Serve, and let clients find it."""
        self._serving.start()
        self._data.describe(definitions=self._engine.definitions.folder, http=self.url)

    def close(self) -> bool:
        """End it, also with open streams; false if its thread is late."""
        return self._serving.stop()


def tls_of(http: Http) -> ssl.SSLContext | None:
    """Raises ``RequestError`` for a certificate or a key that cannot be used."""
    if http.certificate is None or http.key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(http.certificate, http.key, password=lambda: "")
    except (OSError, ssl.SSLError) as error:
        why = error.strerror or str(error)
        raise RequestError(f"{http.certificate} and {http.key} cannot serve HTTPS: {why.lower()}") from None
    return context
