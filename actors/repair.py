"""What follows a crash: a fresh logic, and everything fed again that the old one had not dealt with.

First the asks that were taken in earlier and are still open, then the batch, message by
message. One that crashes its logic a second time is quarantined. The logic's state is never
trusted after a crash, whatever raised, and each crash counts.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from actors.effects import Effect
from actors.log import logger
from actors.model import ErrorInfo, Instant, ReplyId
from actors.seat import TRIES, Pending, Remainder, Seat


class Stopped(Exception):
    """Another actor has taken this one's place; it must do nothing more."""


class Fatal(Exception):
    """Nothing may go on from here: not a crash of a logic, which can be rebuilt."""


class Logic(Protocol):
    """Decides; a crash of it has changed nothing outside."""

    def begin(self, now: Instant) -> list[Effect]:
        """What must happen first of all, before any message."""
        ...

    def receive(self, message: Any, now: Instant) -> list[Effect]: ...

    def settle(self, now: Instant) -> list[Effect]:
        """Decide, once all that arrived together has been applied."""
        ...

    def quarantined(self, message: Any, error: ErrorInfo, now: Instant) -> list[Effect]:
        """This message crashed a logic twice and is not fed again; what must happen instead."""
        ...


class Shell(Protocol):
    """What of the shell is needed here."""

    seat: Seat
    logic: Logic

    def fresh(self) -> Logic: ...

    def hold(self, line: Sequence[Pending], unfed: Sequence[Pending]) -> Instant:
        """Begin a step: this is what is in hand, and of that nothing has been touched yet of ``unfed``."""
        ...

    def finish(self, done: Sequence[Any], effects: list[Effect], rest: Sequence[Pending] = ()) -> None: ...

    def about(self) -> Mapping[str, Any]: ...

    def mourn(self, error: BaseException, line: Sequence[Pending]) -> None: ...

    def too_often(self, error: BaseException) -> None: ...


def resume(shell: Shell, remainder: Remainder) -> None:
    """Go on in the place of an actor that hung or is gone: perform what it had decided, then as after a crash."""
    shell.hold(remainder.line, remainder.line)
    shell.finish((), list(remainder.effects), remainder.line)
    feed_again(shell, list(remainder.line), remainder.error)


def feed_again(shell: Shell, line: list[Pending], error: BaseException) -> None:
    """Return when a fresh logic has dealt with all of it. Raises ``Stopped``, ``Fatal`` and what ``too_often`` does."""
    asks: dict[ReplyId, Pending] = {}
    while True:
        _crashed(shell, line, error)
        at_work: Pending | None = None
        try:
            _rebuild(shell, line)
            for ask in shell.seat.asks.all():
                at_work = asks.setdefault(ask.reply, Pending(ask))
                _feed(shell, at_work, shell.hold(line, line), done=(), rest=line)
            while line:
                at_work, rest = line[0], line[1:]
                _feed(shell, at_work, shell.hold(line, rest), done=(at_work.message,), rest=rest)
                line = rest
        except (Stopped, Fatal):
            raise
        except BaseException as again:  # noqa: BLE001 - whatever it is, the logic cannot be trusted any more
            error = again
            if at_work is not None:
                line = _blame(at_work, again, line)
        else:
            return


def _crashed(shell: Shell, line: list[Pending], error: BaseException) -> None:
    shell.seat.restarts += 1
    trace = "".join(traceback.format_exception(error))[-8000:]
    logger().error(
        "actor crashed", actor=shell.seat.name, restarts=shell.seat.restarts, traceback=trace, **shell.about()
    )
    now = shell.hold(line, line)
    shell.mourn(error, line)
    if shell.seat.crashed(now):
        shell.too_often(error)


def _rebuild(shell: Shell, line: list[Pending]) -> None:
    shell.seat.generation += 1
    now = shell.hold(line, line)
    shell.logic = shell.fresh()
    shell.finish((), shell.logic.begin(now), line)


def _feed(shell: Shell, pending: Pending, now: Instant, *, done: Sequence[Any], rest: Sequence[Pending]) -> None:
    logic = shell.logic
    if pending.tries < TRIES:
        effects = logic.receive(pending.message, now)
    else:
        if not pending.told:
            shell.seat.set_apart(pending)
        effects = logic.quarantined(pending.message, _info(pending), now)
    effects = [*effects, *logic.settle(now)]
    shell.finish(done, effects, rest)


def _blame(pending: Pending, error: BaseException, line: list[Pending]) -> list[Pending]:
    """Count it against the message at work; return the line that is left."""
    if pending.told:  # It was set apart, and even to say so crashed the logic.
        return [other for other in line if other is not pending]
    pending.tries += 1
    pending.error, pending.trace = error, "".join(traceback.format_exception(error))
    return line


def _info(pending: Pending) -> ErrorInfo:
    kind = type(pending.error).__name__
    return ErrorInfo(kind, str(pending.error)[:2000], pending.trace[-8000:], retryable=False)
