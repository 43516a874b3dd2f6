"""An actor's inbox: first in first out, never blocks a sender, loses nothing, lets nothing foreign in.

Every message sent is processed, refused in its sender's thread, or a dead letter, and each is
counted once. Appending takes no lock of ours: who posts looks afterwards whether the inbox was
closed meanwhile, and then takes out what nobody would read any more. So closing cannot miss
a message, and the usual case costs one look at a flag.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, Full, SimpleQueue
from typing import Any

from pykka._envelope import Envelope
from pykka.messages import _ActorStop

from actors.errors import EngineStopped

MAX_BATCH = 512

Door = Callable[[Envelope[Any]], object]
"""What an envelope from outside holds, as a message of the actor's protocol. Raises for any other."""
Bury = Callable[[object], None]
"""Tells whoever waits for this message's answer that nobody will handle it."""


class Inbox:
    """Holds plain messages, and of Pykka's envelopes only the one that says stop.

    The shell takes plain messages one after the other without going back to Pykka's loop in
    between, which would cost every message an envelope; stopping is left to that loop.
    """

    __slots__ = (
        "_accounts", "_ahead", "_bury", "_closed", "_door", "_put", "_queue", "dead", "processed", "qsize", "refused",
    )  # fmt: skip

    def __init__(self, door: Door, bury: Bury) -> None:
        self._queue: SimpleQueue[Any] = SimpleQueue()
        self._put = self._queue.put
        self._ahead: Envelope[Any] | None = None
        self._door = door
        self._bury = bury
        self._closed = False
        self._accounts = threading.Lock()
        self.qsize = self._queue.qsize
        self.processed = 0
        self.refused = 0
        self.dead = 0

    @property
    def closed(self) -> bool:
        return self._closed

    def account(self) -> dict[str, int]:
        """Where what was sent has gone; ``refused`` counts what came to it by way of Pykka's own refs."""
        return {
            "processed": self.processed, "refused": self.refused, "dead": self.dead, "waiting": self.qsize(),
        }  # fmt: skip

    # --- senders ---------------------------------------------------------------------------------

    def post(self, message: object) -> None:
        """From inside the engine: no envelope, nobody waits."""
        self._put(message)
        if self._closed:
            self._sweep()

    def put(self, envelope: Envelope[Any]) -> None:
        """From who got hold of Pykka's ``ActorRef``. Refused in his own thread: ``RequestError``, ``EngineStopped``."""
        if isinstance(envelope.message, _ActorStop):
            self.post(envelope)
            return
        try:
            if self._closed:
                raise EngineStopped("the actor has ended")
            message = self._door(envelope)
        except BaseException:
            with self._accounts:
                self.refused += 1
            raise
        self.post(message)

    # --- the actor -------------------------------------------------------------------------------

    def get(self) -> Envelope[Any]:
        """For Pykka's loop."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            return ahead
        item = self._queue.get()
        return item if type(item) is Envelope else Envelope(item)

    def take(self) -> Any:
        """The next message, waiting for it; None when Pykka's loop has something to do first."""
        if self._ahead is not None:
            return None
        item = self._queue.get()
        if type(item) is Envelope:
            self._ahead = item
            return None
        return item

    def gather(self, first: Any) -> list[Any]:
        """This message and those that wait behind it, up to a batch, and not beyond a stop."""
        batch = [first]
        get, waiting = self._queue.get, self._queue.qsize
        while waiting() and len(batch) < MAX_BATCH and self._ahead is None:
            item = get()
            if type(item) is Envelope:
                self._ahead = item
            else:
                batch.append(item)
        return batch

    def empty(self) -> bool:
        return self._ahead is None and self._queue.empty()

    # --- the end ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Nobody reads any more: what waits and what still comes are dead letters."""
        self._closed = True
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            _stopped(ahead)
        self._sweep()

    def bury(self, message: object) -> None:
        """Count a dead letter, and tell who waits for its answer."""
        with self._accounts:
            self.dead += 1
        self._bury(message)

    def _sweep(self) -> None:
        while True:
            try:
                item = self._queue.get_nowait()
            except Empty:
                return
            if type(item) is Envelope:
                _stopped(item)
            else:
                self.bury(item)


def _stopped(envelope: Envelope[Any]) -> None:
    if envelope.reply_to is not None:
        try:
            envelope.reply_to.set(None)
        except Full:
            return  # It had been answered.
