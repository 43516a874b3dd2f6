"""Whether a value is what an annotation says, for messages that come from outside."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, NewType


def misfit(message: object) -> str:
    """The first field of a dataclass whose value is not of its type, as ``field: …``; empty if all fit."""
    hints = typing.get_type_hints(type(message))
    for field in dataclasses.fields(message):  # type: ignore[arg-type]
        value = getattr(message, field.name)
        if not fits(value, hints[field.name]):
            return f"{field.name} takes {_shown(hints[field.name])}, not a {type(value).__name__}"
    return ""


def fits(value: object, hint: Any) -> bool:
    """Whether ``value`` is of this type; of containers of one kind, all parts are looked at."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return True
    if isinstance(hint, NewType):
        return fits(value, hint.__supertype__)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, part) for part in parts)
    if origin is tuple:
        several = len(parts) == 2 and parts[1] is Ellipsis
        if not isinstance(value, tuple) or not (several or len(value) == len(parts)):
            return False
        return all(fits(item, part) for item, part in zip(value, parts[:1] * len(value) if several else parts))  # noqa: B905
    if origin is frozenset:
        return isinstance(value, frozenset) and all(fits(item, parts[0]) for item in value)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(fits(k, parts[0]) and fits(v, parts[1]) for k, v in value.items())
    return _is_one(value, hint)


def _is_one(value: object, kind: Any) -> bool:
    if kind is None or kind is type(None):
        return value is None
    if kind in (int, float) and isinstance(value, bool):
        return False
    if kind is float:
        return isinstance(value, int | float)
    if getattr(kind, "_is_protocol", False):  # Ours say what it can do, not what class it is.
        return value is not None
    if not isinstance(value, kind):
        return False
    return not (dataclasses.is_dataclass(kind) and misfit(value))


def _shown(hint: Any) -> str:
    return str(getattr(hint, "__name__", hint)).replace("actors.model.", "")
