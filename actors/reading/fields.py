"""The kinds of values that fields take, with their bounds: pydantic types and our own sentences."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from actors.model import LOCK_PLACEHOLDERS
from actors.reading.nodes import clip

MAX_ID = 200
MAX_TEXT = 1_000
YEAR_MS = 366 * 24 * 60 * 60 * 1000
MAX_COUNT = 1_000_000_000
OURS = "ours"
"""The error type whose message is already one of our sentences."""


def wrong(sentence: str) -> PydanticCustomError:
    """An error that says exactly this."""
    # Pydantic would fill in braces; values quoted in a sentence may have some.
    return PydanticCustomError(OURS, "{sentence}", {"sentence": sentence})


def check_id(value: Any) -> str:
    """An id's text. A whole number written without quotes, such as 600000, is its digits.

    ValueError of pydantic's kind for anything else, for spaces, slashes and control characters.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise wrong("must be text; put it in quotes")
    if not value:
        raise wrong("must not be empty")
    if len(value) > MAX_ID:
        raise wrong(f"is longer than {MAX_ID} characters")
    if not value.isprintable() or any(c.isspace() or c in "/\\" for c in value):
        raise wrong("must not contain spaces, slashes or control characters")
    return value


def _check_text(value: Any) -> str:
    if not isinstance(value, str):
        raise wrong("must be text; put it in quotes")
    if len(value) > MAX_TEXT:
        raise wrong(f"is longer than {MAX_TEXT} characters")
    if not value.isprintable():
        raise wrong("must be one line without control characters")
    return value


def _check_filled(value: Any) -> str:
    text = _check_text(value)
    if not text.strip():
        raise wrong("must not be empty")
    return text


def _check_lock(value: Any) -> str:
    text = _check_filled(value)
    for part in re.split(r"(\{[^{}]*\})", text)[1::2]:
        if part[1:-1] not in LOCK_PLACEHOLDERS:
            raise wrong(f"has no placeholder '{clip(part, 40)}'; there are {', '.join(_PLACEHOLDERS)}")
    if re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", text)):
        raise wrong(f"has a brace that belongs to no placeholder; there are {', '.join(_PLACEHOLDERS)}")
    return text


def _check_condition(value: Any) -> str:
    if not isinstance(value, str):
        raise wrong("must be a condition in CEL, as text, such as entity.priority <= 0")
    return value


def _check_argument(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise wrong("an argument must be text; put it in quotes")
    if "\0" in value:
        raise wrong("an argument must not contain a null character")
    return value


def _check_unset(value: Any) -> None:
    if value is not None:
        raise wrong("is set by the engine; leave it empty")


def id_schema() -> dict[str, Any]:
    """An id in JSON Schema: text, or a whole number written without quotes."""
    text = {"type": "string", "minLength": 1, "maxLength": MAX_ID, "pattern": r"^[^\s/\\]+$"}
    return {"anyOf": [text, {"type": "integer"}]}


_PLACEHOLDERS = tuple("{" + name + "}" for name in LOCK_PLACEHOLDERS)
_TEXT_SCHEMA: dict[str, Any] = {"type": "string", "maxLength": MAX_TEXT}

Id: TypeAlias = Annotated[str, BeforeValidator(check_id), WithJsonSchema(id_schema())]
Text: TypeAlias = Annotated[str, BeforeValidator(_check_text), WithJsonSchema(_TEXT_SCHEMA)]
Filled: TypeAlias = Annotated[str, BeforeValidator(_check_filled), WithJsonSchema({**_TEXT_SCHEMA, "minLength": 1})]
Lock: TypeAlias = Annotated[
    str,
    BeforeValidator(_check_lock),
    WithJsonSchema(
        {
            **_TEXT_SCHEMA,
            "minLength": 1,
            "pattern": "^([^{}]|" + "|".join(re.escape(name) for name in _PLACEHOLDERS) + ")+$",
        }
    ),
]
Unset: TypeAlias = Annotated[None, BeforeValidator(_check_unset), WithJsonSchema({"type": "null"})]
Cel: TypeAlias = Annotated[str, BeforeValidator(_check_condition), WithJsonSchema({"type": "string", "minLength": 1})]
Argument: TypeAlias = Annotated[
    str, BeforeValidator(_check_argument), WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "integer"}]})
]
Count: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=MAX_COUNT)]
Positive: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=MAX_COUNT)]
Duration: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=YEAR_MS)]
Wait: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=YEAR_MS)]
