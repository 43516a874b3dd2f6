"""``when:`` conditions: CEL on ``entity`` and ``event``, checked when read, bounded when evaluated.

CEL has neither loops nor side effects, but its macros walk lists and its ``+`` copies. As
definitions may come from strangers, what multiplies is refused when the text is read
(``actors.reading.cel_text``) or, where it depends on the data, when it is evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from actors.errors import ConditionError, DefinitionError, Fault
from actors.model import Condition, Json

if TYPE_CHECKING:
    from cel import Program

MAX_WALKED = 2_500
"""Values and characters of the data that a condition with ``all`` or ``exists`` may walk."""
MAX_STEPS = 100_000
"""Those times the characters of the condition; each item may be compared with all, as often as the text says."""
MAX_MATCHED = 100_000
"""Characters of a text in the data where a condition has patterns; they take 1 µs each at worst."""
MAX_DEPTH = 100
"""Levels of the data. The CEL library recurses; 50,000 levels were its end, and the process's."""
_SYNTAX = re.compile(r"<input>:(\d+):(\d+): Syntax error: (.*)")
_WORDING = (
    (re.compile(r"mismatched input '<EOF>'.*"), "the expression ends too early"),
    (re.compile(r"(?:mismatched|extraneous) input ('.*?') expecting.*"), r"\1 is not expected here"),
    (re.compile(r"token recognition error at: ('.*?)'?$"), r"\1' is not expected here"),
    (re.compile(r".*Recursion limit.*"), "nested too deeply"),
)


def compile(text: str) -> Condition:
    """The condition that the text says.

    Raises ``DefinitionError`` with all that is wrong; its faults have a line and a column within
    the text, both from 1, and no file.
    """
    from actors.reading.cel_text import Problem, inspect

    try:
        import cel
    except ImportError:
        problem = Problem(1, 1, "conditions need a package: pip install common-expression-language")
        raise _refusal([problem]) from None
    found = inspect(text)
    if found.too_long:
        raise _refusal(found.problems)
    try:
        program = cel.compile(text)
    except ValueError as error:
        raise _refusal([_syntax(str(error))]) from None
    if found.problems:
        raise _refusal(found.problems)
    return CelCondition(text, "event" in program.variables(), found.walks, found.patterns > 0, program)


@dataclass(frozen=True, slots=True)
class CelCondition:
    """A compiled condition; equal to any other of the same text. May be called from any thread."""

    text: str
    reads_event: bool
    walks: bool
    """Whether it looks at every item of some list."""
    matches: bool
    """Whether it has patterns."""
    program: Program = field(repr=False, compare=False)

    def __call__(self, entity: Mapping[str, Json], event: Mapping[str, Json] | None) -> bool:
        """True or false; ``event`` is None when the state table starts the workflow.

        Both have the fields named in ``actors.reading.cel_text``. Raises ``ConditionError``.
        """
        self._bound((entity.get("data"), event.get("data") if event is not None else None))
        try:
            result = self.program.execute({"entity": entity, "event": event})
        except Exception as error:
            reason = _reason(error)
            if event is None and self.reads_event:
                reason += " (event is null when the state table starts a workflow; event != null asks for it)"
            raise ConditionError(f"when '{_short(self.text)}' cannot be evaluated: {reason}") from error
        except BaseException as error:
            # A panic inside the library arrives as a BaseException that would end the actor.
            if type(error).__name__ != "PanicException":
                raise
            raise ConditionError(f"when '{_short(self.text)}' cannot be evaluated: the library failed") from error
        if not isinstance(result, bool):
            kind = "a number" if isinstance(result, int | float) else type(result).__name__
            raise ConditionError(f"when '{_short(self.text)}' gave {kind}, not true or false")
        return result

    def _bound(self, data: Iterable[Json]) -> None:
        """Refuse data that is too deep, or too large for what the text does with it."""
        level: list[Any] = [item for item in data if isinstance(item, list | dict | str)]
        limit = min(MAX_WALKED, MAX_STEPS // len(self.text))
        walked = 0
        for _ in range(MAX_DEPTH):
            if not level:
                return
            walked += sum(map(len, level))
            if self.walks and walked > limit:
                raise self._beyond(f"it walks lists, and the data has more than {limit} values and characters")
            if self.matches and any(isinstance(item, str) and len(item) > MAX_MATCHED for item in level):
                raise self._beyond(f"it has patterns, and the data a text of more than {MAX_MATCHED} characters")
            inner = (below for item in level for below in _inner(item))
            level = [below for below in inner if isinstance(below, list | dict | str)]
        raise self._beyond(f"the data is nested more than {MAX_DEPTH} levels deep")

    def _beyond(self, reason: str) -> ConditionError:
        return ConditionError(f"when '{_short(self.text)}' is not evaluated: {reason}")


def _inner(item: list[Any] | dict[str, Any] | str) -> Iterable[Any]:
    if isinstance(item, dict):
        return item.values()
    return item if isinstance(item, list) else ()


def _refusal(problems: Iterable[Any]) -> DefinitionError:
    return DefinitionError([Fault("", problem.line, problem.column, "", problem.message) for problem in problems])


def _syntax(message: str) -> Any:
    """The first of the parser's complaints, in our words; the others follow from it."""
    from actors.reading.cel_text import Problem

    found = _SYNTAX.search(message)
    if found is None:
        return Problem(1, 1, "not a condition in CEL")
    line, column, reason = int(found[1]), int(found[2]), found[3]
    for pattern, words in _WORDING:
        if pattern.fullmatch(reason):
            reason = pattern.sub(words, reason)
            break
    return Problem(line, column, f"not a condition in CEL: at character {column}: {_short(reason)}")


def _reason(error: Exception) -> str:
    """The library's message without its advice on everything."""
    if isinstance(error, KeyError):
        return f"there is no key {_short(str(error))}; has(…) asks for it"
    return _short(str(error).partition(". ")[0].partition("\n")[0], 160)


def _short(text: str, length: int = 80) -> str:
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"
