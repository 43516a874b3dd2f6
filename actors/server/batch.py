"""Events as JSON lines, published as they come: the body is read no faster than the engine accepts.

Each line is an event for itself: what cannot be accepted is told with its line number, and the
rest goes on. When the engine's line is full the batch waits, and with it whoever sends it.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from actors import plain
from actors.engine import Engine
from actors.errors import Error, Overloaded, RequestError
from actors.model import Event
from actors.runners.values import MAX_DEPTH
from actors.server.problems import Refusal, code_of, one_line
from actors.views import Receipt
from actors.words import did_you_mean

IDLE_S = 60.0
"""A body of which nothing comes for so long is given up."""
FULL_S = 60.0
"""So long it is tried again when the engine's line stays full."""
TELL_ERRORS = 100
AROUND_DATA = 65_536
"""Bytes that a line may have beside its data."""
LINES_AT_ONCE = 1_024
STRETCH = 32
"""Lines read at a stretch: an actor that has something to do waits so long for the interpreter, not 5 ms."""
LONGER = 8
NUMBERS = re.compile(rb"[0-9.][eE]|[0-9]{300}")
"""What may be a number that is too large for JSON of ours."""

_FIELDS = frozenset({"type", "entity_id", "stock_id", "priority", "data", "timestamp", "valid_for_ms", "id"})


def event_from(fields: object) -> Event:
    """An event from JSON's object. Raises ``RequestError``; values are checked where all events are."""
    if not isinstance(fields, dict):
        raise RequestError('an event is a JSON object, such as {"type": "DATA_READY", "entity_id": "000001"}')
    given = fields.keys()
    if not given <= _FIELDS:
        unknown = min(given - _FIELDS)
        raise RequestError(f"an event has no field '{unknown[:80]}'{did_you_mean(unknown, sorted(_FIELDS))}")
    entity = fields.get("entity_id", fields.get("stock_id"))
    if "type" not in given or entity is None:
        raise RequestError("an event needs type and entity_id")
    get = fields.get
    return Event(fields["type"], entity, get("priority"), get("data"), get("timestamp"), get("valid_for_ms"), get("id"))


@dataclass(slots=True)
class Summary:
    """What became of a batch so far."""

    lines: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)

    def shown(self) -> dict[str, Any]:
        return {
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "rejected": self.rejected,
            "errors": self.errors,
        }

    def take(self, number: int, answer: Receipt | Error) -> None:
        if isinstance(answer, Receipt):
            self.accepted += 1
            self.duplicates += answer.duplicate
            return
        self.rejected += 1
        if len(self.errors) < TELL_ERRORS:
            self.errors.append(fault_of(number, answer))


def fault_of(number: int, error: Error) -> dict[str, Any]:
    return {"line": number, "error": {"code": code_of(error)[1], "message": one_line(str(error))}}


