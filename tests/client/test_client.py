"""The client says what the server says, as our own errors, and ends when somebody wants it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.client.client import Client
from actors.errors import (
    DefinitionError,
    EngineError,
    EngineFailed,
    EngineStopped,
    EngineUnreachable,
    NotFoundError,
    Overloaded,
    RefusedError,
    RequestError,
)
from tests.client.fake import Answer, Asked, Fake


class World:
    def __init__(self, folder: Path) -> None:
        self._path = folder / "s"
        self._open: list[Any] = []

    def client(self, answer: Callable[[Asked], Answer] | Answer) -> tuple[Client, Fake]:
        said = (lambda _: answer) if isinstance(answer, Answer) else answer
        fake = Fake(self._path, said)
        client = Client(self._path)
        self._open += [fake, client]
        return client, fake

    def close(self) -> None:
        for each in reversed(self._open):
            each.__exit__(None, None, None)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


@pytest.mark.parametrize(
    ("status", "fault", "kind"),
    [
        (400, {"code": "request", "message": "no"}, RequestError),
        (400, {"code": "unheard_of", "message": "no"}, RequestError),
        (401, {"code": "token", "message": "no"}, RefusedError),
        (403, {"code": "origin", "message": "no"}, RefusedError),
        (404, {"code": "not_found", "message": "no"}, NotFoundError),
        (409, {"code": "refused", "message": "no"}, RefusedError),
        (413, {"code": "too_large", "message": "no"}, RequestError),
        (429, {"code": "overloaded", "message": "no", "retry_after_s": 0.5, "accepted": 3}, Overloaded),
        (503, {"code": "stopped", "message": "no"}, EngineStopped),
        (503, {"code": "failed", "message": "no"}, EngineFailed),
        (503, {"code": "no_answer", "message": "no"}, TimeoutError),
        (500, {"code": "internal", "message": "no"}, EngineError),
    ],
)
def test_a_refusal_is_our_own_error_with_the_servers_sentence(
    world: World, status: int, fault: dict[str, Any], kind: type[Exception]
) -> None:
    client, _ = world.client(Answer(status, {"error": fault}))

    with pytest.raises(kind) as caught:
        client.stats()

    assert type(caught.value) is kind
    assert str(caught.value) == "no"
    if isinstance(caught.value, Overloaded):
        assert (caught.value.retry_after, caught.value.accepted) == (0.5, 3)


def test_the_servers_cure_is_part_of_the_sentence(world: World) -> None:
    client, _ = world.client(Answer(409, {"error": {"code": "refused", "message": "no", "cure": "wait"}}))

    with pytest.raises(RefusedError, match="no; wait"):
        client.cancel("x")


def test_faulty_definitions_come_with_every_fault(world: World) -> None:
    fault = {"file": "f.yaml", "line": 1, "column": 2, "path": "tasks", "message": "no"}
    client, _ = world.client(
        Answer(400, {"error": {"code": "definitions", "message": "two", "faults": [fault, fault]}})
    )

    with pytest.raises(DefinitionError) as caught:
        client.reload()

    assert [str(each) for each in caught.value.faults] == ["f.yaml:1:2: tasks: no"] * 2


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, b""), (502, b"<html>"), (404, b"[]"), (404, b'{"error": 3}'), (200, b"<html>"), (200, b"[]"), (200, b"")],
)
def test_an_answer_that_is_not_the_control_apis_is_one_sentence(world: World, status: int, body: bytes) -> None:
    client, _ = world.client(Answer(status, body))

    with pytest.raises(EngineError, match="makes no sense"):
        client.stats()


def test_where_nobody_listens_the_cure_is_named(tmp_path: Path) -> None:
    with Client(tmp_path / "nowhere") as client, pytest.raises(EngineUnreachable, match="engine start"):
        client.stats()
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "stale"))
    listening.close()
    with Client(tmp_path / "stale") as client, pytest.raises(EngineUnreachable, match="engine start"):
        client.stats()


def test_an_engine_that_goes_away_before_it_answers_is_unreachable(tmp_path: Path) -> None:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(tmp_path / "s"))
    listening.listen()

    def hang_up() -> None:
        listening.accept()[0].close()

    thread = threading.Thread(target=hang_up)
    thread.start()
    with Client(tmp_path / "s") as client, pytest.raises(EngineUnreachable, match="went away"):
        client.stats()
    thread.join(5)
    listening.close()


@pytest.mark.parametrize("id", ["a b", "ä", "100%", "?x=1", "#", "..x", "招商", "\udcff"])
def test_any_id_is_one_part_of_the_path(world: World, id: str) -> None:
    client, fake = world.client(Answer(200, {}))

    client.instance(id)

    path = fake.asked[0].path
    assert path.startswith("/v1/instances/")
    assert not set("/?# ") & set(path.removeprefix("/v1/instances/"))


@pytest.mark.parametrize("id", ["", ".", "..", "a/b", "../x"])
def test_what_would_make_another_path_names_nothing(world: World, id: str) -> None:
    client, fake = world.client(Answer(200, {}))

    with pytest.raises(NotFoundError):
        client.entity(id)
    with pytest.raises(RequestError, match="an entity's id is text"):
        client.put(id, {})
    assert fake.asked == []


def test_a_value_that_has_no_form_in_json_is_refused_before_it_is_sent(world: World) -> None:
    client, fake = world.client(Answer(200, {}))

    for data in ("\udcff", float("nan")):
        with pytest.raises(RequestError):
            client.publish({"type": "X", "entity_id": "1", "data": data})
    assert fake.asked == []


def test_a_list_is_read_page_by_page_until_there_is_no_more_or_it_is_long_enough(world: World) -> None:
    def pages(asked: Asked) -> Answer:
        first = "cursor=" not in asked.path
        return Answer(200, {"items": [{"id": "a" if first else "b"}], "next_cursor": "c" if first else None})

    client, fake = world.client(pages)

    assert client.entities(None, status="failed", phase=None) == ([{"id": "a"}, {"id": "b"}], False)
    assert "status=failed" in fake.asked[0].path
    assert "phase" not in fake.asked[0].path
    assert client.entities(1) == ([{"id": "a"}], True)


def test_a_wait_asks_again_until_it_is_over_or_its_time_is(world: World) -> None:
    answers = iter([{"idle": False}, {"idle": False}, {"idle": True}])
    client, fake = world.client(lambda _: Answer(200, next(answers)))

    client.wait_idle(30)

    assert len(fake.asked) == 3


def test_a_wait_whose_time_is_over_says_so(world: World) -> None:
    client, _ = world.client(Answer(200, {"ended": False, "instance": {"status": "running"}}))

    with pytest.raises(TimeoutError, match=r"x is still running after 0\.01 s"):
        client.wait("x", 0.01)


def test_many_events_are_sent_as_lines_while_they_come(world: World) -> None:
    client, fake = world.client(Answer(200, {"accepted": 2}))

    assert client.publish_lines({"type": "X", "entity_id": id} for id in ("1", "万")) == {"accepted": 2}

    lines = fake.asked[0].body.decode().splitlines()
    assert [json.loads(line)["entity_id"] for line in lines] == ["1", "万"]
    assert fake.asked[0].headers["content-type"] == "application/x-ndjson"


def events(*blocks: bytes) -> Answer:
    return Answer(200, iter(blocks))


def test_a_stream_is_read_as_it_comes_whatever_the_pieces(world: World) -> None:
    client, fake = world.client(
        lambda _: events(
            b": hello\n\nid: 7\nevent: change\nda", b'ta: {"a":\ndata: 1}\n\n', b'id: 8\r\ndata: {"a": 2}\r\n\r\n'
        )
    )

    found = list(client.changes(of="000001", types=["gap", "task_ready"], since="6", follow=True))

    assert found == [("7", {"a": 1}), ("8", {"a": 2})]
    assert fake.asked[0].headers["last-event-id"] == "6"
    assert "for=000001" in fake.asked[0].path


def test_a_refused_stream_raises_as_any_other_request(world: World) -> None:
    client, _ = world.client(Answer(404, {"error": {"code": "not_found", "message": "no actor 'x'"}}))

    with pytest.raises(NotFoundError, match="no actor 'x'"):
        list(client.tap("x"))


def test_an_interrupt_ends_a_stream_that_is_silent_and_the_client_can_go_on(world: World) -> None:
    over = threading.Event()

    def silent() -> Iterator[bytes]:
        yield b'data: {"a": 1}\n\n'
        over.wait(20)

    client, _ = world.client(lambda asked: Answer(200, silent() if "tap" in asked.path else {"items": []}))
    stream = client.tap("keeper")
    assert next(stream) == {"a": 1}

    timer = threading.Timer(0.05, client.interrupt)
    timer.start()
    assert list(stream) == []
    over.set()
    timer.join(5)

    client.go_on()
    assert client.agents() == []
