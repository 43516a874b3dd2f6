"""What one run from the command line is to do: the options, checked and resolved."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from actors.addresses import Http
from actors.model import Definitions
from actors.narration import Language
from actors.ticks.files import TickFile


@dataclass(frozen=True, slots=True)
class Plan:
    """With a replay or a shell, a run ends when these are over and all they led to is done."""

    definitions: Definitions
    language: Language
    agents: int | None = None
    store: str | None = None
    until_idle: bool = False
    replay: TickFile | None = None
    speed: float = 1.0
    skip_gaps: float | None = None
    shell: bool = False
    keep_going: bool = False
    """The shell's script goes on after an error."""
    grace: float = 10.0
    """Seconds that running tasks may go on when the engine is told to stop."""
    json: bool = False
    """One JSON object a line, instead of lines for people."""
    record: Path | None = None
    """Every state change is written there."""
    data: Path | None = None
    """The data directory, where the control API's socket is; None: no control API."""
    http: Http | None = None
    """The control API over TCP too."""
    verbose: bool = False
    """Every task's lines during a replay too."""
