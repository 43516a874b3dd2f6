"""What a condition's text names and what it could cost, found by looking at its words.

The CEL library checks the grammar; this looks for names that mean nothing and for what
multiplies: a macro inside a macro, ``map`` and ``filter`` (quadratic in the library, and they
can be chained), long sums of texts, patterns that are computed or repeat repetitions.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

MAX_TEXT = 2_000
MAX_SUMS = 16
MAX_PROBLEMS = 20
MAX_PATTERNS = 4
MAX_PATTERN = 200
MAX_REPEATS = 100
"""Product of the counts in a pattern's repetitions."""

ENTITY_FIELDS = ("id", "name", "phase", "status", "priority", "last_processed", "data")
EVENT_FIELDS = ("id", "type", "entity_id", "priority", "timestamp", "data")
_FIELDS = {"entity": ENTITY_FIELDS, "event": EVENT_FIELDS}
_WALKING = ("all", "exists", "exists_one", "existsOne")
_REFUSED = ("map", "filter")
_TYPES = ("bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint")
_WORDS = ("true", "false", "null", "in", "optional", *_TYPES)
_FUNCTIONS = ("size", "int", "uint", "double", "string", "bytes", "timestamp", "duration", "type", "dyn", "has")
_METHODS = (
    *("size", "contains", "startsWith", "endsWith", "matches", *_WALKING, *_REFUSED),
    *("getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear", "getHours", "getMilliseconds"),
    *("getMinutes", "getMonth", "getSeconds", "of", "none", "ofNonZeroValue", "hasValue", "value", "orValue"),
)
# The lexer's own rules: a text read otherwise than the library reads it could hide a macro.
_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<text>[bB]?[rR](?:\"{3}.*?\"{3}|'{3}.*?'{3}|"[^"\n\r]*"|'[^'\n\r]*')
        |[bB]?(?:\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}
        |"(?:\\.|[^"\\\n\r])*"|'(?:\\.|[^'\\\n\r])*'))
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<number>0x[0-9a-fA-F]+[uU]?|(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?[uU]?)
    |(?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
_COUNT = re.compile(r"\{(\d+)(?:,(\d*))?\}")


class Token(NamedTuple):
    kind: str
    text: str
    at: int


class Problem(NamedTuple):
    """Something wrong, at a line and column of the text, both from 1."""

    line: int
    column: int
    message: str


@dataclass(slots=True)
class Found:
    """What the words of a condition say."""

    walks: bool = False
    patterns: int = 0
    too_long: bool = False
    problems: list[Problem] = field(default_factory=list)


def inspect(text: str) -> Found:
    """Look at the words of a condition. What it says holds if the text is CEL at all."""
    found = Found()
    if len(text) > MAX_TEXT:
        found.too_long = True
        found.problems.append(Problem(1, 1, f"a condition may have {MAX_TEXT} characters"))
        return found
    _Words(text, found).look()
    return found


class _Words:
    """One pass over the words of a condition."""

    def __init__(self, text: str, found: Found) -> None:
        self._text = text
        self._found = found
        self._tokens = list(_tokens(text))
        self._bound: list[tuple[range, str]] = []
        """Where macros stretch, each with the name of its item."""

    def look(self) -> None:
        self._macros()
        for index, token in enumerate(self._tokens):
            if token.kind == "name":
                self._name(index, token)
            elif token.text == "`":
                self._problem(token, "names in backticks are not read; write entity.data['a-b']")
        sums = [token for token in self._tokens if token.text == "+"]
        if len(sums) > MAX_SUMS:
            self._problem(sums[MAX_SUMS], f"more than {MAX_SUMS} sums in one condition")

    def _name(self, index: int, token: Token) -> None:
        """A variable, a function, a method or a field."""
        called = self._is(index + 1, "(")
        if self._is(index - 1, "."):
            if called:
                self._known("function", token, _METHODS)
                if token.text == "matches":
                    self._pattern(index)
            return
        if called:
            self._known("function", token, _FUNCTIONS)
            return
        if any(index in stretch and token.text == name for stretch, name in self._bound):
            return
        self._known("variable", token, (*_FIELDS, *_WORDS), shown=tuple(_FIELDS))
        fields = _FIELDS.get(token.text)
        if fields is not None and self._is(index + 1, ".") and not self._is(index + 3, "("):
            below = self._at(index + 2)
            if below.kind == "name":
                self._known(f"field of {token.text}", below, fields)

    def _macros(self) -> None:
        """Find the macros; refuse those that multiply."""
        for index, token in enumerate(self._tokens):
            if not (self._is(index - 1, ".") and self._is(index + 1, "(")):
                continue
            if token.text in _REFUSED:
                self._problem(token, f"'{token.text}' is not available in conditions; use exists, all or exists_one")
            elif token.text in _WALKING:
                self._found.walks = True
                if any(index in stretch for stretch, _ in self._bound):
                    self._problem(token, f"'{token.text}' inside another of its kind is not available in conditions")
                item = self._at(index + 2)
                if item.text in _FIELDS:
                    self._problem(item, f"'{item.text}' has a meaning already; call the item otherwise")
                self._bound.append((range(index + 1, self._closing(index + 1)), item.text))

    def _pattern(self, index: int) -> None:
        """A pattern is written out, short, and repeats little: its automaton is built at each evaluation."""
        self._found.patterns += 1
        if self._found.patterns > MAX_PATTERNS:
            self._problem(self._at(index), f"more than {MAX_PATTERNS} patterns in one condition")
        if any(index in stretch for stretch, _ in self._bound):
            self._problem(self._at(index), "'matches' for every item is not available in conditions; use startsWith")
        pattern = self._at(index + 2)
        if pattern.kind != "text" or not self._is(index + 3, ")"):
            self._problem(pattern, "a pattern must be one text in quotes")
            return
        text = _literal(pattern.text)
        product = 1
        for least, most in _COUNT.findall(text):
            product *= max(int(least[:6]), int(most[:6] or 0), 1)
        if len(text) > MAX_PATTERN:
            self._problem(pattern, f"a pattern may have {MAX_PATTERN} characters")
        elif product > MAX_REPEATS:
            self._problem(pattern, f"the pattern's counts multiply to more than {MAX_REPEATS}")

    def _known(self, kind: str, token: Token, known: Sequence[str], *, shown: Sequence[str] = ()) -> None:
        if token.text in known or len(self._found.problems) == MAX_PROBLEMS:
            return
        close = difflib.get_close_matches(token.text[:60], known, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else f"; there are {' and '.join(shown)}" if shown else ""
        self._problem(token, f"no {kind} '{token.text[:60]}'{hint}")

    def _closing(self, opening: int) -> int:
        """The place of the bracket that closes this one; the end if none does."""
        open_ = 0
        for index in range(opening, len(self._tokens)):
            sign = self._tokens[index].text
            open_ += (sign == "(") - (sign == ")")
            if open_ == 0:
                return index
        return len(self._tokens)

    def _at(self, index: int) -> Token:
        return self._tokens[index] if 0 <= index < len(self._tokens) else Token("end", "", len(self._text))

    def _is(self, index: int, sign: str) -> bool:
        return self._at(index).text == sign

    def _problem(self, token: Token, message: str) -> None:
        if len(self._found.problems) == MAX_PROBLEMS:
            return
        before = self._text[: token.at]
        line, column = before.count("\n") + 1, token.at - before.rfind("\n")
        self._found.problems.append(Problem(line, column, f"{message} (at character {column})"))


def _tokens(text: str) -> Iterator[Token]:
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        if kind != "space":
            yield Token(kind, match.group(), match.start())


def _literal(text: str) -> str:
    """What a text in quotes says; the library itself resolves the escapes."""
    import cel

    try:
        return str(cel.evaluate(text))
    except (ValueError, RuntimeError, TypeError):
        return ""
