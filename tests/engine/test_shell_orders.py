"""What a line typed at the shell means, and what it says when it means nothing."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.errors import RequestError
from actors.model import Event, Json
from actors.orders import (
    COMMANDS,
    MAX_LINE_CHARS,
    CancelWork,
    Help,
    Inject,
    Pause,
    Put,
    Quit,
    Reprioritise,
    Resolve,
    Run,
    Show,
    ShowAgents,
    Unpause,
    Wait,
    Why,
    parse,
)


@pytest.mark.parametrize(
    ("line", "order"),
    [
        ("", None),
        ("   ", None),
        ("# inject DATA_READY 000003", None),
        (
            "inject DATA_READY 000003 priority=0 price=10.9",
            Inject(Event("DATA_READY", "000003", priority=0, data={"price": 10.9})),
        ),
        ("inject DATA_READY 000003", Inject(Event("DATA_READY", "000003"))),
        (
            "inject TICK 600036 id=7 valid_for_ms=500 timestamp=1630000000.5",
            Inject(Event("TICK", "600036", id="7", valid_for_ms=500, timestamp=1_630_000_000.5)),
        ),
        (
            'inject TICK 1 --data {"price": 10.9, "code": "000001"} side=B',
            Inject(Event("TICK", "1", data={"price": 10.9, "code": "000001", "side": "B"})),
        ),
        ("inject TICK 1 --data '[1, null]'", Inject(Event("TICK", "1", data=[1, None]))),
        ("put 600036 name=招商银行 priority=0", Put("600036", {"name": "招商银行", "priority": 0})),
        ("put 360 name=360 phase=data_ready", Put("360", {"name": "360", "phase": "data_ready"})),
        ('put 1 --data {"a": 1}', Put("1", {"data": {"a": 1}})),
        ("run trend 000002 days=30", Run("trend", "000002", {"days": 30})),
        ("show", Show(None)),
        ("show 000003  # the newest", Show("000003")),
        ("agents", ShowAgents()),
        ("cancel a_1_2", CancelWork("a_1_2")),
        ("resolve t_1_2 retry", Resolve("t_1_2", "retry")),
        ("reprio a_1_2 0", Reprioritise("a_1_2", 0)),
        ("pause trend", Pause("trend")),
        ("resume trend", Unpause("trend")),
        ("why t_1_2", Why("t_1_2")),
        ("wait", Wait(None)),
        ("wait 0.5", Wait(0.5)),
        ("help inject", Help("inject")),
        ("quit", Quit()),
    ],
)
def test_a_line_means(line: str, order: object) -> None:
    assert parse(line) == order


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
        ('[1, "a b", {"c": 000}]'.replace("000", "0"), [1, "a b", {"c": 0}]),
        ('{"a": {"b": []}}', {"a": {"b": []}}),
        ("万科A", "万科A"),
    ],
)
def test_a_value_reads_as_in_definitions(written: str, value: Json) -> None:
    order = parse(f"inject TICK 1 x={written} last=1")

    assert isinstance(order, Inject)
    assert order.event.data == {"x": value, "last": 1}
    assert type(order.event.data["x"]) is type(value)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("injekt A B", "no command 'injekt'; did you mean 'inject'?; 'help' lists them"),
        ("a=b", "no command 'a=b'"),
        ("inject A", "inject: usage: inject TYPE ENTITY"),
        ("inject A B C", "inject: usage: inject TYPE ENTITY"),
        ("inject A B x=1 x=2", "inject: 'x' is given twice"),
        ("inject A B --data", "inject: --data needs JSON after it"),
        ("inject A B --data x=1", "inject: --data needs JSON after it"),
        ("inject A B --data [1] x=1", "inject: --data beside key=value must be a JSON object"),
        ('inject A B --data \'{"a": 1, "a": 2}\'', "inject: "),
        ('inject A B "open', "the quote at column 12 is not closed"),
        ("inject A B x=[1", "what begins at column 14 is not JSON"),
        ("inject A B x=[1]2", "column 17: a space must follow the JSON"),
        ("inject A B x=[NaN]", "inject: x: "),
        ("inject A B x=1e999", "inject: x: JSON knows no such number"),
        ("inject A B x=" + "[" * 100_000, "what begins at column 14 is not JSON"),
        ("put 1", "put: nothing to put; give one of name, "),
        ("put 1 nmae=x", "put: no field 'nmae'; did you mean 'name'?; it takes name, phase"),
        ("agents all", "agents: usage: agents"),
        ("agents a=1", "agents: no field 'a'; usage: agents"),
        ("resolve t done", "resolve: no outcome 'done'; one of completed, failed, retry, cancelled"),
        ("resolve t complete", "did you mean 'completed'?"),
        ("reprio a -1", "reprio: the priority must be a whole number from 0, not '-1'"),
        ("reprio a 1.5", "not '1.5'"),
        ("reprio a " + "9" * 5000, "reprio: the priority must be"),
        ("wait soon", "wait: the time must be a number of seconds, not 'soon'"),
        ("wait -1", "not '-1'"),
        ("wait true", "not 'true'"),
        ("help injekt", "help: no command 'injekt'; did you mean 'inject'?"),
        ("x" * (MAX_LINE_CHARS + 1), f"the line has {MAX_LINE_CHARS + 1} characters"),
    ],
)
def test_what_means_nothing_is_told_with_its_cure(line: str, told: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse(line)

    assert told in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_of_every_command_is_understood(name: str) -> None:
    assert COMMANDS[name].example.split()[0] == name
    assert parse(COMMANDS[name].example) is not None


@given(st.text(max_size=200))
def test_no_line_ends_in_anything_but_an_order_or_a_sentence(line: str) -> None:
    for prefix in ("", "inject A B ", "put 1 name=", "inject A B --data "):
        try:
            parse(prefix + line)
        except RequestError as error:
            assert str(error)  # noqa: PT017 - any other exception fails the test


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
def test_any_text_can_be_said_between_quotes(text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')

    assert parse(f'inject A B x="{quoted}"') == Inject(Event("A", "B", data={"x": text}))


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**15), 10**15))
def test_a_number_is_read_as_it_is_written(number: float) -> None:
    order = parse(f"inject A B x={number!r}")

    assert isinstance(order, Inject)
    assert math.isclose(order.event.data["x"], number, rel_tol=0, abs_tol=0)