class Batch:
    """One body; ``summary`` is right at every moment."""

    def __init__(self, engine: Engine) -> None:
        self.summary = Summary()
        self._engine = engine
        self._max_data = engine.definitions.settings.max_data_bytes
        self._longest = self._max_data + AROUND_DATA

    async def publish(self, body: AsyncIterator[bytes]) -> None:
        """Publish it to its end. A sender that dies has published what came before."""
        async for _ in self.answers(body):
            pass

    async def answers(self, body: AsyncIterator[bytes]) -> AsyncIterator[list[tuple[int, Receipt | Error]]]:
        """Publish it, and give the answers with their line numbers, in order.

        Raises ``Refusal`` when nothing more comes, or when the engine's line stays full.
        """
        lines = _Lines(self._longest)
        try:
            async for block in _in_time(body):
                for some in lines.take(block):
                    yield await self._accept(some)
            for some in lines.rest():
                yield await self._accept(some)
        except ClientDisconnect:
            return

    async def _accept(self, lines: list[bytes | None]) -> list[tuple[int, Receipt | Error]]:
        first = self.summary.lines + 1
        self.summary.lines += len(lines)
        numbered = [(number, line) for number, line in enumerate(lines, first) if line is None or line.strip()]
        parsed: list[tuple[int, Event | Error]] = []
        found: list[tuple[int, Receipt | Error]] = []
        deadline = time.monotonic() + FULL_S
        while True:
            parsed, answers = await run_in_threadpool(self._offer, numbered if not found and not parsed else parsed)
            for number, answer in answers:
                self.summary.take(number, answer)
            found += answers
            if not parsed:
                return found
            if answers:
                deadline = time.monotonic() + FULL_S
            elif time.monotonic() > deadline:
                text = f"the line of waiting events stays full; {self.summary.accepted} were accepted, try again"
                raise Refusal(429, "overloaded", text, retry_after_s=5.0)
            await asyncio.sleep(0.02)

    def _offer(
        self, numbered: Iterable[tuple[int, bytes | Event | Error | None]]
    ) -> tuple[list[tuple[int, Event | Error]], list[tuple[int, Receipt | Error]]]:
        """Publish; return what found the line full, for another try, and the answers to the rest."""
        parsed: list[tuple[int, Event | Error]] = []
        for number, line in numbered:
            parsed.append((number, self._parse(line)))
            if len(parsed) % STRETCH == 0:
                time.sleep(0)
        left: list[tuple[int, Event | Error]] = []
        answers: list[tuple[int, Receipt | Error]] = []
        for (number, event), answer in zip(parsed, self._engine.offer([event for _, event in parsed]), strict=True):
            if left or isinstance(answer, Overloaded):
                left.append((number, event))
            else:
                answers.append((number, answer))
        return left, answers

    def _parse(self, line: bytes | Event | Error | None) -> Event | Error:
        if isinstance(line, Event | Error):
            return line
        if line is None:
            return RequestError(f"the line is longer than {self._longest:,} bytes; keep large data in a file")
        try:
            event = event_from(from_json(line, allow_inf_nan=False, cache_strings="keys"))
            return self._engine.checked(event, plain_data=self._is_plain(line))
        except ValueError as error:
            return RequestError(f"the line is not JSON: {error}")
        except RequestError as error:
            return error

    def _is_plain(self, line: bytes) -> bool:
        """Whether what was read from it is surely what data may be, in size, depth and numbers.

        As JSON of ours it may be longer than the line: ``1e9`` is 1000000000.0.
        """
        small = len(line) * LONGER <= self._max_data
        return small and line.count(b"{") + line.count(b"[") <= MAX_DEPTH and NUMBERS.search(line) is None


class _Lines:
    """Blocks of bytes to lines; None for one that is too long, of which nothing is kept."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._begun: list[bytes] = []
        self._size = 0

    def take(self, block: bytes) -> Iterator[list[bytes | None]]:
        """The lines that are whole by now, at most ``LINES_AT_ONCE`` at once."""
        *whole, last = block.split(b"\n")
        lines: list[bytes | None] = []
        for number, line in enumerate(whole):
            lines.append(self._end(line) if number == 0 else self._bounded(line))
            if len(lines) >= LINES_AT_ONCE:
                yield lines
                lines = []
        if lines:
            yield lines
        self._size += len(last)
        if last and self._size <= self._longest:
            self._begun.append(last)

    def rest(self) -> Iterator[list[bytes | None]]:
        if self._size:
            yield [self._end(b"")]

    def _end(self, line: bytes) -> bytes | None:
        begun, size = self._begun, self._size + len(line)
        self._begun, self._size = [], 0
        return b"".join((*begun, line)) if size <= self._longest else None

    def _bounded(self, line: bytes) -> bytes | None:
        return line if len(line) <= self._longest else None


async def _in_time(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while True:
        try:
            async with asyncio.timeout(IDLE_S):
                block = await anext(body)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Refusal(408, "slow", f"nothing more came within {IDLE_S:g} s; send the rest anew") from None
        yield block


def receipt_lines(answers: Iterable[tuple[int, Receipt | Error]]) -> bytes:
    """One JSON object a line: the receipt, or the line number and the error."""
    shown: list[Mapping[str, Any]] = [
        plain.receipt(answer) if isinstance(answer, Receipt) else fault_of(number, answer) for number, answer in answers
    ]
    return b"".join(plain.encoded(one) + b"\n" for one in shown)
