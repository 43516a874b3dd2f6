"""What the event loop runner promises beyond the contract, above all when its loop is blocked."""

# Busy coroutines are the point here.
# ruff: noqa: ASYNC110

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

from actors.clock import SystemClock
from actors.model import AttemptId, Isolation, OutcomeKind, StopReason
from actors.runners.context import Context
from actors.runners.event_loop import EventLoopRunner
from tests.conformance.runners_under_test import Subject, World

Make = Callable[..., World]


@pytest.fixture
def loops(tmp_path: Path) -> Iterator[Make]:
    """``loops(async_act=function, ...)`` is a world whose runner has these actions."""
    worlds: list[World] = []

    def make(**actions: Callable[[Context], Any]) -> World:
        subject = Subject("coroutines", Isolation.ASYNC, lambda: EventLoopRunner(actions, clock=SystemClock()))
        worlds.append(World(subject, tmp_path))
        return worlds[-1]

    yield make
    for world in worlds:
        world.release()
        assert world.close() == []
        world.check()


class Blocked:
    """Two attempts that wait and one that blocks their loop until it is let go."""

    def __init__(self, loops: Make) -> None:
        self.lines: list[str] = []
        self.given: list[str] = []
        self.entered, self.gate = threading.Event(), threading.Event()
        self.world = loops(async_waits=self.waits, async_blocks=self.blocks, async_gives=self.gives)
        self.waiting = [self.world.start("waits") for _ in range(2)]
        for attempt in self.waiting:
            self.world.said(attempt)
        self.blocker = self.world.start("blocks")
        assert self.entered.wait(10)

    async def waits(self, ctx: Context) -> None:
        async def child() -> None:
            try:
                while True:
                    if self.gate.is_set():
                        self.lines.append("a step of the child after its end was reported")
                    await asyncio.sleep(0.001)
            finally:
                self.lines.append("the child's finally")

        ctx.checkpoint({"rows": 1})
        ctx.log.info("here")
        task = asyncio.create_task(child())
        try:
            await asyncio.sleep(0.05)
            while True:
                if self.gate.is_set():
                    self.lines.append("a step after its end was reported")
                await asyncio.sleep(0)
        finally:
            self.lines.append("a finally")
            task.cancel()

    async def blocks(self, ctx: Context) -> str:
        self.entered.set()
        self.gate.wait(20)
        await ctx.sleep(0.02)
        return "not blocked any more"

    async def gives(self, ctx: Context) -> int:
        self.given.append(ctx.task_id)
        return threading.get_ident()


def test_a_blocked_loop_loses_all_its_other_attempts(loops: Make) -> None:
    blocked = Blocked(loops)
    world = blocked.world
    world.runner.abandon(blocked.blocker)

    for attempt in blocked.waiting:
        outcome = world.ended(attempt)
        assert (outcome.kind, outcome.checkpoint) == (OutcomeKind.LOST, {"rows": 1})
        assert outcome.error is not None
        assert world.told[blocked.blocker].job.task_id in outcome.error.message
    assert world.told[blocked.blocker].outcome is None
    blocked.gate.set()
    assert world.ended(blocked.blocker).result == "not blocked any more"


def test_what_was_reported_lost_never_runs_another_line(loops: Make) -> None:
    blocked = Blocked(loops)
    world = blocked.world
    world.runner.abandon(blocked.waiting[0])
    for attempt in blocked.waiting:
        world.ended(attempt)
    blocked.gate.set()
    world.ended(blocked.blocker)
    assert world.close() == []

    assert blocked.lines == []


def test_work_goes_on_in_a_new_loop_while_the_old_one_is_blocked(loops: Make) -> None:
    blocked = Blocked(loops)
    world = blocked.world
    early = world.start("gives")  # handed to the blocked loop, and not begun there
    world.runner.abandon(blocked.blocker)
    for attempt in blocked.waiting:
        world.ended(attempt)

    late = world.start("gives")

    assert world.ended(early).result == world.ended(late).result
    assert world.told[blocked.blocker].outcome is None
    blocked.gate.set()
    world.ended(blocked.blocker)
    assert world.close() == []
    # Once each, though the old loop came to the first one too.
    assert len(blocked.given) == 2


def test_a_loop_blocked_by_a_callback_loses_all_attempts(loops: Make) -> None:
    """Nobody can say whose callback it is."""

    async def arms(ctx: Context) -> None:
        ctx.log.info("here")
        asyncio.get_running_loop().call_later(0.01, wait)
        await asyncio.sleep(60)

    def wait() -> None:
        entered.set()
        gate.wait(20)

    entered, gate = threading.Event(), threading.Event()
    world = loops(async_arms=arms)
    attempt = world.start("arms")
    world.said(attempt)
    assert entered.wait(10)
    world.runner.abandon(attempt)

    assert world.ended(attempt).kind is OutcomeKind.LOST
    gate.set()


