"""Loads the definitions again when a person asks a running engine to (SIGHUP), one time after another."""

from __future__ import annotations

import threading

from actors.engine import Engine
from actors.errors import DefinitionError, EngineStopped, Error
from actors.narration import Notice
from actors.notify import Notifier
from actors.teller import Teller
from actors.views import Reloaded

JOIN_S = 2.0


class Renewal:
    """``ask`` returns at once. Asked while it is at it, it does it once more."""

    def __init__(self, engine: Engine, teller: Teller, notifier: Notifier) -> None:
        self._engine = engine
        self._teller = teller
        self._notifier = notifier
        self._lock = threading.Lock()
        self._again = False
        self._thread: threading.Thread | None = None

    def ask(self) -> None:
        with self._lock:
            self._again = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="engine-reload", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """The engine has stopped."""
        thread = self._thread
        if thread is not None:
            thread.join(JOIN_S)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._again:
                    self._thread = None
                    return
                self._again = False
            self._notifier.reloading()
            self._reload()
            self._notifier.ready()

    def _reload(self) -> None:
        teller = self._teller
        try:
            changed = self._engine.reload()
        except DefinitionError as error:
            for fault in error.faults:
                teller.complain(str(fault))
            teller.note(Notice.RELOAD_REFUSED, faults=len(error.faults))
        except EngineStopped:
            return
        except Error as error:
            teller.note(Notice.RELOAD_FAILED, why=error)
        else:
            teller.say(Notice.RELOADED, version=changed.version, what=_what(changed))
            if changed.at_next_start:
                teller.note(Notice.AT_NEXT_START, settings=", ".join(changed.at_next_start))


def _what(changed: Reloaded) -> str:
    """In signs, which every language reads: + added, ~ changed, - removed."""
    parts = [f"+{name}" for name in changed.added] + [f"~{name}" for name in changed.changed]
    parts += [f"-{name}" for name in changed.removed] + [f"{name}" for name in changed.settings]
    parts += ["*.py"] if changed.code_changed else []
    return ", ".join(parts) or "="
