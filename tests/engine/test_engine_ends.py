"""An engine that stops refuses new work first; one that has ended, or failed, says so whatever is asked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pykka
import pytest

from actors import Event
from actors.errors import EngineFailed, EngineStopped
from actors.messages import Publish, PutEntity, ReadStats
from actors.model import EntityId, EntitySeed
from tests.engine.conftest import BOUND_S, Watched, one_task


def test_who_kept_a_handle_is_told_that_the_engine_has_stopped(start: Callable[..., Watched]) -> None:
    engine = start(one_task("quick", isolation="thread")).engine
    refs = engine.refs
    engine.stop()

    for name, handle in refs.items():
        with pytest.raises(EngineStopped):
            handle.tell(ReadStats())
        with pytest.raises(EngineStopped):
            handle.ask(ReadStats(), timeout=BOUND_S)
        assert repr(handle) == f"<Handle {name}>"


def test_who_kept_a_handle_is_told_that_the_engine_has_failed(start: Callable[..., Watched]) -> None:
    engine = start(one_task("quick", isolation="thread")).engine
    refs = engine.refs
    assert engine._parts is not None
    engine._parts._fail("keeper", "Traceback\nValueError: x")

    for handle in refs.values():
        with pytest.raises(EngineFailed):
            handle.tell(ReadStats())
        with pytest.raises(EngineFailed):
            handle.ask(ReadStats(), timeout=BOUND_S)


def test_new_work_is_refused_while_the_engine_stops_and_what_runs_may_go_on(start: Callable[..., Watched]) -> None:
    running, go_on = threading.Event(), threading.Event()

    def act(ctx: Any) -> None:
        running.set()
        assert go_on.wait(BOUND_S)

    watched = start(one_task("act", isolation="thread"), actions={"act": act})
    engine = watched.engine
    raw = {str(ref): ref for ref in pykka.ActorRegistry.get_all()}
    router = next(ref for name, ref in raw.items() if name.startswith("RouterActor"))
    engine.publish(Event("DATA_READY", "X"))
    assert running.wait(BOUND_S)
    refs = engine.refs
    stopping = threading.Thread(target=engine.stop)
    stopping.start()
    try:
        parts = engine._parts
        assert parts is not None
        while not parts._stopping:
            engine.refs["keeper"].ask(ReadStats(), timeout=BOUND_S)

        with pytest.raises(EngineStopped):
            refs["router"].tell(Publish((Event("DATA_READY", "Y"),)))
        with pytest.raises(EngineStopped):
            refs["keeper"].ask(PutEntity(EntitySeed(EntityId("Y"))), timeout=BOUND_S)
        with pytest.raises(EngineStopped):
            router.tell(Publish((Event("DATA_READY", "Y"),)))
        assert refs["keeper"].ask(ReadStats(), timeout=BOUND_S)["instances"], "reading goes on"
    finally:
        go_on.set()
        stopping.join(BOUND_S)
    assert not stopping.is_alive()
