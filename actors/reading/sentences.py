"""A shape against a node: pydantic finds what is wrong, our sentences say it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from actors.reading.faults import Source
from actors.reading.fields import OURS
from actors.reading.nodes import Node, Path, clip, find
from actors.reading.shapes import Shape

_MAPPING = "must be a mapping of names to values"
_KINDS: Mapping[str, str] = {
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
}


class Checked(NamedTuple):
    """What could be read of a mapping."""

    fields: Mapping[str, Any]
    """The fields that were given and are right."""
    faulty: frozenset[str]
    """Those that were given and are not, or were needed and not given."""


def check(shape: type[Shape], source: Source, path: Path, *, known: Mapping[str, str] | None = None) -> Checked:
    """Read the mapping at the path; ``known`` are fields given by other means (a mapping's key as id).

    A field without a value is a field not given. All that is wrong is reported to the source.
    """
    node = find(source.root, path)
    if not isinstance(node.value, dict):
        source.fault(path, f"{_MAPPING}{_not(node.value)}")
        return Checked({}, frozenset(shape.model_fields))
    given = {name: _given(shape, name, below) for name, below in node.value.items() if below.value is not None}
    for name, value in (known or {}).items():
        if name in given and str(given[name]) != value:
            source.fault((*path, name), f"differs from its key '{clip(value)}'; leave it out")
        given[name] = value
    for name in node.value:
        if name in shape.elsewhere:
            source.key_fault((*path, name), f"unknown field '{name}'; {shape.elsewhere[name]}")
        elif name not in shape.model_fields:
            _unknown(source, (*path, name), shape.model_fields)
        else:
            continue
        given.pop(name, None)
    missing = shape.needs - given.keys()
    for name in sorted(missing):
        if name in node.value:
            source.key_fault((*path, name), "has no value")
        else:
            source.fault(path, f"needs '{name}'")
    fields, wrong = _validate(shape, given, source, path)
    return Checked(fields, missing | wrong)


def _validate(
    shape: type[Shape], given: Mapping[str, Any], source: Source, path: Path
) -> tuple[Mapping[str, Any], frozenset[str]]:
    """The fields that are right; those that are not, after saying why."""
    wrong: set[str] = set()
    try:
        checked = shape.model_validate(given)
    except ValidationError as error:
        # Without context: it holds the exceptions themselves, which nothing needs.
        for detail in error.errors(include_url=False):
            wrong.add(str(detail["loc"][0]))
            _say(shape, detail, source, path)
        checked = shape.model_validate({name: value for name, value in given.items() if name not in wrong})
    return {name: getattr(checked, name) for name in checked.model_fields_set}, frozenset(wrong)


def _given(shape: type[Shape], name: str, node: Node) -> Any:
    if name in shape.unread and isinstance(node.value, list):
        return [None] * len(node.value)
    return node.plain()


def _say(shape: type[Shape], detail: ErrorDetails, source: Source, path: Path) -> None:
    at = (*path, *detail["loc"])
    if detail["type"] == "extra_forbidden":
        below = shape.model_fields[str(detail["loc"][0])].annotation
        _unknown(source, at, _fields_of(below))
        return
    # An item of a list is found by its place; the field's name says enough.
    shown = at[:-1] if isinstance(at[-1], int) and len(detail["loc"]) > 1 else at
    source.fault(at, _sentence(detail, source), shown=shown)


def _sentence(detail: ErrorDetails, source: Source) -> str:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    match kind:
        case _ if kind == OURS:
            return str(context["sentence"])
        case "greater_than_equal":
            return f"must be {_number(context['ge'])} or more{_not(value)}"
        case "less_than_equal":
            return f"must be at most {_number(context['le'])}{_not(value)}"
        case "too_short":
            return "must not be empty"
        case "too_long":
            return f"has more than {context['max_length']} items"
        case "enum" | "literal_error":
            choices = re.findall(r"'([^']*)'", str(context["expected"]))
            hint = source.faults.suggest(value, choices) if isinstance(value, str) else ""
            return f"must be one of {', '.join(choices)}{_not(value)}{hint}"
        case _:
            return f"{_KINDS.get(kind, 'cannot be used here')}{_not(value)}"


def _number(bound: float) -> str:
    """``1`` also where pydantic has made it 1.0."""
    return str(int(bound)) if bound == int(bound) else str(bound)


def _not(value: Any) -> str:
    """``, not 'five'``: what was found instead, as far as it can be shown."""
    if value is None:
        return ", not empty"
    if isinstance(value, bool):
        return f", not {str(value).lower()}"
    if isinstance(value, str):
        return f", not '{clip(value, 40)}'"
    if isinstance(value, int | float):
        return f", not {value}"
    return ", not a list" if isinstance(value, list) else ", not a mapping"


def _unknown(source: Source, path: Path, known: Mapping[str, Any]) -> None:
    name = str(path[-1])
    source.key_fault(path, f"unknown field '{clip(name)}'{source.faults.suggest(name, known)}")


def _fields_of(annotation: Any) -> Mapping[str, Any]:
    """The fields of a shape, or of the one shape in a union."""
    for part in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(part, type) and issubclass(part, Shape):
            return part.model_fields
    return {}
