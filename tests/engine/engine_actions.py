"""Actions that worker processes can import, for tests of the whole engine."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

from actors import NonRetryable


def quick(ctx: Any) -> Any:
    return ctx.params.get("result", ctx.inputs or None)


def wait_for_file(ctx: Any) -> str:
    """Runs until the file appears; every stop gets through."""
    while not Path(ctx.params["file"]).exists():
        ctx.sleep(0.005)
    return "seen"


def tell_and_wait(ctx: Any) -> str:
    ctx.log.info("here")
    return wait_for_file(ctx)


def count(ctx: Any) -> Generator[int, None, dict[str, int]]:
    """Counts to ``to``, a checkpoint each; waits at ``at`` in its first attempt."""
    done = ctx.restored or 0
    for number in range(done + 1, ctx.params["to"] + 1):
        yield number
        if number == ctx.params["at"] and ctx.attempt == 1:
            ctx.sleep(60)
    return {"from": done, "to": ctx.params["to"], "attempt": ctx.attempt}


def fail_until(ctx: Any) -> int:
    if ctx.attempt < ctx.params["attempt"]:
        raise ValueError(f"not yet, this is attempt {ctx.attempt}")
    return int(ctx.attempt)


def fail_for_good(ctx: Any) -> None:
    raise NonRetryable("never")


def crash(ctx: Any) -> None:
    os._exit(7)


def sleep(ctx: Any) -> str:
    time.sleep(ctx.params["seconds"])
    return "slept"


def spin(ctx: Any) -> None:
    while True:
        pass


async def wait_async(ctx: Any) -> Any:
    done = ctx.restored or 0
    if ctx.attempt == 1:
        ctx.checkpoint(5)
        await ctx.sleep(60)
    return done


def returns_a_set(ctx: Any) -> Any:
    return {1, 2}
