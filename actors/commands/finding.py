"""Which running engine a command means: the one of a data directory, or of definitions."""

from __future__ import annotations

from pathlib import Path

from actors.client.client import Client
from actors.commands.options import EXAMPLE
from actors.data_dir import find
from actors.errors import EngineUnreachable


def client_for(data: Path | None, definitions: Path | None) -> Client:
    """A client of the engine in this data directory, else of these definitions, else of the example's."""
    if data is None and definitions is None and not EXAMPLE.is_dir():
        raise EngineUnreachable("which engine? name its data directory with --data, or its --definitions")
    return Client(find(data, definitions or EXAMPLE)["socket"])
