"""The stream of state changes: in order, resumable, and bounded whatever its readers do."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from actors.server import stream
from actors.server.problems import Refusal
from actors.server.stream import Changes, Wanted
from actors.views import ChangeType, Moment, StateChanged
from tests.engine.conftest import one_task
from tests.server.conftest import Served

Serve = Callable[..., Served]
Told = tuple[str, dict[str, Any]]


def events(lines: Iterator[str]) -> Iterator[Told]:
    """Each event as (id, data); comments are left out."""
    id_ = ""
    for line in lines:
        if line.startswith("id: "):
            id_ = line[4:]
        elif line.startswith("data: "):
            yield id_, json.loads(line[6:])


def read(client: httpx.Client, until: Callable[[list[Told]], bool], act: Callable[[], Any], **asked: Any) -> list[Told]:
    """Follow, act, and return what was told until that is enough."""
    found: list[Told] = []
    with client.stream("GET", "/v1/changes", **asked) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines).startswith(":")
        act()
        for event in events(lines):
            found.append(event)
            if until(found):
                break
    return found


def ended(found: list[Told]) -> bool:
    return bool(found[-1][1]["type"] == "instance_ended")


def test_changes_come_in_order_and_go_on_after_the_id_that_was_last_seen(serve: Serve) -> None:
    served = serve(one_task("quick", isolation="thread"))
    client = served.client()
    event = {"type": "DATA_READY", "entity_id": "000001"}

    told = read(client, ended, lambda: served.client().post("/v1/events", json=event))

    types = [change["type"] for _, change in told]
    wanted = ["instance_created", "task_ready", "task_started", "task_completed", "instance_ended"]
    assert [type_ for type_ in types if type_ in wanted] == wanted
    assert [change["sequence"] for _, change in told] == sorted(change["sequence"] for _, change in told)
    middle = types.index("task_started")
    again = read(client, ended, lambda: None, headers={"last-event-id": told[middle][0]})
    assert again == told[middle + 1 :]


def test_only_what_is_wanted_is_told(serve: Serve) -> None:
    served = serve(one_task("quick", isolation="thread"))
    client = served.client()

    def publish() -> None:
        for entity in ("000001", "000002"):
            served.client().post("/v1/events", json={"type": "DATA_READY", "entity_id": entity})

    told = read(
        client, lambda found: len(found) == 2, publish, params={"type": "task_started,task_completed", "for": "000002"}
    )

    assert [(change["type"], change["entity"]) for _, change in told] == [
        ("task_started", "000002"),
        ("task_completed", "000002"),
    ]
    assert client.get("/v1/changes", params={"type": "task_startet"}).status_code == 400
    assert client.get("/v1/changes", headers={"last-event-id": "nonsense"}).status_code == 400


def test_a_stream_ends_when_the_engine_stops(serve: Serve) -> None:
    served = serve(one_task("quick", isolation="thread"))

    with served.client().stream("GET", "/v1/changes") as answer:
        lines = answer.iter_lines()
        next(lines)
        served.engine.stop(grace=0.0)

        assert list(events(lines)) == []


def test_a_client_that_dies_in_mid_stream_leaves_nothing_behind(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "LINGER_S", 0.05)
    served = serve(one_task("quick", isolation="thread"))
    hub: Changes = served.control.changes
    opened = [served.raw(tcp=tcp) for tcp in (False, True)]
    for one in opened:
        one.sendall(b"GET /v1/changes HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200" in one.recv(100)
    until(lambda: hub.followers == 2)

    opened[0].close()
    opened[1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # A reset instead of a goodbye.
    opened[1].close()

    until(lambda: hub.followers == 0)
    until(lambda: not hub.listens)


def test_more_streams_than_are_allowed_are_refused_in_one_sentence(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve(one_task("quick", isolation="thread"))
    served.control.changes._max = 1
    client = served.client()

    with client.stream("GET", "/v1/changes"):
        refused = served.client().get("/v1/changes")

    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "5"


# --- the ring, without a server ----------------------------------------------------------------


class Telling:
    """In the place of an engine: tells what the test makes up."""

    state = "running"

    def __init__(self) -> None:
        self.tell: Callable[[StateChanged], object] | None = None

    def subscribe(self, listener: Callable[[StateChanged], object], *, room: int) -> Callable[[], None]:
        self.tell = listener
        return lambda: setattr(self, "tell", None)


def changed(number: int, task: str, type_: ChangeType = ChangeType.TASK_READY) -> StateChanged:
    return StateChanged(number, type_, Moment(number, number / 1000), task_id=task)


def ring(**options: Any) -> tuple[Changes, Telling]:
    engine = Telling()
    changes = Changes(engine, **options)  # type: ignore[arg-type]
    return changes, engine


def tell(changes: Changes, engine: Telling, number: int, *, tasks: int) -> None:
    assert engine.tell is not None
    for n in range(number):
        engine.tell(changed(n, f"t{n % tasks}"))
    changes._absorb()


def as_told(block: bytes) -> list[Told]:
    return list(events(iter(block.decode().splitlines())))


def test_who_is_far_behind_is_told_the_newest_of_each_task_alone() -> None:
    async def story() -> list[Told]:
        changes, engine = ring()
        follower = changes.follow(Wanted())
        tell(changes, engine, 5_000, tasks=10)
        blocks = follower.blocks()
        assert (await anext(blocks)).startswith(b":")
        found = as_told(await anext(blocks))
        await blocks.aclose()
        return found

    told = asyncio.run(story())

    assert [(change["task_id"], change["sequence"]) for _, change in told] == [(f"t{n}", 4_990 + n) for n in range(10)]


def test_what_the_ring_no_longer_has_is_a_gap_with_the_number_lost() -> None:
    async def story() -> list[Told]:
        changes, engine = ring(ring=100)
        follower = changes.follow(Wanted(types=frozenset({ChangeType.TASK_READY})))
        for _ in range(3):
            tell(changes, engine, 90, tasks=1000)
        blocks = follower.blocks()
        await anext(blocks)
        found = as_told(await anext(blocks))
        await blocks.aclose()
        return found

    told = asyncio.run(story())

    assert told[0][1]["type"] == "gap"
    assert told[0][1]["detail"] == {"lost": 170}
    assert len(told) == 101


def test_what_comes_faster_than_the_event_loop_takes_it_is_counted_as_lost() -> None:
    async def story() -> list[Told]:
        changes, engine = ring(ring=100)
        follower = changes.follow(Wanted())
        tell(changes, engine, 130, tasks=1000)
        text, _ = changes.after(0, Wanted())
        follower.close()
        changes.leave(follower)
        changes.close()
        return as_told(text)

    told = asyncio.run(story())

    assert sum(change["detail"]["lost"] for _, change in told if change["type"] == "gap") == 31
    assert len([change for _, change in told if change["type"] != "gap"]) == 99


def test_nobody_is_sent_more_at_once_than_a_block() -> None:
    async def story() -> list[int]:
        changes, engine = ring()
        follower = changes.follow(Wanted())
        tell(changes, engine, 1_000, tasks=1_000)
        follower.close()
        sizes = [len(as_told(block)) async for block in follower.blocks()]
        changes.close()
        return sizes

    sizes = asyncio.run(story())

    assert sum(sizes) == 1_000
    assert max(sizes) <= stream.BLOCK


def test_an_id_of_another_life_of_the_engine_begins_anew_with_a_gap() -> None:
    async def story() -> list[Told]:
        changes, engine = ring()
        first = changes.follow(Wanted())
        tell(changes, engine, 3, tasks=10)
        follower = changes.follow(Wanted(), "0a0a0a0a-7")
        follower.close()
        told = [one async for block in follower.blocks() for one in as_told(block)]
        changes.leave(first)
        changes.close()
        return told

    told = asyncio.run(story())

    assert told[0][1]["detail"] == {"lost": 0, "restarted": True}
    assert [change["sequence"] for _, change in told[1:]] == [0, 1, 2]


def test_an_engine_is_subscribed_to_only_while_somebody_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "LINGER_S", 0.0)

    async def story() -> tuple[bool, bool, list[Told]]:
        changes, engine = ring()
        follower = changes.follow(Wanted())
        tell(changes, engine, 1, tasks=1)
        during = engine.tell is not None
        changes.leave(follower)
        await asyncio.sleep(0.01)
        after = engine.tell is not None
        again = changes.follow(Wanted(), f"{changes.run}-1")
        again.close()
        told = [one async for block in again.blocks() for one in as_told(block)]
        changes.close()
        return during, after, told

    during, after, told = asyncio.run(story())

    assert (during, after) == (True, False)
    assert [change["detail"] for _, change in told] == [{"lost": 0, "unwatched": True}]


def test_who_follows_from_now_on_is_not_told_that_nobody_did_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "LINGER_S", 0.0)

    async def story() -> list[Told]:
        changes, engine = ring()
        follower = changes.follow(Wanted())
        tell(changes, engine, 1, tasks=1)
        changes.leave(follower)
        await asyncio.sleep(0.01)
        fresh = changes.follow(Wanted())
        fresh.close()
        told = [one async for block in fresh.blocks() for one in as_told(block)]
        changes.close()
        return told

    assert asyncio.run(story()) == []


def test_too_many_followers_are_refused() -> None:
    async def story() -> None:
        changes, _ = ring(max_followers=1)
        changes.follow(Wanted())
        with pytest.raises(Refusal, match="close some"):
            changes.follow(Wanted())
        changes.close()

    asyncio.run(story())


def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)
