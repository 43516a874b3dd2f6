"""Says so when an attempt failed because of one of its limits.

The kernel reports a limit as any other error; its name in the definition is what the reader needs.
"""

from __future__ import annotations

from dataclasses import replace

from actors.model import Limits, Outcome

_SIGNS = (
    ("memory_mb", ("MemoryError", "Cannot allocate memory")),
    ("files", ("[Errno 24]",)),
    ("processes", ("[Errno 11]", "can't start new thread")),
)


def name_limit(outcome: Outcome, limits: Limits | None) -> Outcome:
    """The outcome, its error beginning with the limit that it comes from, if it looks like it."""
    error = outcome.error
    if limits is None or error is None:
        return outcome
    said = f"{error.type}: {error.message}"
    for name, signs in _SIGNS:
        amount = getattr(limits, name)
        if amount is not None and any(sign in said for sign in signs):
            text = f"limits.{name} = {amount} is used up: {error.message or error.type}"
            return replace(outcome, error=replace(error, message=text))
    return outcome


def cpu_text(limits: Limits) -> str:
    return f"limits.cpu_s = {limits.cpu_s} is used up"


def hint(limits: Limits | None) -> str:
    """What may have ended a process that died under limits, to be added to a text."""
    if limits is None:
        return ""
    given = [f"{name} {value}" for name in limits.__slots__ if (value := getattr(limits, name)) is not None]
    return f"; its limits are {', '.join(given)}" if given else ""
