"""Exit statuses, and which error leads to which."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from actors.errors import (
    DefinitionError,
    EngineFailed,
    EngineUnreachable,
    Error,
    MissingExtra,
    NotFoundError,
    Overloaded,
    RefusedError,
    RequestError,
)


class Status(IntEnum):
    """Exit statuses; they are part of the interface."""

    OK = 0
    FAILED = 1
    USAGE = 2
    MISSING_EXTRA = 3
    DEFINITIONS = 4
    NOT_FOUND = 5
    NOT_REACHABLE = 6
    REFUSED = 7
    ENGINE_FAILED = 70
    TIMEOUT = 124
    INTERRUPTED = 130


_BY_ERROR: Sequence[tuple[type[BaseException], Status]] = (
    (MissingExtra, Status.MISSING_EXTRA),
    (DefinitionError, Status.DEFINITIONS),
    (NotFoundError, Status.NOT_FOUND),
    (FileNotFoundError, Status.NOT_FOUND),
    (RefusedError, Status.REFUSED),
    (Overloaded, Status.REFUSED),
    (RequestError, Status.USAGE),
    (EngineFailed, Status.ENGINE_FAILED),
    (EngineUnreachable, Status.NOT_REACHABLE),
    (TimeoutError, Status.TIMEOUT),
    (KeyboardInterrupt, Status.INTERRUPTED),
)


def status_of(error: BaseException) -> Status:
    return next((status for kind, status in _BY_ERROR if isinstance(error, kind)), Status.FAILED)


def sentence(error: BaseException) -> str:
    """Return what to tell the user: what happened, and of the unexpected how to learn more."""
    match error:
        case KeyboardInterrupt():
            return "interrupted"
        case Error():
            return str(error)
        case TimeoutError(errno=None):
            return str(error) or "it took too long"
        case OSError():
            where = f"{error.filename}: " if error.filename is not None else ""
            return f"{where}{error.strerror or error}"
        case _:
            return f"unexpected {type(error).__name__}: {str(error) or 'no message'} (--debug shows where)"
