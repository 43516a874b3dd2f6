"""Callers outside who wait for an answer, by correlation."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from queue import Full, SimpleQueue
from typing import Any, Protocol

import pykka

from actors.model import ReplyId


class Waiting(Protocol):
    def put(self, value: Any) -> None: ...


class Promised:
    """A Pykka future as a place for an answer; an exception is raised there."""

    def __init__(self, future: pykka.Future[Any]) -> None:
        self._future = future

    def put(self, value: Any) -> None:
        try:
            if isinstance(value, BaseException):
                self._future.set_exception((type(value), value, None))
            else:
                self._future.set(value)
        except Full:
            return  # Answered before.


class Called:
    """Somebody who is called when the answer is there, in the thread that answers: with None, or the error."""

    def __init__(self, tell: Callable[[BaseException | None], object]) -> None:
        self._tell = tell

    def put(self, value: Any) -> None:
        self._tell(value if isinstance(value, BaseException) else None)


class Desk:
    def __init__(self) -> None:
        self._waiting: dict[ReplyId, Waiting] = {}
        self._numbers = itertools.count(1)
        self._closed: BaseException | None = None

    def open(self) -> tuple[ReplyId, SimpleQueue[Any]]:
        """A new correlation, and where its answer will come."""
        answer: SimpleQueue[Any] = SimpleQueue()
        return self.expect(answer), answer

    def expect(self, waiting: Waiting) -> ReplyId:
        """A new correlation whose answer is put there."""
        number = ReplyId(next(self._numbers))
        self._waiting[number] = waiting
        if self._closed is not None:  # Looked at after it is there, so that closing cannot miss it.
            self.answer(number, self._closed)
        return number

    def forget(self, number: ReplyId) -> None:
        """Nobody waits any more; a late answer is dropped."""
        self._waiting.pop(number, None)

    def waits(self, number: ReplyId) -> bool:
        return number in self._waiting

    def answer(self, number: ReplyId, value: Any) -> None:
        waiting = self._waiting.pop(number, None)
        if waiting is not None:
            waiting.put(value)

    def close(self, error: BaseException) -> None:
        """Everybody who waits, and everybody who comes later, gets this error."""
        self._closed = error
        for number in list(self._waiting):
            self.answer(number, error)
