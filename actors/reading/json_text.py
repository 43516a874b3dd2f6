"""Strict JSON to nodes that know their line and column.

Not through YAML, which JSON is nearly but not quite part of (surrogate pairs, tabs, long keys).
"""

from __future__ import annotations

import re
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]

from actors.errors import Fault
from actors.reading.nodes import MAX_DEPTH, MAX_NODES, MAX_NUMBER, Mark, Node, Path, Unreadable, clip, place
from actors.reading.scalars import resolve

_SPACE = re.compile(r"[ \t\r\n]*")
_WORD = re.compile(r"[-+.\w]+")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?", re.ASCII)
_CONSTANTS: dict[str, bool | None] = {"null": None, "true": True, "false": False}


def read_json(text: str, file: str, faults: list[Fault]) -> Node | None:
    """The value in the text; duplicate keys are added to the faults. None for blank text. Raises ``Unreadable``."""
    reader = _Reader(text, file, faults)
    reader.skip()
    if reader.at == len(text):
        return None
    root = reader.value((), 1)
    reader.skip()
    if reader.at < len(text):
        raise Unreadable(reader.mark(), "not JSON: something follows the value")
    return root


class _Reader:
    def __init__(self, text: str, file: str, faults: list[Fault]) -> None:
        self.at = 0
        self._text = text
        self._file = file
        self._faults = faults
        self._left = MAX_NODES
        # Marks are asked for in rising order, so that lines are counted once.
        self._line, self._line_start = 1, 0

    def mark(self, at: int | None = None) -> Mark:
        at = self.at if at is None else at
        while (end := self._text.find("\n", self._line_start, at)) >= 0:
            self._line, self._line_start = self._line + 1, end + 1
        return Mark(self._line, at - self._line_start + 1)

    def skip(self) -> None:
        self.at = _SPACE.match(self._text, self.at).end()  # type: ignore[union-attr]

    def value(self, path: Path, level: int) -> Node:
        """The value that begins here; calls itself at most ``MAX_DEPTH`` deep."""
        mark = self.mark()
        if level > MAX_DEPTH:
            raise Unreadable(mark, f"nested more than {MAX_DEPTH} levels deep")
        self._spend(mark)
        match self._text[self.at : self.at + 1]:
            case "{":
                return self._object(mark, path, level)
            case "[":
                return self._array(mark, path, level)
            case '"':
                text = self._string()
                verbatim = self._text.startswith(text, mark.column + self._line_start)
                return Node(text, mark, text_at=Mark(mark.line, mark.column + 1) if verbatim else None)
            case _:
                return self._word(mark)

    def _spend(self, mark: Mark) -> None:
        self._left -= 1
        if self._left < 0:
            raise Unreadable(mark, f"more than {MAX_NODES} values")

    def _string(self) -> str:
        begin = self.at
        try:
            text, self.at = scanstring(self._text, begin + 1)
        except JSONDecodeError as error:
            raise Unreadable(self.mark(begin), f"not JSON: {error.msg[0].lower()}{error.msg[1:]}") from error
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Unreadable(self.mark(begin), "half of a surrogate pair; write the character itself") from None
        return str(text)

    def _word(self, mark: Mark) -> Node:
        found = _WORD.match(self._text, self.at)
        if found is None:
            what = f"'{self._text[self.at]}'" if self.at < len(self._text) else "the end of the file"
            raise Unreadable(mark, f"not JSON: a value is expected, not {what}")
        word = found.group()
        if word in _CONSTANTS:
            self.at = found.end()
            return Node(_CONSTANTS[word], mark)
        if not _NUMBER.fullmatch(word):
            raise Unreadable(mark, f"not JSON: '{clip(word, MAX_NUMBER)}' is no number; put text in double quotes")
        try:
            value = resolve(word)
        except ValueError as error:
            raise Unreadable(mark, str(error)) from error
        self.at = found.end()
        return Node(value, mark)

    def _array(self, mark: Mark, path: Path, level: int) -> Node:
        nodes: list[Node] = []
        more = self._opened("]")
        while more:
            nodes.append(self.value((*path, len(nodes)), level + 1))
            more = self._another("]")
        return Node(nodes, mark, size=1 + sum(node.size for node in nodes))

    def _object(self, mark: Mark, path: Path, level: int) -> Node:
        fields: dict[str, Node] = {}
        keys: dict[str, Mark] = {}
        more = self._opened("}")
        while more:
            key_mark = self.mark()
            if not self._text.startswith('"', self.at):
                raise Unreadable(key_mark, "not JSON: a key in double quotes is expected")
            self._spend(key_mark)
            key = self._string()
            self.skip()
            if not self._text.startswith(":", self.at):
                raise Unreadable(self.mark(), "not JSON: ':' is expected after the key")
            self.at += 1
            self.skip()
            value = self.value((*path, key), level + 1)
            if key in fields:
                message = f"'{clip(key)}' is given twice; first on line {keys[key].line}"
                self._faults.append(place(self._file, key_mark, (*path, key), message))
            else:
                fields[key], keys[key] = value, key_mark
            more = self._another("}")
        return Node(fields, mark, keys, 1 + sum(node.size for node in fields.values()))

    def _opened(self, closing: str) -> bool:
        """Step over the bracket; False, and over the closing one, if nothing is inside."""
        self.at += 1
        self.skip()
        if self._text.startswith(closing, self.at):
            self.at += 1
            return False
        return True

    def _another(self, closing: str) -> bool:
        """Step over what follows an item: True after a comma, False after the closing bracket."""
        self.skip()
        sign = self._text[self.at : self.at + 1]
        if sign not in (",", closing) or not sign:
            raise Unreadable(self.mark(), f"not JSON: ',' or '{closing}' is expected")
        self.at += 1
        self.skip()
        return sign == ","
