"""One line of a tick file to a tick, or to what is wrong with it.

A line that cannot be used is a value too, with its place and the cure: it costs itself and
nothing else. Lines are told apart by line ends alone, so a quoted field cannot hold one; in
return a stray quotation mark does not swallow the rest of the file.
"""

from __future__ import annotations

import csv
import difflib
import json
import math
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn, Protocol

from actors.errors import RequestError
from actors.model import Json, Utc
from actors.reading.nodes import clip
from actors.reading.scalars import resolve
from actors.ticks.columns import FILE_NAME, Columns, Kind

MAX_LINE = 65_536
MAX_ID = 200
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(\.\d{1,9})?")
_MARK = b"\xef\xbb\xbf"


SHANGHAI_OFFSET = 8 * 3600
SHANGHAI = timezone(timedelta(seconds=SHANGHAI_OFFSET))
"""Without a zone database: the exchange's clock has had no summer time since 1991."""


class Position(NamedTuple):
    """A place between two lines; ``line`` counts those before it, 0 where that is not known."""

    line: int = 0
    end: int = 0


START = Position()


@dataclass(frozen=True, slots=True)
class Tick:
    """One usable line."""

    entity_id: str
    at: float
    """Seconds on the file's own clock: since the epoch if its date is known, else since midnight."""
    timestamp: Utc | None
    """None if the date is not known."""
    data: dict[str, Json]
    position: Position
    """Just behind the line."""
    checksum: int = field(default=0, repr=False)
    """Of the line's bytes."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """One line that cannot be used, and what is wrong with it."""

    message: str
    position: Position


class Unusable(Exception):
    """The line says something that cannot be used; the text is the sentence about it."""


class TakeLine(Protocol):
    """Reads the lines of one file."""

    first: Position
    """Just before the first line with a tick."""

    def __call__(self, raw: bytes, place: Position, entity: str | None) -> Tick | BadLine | None:
        """None for an empty line, and for one of another entity when one is asked for."""
        ...


def reader_for(file: BinaryIO, path: Path, columns: Columns, day: date | None) -> TakeLine:
    """JSON lines if the first line is an object, else CSV, whose first line names the columns.

    Raises ``RequestError`` for a header without a column that is needed.
    """
    place, text = START, b""
    while raw := file.readline(MAX_LINE + 1):
        text = raw if place.end else raw.removeprefix(_MARK)
        if text.strip():
            break
        place = Position(place.line + 1, place.end + len(raw))
    shared = _Shared(str(path.resolve()), columns, _midnight(day) if day is not None else None)
    if not text.strip() or text.lstrip().startswith(b"{"):
        return JsonLines(shared, place)
    where = f"{path}:{place.line + 1}"
    if len(raw) > MAX_LINE:
        raise RequestError(f"{where}: longer than {MAX_LINE} bytes; is this a tick file?")
    return CsvLines(shared, Position(place.line + 1, place.end + len(raw)), _header(text, where, columns))


def _header(text: bytes, where: str, columns: Columns) -> list[str]:
    try:
        names = [name.strip() for name in _fields(text, columns.encoding)]
    except Unusable as error:
        raise RequestError(f"{where}: {error}") from None
    for name in columns.needed:
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean '{close[0]}'?" if close else ";"
            has = clip(", ".join(names), 200)
            raise RequestError(f"{where}: no column '{name}'{hint} {FILE_NAME} names the columns; the file has {has}")
    return names


def _midnight(day: date) -> float:
    """When the day begins in Shanghai, in seconds since the epoch."""
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI).timestamp()


@dataclass(slots=True)
class _Shared:
    """What both kinds of lines share: a clock, the entity's id, the event's data."""

    file: str
    columns: Columns
    midnight: float | None
    last_time: tuple[str, tuple[float, float | None]] | None = None
    """Ticks of one instant stand together, so that its time is read once."""

    def tick(self, raw: bytes, place: Position, entity: str, row: Mapping[str, Json]) -> Tick:
        at, timestamp = self._time(row[self.columns.time])
        columns = self.columns.data
        if columns is None:
            left_out = self.columns.entity
            data = {name: _value(name, value, Kind.ANY) for name, value in row.items() if name != left_out}
        else:
            data = {field: _value(column.name, row[column.name], column.kind) for field, column in columns.items()}
        if self.columns.position is not None:
            data[self.columns.position] = {"file": self.file, "line": place.line, "end": place.end}
        return Tick(entity, at, timestamp, data, place, zlib.crc32(raw))

    def _time(self, value: Json) -> tuple[float, float | None]:
        if isinstance(value, str):
            if self.last_time is None or self.last_time[0] != value:
                self.last_time = (value, self._read_time(value))
            return self.last_time[1]
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e11:
            return float(value), float(value)
        raise Unusable(f"{self.columns.time} is {_show(value)}; write HH:MM:SS, a date with time, or epoch seconds")

    def _read_time(self, text: str) -> tuple[float, float | None]:
        found = _CLOCK.fullmatch(text)
        if found is not None:
            hour, minute, second, fraction = found.groups()
            seconds = int(hour) * 3600 + int(minute) * 60 + int(second) + float(fraction or 0)
            if self.midnight is None:
                return seconds, None
            return self.midnight + seconds, self.midnight + seconds
        try:
            if not text.isdigit() and ":" in text:
                moment = datetime.fromisoformat(text)
                moment = moment if moment.tzinfo else moment.replace(tzinfo=SHANGHAI)
                return moment.timestamp(), moment.timestamp()
            number = float(text) if len(text) <= 20 else math.nan
            if 0 <= number < 1e11 and text[0].isdigit():
                return number, number
        except (ValueError, OverflowError):
            pass
        raise Unusable(f"{self.columns.time} is {_show(text)}; write HH:MM:SS, a date with time, or epoch seconds")

    def entity(self, value: Json) -> str:
        name = self.columns.entity
        if not isinstance(value, str):
            cure = "; put it in quotes, a number loses its leading zeros" if isinstance(value, int) else ""
            raise Unusable(f"{name} is {_show(value)}, not text{cure}")
        text = next((value[len(prefix) :] for prefix in self.columns.strip if value.startswith(prefix)), value)
        if not text:
            raise Unusable(f"{name} is {_show(value)}, which leaves no id")
        if len(text) > MAX_ID or not text.isprintable() or any(sign in text for sign in " /\\"):
            raise Unusable(f"{name} is {_show(value)}; an id has no spaces, slashes or control characters")
        return text


class CsvLines:
    """Fields in the order of the header line."""

    def __init__(self, shared: _Shared, first: Position, names: Sequence[str]) -> None:
        self.first = first
        self._shared = shared
        self._names = names
        self._encoding = shared.columns.encoding
        self._entity_at = names.index(shared.columns.entity)

    def __call__(self, raw: bytes, place: Position, entity: str | None) -> Tick | BadLine | None:
        if not raw.strip():
            return None
        # Cheap, and right: a line that names the entity holds its id as it is.
        if entity is not None and entity.encode(self._encoding) not in raw:
            return None
        try:
            fields = _fields(raw, self._encoding)
            if len(fields) != len(self._names):
                raise Unusable(f"{len(fields)} fields, where the header has {len(self._names)}")
            found = self._shared.entity(fields[self._entity_at])
            if entity is not None and found != entity:
                return None
            return self._shared.tick(raw, place, found, dict(zip(self._names, fields, strict=True)))
        except Unusable as error:
            return BadLine(str(error), place) if entity is None else None


class JsonLines:
    """One object a line."""

    def __init__(self, shared: _Shared, first: Position) -> None:
        self.first = first
        self._shared = shared
        self._columns = shared.columns

    def __call__(self, raw: bytes, place: Position, entity: str | None) -> Tick | BadLine | None:
        if not raw.strip():
            return None
        try:
            row = _object(raw if place.end > len(raw) else raw.removeprefix(_MARK), self._columns.encoding)
            missing = [name for name in self._columns.needed if name not in row]
            if missing:
                raise Unusable(f"no {_show(missing[0])} in the object")
            found = self._shared.entity(row[self._columns.entity])
            if entity is not None and found != entity:
                return None
            return self._shared.tick(raw, place, found, row)
        except Unusable as error:
            return BadLine(str(error), place) if entity is None else None


def _fields(raw: bytes, encoding: str) -> Sequence[str]:
    text = _decode(raw, encoding).rstrip("\r\n")
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error as error:
        raise Unusable(f"not CSV: {error}") from None


def _object(raw: bytes, encoding: str) -> dict[str, Json]:
    try:
        row = json.loads(_decode(raw, encoding), parse_constant=_refuse, parse_float=_finite, parse_int=_bounded)
    except (ValueError, RecursionError) as error:
        text = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise Unusable(f"not JSON: {text[:100] or 'nested too deeply'}") from None
    if not isinstance(row, dict):
        raise Unusable('not an object; each line must be one, such as {"time": "09:30:00", "symbol": "000001"}')
    return row


def _decode(raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        other = "gbk" if encoding == "utf-8" else "utf-8"
        raise Unusable(f"not {encoding}; if the file is {other}, say so in replay.yaml: encoding: {other}") from None


def _value(name: str, value: Json, kind: Kind) -> Json:
    """The value as its column's kind demands. Only CSV has numbers as text, and only there it is read as one."""
    if kind is Kind.TEXT:
        return value if isinstance(value, str) else _wrong(name, value, "text")
    if isinstance(value, str):
        try:
            value = resolve(value)
        except ValueError as error:
            raise Unusable(f"{name} is {_show(value)}: {error}") from None
    if kind is Kind.ANY:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _wrong(name, value, "a number")
    if kind is Kind.INTEGER and not isinstance(value, int):
        return _wrong(name, value, "a whole number")
    return value


def _wrong(name: str, value: Json, wanted: str) -> NoReturn:
    raise Unusable(f"{name} is {_show(value)}, not {wanted}")


def _show(value: Json) -> str:
    if value is None:
        return "empty"
    return f"'{clip(value, 40)}'" if isinstance(value, str) else clip(json.dumps(value, ensure_ascii=False), 40)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number that JSON knows")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text[:20])


def _bounded(text: str) -> int:
    return int(text) if len(text) <= 40 else _refuse("a number of more than 40 digits")
