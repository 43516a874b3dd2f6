"""One tree of errors, by whose fault it is, and the signals an action meets or raises.

Every text says what, where and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class Error(Exception):
    """Base of every error that this package raises on purpose."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a definition: ``file:line:col: path: message``."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}: " if self.file else ""
        return f"{where}{self.path}: {self.message}" if self.path else f"{where}{self.message}"


class DefinitionError(Error):
    """The author's: definitions that cannot be used. ``faults`` has all of them."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


class ConditionError(Error):
    """A ``when:`` could not be evaluated for this entity and event."""


class RequestError(Error):
    """The caller's: a value that cannot be accepted. Nothing was changed."""


class NotFoundError(RequestError):
    """The caller's: no such entity, workflow, instance, task or agent."""


class RefusedError(RequestError):
    """The caller's: understood, but not allowed in the present state."""


class Overloaded(Error):
    """Nobody's: the line of waiting events is full. Nothing was accepted; try again.

    ``accepted`` is how many events at the front of a ``publish_many`` were accepted before.
    """

    def __init__(self, message: str, *, retry_after: float, accepted: int = 0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.accepted = accepted


class EngineError(Error):
    """Ours, or the machine's."""


class EngineStopped(EngineError):
    """The engine is not running (not started, stopping or stopped)."""


class EngineFailed(EngineError):
    """The engine stopped itself because of a fault inside; its state is as last saved."""


class EngineUnreachable(EngineError):
    """No engine answers where one was looked for; the text says where, and how to start one."""


class MissingExtra(EngineError):
    """A feature needs packages that are not installed; the text names the command."""


class NonRetryable(Exception):
    """Raised by an action: this failure will not get better; do not retry."""


class AttemptStopped(BaseException):
    """Raised in an action that must stop: preempted, timed out, cancelled or shut down.

    A ``BaseException``, so that ``except Exception`` lets it through. Clean up, save a last
    ``ctx.checkpoint`` if there is one, and let it go on.
    """

    def __init__(self, reason: Any = None) -> None:
        super().__init__(str(reason) if reason is not None else "")
        self.reason = reason
