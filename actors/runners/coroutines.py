"""Runs a coroutine action: in an event loop shared with others, or in one of its own.

The stop reaches a coroutine by ``task.cancel()``. What is raised in it is ``CoroutineStopped``,
which is both asyncio's ``CancelledError``, so that libraries treat it as what it is, and our
``AttemptStopped``, so that actions are written the same way everywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context, ContextVar
from types import AsyncGeneratorType, CoroutineType
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from actors.errors import AttemptStopped, RequestError
from actors.model import Json, StopReason
from actors.runners.pauses import pauses
from actors.runners.stopping import Control, within
from actors.runners.values import plain

if TYPE_CHECKING:
    from actors.runners.context import Notes

Started: TypeAlias = "CoroutineType[Any, Any, Any] | AsyncGeneratorType[Json, Any]"

REPEAT_S, REPEAT_MAX_S = 0.05, 0.1
"""How long a cancel may take to be seen, at least and at most, before it counts as swallowed and is sent again."""


class CoroutineStopped(AttemptStopped, asyncio.CancelledError):
    """The stop, as a coroutine sees it."""


class Gate(Protocol):
    """Lets the steps of one attempt through, until it is shut for good."""

    def enter(self) -> bool:
        """Before each step of its code; False: it must not run any further."""
        ...

    def leave(self) -> None: ...


class CoroutineRun:
    """One coroutine action in the running loop, and every task it starts there.

    ``drive`` is the task's coroutine. It returns when the action and all tasks it started are
    over; those left when the action ends are cancelled. Threads it starts are its own affair.
    Behind a gate that is shut, the action and its tasks wait for ever at their next step.
    """

    def __init__(self, control: Control, notes: Notes, *, max_bytes: int, gate: Gate | None = None) -> None:
        self.gate = gate
        self._control = control
        self._notes = notes
        self._max_bytes = max_bytes
        self._loop = asyncio.get_running_loop()
        self._children: set[asyncio.Task[Any]] = set()
        self._task: asyncio.Task[Any] | None = None
        self._started: Started | None = None
        self._asked = False
        """A cancel of ours is on its way to the coroutine."""
        self._over = False
        self._raised: weakref.ref[BaseException] | None = None
        self._repeat: asyncio.TimerHandle | None = None
        self._pauses = pauses(REPEAT_S, REPEAT_MAX_S)

    async def drive(self, started: Started) -> tuple[Any, BaseException | None]:
        """Run it to its end; what it returned, or the exception that left it. Never raises."""
        self._task = asyncio.current_task()
        self._started = started
        token = _CURRENT.set(self)
        value: Any = None
        failure: BaseException | None = None
        self._control.side = self
        if self._control.reason is not None:
            self.cancel()
        try:
            if isinstance(started, AsyncGeneratorType):
                await self._generate(started)
            else:
                value = await _Stretch(self, self._control, started)
        except BaseException as error:  # noqa: BLE001 - the action's, whatever it is: it becomes the outcome
            failure = error
        self._over = True
        _CURRENT.reset(token)
        if self._repeat is not None:
            self._repeat.cancel()
        await self._end_children()
        return value, failure

    # --- the coroutine's side of Control ---

    def cancel(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the coroutine is over
            self._loop.call_soon_threadsafe(self._cancel)

    def stopped(self, reason: StopReason | None) -> AttemptStopped:
        stop = CoroutineStopped(reason)
        self._raised = weakref.ref(stop)
        return stop

    async def sleep(self, seconds: float) -> None:
        self._control.check()
        await asyncio.sleep(seconds)
        self._control.check()

    def is_stop(self, error: BaseException) -> bool:
        return isinstance(error, asyncio.CancelledError)

    # --- inside ---

    def never(self) -> asyncio.Future[None]:
        """What a step behind a shut gate waits for."""
        future: asyncio.Future[None] = self._loop.create_future()
        future._asyncio_future_blocking = True  # as ``await`` sets it: how a task knows what it is given
        return future

    def alive(self) -> bool:
        """Whether the action's own frame has not ended."""
        if isinstance(self._started, AsyncGeneratorType):
            return self._started.ag_frame is not None
        return isinstance(self._started, CoroutineType) and self._started.cr_frame is not None

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """A task that the action has started."""
        self._children.add(task)
        task.add_done_callback(self._children.discard)

    def _cancel(self) -> None:
        """In the loop, between two steps: cancel the coroutine, and look again later whether it was swallowed.

        The exception lives as long as it is being handled, so while it lives the coroutine is
        cleaning up and is left in peace.
        """
        if self._over or self._task is None:
            return
        if not self._control.shielded() and not self.handling():
            self._asked = True
            self._task.cancel()
        if self._repeat is not None:
            self._repeat.cancel()
        self._repeat = self._loop.call_later(next(self._pauses), self._cancel)

    def handling(self) -> bool:
        """Whether the stop was raised in the action and is still being handled there."""
        return self._raised is not None and self._raised() is not None

    def translate(self, error: BaseException) -> BaseException:
        """Our own exception for a cancel that was ours; others go through as they are."""
        if self._asked and type(error) is asyncio.CancelledError:
            self._asked = False
            return self.stopped(self._control.reason)
        return error

    async def _generate(self, generator: AsyncGeneratorType[Json, Any]) -> None:
        """Each ``yield value`` is a checkpoint and a safe point."""
        stop: BaseException | None = None
        try:
            while True:
                step = generator.asend(None) if stop is None else generator.athrow(stop)
                stop = None
                value = await _Stretch(self, self._control, step)
                try:
                    kept = plain(value, what="checkpoint", max_bytes=self._max_bytes)
                    self._control.keep(self._notes.checkpoint, kept)
                except RequestError as fault:
                    stop = fault
                    continue
                if self._control.reason is not None and not self.handling() and self._control.due():
                    stop = self.stopped(self._control.reason)
        except StopAsyncIteration:
            return

    async def _end_children(self) -> None:
        while self._children:
            for task in tuple(self._children):
                task.cancel()
            # A cancel of this task cannot mean the action any more, which is over.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait(tuple(self._children), timeout=REPEAT_S)


