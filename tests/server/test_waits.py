"""Waiting: nobody's thread is held, and who gives up leaves nothing behind in the engine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.server import waits
from tests.engine.conftest import one_task
from tests.server.conftest import Served

Serve = Callable[..., Served]


def running(serve: Serve, tmp_path: Path) -> tuple[Served, str]:
    served = serve(one_task("wait_for_file", params={"file": str(tmp_path / "go")}))
    event = {"type": "DATA_READY", "entity_id": "000001"}
    return served, served.client().post("/v1/events", json=event).json()["instances"][0]


def test_who_waits_again_and_again_is_one_waiter_at_the_keeper(serve: Serve, tmp_path: Path) -> None:
    served, id = running(serve, tmp_path)
    client = served.client()

    for _ in range(20):
        assert not client.get(f"/v1/instances/{id}/wait", params={"timeout_s": 0}).json()["ended"]
        assert not client.post("/v1/wait-idle", params={"timeout_s": 0}).json()["idle"]

    assert served.engine._parts is not None
    assert [len(waiting) for waiting in served.engine._parts.generations.state.waiters.values()] == [1]
    assert len(served.engine._parts.generations.state.idle_waiters) <= 1
    (tmp_path / "go").touch()
    assert client.get(f"/v1/instances/{id}/wait").json()["ended"]
    assert client.post("/v1/wait-idle").json()["idle"]


def test_more_may_wait_than_there_are_threads_and_others_are_still_answered(serve: Serve, tmp_path: Path) -> None:
    served, id = running(serve, tmp_path)
    answers: list[bool] = []

    def wait() -> None:
        answers.append(served.client().get(f"/v1/instances/{id}/wait").json()["ended"])

    threads = [threading.Thread(target=wait) for _ in range(20)]
    for thread in threads:
        thread.start()
    assert served.client().get("/v1/stats").status_code == 200
    (tmp_path / "go").touch()
    for thread in threads:
        thread.join(20)

    assert answers == [True] * 20


def test_of_more_than_are_asked_about_the_ones_nobody_waits_for_are_let_go(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waits, "MAX_WAITED_FOR", 1)
    served, id = running(serve, tmp_path)
    client = served.client()
    client.get(f"/v1/instances/{id}/wait", params={"timeout_s": 0})
    answers: list[bool] = []
    waiting = threading.Thread(target=lambda: answers.append(served.client().post("/v1/wait-idle").json()["idle"]))
    waiting.start()
    served.watched.soon(lambda: served.control.waits.waited_for == 1)

    refused = client.get(f"/v1/instances/{id}/wait", params={"timeout_s": 0})

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
    (tmp_path / "go").touch()
    waiting.join(20)
    assert answers == [True]
    assert client.get(f"/v1/instances/{id}/wait").json()["ended"]


def test_who_waits_when_the_engine_stops_is_told(serve: Serve, tmp_path: Path) -> None:
    served, id = running(serve, tmp_path)
    answers: list[int] = []
    waiting = threading.Thread(
        target=lambda: answers.append(served.client().get(f"/v1/instances/{id}/wait").status_code)
    )
    waiting.start()
    served.watched.soon(
        lambda: served.engine._parts is not None and bool(served.engine._parts.generations.state.waiters)
    )

    served.engine.stop(grace=0.0)
    waiting.join(20)

    assert answers == [503]


def test_messages_that_are_answered_late_do_not_keep_others_from_being_answered(serve: Serve, tmp_path: Path) -> None:
    served, id = running(serve, tmp_path)
    answers: list[int] = []

    def send() -> None:
        message = {"message": "AwaitInstance", "fields": {"id": id}}
        answers.append(served.client().post("/v1/actors/keeper/send", json=message).status_code)

    threads = [threading.Thread(target=send) for _ in range(12)]
    for thread in threads:
        thread.start()
    served.watched.soon(lambda: sum(door.open for door in served.control.doors) >= 12)

    assert served.client().get("/v1/stats", timeout=5).status_code == 200
    (tmp_path / "go").touch()
    for thread in threads:
        thread.join(20)
    assert answers == [200] * 12
