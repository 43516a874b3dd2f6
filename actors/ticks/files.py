"""Reading a tick file: CSV with a header line, or JSON lines.

Nothing but the line in hand is kept in memory, however long the file is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import BinaryIO

from actors.errors import NotFoundError, RequestError
from actors.ticks.columns import Columns
from actors.ticks.lines import MAX_LINE, START, BadLine, Position, Tick, reader_for

_BLOCK = 65_536
_NEAR = 8_192
"""Bytes that mostly hold the last few ticks of a stock that trades often."""
_DATE = re.compile(r"(?<!\d)((?:19|20)\d\d)[-_]?(0[1-9]|1[0-2])[-_]?(0[1-9]|[12]\d|3[01])(?!\d)")


@dataclass(frozen=True, slots=True)
class TickFile:
    """A file and how it is read. ``day``: the trading day; by default a date in the file's name, if there is one."""

    path: Path
    columns: Columns = field(default_factory=Columns)
    day: date | None = None

    def read(
        self, *, after: Position = START, until: int | None = None, entity: str | None = None
    ) -> Iterator[Tick | BadLine]:
        """Each line from ``after`` to the byte ``until`` (the end of the file at most), of one entity or of all.

        With ``entity``, whatever is not a usable line of it is passed over. Raises
        ``RequestError`` if the file cannot be read or lacks a column, ``NotFoundError`` if
        there is none.
        """
        with self.open() as file:
            take = reader_for(file, self.path, self.columns, self.known_day)
            if after.end:
                file.seek(after.end)
                place = after
            else:
                place = Position(take.first.line, take.first.end)
                file.seek(place.end)
            while until is None or place.end < until:
                raw = file.readline(MAX_LINE + 1)
                if not raw:
                    return
                place = Position(place.line + 1 if place.line or not after.end else 0, place.end + len(raw))
                if len(raw) > MAX_LINE and not raw.endswith(b"\n"):
                    place = place._replace(end=_past_line(file, place.end))
                    yield BadLine(f"longer than {MAX_LINE} bytes; is this a tick file?", place)
                    continue
                found = take(raw, place, entity)
                if found is not None:
                    yield found

    def recent(self, entity: str, *, until: int, count: int) -> list[Tick]:
        """Return the last ``count`` ticks of the entity before the byte ``until``, oldest first.

        Only as much of the file is read as holds them.
        """
        span = _NEAR
        while True:
            start = max(0, until - span)
            after = Position(end=self._line_after(start)) if start else START
            ticks = [tick for tick in self.read(after=after, until=until, entity=entity) if isinstance(tick, Tick)]
            if len(ticks) >= count or not start:
                return ticks[-count:]
            span *= 4

    def open(self) -> BinaryIO:
        """The file, for reading. Raises ``NotFoundError`` or ``RequestError``."""
        try:
            if not self.path.is_file() and self.path.exists():
                raise RequestError(f"{self.path} is not a file; name one with ticks, CSV or JSON lines")
            return self.path.open("rb")
        except FileNotFoundError:
            message = f"no file {self.path}; name one with ticks, or make one (definitions/ashare/generate.py)"
            raise NotFoundError(message) from None
        except OSError as error:
            raise RequestError(f"{self.path} cannot be read: {(error.strerror or str(error)).lower()}") from error

    @property
    def size(self) -> int:
        """In bytes. Raises as ``open`` does."""
        with self.open() as file:
            return file.seek(0, os.SEEK_END)

    @property
    def known_day(self) -> date | None:
        if self.day is not None:
            return self.day
        found = _DATE.search(self.path.name)
        if found is None:
            return None
        try:
            return date(*map(int, found.groups()))
        except ValueError:
            return None

    def _line_after(self, offset: int) -> int:
        """Where the first line begins that starts at the offset or behind it."""
        with self.open() as file:
            file.seek(offset - 1)
            return _past_line(file, offset - 1)


def _past_line(file: BinaryIO, offset: int) -> int:
    """Read on to the end of the line; return the offset behind it."""
    while part := file.readline(_BLOCK):
        offset += len(part)
        if part.endswith(b"\n"):
            break
    return offset
