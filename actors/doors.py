"""The ways into an engine that runs by itself: its data directory, and the control API there and over TCP."""

from __future__ import annotations

from pathlib import Path

from actors.addresses import Http
from actors.data_dir import DataDir
from actors.engine import Engine


class Doors:
    """Made before the engine starts, ``open`` after it, ``close`` after it has stopped.

    Made, the data directory is ours and the sockets are bound: who connects early waits. Raises
    ``RefusedError`` while another engine has the directory, ``RequestError`` for an address that
    cannot be listened on, ``MissingExtra``.
    """

    def __init__(self, engine: Engine, data: Path, http: Http | None) -> None:
        # Imported before the engine starts: beside its first work it would cost that some milliseconds.
        try:
            from actors.server.control import Control
        except ModuleNotFoundError as error:
            from actors.extras import missing_extra

            raise missing_extra("server", "The control API", error.name) from None
        self._data = DataDir.open(data)
        try:
            self._control = Control(engine, self._data, http)
        except BaseException:
            self._data.close()
            raise

    @property
    def socket(self) -> Path | None:
        return self._data.listens_at

    def login_link(self) -> str | None:
        """What a browser opens, if HTTP over TCP is served: it logs in, once."""
        return self._control.login_link()

    @property
    def history(self) -> Path:
        """What was typed in shells."""
        return self._data.history

    def open(self) -> None:
        """Serve, and let clients find it."""
        self._control.start()

    def close(self) -> None:
        """End it, also with streams that are open. Nothing the second time."""
        self._control.close()
        self._data.close()