def test_a_blocked_attempt_that_was_told_stops_when_it_comes_back(loops: Make) -> None:
    blocked = Blocked(loops)
    world = blocked.world
    world.runner.interrupt(blocked.blocker, StopReason.TIMEOUT)
    world.runner.abandon(blocked.blocker)
    for attempt in blocked.waiting:
        world.ended(attempt)
    blocked.gate.set()

    assert world.ended(blocked.blocker).kind is OutcomeKind.STOPPED


def test_closing_names_the_attempt_that_still_blocks_its_loop(loops: Make) -> None:
    blocked = Blocked(loops)
    world = blocked.world

    left = world.close(seconds=0.1)

    assert world.told[blocked.blocker].job.task_id in left
    blocked.gate.set()
    assert world.ended(blocked.blocker).kind is OutcomeKind.STOPPED


def test_an_attempt_that_does_not_stop_costs_the_others_nothing(loops: Make) -> None:
    async def stays(ctx: Context) -> str:
        ctx.log.info("here")
        while not gate.is_set():
            try:
                await asyncio.sleep(0.001)
            except asyncio.CancelledError:
                continue
        return "done"

    async def waits(ctx: Context) -> None:
        ctx.log.info("here")
        await asyncio.sleep(60)

    gate = threading.Event()
    world = loops(async_stays=stays, async_waits=waits)
    stuck, other = world.start("stays"), world.start("waits")
    world.said(stuck)
    world.said(other)
    world.runner.interrupt(stuck, StopReason.TIMEOUT)
    world.runner.abandon(stuck)
    world.nothing_more(other, seconds=0.4)
    gate.set()

    assert world.ended(stuck).result == "done"
    world.runner.interrupt(other, StopReason.CANCEL)
    assert world.ended(other).kind is OutcomeKind.STOPPED


VARIABLE: ContextVar[int] = ContextVar("variable", default=0)


def test_context_variables_reach_no_attempt_from_outside_or_from_another(loops: Make) -> None:
    async def act(ctx: Context) -> int:
        VARIABLE.set(VARIABLE.get() + 1)
        return VARIABLE.get()

    world = loops(async_act=act)
    token = VARIABLE.set(100)
    try:
        results = [world.ended(world.start("act")).result for _ in range(3)]
    finally:
        VARIABLE.reset(token)

    assert results == [1, 1, 1]


def test_a_plain_function_is_refused_in_the_loop(loops: Make) -> None:
    world = loops(async_plain=lambda _ctx: 7)

    error = world.ended(world.start("plain")).error

    assert error is not None
    assert "use async def" in error.message


def test_an_action_that_stops_the_loop_or_exits_in_a_task_does_not_stop_the_others(loops: Make) -> None:
    async def rude(ctx: Context) -> str:
        async def leave() -> None:
            raise SystemExit(3)

        asyncio.get_running_loop().stop()
        await asyncio.sleep(0.01)
        with pytest.raises(SystemExit):
            await asyncio.create_task(leave())
        return "still here"

    async def waits(ctx: Context) -> str:
        await asyncio.sleep(0.1)
        return "undisturbed"

    world = loops(async_rude=rude, async_waits=waits)
    other, first = world.start("waits"), world.start("rude")

    assert world.ended(first).result == "still here"
    assert world.ended(other).result == "undisturbed"


def test_attempts_run_side_by_side_in_one_thread(loops: Make) -> None:
    async def meets(ctx: Context) -> int:
        here.append(ctx.task_id)
        while len(here) < 50:
            await asyncio.sleep(0)
        return threading.get_ident()

    here: list[str] = []
    world = loops(async_meets=meets)
    attempts: list[AttemptId] = [world.start("meets") for _ in range(50)]

    assert len({world.ended(attempt).result for attempt in attempts}) == 1


def test_tasks_that_an_action_leaves_end_before_its_end_is_reported(loops: Make) -> None:
    async def leaves(ctx: Context) -> str:
        async def straggle() -> None:
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(0.01)
                ends.append("straggler")

        asyncio.create_task(straggle())  # noqa: RUF006 - left behind on purpose
        await asyncio.sleep(0)
        return "over"

    ends: list[str] = []
    world = loops(async_leaves=leaves)

    assert world.ended(world.start("leaves")).result == "over"
    assert ends == ["straggler"]
