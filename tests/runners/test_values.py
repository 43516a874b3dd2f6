"""What an action may hand over, and what is said about anything else."""

from __future__ import annotations

import enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.errors import RequestError
from actors.runners.values import MAX_DEPTH, own, plain

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def take(value: object, max_bytes: int = 10_000) -> Any:
    return plain(value, what="the result", max_bytes=max_bytes)


@given(JSON)
def test_json_comes_through_as_it_is(value: Any) -> None:
    try:
        value_text = repr(value).encode()
    except UnicodeEncodeError:
        return  # half a surrogate pair, which is refused
    if len(value_text) < 5_000:
        assert take(value) == value
        assert own(value) == value


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


class Colour(enum.IntEnum):
    RED = 1


def test_what_is_taken_is_a_copy() -> None:
    value = {"rows": [1]}
    taken = take(value)
    mine = own(value)
    value["rows"].append(2)

    assert taken == {"rows": [1]}
    assert mine == {"rows": [1]}


def test_tuples_become_lists_and_enum_members_their_values() -> None:
    assert take({"a": (1, (2,))}) == {"a": [1, [2]]}
    assert take([Colour.RED]) == [1]
    assert type(take([Colour.RED])[0]) is int
    assert own([Colour.RED]) == [1]


@pytest.mark.parametrize(
    ("value", "where", "why"),
    [
        ({1, 2}, "the result is a set", "use text, numbers"),
        ({"a": [0, {"b": b"x"}]}, "the result['a'][1]['b'] is a bytes", "not JSON"),
        ({"a": {1: 2}}, "the result['a'] has the key 1", "keys must be text"),
        ({(1, 2): 3}, "the result has the key tuple", "keys must be text"),
        ([float("nan")], "the result[0] is nan", "use None"),
        ([float("inf")], "the result[0] is inf", "use None"),
        ([10**5000], "the result[0] is a number of more than 3,000 digits", "as text"),
        (["\ud800"], "the result[0] is text with half a surrogate pair", "UTF-8"),
        ("\ud800", "the result is text with half a surrogate pair", "UTF-8"),
        (nested(MAX_DEPTH + 1), f"nested deeper than {MAX_DEPTH}", "flatten"),
        (nested(100_000), f"nested deeper than {MAX_DEPTH}", "flatten"),
        (object(), "the result is a object", "not JSON"),
    ],
)
def test_what_is_not_json_is_refused_with_its_place(value: object, where: str, why: str) -> None:
    with pytest.raises(RequestError) as refusal:
        take(value, max_bytes=10_000_000)

    assert where in str(refusal.value)
    assert why in str(refusal.value)
    assert len(str(refusal.value)) < 500


def test_a_value_that_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)

    with pytest.raises(RequestError, match="contains itself"):
        take(value)


def test_depth_up_to_the_bound_is_fine() -> None:
    assert take(nested(MAX_DEPTH)) == nested(MAX_DEPTH)


@pytest.mark.parametrize("value", ["x" * 98, "价" * 32 + "xx", ["x" * 96], 10**99])
def test_the_bound_is_on_bytes_of_json(value: Any) -> None:
    assert take(value, max_bytes=100) == value
    with pytest.raises(RequestError, match=r"takes \d+ bytes as JSON and may take 9[0-9]"):
        take(value, max_bytes=99)


class Odd(dict[str, Any]):
    def __eq__(self, other: object) -> bool:
        raise ValueError("I do not compare")

    __hash__ = None


def test_a_value_that_does_not_compare_is_refused_and_raises_nothing_else() -> None:
    with pytest.raises(RequestError, match="the result"):
        take({"a": Odd(b=1)})
