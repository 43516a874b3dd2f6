"""The one action of all scenarios: as much work as its job or task is, slept, and saved as it goes."""

from __future__ import annotations

import time
from typing import Any

STEP_S = 0.25
"""At most so much work from one checkpoint to the next."""


def size_s(ctx: Any) -> float:
    """All its work, in seconds: ``size`` of the task or of the event, times ``unit_ms``."""
    size = ctx.params.get("size")
    if size is None:
        size = ctx.event.data["size"]
    return float(size) * float(ctx.params["unit_ms"]) / 1000


def restored_s(ctx: Any) -> float:
    """Work that earlier attempts have done, in seconds, where work is kept."""
    return float(ctx.restored or 0.0) if ctx.params["kept"] else 0.0


def work(ctx: Any) -> None:
    done, target = restored_s(ctx), size_s(ctx)
    began = time.monotonic() - done
    try:
        while done < target:
            ctx.sleep(min(STEP_S, target - done))
            done = time.monotonic() - began
            ctx.checkpoint(min(done, target))
    finally:
        # Told to stop in its sleep: what it has slept of it counts.
        ctx.checkpoint(min(time.monotonic() - began, target))


async def work_async(ctx: Any) -> None:
    done, target = restored_s(ctx), size_s(ctx)
    began = time.monotonic() - done
    try:
        while done < target:
            await ctx.sleep(min(STEP_S, target - done))
            done = time.monotonic() - began
            ctx.checkpoint(min(done, target))
    finally:
        ctx.checkpoint(min(time.monotonic() - began, target))
