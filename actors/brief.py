"""Messages and effects as a line for people, and how much is in them: never the payload itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum

SHOWN = 80
"""Characters of one field."""


def brief(value: object) -> str:
    """Its type, and of its fields what is short."""
    if not dataclasses.is_dataclass(value):
        return type(value).__name__
    fields = [f"{field.name}={_short(getattr(value, field.name))}" for field in dataclasses.fields(value)]
    return f"{type(value).__name__}({', '.join(fields)})"


def parts(message: object) -> int:
    """How many events, tasks or entities it carries."""
    if not dataclasses.is_dataclass(message):
        return 0
    values = [getattr(message, field.name) for field in dataclasses.fields(message)]
    return sum(len(value) for value in values if isinstance(value, tuple | Mapping))


def _short(value: object) -> str:
    if isinstance(value, str):
        return repr(value[:SHOWN])
    if value is None or isinstance(value, bool | int | float | Enum):
        return repr(value)[:SHOWN]
    if isinstance(value, tuple) and all(isinstance(part, int) for part in value[:3]):
        return f"{type(value).__name__}{tuple(value[:3])}"
    return f"a {type(value).__name__}" + (f" of {len(value)}" if isinstance(value, tuple | list | Mapping) else "")
