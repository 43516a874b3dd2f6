"""How long the scenarios' action sleeps: its size, less one switch for each attempt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tests.scenarios import work as module
from tests.scenarios.work import SWITCH_S, work, work_async


class Stopped(Exception):
    pass


class Attempt:
    """A ``ctx`` on a clock of its own, stopped after so many seconds if told so."""

    def __init__(self, *, restored: float | None = None, kept: bool = True, stopped_after: float = 1e9) -> None:
        self.params = {"size": 10, "unit_ms": 83, "kept": kept}
        self.restored = restored
        self.left = stopped_after
        self.slept = 0.0
        self.saved = 0.0

    def sleep(self, seconds: float) -> None:
        self.slept += min(seconds, self.left)
        self.left -= seconds
        if self.left < 0:
            raise Stopped

    def checkpoint(self, value: float) -> None:
        self.saved = value


class AsyncAttempt(Attempt):
    async def sleep(self, seconds: float) -> None:  # type: ignore[override]
        super().sleep(seconds)


def plain(attempt: Attempt) -> None:
    work(attempt)


def in_a_loop(attempt: Attempt) -> None:
    asyncio.run(work_async(attempt))


KINDS = pytest.mark.parametrize(("kind", "run"), [(Attempt, plain), (AsyncAttempt, in_a_loop)])


def done(attempt: Attempt, run: Callable[[Attempt], None], monkeypatch: pytest.MonkeyPatch) -> Attempt:
    """Run it, on its clock."""
    with monkeypatch.context() as patched:
        patched.setattr(module, "time", SimpleNamespace(monotonic=lambda: attempt.slept))
        try:
            run(attempt)
        except Stopped:
            assert attempt.left < 0
    return attempt


@KINDS
def test_an_attempt_sleeps_its_size_less_the_switch_to_it(
    kind: type[Attempt], run: Callable[[Attempt], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert done(kind(), run, monkeypatch).slept == pytest.approx(0.83 - SWITCH_S)


@KINDS
def test_each_attempt_of_kept_work_has_its_own_switch(
    kind: type[Attempt], run: Callable[[Attempt], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = done(kind(stopped_after=0.4), run, monkeypatch)
    second = done(kind(restored=first.saved), run, monkeypatch)

    assert first.slept == pytest.approx(0.4)
    assert first.slept + second.slept == pytest.approx(0.83 - 2 * SWITCH_S)


@KINDS
def test_restarted_work_begins_anew(
    kind: type[Attempt], run: Callable[[Attempt], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    again: Any = done(kind(restored=0.4, kept=False), run, monkeypatch)

    assert again.slept == pytest.approx(0.83 - SWITCH_S)
