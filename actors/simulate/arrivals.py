"""What comes in, and when: a file of events, a tick file, or the folder's own timed events.

A file of events has one JSON object a line, in the order of time::

    {"at_ms": 0, "type": "DATA_READY", "entity_id": "000001", "priority": 0, "data": {"price": 10.9}}

``at_ms`` and ``entity_id`` (or ``stock_id``) must be there; without ``type`` it is ``DATA_READY``;
``priority``, ``data``, ``valid_for_ms``, ``timestamp`` and ``id`` are an event's. Nothing but the
line in hand is kept.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from actors.admission import Gate
from actors.errors import NotFoundError, RequestError
from actors.model import NS_PER_MS, Definitions, Event, EventType, Instant
from actors.replay import Batch, batches
from actors.ticks.columns import Columns, columns_of
from actors.ticks.files import TickFile

Arrival = tuple[Instant, tuple[Event, ...]]
"""An instant, ns after the beginning, and what comes then."""
_EVENT = ("priority", "data", "valid_for_ms", "timestamp", "id")
_FIELDS = ("at_ms", "type", "entity_id", "stock_id", *_EVENT)
_MAX_AT_MS = 1e12
MAX_LINE = 4_000_000
"""Bytes: the largest data an event may carry, written with escapes."""

EVENTS = "events or ticks"
"""What a file must have, in words."""

Skip = Callable[[str], None]
"""Told of each line of a tick file that cannot be used."""


def arrivals_of(
    path: Path, definitions: Definitions, *, skip: Skip, speed: float | None = None, skip_gaps: float | None = None
) -> Iterator[Arrival]:
    """The file's events in the order of time. Raises ``NotFoundError``, and ``RequestError`` with file and line.

    A file whose first line is an object with ``at_ms`` is one of events; any other is a tick
    file as ``start --replay`` reads it, whose first tick comes at 0; ``speed`` and ``skip_gaps``
    are for these, and mean what they mean there.
    """
    ticks = TickFile(path, columns_of(definitions.folder or "."))
    if _has_events(path, ticks.columns):
        if speed is not None or skip_gaps is not None:
            raise RequestError(f"{path}: --speed and --skip-gaps go with a tick file; this one has events with at_ms")
        return _events(path, definitions)
    return _ticks(ticks, Gate(definitions), skip, batches(ticks.read(), speed=speed or 1.0, skip_gaps=skip_gaps))


def _has_events(path: Path, columns: Columns) -> bool:
    with open_file(path, EVENTS) as file:
        first = next((line for line in iter(lambda: file.readline(MAX_LINE), b"") if line.strip()), b"")
    try:
        row = json.loads(first)
    except (ValueError, RecursionError):
        return first.lstrip(b"\xef\xbb\xbf \t").startswith(b"{") and b'"at_ms"' in first
    if isinstance(row, dict) and "sequence" in row and "type" in row:
        raise RequestError(f"{path} is a record, not events; give it with --record")
    return isinstance(row, dict) and ("at_ms" in row or columns.entity not in row)


def _ticks(ticks: TickFile, gate: Gate, skip: Skip, due: Iterator[Batch]) -> Iterator[Arrival]:
    for batch in due:
        events: list[Event] = []
        for bad in batch.bad:
            skip(f"{ticks.path}:{bad.position.line}: {bad.message}")
        for tick in batch.ticks:
            try:
                events.append(gate.event(Event(ticks.columns.type, tick.entity_id, None, tick.data, tick.timestamp)))
            except RequestError as error:
                skip(f"{ticks.path}:{tick.position.line}: {error}")
        if events:
            yield round(batch.due * 1_000_000_000), tuple(events)


def open_file(path: Path, what: str) -> BinaryIO:
    """The file, for reading. Raises ``NotFoundError`` and ``RequestError``."""
    try:
        if not path.is_file() and path.exists():
            raise RequestError(f"{path} is not a file; name one with {what}")
        return path.open("rb")
    except FileNotFoundError:
        raise NotFoundError(f"no file {path}; name one with {what}") from None
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from error


def lines_of(path: Path, what: str) -> Iterator[tuple[int, bytes]]:
    """The lines with their numbers from 1, blank ones left out. Raises as ``open_file`` does."""
    with open_file(path, what) as file:
        for number, line in enumerate(iter(lambda: file.readline(MAX_LINE), b""), start=1):
            if len(line) >= MAX_LINE:
                raise RequestError(f"{path}:{number}: longer than {MAX_LINE} bytes; is this a file with {what}?")
            if line.strip():
                yield number, line


def object_of(line: bytes, where: str, what: str) -> dict[str, Any]:
    """The line as a JSON object. Raises ``RequestError``."""
    try:
        row = json.loads(line.removeprefix(b"\xef\xbb\xbf"), parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise RequestError(f"{where}:{error.colno}: not JSON: {error.msg.lower()}; each line is {what}") from None
    except UnicodeDecodeError as error:
        raise RequestError(f"{where}:{error.start + 1}: not UTF-8; each line is {what}") from None
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{where}: not JSON: {str(error)[:100]}; each line is {what}") from None
    if not isinstance(row, dict):
        raise RequestError(f"{where}: not an object; each line is {what}")
    return row


def _no_number(constant: str) -> float:
    raise ValueError(f"{constant} is no number that JSON knows")


def _events(path: Path, definitions: Definitions) -> Iterator[Arrival]:
    gate = Gate(definitions)
    what = 'an object such as {"at_ms": 0, "type": "DATA_READY", "entity_id": "000001"}'
    at, last, together = 0, 0, list[Event]()
    for number, line in lines_of(path, EVENTS):
        where = f"{path}:{number}"
        row = object_of(line, where, what)
        try:
            instant = _instant(row)
            event = gate.event(_event(row))
        except RequestError as error:
            raise RequestError(f"{where}: {error}") from None
        if instant < at:
            raise RequestError(
                f"{where}: at_ms {instant / NS_PER_MS:g} comes after {at / NS_PER_MS:g} in line {last}; "
                "sort the file by at_ms"
            )
        if instant > at and together:
            yield at, tuple(together)
            together = []
        at, last = instant, number
        together.append(event)
    if together:
        yield at, tuple(together)


def _instant(row: dict[str, Any]) -> Instant:
    if "at_ms" not in row:
        raise RequestError("no at_ms, the milliseconds after the beginning at which it comes")
    value = row["at_ms"]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MAX_AT_MS:
        shown = json.dumps(value, ensure_ascii=False)[:40]
        raise RequestError(f"at_ms is {shown}; write milliseconds after the beginning, from 0")
    return math.floor(value * NS_PER_MS)


def _event(row: dict[str, Any]) -> Event:
    for name in row:
        if name not in _FIELDS:
            close = difflib.get_close_matches(name[:60], _FIELDS, n=1)
            raise RequestError(
                f"unknown field '{name[:60]}'"
                + (f"; did you mean '{close[0]}'?" if close else f"; known are {', '.join(_FIELDS)}")
            )
    if ("entity_id" in row) == ("stock_id" in row):
        raise RequestError("needs entity_id (or stock_id in its place), once")
    entity = row["entity_id"] if "entity_id" in row else row["stock_id"]
    return Event(row.get("type", EventType.DATA_READY), entity, **{name: row[name] for name in _EVENT if name in row})


def first_of(arrivals: Iterable[Arrival]) -> Iterator[Arrival]:
    """The same arrivals, the first of them read already: what is wrong with a file at once is told at once."""
    rest = iter(arrivals)
    head = list(islice(rest, 1))

    def both() -> Iterator[Arrival]:
        yield from head
        yield from rest

    return both()
