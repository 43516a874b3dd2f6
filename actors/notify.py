"""Tells a service manager how the engine is: systemd's protocol of ``NOTIFY_SOCKET``, one datagram a word.

The watchdog is fed by the scheduler: a thread asks it, and its answer, in a turn of its own, is
what is told. An engine whose scheduler stands still is not kept alive by a timer.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, MutableMapping
from typing import TypeAlias

Ask: TypeAlias = Callable[[Callable[[BaseException | None], object]], object]
"""Has the callable called, with None, in a turn of the scheduler's. May raise when there is no engine any more."""

_NAMES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
FEEDINGS = 3
"""So often the watchdog is fed within its time."""
JOIN_S = 2.0


class Notifier:
    """Without a service manager every word is said to nobody."""

    def __init__(self, environment: MutableMapping[str, str] | None = None) -> None:
        """Take what the manager has left in the environment; what is started from here is not to find it."""
        found = os.environ if environment is None else environment
        where, within, whom = (found.pop(name, "") for name in _NAMES)
        self._address = "\0" + where[1:] if where.startswith("@") else where
        self._socket: socket.socket | None = None
        if self._address.startswith(("/", "\0")) and hasattr(socket, "AF_UNIX"):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | getattr(socket, "SOCK_CLOEXEC", 0))
            self._socket.setblocking(False)  # noqa: FBT003
        meant = whom in ("", str(os.getpid()))
        self.watchdog_s = int(within) / 1e6 if within.isdigit() and meant and self._socket is not None else 0.0
        """Within so many seconds the watchdog must be fed; 0: there is none."""
        self._over = threading.Event()
        self._unanswered = False
        self._feeder: threading.Thread | None = None

    def ready(self, status: str = "") -> None:
        self._say("READY=1", *([f"STATUS={status}"] if status else []))

    def reloading(self) -> None:
        """``ready`` says that it is over."""
        self._say("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        self._say("STOPPING=1")

    def feed_from(self, ask: Ask) -> None:
        """Feed the watchdog, if there is one, as long as the asked answers."""
        if self.watchdog_s > 0 and self._feeder is None:
            self._feeder = threading.Thread(target=self._feed, args=(ask,), name="engine-notify", daemon=True)
            self._feeder.start()

    def close(self) -> None:
        """The engine has stopped."""
        self._over.set()
        if self._feeder is not None:
            self._feeder.join(JOIN_S)
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _feed(self, ask: Ask) -> None:
        while True:
            if not self._unanswered:
                self._unanswered = True
                try:
                    ask(self._answered)
                except Exception:  # noqa: BLE001 - whatever it is: there is nobody to feed the watchdog for
                    return
            if self._over.wait(self.watchdog_s / FEEDINGS):
                return

    def _answered(self, error: BaseException | None) -> None:
        self._unanswered = False
        if error is None:
            self._say("WATCHDOG=1")

    def _say(self, *words: str) -> None:
        if self._socket is not None:
            # A manager that does not listen is none.
            with contextlib.suppress(OSError):
                self._socket.sendto("\n".join(words).encode(), self._address)
