"""The batch route's lines: what is taken, whatever JSON allows, and what is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.engine.conftest import one_task
from tests.server.conftest import Served

Serve = Callable[..., Served]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("1e999", "JSON does not have"),
        ('{"a": [1, -1e400]}', "JSON does not have"),
        ("NaN", "not JSON"),
        ("[" * 110 + "]" * 110, "nested deeper"),
        ("[" * 5_000 + "]" * 5_000, "not JSON"),
        ("9" * 5_000, "not JSON"),
        (r'"\ud800"', "not JSON"),
        ('"' + "x" * 1_048_576 + '"', "bytes as JSON"),
        ("[" + "1e15," * 60_000 + "1]", "bytes as JSON"),
        ("1, ", "not JSON"),
        ("1} {", "not JSON"),
    ],
)
def test_data_that_is_no_plain_json_or_too_much_is_refused_line_by_line(serve: Serve, data: str, why: str) -> None:
    served = serve(one_task("quick", isolation="thread"))
    line = f'{{"type": "DATA_READY", "entity_id": "000001", "data": {data}}}'

    summary = served.client().post("/v1/events/batch", content=line.encode()).json()

    assert (summary["accepted"], summary["rejected"]) == (0, 1)
    assert why in summary["errors"][0]["error"]["message"]
    assert "\n" not in summary["errors"][0]["error"]["message"]


@pytest.mark.parametrize(
    "fields",
    [
        '"priority": -1',
        '"priority": 1.5',
        '"priority": true',
        '"timestamp": 1e999',
        '"timestamp": "x"',
        '"valid_for_ms": -1',
        '"id": ""',
        '"id": 7',
        '"entity_id": 7',
        '"entity_id": null',
        '"type": 7',
    ],
)
def test_fields_are_checked_as_everywhere(serve: Serve, fields: str) -> None:
    line = f'{{"type": "DATA_READY", "entity_id": "000001", {fields}}}'

    summary = (
        serve(one_task("quick", isolation="thread")).client().post("/v1/events/batch", content=line.encode()).json()
    )

    assert (summary["accepted"], summary["rejected"]) == (0, 1)


def test_data_arrives_as_it_was_sent(serve: Serve) -> None:
    served = serve(one_task("quick", isolation="thread"))
    data = '{"价": 10.9, "list": [1, -0.5, null, true, "\\u9648"], "deep": {"a": {"b": 1e3}}}'
    line = f'{{"type": "DATA_READY", "entity_id": "000001", "data": {data}}}\r\n'

    assert served.client().post("/v1/events/batch", content=line.encode()).json()["accepted"] == 1
    instance = served.engine.instances()[0]
    assert instance.event is not None
    assert instance.event.data == {"价": 10.9, "list": [1, -0.5, None, True, "陈"], "deep": {"a": {"b": 1000.0}}}


def test_lines_that_come_in_any_pieces_are_whole_again(serve: Serve) -> None:
    served = serve(one_task("quick", isolation="thread"))
    body = b"".join(b'{"type": "DATA_READY", "entity_id": "%06d"}\n' % n for n in range(50))

    answer = served.client().post("/v1/events/batch", content=(body[at : at + 7] for at in range(0, len(body), 7)))

    assert answer.json() == {"accepted": 50, "duplicates": 0, "rejected": 0, "errors": []}
