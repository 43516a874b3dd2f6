"""A line of text to commands, their words, and words to values.

    inject DATA_READY 000003 priority=0 price=10.9 note="limit up"; wait 10   # a comment

Words are parted by spaces and commands by semicolons; quotes keep a word together and make a
value text. An unquoted value reads as in our YAML: 10.9 is a number, true is true, 000003 stays
text. A value that begins with [ or { is JSON.
"""

from __future__ import annotations

from collections.abc import Collection
from json import JSONDecodeError, JSONDecoder
from typing import TYPE_CHECKING, NamedTuple

from actors.errors import Fault, RequestError
from actors.reading.scalars import resolve

if TYPE_CHECKING:
    from actors.model import Json

MAX_LINE_CHARS = 2_000_000
"""Room for the largest data an event may carry, written with escapes."""
TOO_LONG = "put data into a file and say --data @FILE"


class Word(NamedTuple):
    """One word of a line; ``key`` is what stands before an unquoted =."""

    text: str
    key: str | None = None
    quoted: bool = False
    """The value (all of it without a key) was in quotes, at least in part."""


def split(line: str) -> list[list[Word]]:
    """Part a line into commands, each a list of words; none of them is empty.

    Raises ``RequestError`` for an open quote, broken JSON, or a line that is too long.
    """
    if len(line) > MAX_LINE_CHARS:
        raise RequestError(f"the line has {len(line)} characters; at most {MAX_LINE_CHARS} are read; {TOO_LONG}")
    reader = _Reader(line)
    commands: list[list[Word]] = [[]]
    while (word := reader.word()) is not None:
        if word == _END:
            commands.append([])
        else:
            commands[-1].append(word)
    return [command for command in commands if command]


_END = Word("", "")
"""A semicolon: no word of a line has an empty key."""


class _Reader:
    def __init__(self, line: str) -> None:
        self._line = line
        self._at = 0

    def word(self) -> Word | None:
        """Read the next word; None at the end or a comment."""
        while self._peek().isspace():
            self._at += 1
        if self._peek() in ("", "#"):
            return None
        if self._peek() == ";":
            self._at += 1
            return _END
        key: str | None = None
        text, quoted = "", False
        while (character := self._peek()) and not character.isspace() and character != ";":
            if character in "'\"":
                text += self._quoted()
                quoted = True
            elif character == "=" and key is None and text and not quoted:
                key, text = text, ""
                self._at += 1
            elif character in "[{" and not text and not quoted:
                return Word(self._json(), key)
            elif character == "\\" and self._at + 1 < len(self._line):
                text += self._line[self._at + 1]
                quoted = True
                self._at += 2
            else:
                text += character
                self._at += 1
        return Word(text, key, quoted)

    def _peek(self) -> str:
        return self._line[self._at : self._at + 1]

    def _quoted(self) -> str:
        """Read to the closing quote; between double quotes a backslash escapes these and itself."""
        quote, begin, text = self._peek(), self._at, ""
        self._at += 1
        while (character := self._peek()) != quote:
            if not character:
                raise RequestError(f"the quote at column {begin + 1} is not closed")
            if character == "\\" and quote == '"' and self._line[self._at + 1 : self._at + 2] in ('"', "\\"):
                self._at += 1
                character = self._peek()
            text += character
            self._at += 1
        self._at += 1
        return text

    def _json(self) -> str:
        begin = self._at
        try:
            _, self._at = JSONDecoder().raw_decode(self._line, begin)
        except (JSONDecodeError, RecursionError) as error:
            raise RequestError(f"what begins at column {begin + 1} is not JSON: {error}") from None
        if self._peek() and not self._peek().isspace() and self._peek() != ";":
            raise RequestError(f"column {self._at + 1}: a space must follow the JSON")
        return self._line[begin : self._at]


def value_of(word: Word) -> Json:
    """Return a field's value: JSON, a number, a constant, or text."""
    if word.quoted or not word.text:
        return word.text
    if word.text[0] in "[{":
        return json_value(word.text)
    try:
        return resolve(word.text)
    except ValueError as error:
        raise RequestError(str(error)) from None


def json_value(text: str) -> Json:
    """Return what the JSON says; strict, within the bounds of definition files."""
    from actors.reading.json_text import read_json
    from actors.reading.nodes import Unreadable

    faults: list[Fault] = []
    try:
        node = read_json(text, "", faults)
    except Unreadable as error:
        raise RequestError(error.message) from None
    if faults or node is None:
        raise RequestError(faults[0].message if faults else "JSON is expected")
    return node.plain()


def did_you_mean(name: str, known: Collection[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name[:80], list(known), 3)
    # Of words that are equally close the one with the same letters was meant: two of them were swapped.
    close.sort(key=lambda each: sorted(each) != sorted(name))
    return f"; did you mean '{close[0]}'?" if close else ""
