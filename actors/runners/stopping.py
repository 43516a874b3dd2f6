"""Whether one attempt is told to stop, and the only places where the stop may be raised.

The stop exception may be raised in the action's own code: not before its first line, not after
its last, not while it shields itself, not a second time while the first still unwinds, and not
halfway through a call of ``ctx``. Everything here serves that sentence.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from threading import get_ident
from types import TracebackType
from typing import Any, Protocol, TypeVar

from actors.errors import AttemptStopped, RequestError
from actors.model import Instant, Json, StopReason

Result = TypeVar("Result")

_CHAIN = 100
"""How far a chain of exceptions is followed."""


class CoroutineSide(Protocol):
    """What changes when the action is a coroutine: it is cancelled instead of interrupted."""

    def cancel(self) -> None:
        """Cancel the coroutine soon; may be called from any thread and from a signal handler."""
        ...

    def stopped(self, reason: StopReason | None) -> AttemptStopped: ...

    def sleep(self, seconds: float) -> Awaitable[None]: ...

    def is_stop(self, error: BaseException) -> bool: ...


class Control:
    """The runner's hold on one attempt.

    In a process, whose action runs on the main thread, a signal handler does
    ``control.tell(reason)`` and then ``control.raise_here()``: the first makes every safe point
    raise and wakes ``ctx.sleep``, the second raises ``AttemptStopped`` right in the code that
    was interrupted, if that is the action's and may be stopped now. A signal may be sent again
    and again until the attempt has ended: while the exception unwinds ``raise_here`` does
    nothing, and if it was swallowed it raises again.

    Threads extend it by injection (``threads.py``); a coroutine puts its side in ``side``.
    """

    __slots__ = (
        "_latch",
        "_shields",
        "began",
        "held",
        "inside",
        "now",
        "paused_ns",
        "reason",
        "saved",
        "side",
        "thread",
    )

    def __init__(self, now: Callable[[], Instant] = time.monotonic_ns) -> None:
        self.now = now
        self.reason: StopReason | None = None
        """Why it is to stop; the first reason stays."""
        self.began: Instant | None = None
        self.paused_ns = 0
        """How long it was suspended; its time stood still. Who resumes it adds to this."""
        self.saved: Instant | None = None
        """When the newest checkpoint was taken."""
        self.inside = False
        """The action's own code runs. Only the thread that runs it writes this."""
        self.held = False
        """The action's thread is in a call of ``ctx``; the stop waits until that is over."""
        self.thread = 0
        """The thread that runs the action."""
        self.side: CoroutineSide | None = None
        self._shields: dict[int, int] = {}
        self._latch = threading.Lock()
        self._latch.acquire()

    def claim(self) -> None:
        """The calling thread is the one that runs the action."""
        self.thread = get_ident()

    def tell(self, reason: StopReason) -> None:
        """Tell the action to stop: safe points raise from now on, and who sleeps wakes."""
        if self.reason is None:
            self.reason = reason
        self._wake()
        if self.side is not None:
            self.side.cancel()

    def raise_here(self) -> None:
        """Raise the stop if the calling thread is in code that may be stopped now, else do nothing.

        For a signal handler on the action's thread. What is held off is raised by the next
        signal, or at the next safe point, whichever comes first.
        """
        if self.inside and not self.held and self.due():
            raise self.stopped()

    def check(self) -> None:
        """A safe point: raise the stop if it is due."""
        if self.reason is not None and self.due():
            self.settle()
            raise self.stopped()

    def keep(self, checkpoint: Callable[[Json], None], value: Json) -> None:
        """Save a checkpoint, checked before, and when; None saves nothing."""
        if value is not None:
            checkpoint(value)
            self.saved = self.now()

    def due(self) -> bool:
        """Whether the stop is to be raised in the calling thread: told, not shielded, not unwinding."""
        return self.reason is not None and not self._shields.get(get_ident()) and not self.unwinding()

    def unwinding(self) -> bool:
        """Whether the calling thread is in an ``except``, ``finally`` or ``__exit__`` that handles the stop."""
        error = sys.exception()
        return error is not None and self.chained_stop(error)

    def chained_stop(self, error: BaseException) -> bool:
        """Whether an exception that is being handled is the stop, or came up while the stop was handled."""
        current: BaseException | None = error
        for _ in range(_CHAIN):
            if current is None:
                return False
            if self.is_stop(current):
                return True
            current = current.__context__
        return False

    def is_stop(self, error: BaseException) -> bool:
        """Whether this exception is the stop, or a group of nothing else."""
        if isinstance(error, BaseExceptionGroup):
            return all(self.is_stop(inner) for inner in error.exceptions)
        return isinstance(error, AttemptStopped) or (self.side is not None and self.side.is_stop(error))

    def stopped(self) -> AttemptStopped:
        return AttemptStopped(self.reason) if self.side is None else self.side.stopped(self.reason)

    def settle(self) -> None:
        """Take back a stop that is on its way into this thread, where there is such a thing."""

    def quietly(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Call ``work`` with the stop held off, so that it is not cut short halfway.

        ``held`` is a plain store right before the ``try``: the interpreter looks for signals and
        injected exceptions at calls, function starts and backward jumps only, so none can come
        between the two.
        """
        if get_ident() != self.thread:
            return work(*arguments)
        self.held = True
        try:
            if self.reason is not None:
                self.settle()
            return work(*arguments)
        finally:
            self.held = False

    def sleep(self, seconds: float) -> Any:
        """Sleep, and raise the stop at once when told; in a coroutine, something to await."""
        length = _seconds(seconds)
        if self.side is not None and get_ident() == self.thread:
            return self.side.sleep(length)
        self.check()
        self.quietly(self._sleep, length)
        self.check()
        return None

    def shield(self) -> Shield:
        return Shield(self)

    def add_shield(self, change: int) -> None:
        """Shields count per thread: an action's helper thread does not shield the action."""
        me = get_ident()
        depth = self._shields.get(me, 0) + change
        if depth:
            self._shields[me] = depth
        else:
            self._shields.pop(me, None)

    def shielded(self) -> bool:
        """Whether the action's own thread shields itself."""
        return self.thread in self._shields

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        if self.reason is None and self._latch.acquire(timeout=seconds):
            self._wake()  # pass it on to the next sleeper
        if self.reason is None or self.due():
            return
        # Told, but shielded or cleaning up: a real sleep.
        while (rest := until - time.monotonic()) > 0:
            time.sleep(rest)

    def _wake(self) -> None:
        try:
            self._latch.release()
        except RuntimeError:  # open already
            return


class Shield:
    """Holds the stop off from its block; leaving the outermost one raises it if it came meanwhile.

    An exception that leaves the block is not replaced. Works with ``with`` and ``async with``.
    """

    __slots__ = ("_control",)

    def __init__(self, control: Control) -> None:
        self._control = control

    def __enter__(self) -> None:
        self._control.quietly(self._control.add_shield, 1)

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self._control.quietly(self._control.add_shield, -1)
        if kind is None:
            self._control.check()

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.__exit__(kind, error, trace)


def within(control: Control, step: Callable[[Any], Any], argument: Any) -> tuple[list[Any], BaseException | None]:
    """Call the action's own code: what it returned, as a list of one, or the exception that left it.

    The call is made by ``list.extend`` and ``map``, in C, so that a value once returned is kept
    even if a stop lands at the very end of the call, in this function: a completion that wins
    the race is a completion. Both may be set then. Neither is set when the step raised
    ``StopIteration``, which ends the ``map``.
    """
    values: list[Any] = []
    failure: BaseException | None = None
    known = control.reason
    control.inside = True
    try:
        # Told between the driver's last look and now: whoever told it saw ``inside`` false and raised nothing.
        if control.reason is not known and control.due():
            raise control.stopped()
        values.extend(map(step, (argument,)))
        control.inside = False
    except BaseException as error:  # noqa: BLE001 - the action's, whatever it is: it becomes the outcome
        control.inside = False
        failure = error
    try:
        control.settle()
    except AttemptStopped:
        # The last one that was under way landed here; no further one is sent, as ``inside`` is false.
        control.settle()
    return values, failure


def left_by_stop(control: Control, error: BaseException) -> bool:
    """Whether ``error`` is the stop, or was explicitly raised from it."""
    current: BaseException | None = error
    for _ in range(_CHAIN):
        if current is None:
            return False
        if control.is_stop(current):
            return True
        current = current.__cause__
    return False


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise RequestError(f"ctx.sleep takes seconds, a number from 0 up, not {str(value)[:40]!r}")
    return min(float(value), threading.TIMEOUT_MAX)
