"""A line of text to words, and words to values.

Words are parted by spaces; quotes keep a word together and make a value text. An unquoted value
reads as in our YAML: 10.9 is a number, true is true, 000003 stays text. A value that begins with
[ or { is JSON. What follows # is a comment.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection
from json import JSONDecodeError, JSONDecoder
from typing import NamedTuple

from actors.errors import Fault, RequestError
from actors.model import Json
from actors.reading.json_text import read_json
from actors.reading.nodes import Unreadable
from actors.reading.scalars import resolve


class Word(NamedTuple):
    """One word of a line; ``key`` is what stands before an unquoted =."""

    text: str
    key: str | None = None
    quoted: bool = False
    """The value (all of it without a key) was in quotes, at least in part."""


def split(line: str) -> list[Word]:
    """Part a line into words. Raises ``RequestError`` for an open quote or broken JSON."""
    reader, words = _Reader(line), []
    while (word := reader.word()) is not None:
        words.append(word)
    return words


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
        key: str | None = None
        text, quoted = "", False
        while (character := self._peek()) and not character.isspace():
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
        if self._peek() and not self._peek().isspace():
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
    faults: list[Fault] = []
    try:
        node = read_json(text, "", faults)
    except Unreadable as error:
        raise RequestError(error.message) from None
    if faults or node is None:
        raise RequestError(faults[0].message if faults else "JSON is expected")
    return node.plain()


def did_you_mean(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name[:80], list(known), 1)
    return f"; did you mean '{close[0]}'?" if close else ""
