"""What looks into an engine's actors, and what speaks to one of them directly."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from actors import admission
from actors.brief import brief
from actors.effects import KEEPER, ROUTER, SCHEDULER
from actors.errors import NotFoundError, RequestError
from actors.generations import agent_names
from actors.handles import ANSWER_S
from actors.log import logger
from actors.messages import Inspect
from actors.model import Json
from actors.paging import Paging
from actors.protocol import answers, is_unsafe, message_from, protocol_of
from actors.shapes import meant, shown
from actors.sketch import Bounds, sketch
from actors.sources import sources
from actors.taps import MOST_PER_S, Listener

ANSWERED = Bounds(items=1000, chars=10_000, levels=20, values=50_000)
"""So much of an answer is given."""
INSPECTED = Bounds(items=200, chars=300, values=20_000)
MAX_WAIT_S = 86_400
MOST_NAMED = 12
"""Actors that a refusal names."""


class Insight(Paging):
    """Raises ``NotFoundError`` for an actor that there is not."""

    _gate: admission.Gate
    _arguments: frozenset[str]
    """Settings that were given beside the definitions."""

    def settings_sources(self) -> list[dict[str, Json]]:
        """Every setting: ``name``, ``value``, ``default``, and ``source``, where the value comes from.

        That is ``FILE:LINE``, ``argument`` for what the program gave, or ``default``. Before the start too.
        """
        return sources(self.definitions, self._arguments, self._store)

    def protocol(self, actor: str) -> list[dict[str, Json]]:
        """Every message that the actor takes, as ``actors.protocol.protocol_of``; before the start too."""
        return protocol_of(self._known(actor))

    def actors(self) -> list[dict[str, Json]]:
        """Every actor, also one that hangs: nobody is asked.

        ``name``; ``state`` (``idle``, ``busy``, ``stopping``, ``halted``, ``taken out``);
        ``inbox_depth``; ``handled``, messages dealt with; ``oldest_waiting_ms``, how long the oldest not
        yet dealt with has been there, at least, and at most a fifth of a second longer;
        ``restarts`` and ``generation``, logics made after the first; ``dead_letters``, messages that
        nobody read; ``refused``, foreign ones; ``quarantined``, those that crashed it twice.
        """
        return self._running().supervisor.standings()

    def send(
        self,
        actor: str,
        message: str,
        fields: Mapping[str, Json] | None = None,
        *,
        unsafe: bool = False,
        timeout: float = ANSWER_S,
    ) -> Json:
        """Send any message of an actor's protocol, given by name and plain fields; return its answer as plain JSON.

        None for a message that has no answer. What the engine's own parts tell each other could
        forge an outcome: that takes ``unsafe``, is logged, and does what it says, whatever becomes
        of the engine. Raises ``RequestError``, ``NotFoundError`` and ``RefusedError`` before
        anything is sent, and ``TimeoutError`` when there is no answer within ``timeout`` seconds.
        """
        known = self._known(actor)
        made = self._gate.message(message_from(known, message, fields, may_be_unsafe=unsafe))
        if type(timeout) not in (int, float) or not 0 < timeout <= MAX_WAIT_S:
            raise RequestError(f"timeout must be seconds, more than 0 and at most {MAX_WAIT_S:,}, not {shown(timeout)}")
        parts = self._running()
        if is_unsafe(known, type(made)):
            logger().warning("unsafe message sent", actor=known, message=brief(made))
        if answers(type(made)):
            return sketch(self._ask(known, made, timeout), ANSWERED)
        parts.hand_in(known, made)
        return None

    def inspect(self, actor: str) -> dict[str, Json]:
        """What an actor's logic knows, told by itself in its turn: totals, and the first 50 of each collection.

        Raises ``TimeoutError`` if it does not answer within 30 s.
        """
        known = self._known(actor)
        found: dict[str, Json] = sketch(self._ask(known, Inspect()), INSPECTED)
        return found

    def tap(self, actor: str, listener: Listener, *, max_per_s: int = 100) -> Callable[[], None]:
        """Show ``listener`` the actor's messages as it takes them in, from a thread of their own; return what ends it.

        Each is ``{"at", "actor", "message", "fields", "skipped"}``: UTC seconds, names, the fields
        bounded, and how many messages were not shown since the last one, because there were more
        than ``max_per_s`` (1 to 10,000) or the listener was too slow. ``message`` is None where
        there is only ``skipped`` to tell. It goes on when the actor crashes or is replaced. Raises
        ``RefusedError`` when 64 taps are open.
        """
        known = self._known(actor)
        if type(max_per_s) is not int or not 1 <= max_per_s <= MOST_PER_S:
            raise RequestError(f"max_per_s must be a whole number from 1 to {MOST_PER_S:,}, not {shown(max_per_s)}")
        parts = self._running()
        return parts.taps.add(parts.supervisor.actors[known].seat, listener, max_per_s)

    def _known(self, actor: object) -> str:
        names: tuple[str, ...] = (ROUTER, KEEPER, SCHEDULER, *[name for name, _ in agent_names(self.definitions)])
        if not isinstance(actor, str) or actor not in names:
            some = ", ".join(names[:MOST_NAMED]) + (" ..." if len(names) > MOST_NAMED else "")
            raise NotFoundError(f"no actor {shown(actor)}{meant(actor, names) or f'; there are: {some}'}")
        return actor
