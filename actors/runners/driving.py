"""Runs one attempt's action from its first line to its outcome, in the thread that calls.

Used by threads and by process workers; coroutines are handed to ``coroutines.py``. The driver
is where the action's code and ours meet, so it is what keeps the stop exception out of ours.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, TypeAlias

from actors.errors import AttemptStopped, RequestError
from actors.model import ErrorInfo, Job, Json, Outcome, OutcomeKind
from actors.runners.context import MAX_BYTES, Context, Notes
from actors.runners.failures import describe
from actors.runners.said import CURRENT
from actors.runners.stopping import Control, left_by_stop, within
from actors.runners.values import plain

Action: TypeAlias = Callable[[Context], Any]

_OWN_FILES = frozenset(str(Path(__file__).with_name(name)) for name in ("driving.py", "stopping.py", "coroutines.py"))


class Execution:
    """One attempt on its way: ``run`` it once, and stop it through ``control`` meanwhile.

    What the action says goes to ``notes``. ``control.began`` is when the first line ran. After
    ``run`` has returned ``notes`` is closed and the stop cannot be raised any more.
    """

    __slots__ = ("_action", "_max_bytes", "context", "control", "notes")

    def __init__(
        self,
        job: Job,
        action: Action,
        *,
        notes: Notes,
        control: Control,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._action = action
        self._max_bytes = max_bytes
        self.control = control
        self.notes = notes
        self.context = Context(job, self.control, self.notes, max_bytes=max_bytes)

    def run(self) -> Outcome:
        """Run the action to its end, whatever kind of function it is; never raises.

        An attempt that was told to stop before its first line does not begin.
        """
        if not self.begin():
            return self.ended(None, None)
        value, error = self.call()
        if value is not None:
            value, error = self._finish(value)
        return self.ended(value, error)

    def begin(self) -> bool:
        """Make the calling thread the action's, and say whether the first line is to run."""
        control = self.control
        control.claim()
        if control.reason is not None:
            return False
        control.began = control.now()
        CURRENT.set(partial(control.quietly, self.notes.line))
        return True

    def call(self) -> tuple[Any, BaseException | None]:
        """Call the action: what it returned, or the exception that left it."""
        values, error = within(self.control, self._action, self.context)
        if values:
            return values[0], None
        return None, error or StopIteration("raised by the action; use return")

    def ended(self, value: Json, error: BaseException | None) -> Outcome:
        """The outcome of an action that returned ``value`` or ended by ``error``.

        One that left by the stop it was told of, wrapped (``raise … from``) or in a group or
        not, is stopped; an error in its cleaning up is an error.
        """
        ended = self.control.now()
        control = self.control
        kind, info = OutcomeKind.COMPLETED, None
        if control.began is None:
            kind = OutcomeKind.STOPPED
        elif error is not None:
            value = None
            if control.reason is not None and left_by_stop(control, error):
                kind = OutcomeKind.STOPPED
            else:
                kind, info = OutcomeKind.FAILED, describe(error, own_files=_OWN_FILES)
        else:
            try:
                value = plain(value, what="the result", max_bytes=self._max_bytes)
            except RequestError as fault:
                kind, value, info = OutcomeKind.FAILED, None, ErrorInfo("RequestError", str(fault))
        self.notes.close()
        return Outcome(kind, value, info, self.notes.newest, control.began, ended, saved=control.saved)

    def _finish(self, value: Any) -> tuple[Any, BaseException | None]:
        """Run what the call returned, if it is something to run."""
        if isinstance(value, GeneratorType):
            return self._generate(value)
        if isinstance(value, CoroutineType | AsyncGeneratorType):
            # Imported here: a worker that runs no coroutine does not pay for asyncio.
            from actors.runners.coroutines import run_alone

            return run_alone(value, self.control, self.notes, max_bytes=self._max_bytes)
        return value, None

    def _generate(self, generator: GeneratorType[Json, Any, Any]) -> tuple[Any, BaseException | None]:
        """Each ``yield value`` is a checkpoint and a safe point; ``return value`` is the result."""
        control, results = self.control, list[Any]()

        def advance(stop: BaseException | None) -> Any:
            try:
                return generator.send(None) if stop is None else generator.throw(stop)
            except StopIteration as end:
                results.append(end.value)
                raise

        thrown: weakref.ref[BaseException] | None = None
        stop: BaseException | None = None
        while True:
            if stop is not None:
                thrown = weakref.ref(stop)
            given, stop = stop, None
            values, error = within(control, advance, given)
            del given  # whoever handles it is the only one that keeps it alive
            if values:
                error = None
                try:
                    kept = plain(values[0], what="checkpoint", max_bytes=self._max_bytes)
                    control.keep(self.notes.checkpoint, kept)
                except RequestError as fault:
                    stop = fault  # raised at the yield, as ctx.checkpoint does
                    continue
                # The stop that was thrown lives as long as the generator handles it; once it is gone
                # and the generator goes on, it was swallowed.
                handled = thrown is not None and thrown() is not None
                if control.reason is not None and not handled and control.due():
                    stop = AttemptStopped(control.reason)
            elif isinstance(error, AttemptStopped) and generator.gi_frame is not None:
                stop, error = error.with_traceback(None), None  # it landed in our lines, between two steps
            else:
                return (results[0], None) if results else (None, error)
