"""Any value of a declared type, for Hypothesis: the types that messages are made of."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Any, NewType

from hypothesis import strategies as st

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["flow", "task", "DATA_READY", "HIGH_PRIORITY_ARRIVED", "600036", "retry", "completed"]
)
"""Any text, and some that the engines of the tests know."""
WHOLE = st.integers(-(2**63) + 1, 2**63 - 1)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
_SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    Any: JSON,
    type(None): st.none(),
    bool: st.booleans(),
    int: WHOLE,
    float: NUMBERS | WHOLE,
    str: TEXTS,
}


@functools.cache
def of(hint: Any) -> st.SearchStrategy[Any]:
    """Values of this type."""
    if isinstance(hint, NewType):
        return of(hint.__supertype__)
    if hint in _SCALARS:
        return _SCALARS[hint]
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([of(part) for part in parts])
    if origin is tuple:
        alike = len(parts) == 2 and parts[1] is Ellipsis
        return st.lists(of(parts[0]), max_size=2).map(tuple) if alike else st.tuples(*map(of, parts))
    if origin is frozenset:
        return st.frozensets(of(parts[0]), max_size=3)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return st.dictionaries(of(parts[0]), of(parts[1]), max_size=2)
    if issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    names = [field.name for field in dataclasses.fields(hint)] if dataclasses.is_dataclass(hint) else hint._fields
    hints = typing.get_type_hints(hint)
    return st.fixed_dictionaries({name: of(hints[name]) for name in names}).map(lambda fields: hint(**fields))