class _Stretch:
    """Awaits one stretch of the action's code: all of a coroutine, one step of an async generator."""

    __slots__ = ("_awaited", "_control", "_run")

    def __init__(self, run: CoroutineRun, control: Control, awaited: Awaitable[Any]) -> None:
        self._run = run
        self._control = control
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, Any]:
        inner, results = self._awaited.__await__(), list[Any]()
        gate = self._run.gate

        def advance(stop: BaseException | None) -> Any:
            if gate is not None and not gate.enter():
                return self._run.never()
            try:
                return inner.send(None) if stop is None else inner.throw(stop)
            except StopIteration as end:
                results.append(end.value)
                raise
            finally:
                if gate is not None:
                    gate.leave()

        error: BaseException | None = None
        while True:
            given, error = error, None
            values, failure = within(self._control, advance, given)
            del given  # whoever handles it is the only one that keeps it alive
            if values:
                del failure  # one that landed right here comes again, as a cancel
                try:
                    yield values.pop()
                except BaseException as came:  # noqa: BLE001 - handed on to the action
                    error = self._run.translate(came)
            elif results:
                return results[0]
            elif isinstance(failure, AttemptStopped) and self._run.alive():
                error = failure.with_traceback(None)  # it landed in our lines, between two steps
            else:
                assert failure is not None
                raise failure


class _Gated(Coroutine[Any, Any, Any]):
    """A task's coroutine that steps only while its attempt's gate is open."""

    def __init__(self, inner: Coroutine[Any, Any, Any], run: CoroutineRun, gate: Gate) -> None:
        self._inner = inner
        self._run = run
        self._gate = gate

    def send(self, value: Any) -> Any:
        return self._step(self._inner.send, value)

    def throw(self, *error: Any) -> Any:
        return self._step(self._inner.throw, *error)

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._inner.__await__()

    def _step(self, step: Callable[..., Any], *arguments: Any) -> Any:
        if not self._gate.enter():
            return self._run.never()
        try:
            return step(*arguments)
        finally:
            self._gate.leave()


_CURRENT: ContextVar[CoroutineRun | None] = ContextVar("attempt", default=None)


def adopting(loop: asyncio.AbstractEventLoop, coroutine: Any, context: Context | None = None) -> asyncio.Task[Any]:
    """A task factory: tasks that an action starts, or tasks of its tasks, belong to its attempt."""
    run = _CURRENT.get() if context is None else context.get(_CURRENT)
    if run is not None and run.gate is not None:
        coroutine = _Gated(coroutine, run, run.gate)
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, context=context)
    if run is not None:
        run.adopt(task)
    return task


def run_alone(started: Started, control: Control, notes: Notes, *, max_bytes: int) -> tuple[Any, BaseException | None]:
    """Drive a coroutine action in an event loop of its own, in this thread; never raises."""
    loop = asyncio.new_event_loop()
    loop.set_task_factory(adopting)

    async def drive() -> tuple[Any, BaseException | None]:
        return await CoroutineRun(control, notes, max_bytes=max_bytes).drive(started)

    task = loop.create_task(drive())
    try:
        while not task.done():
            # These two leave a loop when one of its tasks raises them; the action sees them at its await.
            with contextlib.suppress(SystemExit, KeyboardInterrupt):
                loop.run_until_complete(task)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        return task.result()
    finally:
        control.side = None
        loop.close()
