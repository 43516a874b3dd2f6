"""A replay over the control API: batches of events, with what became of them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from actors.client.client import Client
from actors.commands.output import Output
from actors.errors import RequestError
from actors.model import Event
from actors.replay import Progress, replay
from actors.ticks.columns import columns_of
from actors.ticks.files import TickFile
from actors.views import Receipt


class _Publisher:
    """A client as a replay sees an engine. It is stopped when the client is interrupted."""

    def __init__(self, engine: Client, stop: threading.Event) -> None:
        self._engine = engine
        self._stop = stop

    def publish_many(self, events: Sequence[Event]) -> Sequence[Receipt]:
        if self._engine.interrupted:
            self._stop.set()
        told = self._engine.publish_lines([asdict(event) for event in events])
        if told["rejected"]:
            raise RequestError(told["errors"][0]["error"]["message"])
        return [Receipt("", duplicate=place < told["duplicates"]) for place in range(told["accepted"])]


def replay_through(engine: Client, out: Output, file: Path, *, speed: float, skip_gaps: float | None) -> Progress:
    """Replay the file to the engine; tell how far it is. Raises ``FileNotFoundError`` and ``RequestError``."""
    folder = engine.version().get("definitions")
    ticks = TickFile(file, columns_of(Path(folder) if folder else Path()))
    ticks.open().close()
    stop = threading.Event()
    told = 0

    def tell(progress: Progress) -> None:
        nonlocal told
        for fault in progress.faults[told:]:
            out.message(fault)
        told = len(progress.faults)

    return replay(_Publisher(engine, stop), ticks, speed=speed, skip_gaps=skip_gaps, on_progress=tell, stop=stop)
