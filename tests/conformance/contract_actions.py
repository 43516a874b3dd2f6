"""Actions for the runner contract: each behaviour as a plain function and as a coroutine.

``params["folder"]`` is a folder they share with the test: ``ledger`` is what they append to,
``release`` is the file whose appearance lets a stubborn one go. A coroutine's name has
``async_`` in front.
"""

# They misbehave on purpose, and a runner's ``ctx.log`` is not ``logging``.
# ruff: noqa: ASYNC110, BLE001, G004

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Any

from actors.errors import AttemptStopped, NonRetryable
from actors.runners.context import Context

POLL_S = 0.002


def write(ctx: Context, line: str) -> None:
    """One line of the ledger: who, and what."""
    data = f"{ctx.task_id}#{ctx.attempt} {line}\n".encode()
    fd = os.open(Path(ctx.params["folder"], "ledger"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def released(ctx: Context) -> bool:
    return os.path.exists(os.path.join(ctx.params["folder"], "release"))


# --- ends --------------------------------------------------------------------------------------


def gives(ctx: Context) -> Any:
    return ctx.params.get("value")


async def async_gives(ctx: Context) -> Any:
    return ctx.params.get("value")


def gives_set(ctx: Context) -> Any:
    return {"rows": [1, {"seen": {2, 3}}]}


async def async_gives_set(ctx: Context) -> Any:
    return gives_set(ctx)


def gives_much(ctx: Context) -> Any:
    return "x" * ctx.params["bytes"]


async def async_gives_much(ctx: Context) -> Any:
    return gives_much(ctx)


_KINDS: dict[str, type[BaseException]] = {
    kind.__name__: kind for kind in (ValueError, NonRetryable, SystemExit, KeyboardInterrupt, StopIteration)
}
_KINDS["AttemptStopped"] = AttemptStopped


def fails(ctx: Context) -> None:
    raise _KINDS[ctx.params["kind"]](ctx.params.get("text", "it is broken"))


async def async_fails(ctx: Context) -> None:
    fails(ctx)


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError("no words for it")


def fails_unspeakably(ctx: Context) -> None:
    raise Unspeakable


async def async_fails_unspeakably(ctx: Context) -> None:
    raise Unspeakable


# --- what it is given --------------------------------------------------------------------------


def tells(ctx: Context) -> dict[str, Any]:
    facts = {
        "entity": [ctx.entity.id, ctx.entity.phase, str(ctx.entity.status), ctx.entity.priority, ctx.entity.data],
        "event": None if ctx.event is None else [ctx.event.type, ctx.event.entity_id, ctx.event.data],
        "params": ctx.params,
        "inputs": ctx.inputs,
        "restored": ctx.restored,
        "attempt": ctx.attempt,
        "idempotency_key": ctx.idempotency_key,
        "merged": ctx.merged,
        "task_id": ctx.task_id,
        "instance_id": ctx.instance_id,
        "workflow": ctx.workflow,
        "priority": ctx.priority,
        "cancelled": ctx.cancelled,
        "reason": ctx.reason,
        "time_left": ctx.time_left,
    }
    answer: dict[str, Any] = json.loads(json.dumps(facts))
    # What it is given is its own: this must not reach the engine.
    ctx.params["spoilt"] = True
    ctx.inputs["spoilt"] = True
    if isinstance(ctx.entity.data, list):
        ctx.entity.data.append("spoilt")
    return answer


async def async_tells(ctx: Context) -> dict[str, Any]:
    return tells(ctx)


# --- waiting and being stopped -----------------------------------------------------------------


def waits(ctx: Context) -> str:
    ctx.log.info("here")
    try:
        ctx.sleep(60)
    except AttemptStopped as stop:
        write(ctx, f"stopped {stop.reason} {ctx.reason} {ctx.cancelled}")
        raise
    return "woke by itself"


async def async_waits(ctx: Context) -> str:
    ctx.log.info("here")
    try:
        await ctx.sleep(60)
    except asyncio.CancelledError as stop:
        # It is asyncio's own and ours, both.
        write(ctx, f"stopped {getattr(stop, 'reason', stop)} {ctx.reason} {ctx.cancelled}")
        raise
    return "woke by itself"


def computes(ctx: Context) -> None:
    """Never comes to a safe point."""
    ctx.log.info("here")
    while True:
        sum(range(100))


async def async_computes(ctx: Context) -> None:
    ctx.log.info("here")
    while True:
        await asyncio.sleep(0)


def cleans_up(ctx: Context) -> None:
    ctx.checkpoint({"rows": 1})
    ctx.log.info("here")
    try:
        ctx.sleep(60)
    finally:
        ctx.checkpoint({"rows": 2})
        # A sleep while the stop unwinds is a real one, and the stop does not rise a second time.
        ctx.sleep(0.05)
        ctx.checkpoint({"rows": 3})
        write(ctx, "cleaned up")


async def async_cleans_up(ctx: Context) -> None:
    ctx.checkpoint({"rows": 1})
    ctx.log.info("here")
    try:
        await ctx.sleep(60)
    finally:
        ctx.checkpoint({"rows": 2})
        await ctx.sleep(0.05)
        ctx.checkpoint({"rows": 3})
        write(ctx, "cleaned up")


def shields(ctx: Context) -> None:
    with ctx.shield():
        ctx.log.info("here")
        while not ctx.cancelled:
            time.sleep(POLL_S)
        ctx.sleep(0.03)
        ctx.checkpoint({"safe": True})
        time.sleep(0.03)
        write(ctx, "shielded to the end")
    write(ctx, "after the shield")


async def async_shields(ctx: Context) -> None:
    async with ctx.shield():
        ctx.log.info("here")
        while not ctx.cancelled:
            await asyncio.sleep(POLL_S)
        await ctx.sleep(0.03)
        ctx.checkpoint({"safe": True})
        await asyncio.sleep(0.03)
        write(ctx, "shielded to the end")
    write(ctx, "after the shield")


def swallows(ctx: Context) -> None:
    """Swallows the stop ``times`` times, and then lets it through."""
    for number in range(ctx.params["times"]):
        try:
            # Said within: the stop may come as soon as this is heard.
            if number == 0:
                ctx.log.info("here")
            while True:
                sum(range(100))
        except BaseException:
            write(ctx, f"swallowed {number}")
    while True:
        sum(range(100))


async def async_swallows(ctx: Context) -> None:
    ctx.log.info("here")
    for number in range(ctx.params["times"]):
        try:
            await asyncio.sleep(60)
        except BaseException:
            write(ctx, f"swallowed {number}")
    await asyncio.sleep(60)


def swallows_in_step(ctx: Context) -> None:
    """Swallows stops as long as they come at one pause, or at pauses that double."""
    times: list[float] = []
    while True:
        try:
            if not times:
                ctx.log.info("here")
            while True:
                sum(range(100))
        except AttemptStopped:
            times.append(time.monotonic())
            if _out_of_step(times):
                raise


async def async_swallows_in_step(ctx: Context) -> None:
    times: list[float] = []
    ctx.log.info("here")
    while True:
        try:
            await asyncio.sleep(60)
        except AttemptStopped:
            times.append(time.monotonic())
            if _out_of_step(times):
                raise


def _out_of_step(times: list[float]) -> bool:
    if len(times) < 3:
        return False
    first, second, third = times[-3:]
    return not 0.85 < (third - second) / (second - first) < 2.3


def finishes_anyway(ctx: Context) -> str:
    ctx.log.info("here")
    try:
        ctx.sleep(60)
    except AttemptStopped:
        return "finished all the same"
    return "woke by itself"


async def async_finishes_anyway(ctx: Context) -> str:
    ctx.log.info("here")
    try:
        await ctx.sleep(60)
    except AttemptStopped:
        return "finished all the same"
    return "woke by itself"


def wraps(ctx: Context) -> None:
    """As a library does that turns every exception into its own."""
    ctx.log.info("here")
    try:
        ctx.sleep(60)
    except BaseException as error:
        raise RuntimeError("the driver was interrupted") from error


async def async_wraps(ctx: Context) -> None:
    ctx.log.info("here")
    try:
        await ctx.sleep(60)
    except BaseException as error:
        raise RuntimeError("the driver was interrupted") from error


def fails_cleaning_up(ctx: Context) -> None:
    ctx.log.info("here")
    try:
        ctx.sleep(60)
    finally:
        raise ValueError("the disk is full")


async def async_fails_cleaning_up(ctx: Context) -> None:
    ctx.log.info("here")
    try:
        await ctx.sleep(60)
    finally:
        raise ValueError("the disk is full")


def stays(ctx: Context) -> str:
    """Cannot be stopped: it goes on until it is released."""
    ctx.checkpoint({"rows": 7})
    with ctx.shield():
        ctx.log.info("here")
        while not released(ctx):
            time.sleep(POLL_S)
    return "released"


async def async_stays(ctx: Context) -> str:
    return stays(ctx)


async def async_goes_on(ctx: Context) -> str:
    """Cannot be stopped either, but leaves the loop to others."""
    ctx.log.info("here")
    while not released(ctx):
        try:
            await asyncio.sleep(POLL_S)
        except asyncio.CancelledError:
            continue
    return "released"


# --- saying something --------------------------------------------------------------------------


def saves(ctx: Context) -> str:
    """Saves one number after the other; with ``wait`` the others once released, then it says so in the ledger."""
    first, *others = ctx.params["numbers"]
    ctx.checkpoint({"number": first})
    while ctx.params.get("wait") and not released(ctx):
        time.sleep(POLL_S)
    _save_all(ctx, others)
    ctx.sleep(60 if ctx.params.get("wait") else 0)
    return "done"


def _save_all(ctx: Context, numbers: list[int]) -> None:
    for number in numbers:
        ctx.checkpoint({"number": number})
    ctx.log.info("saved")
    write(ctx, "saved")


async def async_saves(ctx: Context) -> str:
    first, *others = ctx.params["numbers"]
    ctx.checkpoint({"number": first})
    while ctx.params.get("wait") and not released(ctx):
        await asyncio.sleep(POLL_S)
    _save_all(ctx, others)
    await ctx.sleep(60 if ctx.params.get("wait") else 0)
    return "done"


def yields(ctx: Context) -> Generator[Any, None, str]:
    for number in ctx.params["numbers"]:
        yield {"number": number}
    ctx.log.info("here")
    if ctx.params.get("wait"):
        while True:
            time.sleep(POLL_S)
            yield None
    return "done"


async def async_yields(ctx: Context) -> AsyncIterator[Any]:
    for number in ctx.params["numbers"]:
        yield {"number": number}
    ctx.log.info("here")
    while ctx.params.get("wait"):
        await asyncio.sleep(POLL_S)
        yield None


def talks(ctx: Context) -> None:
    """Says one thing, waits for ``release``, says much, and ends."""
    ctx.log.info("first", row=1)
    while not released(ctx):
        time.sleep(POLL_S)
    _say_much(ctx)


async def async_talks(ctx: Context) -> None:
    ctx.log.info("first", row=1)
    while not released(ctx):
        await asyncio.sleep(POLL_S)
    _say_much(ctx)


def _say_much(ctx: Context) -> None:
    for number in range(1000):
        ctx.log.warning(f"line {number}")
        ctx.progress(number / 1000, f"at {number}")
    ctx.checkpoint({"last": True})


def saves_a_set(ctx: Context) -> None:
    ctx.checkpoint({"good": 1})
    ctx.checkpoint({"bad": {1}})


async def async_saves_a_set(ctx: Context) -> None:
    saves_a_set(ctx)
