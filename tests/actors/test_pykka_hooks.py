"""What of Pykka the shells stand on, some of it private: held here, so that an upgrade that changes it is seen."""

from __future__ import annotations

import inspect
import tomllib
from importlib.metadata import version
from pathlib import Path
from queue import Full
from typing import Any

import pykka
import pytest
from pykka._envelope import Envelope
from pykka.messages import _ActorStop

BOUND_S = 10.0


class Inbox:
    """Notes what Pykka does with it."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.held: list[Envelope[Any]] = []

    def put(self, envelope: Envelope[Any]) -> None:
        self.calls.append("put")
        self.held.append(envelope)

    def get(self) -> Envelope[Any]:
        self.calls.append("get")
        return self.held.pop(0)

    def empty(self) -> bool:
        self.calls.append("empty")
        return not self.held


class Bare(pykka.ThreadingActor):
    """Takes each step when the test calls it, in the test's thread."""

    def __init__(self) -> None:
        self.made = Inbox()
        super().__init__()
        self.steps: list[str] = []

    def _create_actor_inbox(self) -> Any:  # type: ignore[override]
        return self.made

    def on_start(self) -> None:
        self.steps.append("on_start")

    def on_receive(self, message: Any) -> Any:
        self.steps.append(f"on_receive {message}")
        return "answer"

    def on_stop(self) -> None:
        self.steps.append("on_stop")

    def _actor_loop_teardown(self) -> None:
        self.steps.append("teardown")


def test_the_version_is_the_one_that_is_known(root: Path) -> None:
    demanded = tomllib.loads((root / "pyproject.toml").read_text())["project"]["dependencies"]

    assert "pykka>=4.5,<5" in demanded
    assert (4, 5) <= tuple(map(int, version("pykka").split(".")[:2])) < (5, 0)


def test_the_inbox_is_asked_of_the_actor_once_and_is_what_the_ref_puts_envelopes_into() -> None:
    actor = Bare()

    assert actor.actor_inbox is actor.made
    actor.actor_ref.tell("message")
    future = actor.actor_ref.ask("question", block=False)

    assert [(type(one), one.message) for one in actor.made.held] == [(Envelope, "message"), (Envelope, "question")]
    assert [one.reply_to for one in actor.made.held] == [None, future]


def test_the_loop_starts_receives_stops_and_tears_down_in_this_order() -> None:
    actor = Bare()
    answer = actor.actor_ref.ask("question", block=False)
    stopped = actor.actor_ref.stop(block=False)

    actor._actor_loop()

    assert actor.steps == ["on_start", "on_receive question", "on_stop", "teardown"]
    assert answer.get(timeout=BOUND_S) == "answer"
    assert stopped.get(timeout=BOUND_S) is True
    assert actor.actor_stopped.is_set()


def test_stopping_is_a_private_message_in_an_envelope_with_a_future() -> None:
    actor = Bare()

    actor.actor_ref.stop(block=False)

    assert isinstance(actor.made.held[0].message, _ActorStop)
    actor.made.held[0].reply_to.set(None)  # type: ignore[union-attr]


def test_the_loop_ends_when_the_actor_is_marked_as_stopped_and_takes_nothing_more() -> None:
    actor = Bare()
    actor.actor_ref.tell("first")
    actor.actor_ref.tell("second")
    receive = actor.on_receive

    def stop_after(message: Any) -> None:
        receive(message)
        actor.actor_stopped.set()

    actor.on_receive = stop_after  # type: ignore[method-assign]
    actor._actor_loop()

    assert actor.steps == ["on_start", "on_receive first", "teardown"]
    assert len(actor.made.held) == 1


def test_a_ref_of_an_actor_that_has_stopped_raises_in_its_sender() -> None:
    actor = Bare()
    actor.actor_stopped.set()

    with pytest.raises(pykka.ActorDeadError):
        actor.actor_ref.tell("message")
    with pytest.raises(pykka.ActorDeadError):
        actor.actor_ref.ask("message")
    assert actor.made.calls == []


def test_what_the_inbox_raises_reaches_the_sender() -> None:
    actor = Bare()

    def refuse(envelope: Envelope[Any]) -> None:
        raise LookupError("no")

    actor.made.put = refuse  # type: ignore[method-assign]
    with pytest.raises(LookupError):
        actor.actor_ref.tell("message")
    with pytest.raises(LookupError):
        actor.actor_ref.ask("message")


def test_the_registry_takes_and_gives_up_refs_and_giving_up_twice_is_harmless() -> None:
    actor = Bare()
    pykka.ActorRegistry.register(actor.actor_ref)
    assert actor.actor_ref in pykka.ActorRegistry.get_all()

    pykka.ActorRegistry.unregister(actor.actor_ref)
    pykka.ActorRegistry.unregister(actor.actor_ref)

    assert actor.actor_ref not in pykka.ActorRegistry.get_all()


def test_start_registers_and_runs_the_loop_and_does_nothing_else_that_ours_would_miss() -> None:
    source = inspect.getsource(pykka.Actor.start.__func__)  # type: ignore[attr-defined]

    assert source.rstrip().splitlines()[-1].strip() == "return obj.actor_ref"
    for step in ("cls(*args, **kwargs)", "ActorRegistry.register(obj.actor_ref)", "obj._start_actor_loop()"):
        assert step in source


def test_a_future_takes_one_answer_or_one_exception() -> None:
    future: pykka.Future[Any] = pykka.ThreadingFuture()
    error = ValueError("no")

    future.set_exception((ValueError, error, None))

    with pytest.raises(ValueError, match="no"):
        future.get(timeout=BOUND_S)
    with pytest.raises(Full):
        future.set("late")


def test_the_packages_own_code_never_stops_all_actors(root: Path) -> None:
    callers = [path for path in (root / "actors").rglob("*.py") if "stop_all(" in path.read_text(encoding="utf-8")]

    assert callers == []
