"""State changes of an engine that a shell is attached to, as lines above its prompt."""

from __future__ import annotations

import threading
from collections.abc import Callable

from actors.client.client import Client
from actors.errors import Error
from actors.narration import NARRATED, Language, narrate
from actors.record import change_of

AGAIN_S = 1.0
"""An engine that has gone away is looked for so often."""
JOIN_S = 3.0


class Telling:
    """Tells until it is closed; what was missed while the engine was away is not made up for."""

    def __init__(self, engine: Client, say: Callable[[str], None], language: Language) -> None:
        self._engine = engine
        self._say = say
        self._language = language
        self._thread = threading.Thread(target=self._tell, name="shell-changes", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._engine.interrupt()
        self._thread.join(JOIN_S)

    def _tell(self) -> None:
        types = sorted(str(type_) for type_ in NARRATED)
        while not self._engine.interrupted:
            try:
                for _, fields in self._engine.changes(types=types, follow=True):
                    line = narrate(change_of(fields), self._language)
                    if line is not None:
                        self._say(line)
            except (Error, OSError):
                pass  # The next command says so; this begins again when there is an engine.
            if self._engine.pause_for(AGAIN_S):
                return
