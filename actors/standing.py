"""How an actor is, seen from outside: nothing of it waits for the actor, or costs it anything."""

from __future__ import annotations

from typing import Any

from actors.actor import LogicActor
from actors.model import NS_PER_MS, Instant


def look(actor: LogicActor, now: Instant) -> None:
    """Note how many messages have come by now, for how long they wait.

    Read in the order in which a message moves on, so that none is counted twice; one that is
    between two places may be missed, and then counts from the next look.
    """
    inbox = actor.inbox
    done = inbox.processed + inbox.dead
    actor.seat.ages.look(done + len(actor.in_hand()) + inbox.qsize(), done, now)


def standing(actor: LogicActor, now: Instant) -> dict[str, Any]:
    """As ``Engine.actors`` shows it."""
    look(actor, now)
    seat, account = actor.seat, actor.inbox.account()
    return {
        "name": actor.name,
        "state": _state(actor),
        "inbox_depth": account["waiting"],
        "handled": account["processed"],
        "oldest_waiting_ms": seat.ages.oldest_ns(account["processed"] + account["dead"], now) / NS_PER_MS,
        "restarts": seat.restarts,
        "generation": seat.generation,
        "dead_letters": account["dead"],
        "refused": account["refused"],
        "quarantined": seat.quarantines,
    }


def _state(actor: LogicActor) -> str:
    seat = actor.seat
    if seat.taken_out:
        return "taken out"
    if seat.halted or actor.inbox.closed:
        return "halted"
    if seat.leaving:
        return "stopping"
    return "idle" if actor.progress() is None else "busy"
