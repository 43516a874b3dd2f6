"""What a line typed at the shell is parted into, and what it says when it cannot be."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.errors import RequestError
from actors.model import Json
from actors.words import MAX_LINE_CHARS, Word, split, value_of


@pytest.mark.parametrize(
    ("line", "commands"),
    [
        ("", []),
        ("   ", []),
        ("# inject DATA_READY 000003", []),
        (";;  ;", []),
        ("show 000003  # the newest", [["show", "000003"]]),
        ("pause a; resume b;show", [["pause", "a"], ["resume", "b"], ["show"]]),
        ("inject A 'b; c' # d; e", [["inject", "A", "b; c"]]),
        (r"show a\;b", [["show", "a;b"]]),
    ],
)
def test_a_line_is_commands_and_these_are_words(line: str, commands: list[list[str]]) -> None:
    assert [[word.text for word in command] for command in split(line)] == commands


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("10.9", 10.9),
        ("10", 10),
        ("-3", -3),
        ("000003", "000003"),
        ("007.5", "007.5"),
        ("9:30:00", "9:30:00"),
        ("on", "on"),
        ("true", True),
        ("null", None),
        ("", ""),
        ('"10.9"', "10.9"),
        ("'true'", "true"),
        ('"two words"', "two words"),
        (r'"a \"b\" \\ c"', r'a "b" \ c'),
        (r"two\ words", "two words"),
        ("a=b", "a=b"),
        ("#1", "#1"),
        ('"a;b"', "a;b"),
        ('[1, "a; b", {"c": 0}]', [1, "a; b", {"c": 0}]),
        ('{"a": {"b": []}}', {"a": {"b": []}}),
        ("万科A", "万科A"),
    ],
)
def test_a_value_reads_as_in_definitions(written: str, value: Json) -> None:
    ((_, word, last),) = split(f"inject x={written} last=1")

    assert word.key == "x"
    assert value_of(word) == value
    assert type(value_of(word)) is type(value)
    assert last == Word("1", "last")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('inject A B "open', "the quote at column 12 is not closed"),
        ("inject A B x=[1", "what begins at column 14 is not JSON"),
        ("inject A B x=[1]2", "column 17: a space must follow the JSON"),
        ("inject A B x=" + "[" * 100_000, "what begins at column 14 is not JSON"),
        ("x" * (MAX_LINE_CHARS + 1), f"the line has {MAX_LINE_CHARS + 1} characters"),
    ],
)
def test_what_cannot_be_parted_is_told_with_its_place(line: str, told: str) -> None:
    with pytest.raises(RequestError) as caught:
        split(line)

    assert told in str(caught.value)
    assert len(str(caught.value)) < 400


@given(st.text(max_size=200))
def test_no_line_ends_in_anything_but_words_or_a_sentence(line: str) -> None:
    for prefix in ("", "inject A B ", "put 1 name=", "inject A B --data "):
        try:
            for command in split(prefix + line):
                for word in command:
                    value_of(word)
        except RequestError as error:
            assert str(error)  # noqa: PT017 - any other exception fails the test


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
def test_any_text_can_be_said_between_quotes(text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')

    assert split(f'inject x="{quoted}"') == [[Word("inject"), Word(text, "x", quoted=True)]]


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**15), 10**15))
def test_a_number_is_read_as_it_is_written(number: float) -> None:
    value = value_of(split(f"inject x={number!r}")[0][1])

    assert isinstance(value, int | float)
    assert math.isclose(value, number, rel_tol=0, abs_tol=0)
