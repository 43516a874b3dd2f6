"""A message to plain JSON and back, by the types that its dataclass declares.

Dataclasses and named tuples become objects, tuples and frozensets lists, enumerations their
words. What does not fit is refused in one sentence that names the field, says what it must be
and what was given; nothing is converted, evaluated or guessed.
"""

from __future__ import annotations

from typing import Any

from actors.errors import RequestError
from actors.model import Json
from actors.shapes import Field, Misfit, shape_of


def encode(value: Any, hint: Any = None) -> Json:
    """Plain JSON of a message, or of a value of the type ``hint``. Raises ``RequestError`` for what has none."""
    kind: Any = type(value) if hint is None else hint
    return shape_of(kind).write(value)


def decode(kind: type, fields: object) -> Any:
    """The message of this type with these fields. Raises ``RequestError``."""
    try:
        return shape_of(kind).read(fields, "")
    except Misfit as misfit:
        raise RequestError(f"{kind.__name__}{misfit}") from None


def described(field: Field) -> dict[str, Json]:
    """A field for people and for completion; ``fields`` are those of the object, or of each in the list, it holds."""
    return {
        "name": field.name,
        "type": field.shape.words,
        "required": field.required,
        "default": None if field.required else field.shape.write(field.default),
        "choices": list(field.shape.choices),
        "fields": [described(inner) for inner in field.shape.fields],
    }
