"""``ctx``: what an action is given, the same in every runner."""

from __future__ import annotations

import dataclasses
import reprlib
from collections.abc import Mapping
from typing import Any, Protocol

from actors.errors import RequestError
from actors.model import NS_PER_MS, Entity, Event, Job, Json, Level, StopReason
from actors.runners.notes import MAX_LINE_CHARS
from actors.runners.stopping import Control, Shield
from actors.runners.values import own, plain

MAX_BYTES = 1_048_576


class Notes(Protocol):
    """Where what the action says goes: ``notes.Mailbox``, or a worker's own way to the engine."""

    @property
    def newest(self) -> Json:
        """The newest checkpoint of this attempt; None if it saved none."""
        ...

    def checkpoint(self, value: Json) -> None: ...

    def progress(self, fraction: float, note: str) -> None: ...

    def line(self, level: Level, text: str) -> None: ...

    def close(self) -> None: ...


class Context:
    """One attempt, as its action sees it.

    ``entity``, ``event``, ``params``, ``inputs`` and ``restored`` are the action's own copies.
    It may be used from the action's helper threads too; a safe point raises in the thread
    that calls it.
    """

    __slots__ = ("_control", "_copies", "_job", "_max_bytes", "_notes")

    def __init__(self, job: Job, control: Control, notes: Notes, *, max_bytes: int = MAX_BYTES) -> None:
        self._job = job
        self._control = control
        self._notes = notes
        self._max_bytes = max_bytes
        self._copies: dict[str, Any] | None = None

    # --- what it works on ---

    @property
    def entity(self) -> Entity:
        """The row of the state table it runs for."""
        return self._copy("entity")  # type: ignore[no-any-return]

    @property
    def event(self) -> Event | None:
        """What started it; None when the table itself did, or a start by hand."""
        return self._copy("event")  # type: ignore[no-any-return]

    @property
    def params(self) -> dict[str, Json]:
        """The task's ``params``, overridden by those of a start by hand."""
        return self._copy("params")  # type: ignore[no-any-return]

    @property
    def inputs(self) -> dict[str, Json]:
        """Results of the tasks it depends on, by their id."""
        return self._copy("inputs")  # type: ignore[no-any-return]

    @property
    def restored(self) -> Json:
        """The newest checkpoint of earlier attempts; None if there is none."""
        return self._copy("restored")

    @property
    def attempt(self) -> int:
        """The number of this attempt, from 1."""
        return self._job.attempt.number

    @property
    def idempotency_key(self) -> str:
        """The same in every attempt of this task, and in no other task."""
        return self._job.idempotency_key

    @property
    def merged(self) -> int:
        """How many events this run stands for."""
        return self._job.merged

    @property
    def task_id(self) -> str:
        return self._job.task_id

    @property
    def instance_id(self) -> str:
        return self._job.instance_id

    @property
    def workflow(self) -> str:
        return self._job.workflow

    @property
    def priority(self) -> int:
        """The task's priority when this attempt was started."""
        return self._job.priority

    # --- being stopped ---

    @property
    def cancelled(self) -> bool:
        """Whether it is told to stop."""
        return self._control.reason is not None

    @property
    def reason(self) -> StopReason | None:
        """Why it is told to stop: ``preempt``, ``timeout``, ``cancel`` or ``shutdown``."""
        return self._control.reason

    @property
    def time_left(self) -> float | None:
        """Seconds until its timeout, never below 0; None if it has none. Stands still while suspended."""
        timeout, began = self._job.task.timeout_ms, self._control.began
        if not timeout:
            return None
        used = self._control.now() - began - self._control.paused_ns if began is not None else 0
        return max(0.0, (timeout * NS_PER_MS - used) / 1e9)

    def sleep(self, seconds: float) -> Any:
        """Sleep; raises ``AttemptStopped`` at once when told to stop. In ``async`` actions: await it."""
        return self._control.sleep(seconds)

    def shield(self) -> Shield:
        """``with ctx.shield():`` holds the stop off; it is raised when the block is left.

        What takes longer than ``grace_ms`` is killed in a process all the same.
        """
        return self._control.shield()

    # --- saying something ---

    def checkpoint(self, value: Json = None) -> None:
        """Save ``value``, so that the next attempt finds it in ``restored``; then a safe point.

        The value is kept even when the stop is raised. While the stop unwinds it is kept and
        nothing is raised. None saves nothing. Raises ``RequestError`` for a value that is not
        JSON or is too large; the checkpoint before it stays.
        """
        kept = plain(value, what="checkpoint", max_bytes=self._max_bytes)
        self._control.quietly(self._control.keep, self._notes.checkpoint, kept)
        self._control.check()

    def progress(self, fraction: float, note: str = "") -> None:
        """Say how far it is, from 0 to 1. Only the newest is passed on."""
        self._control.quietly(self._notes.progress, _fraction(fraction), _brief(note, MAX_LINE_CHARS))

    @property
    def log(self) -> Log:
        """Lines for the engine's log, by level."""
        return Log(self._control, self._notes)

    def _copy(self, name: str) -> Any:
        """The job's field, copied once: what the action does to it must not reach the engine."""
        if self._copies is None:
            self._copies = {}
        if name not in self._copies:
            value = getattr(self._job, name)
            if isinstance(value, Entity | Event):
                value = dataclasses.replace(value, data=own(value.data))
            elif isinstance(value, Mapping):
                value = own(dict(value))
            else:
                value = own(value)
            # Of two threads that come at the same time, both get the first one's.
            return self._copies.setdefault(name, value)
        return self._copies[name]


class Log:
    """``ctx.log.info("took it", rows=3)``: one bounded line each, lost ones counted."""

    __slots__ = ("_control", "_notes")

    def __init__(self, control: Control, notes: Notes) -> None:
        self._control = control
        self._notes = notes

    def debug(self, text: str, **fields: object) -> None:
        self._line(Level.DEBUG, text, fields)

    def info(self, text: str, **fields: object) -> None:
        self._line(Level.INFO, text, fields)

    def warning(self, text: str, **fields: object) -> None:
        self._line(Level.WARNING, text, fields)

    def error(self, text: str, **fields: object) -> None:
        self._line(Level.ERROR, text, fields)

    def _line(self, level: Level, text: str, fields: Mapping[str, object]) -> None:
        parts = [_brief(text, MAX_LINE_CHARS), *(f"{name}={_brief(value, 200)}" for name, value in fields.items())]
        self._control.quietly(self._notes.line, level, " ".join(parts)[:MAX_LINE_CHARS])


def _fraction(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    raise RequestError(f"ctx.progress takes a fraction from 0 to 1, not {_brief(value, 40)}")


def _brief(value: object, chars: int) -> str:
    """A text of bounded length, and of bounded cost, whatever the value is."""
    if isinstance(value, str):
        # Half a surrogate pair has no UTF-8 form; the line must reach a file or a terminal.
        return value[:chars].encode("utf-8", "replace").decode()
    return _REPR.repr(value)[:chars].encode("utf-8", "replace").decode()


_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = 200
