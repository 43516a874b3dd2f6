"""The one action of all scenarios: as much work as its job or task is, slept, and saved as it goes."""

from __future__ import annotations

import time
from typing import Any

STEP_S = 0.25
"""At most so much work from one checkpoint to the next."""
SWITCH_S = 0.002
"""What it takes from one attempt's last line to the next one's first, and to wake: about that on a quiet machine.

It is part of a task's size, as in the response-time analysis that the schedules are from, where a
job's computation time includes the switches to it and away. Left out, it adds up over a long busy
period: 9 attempts on processes came to 18 ms.
"""


def size_s(ctx: Any) -> float:
    """All its work, in seconds: ``size`` of the task or of the event, times ``unit_ms``."""
    size = ctx.params.get("size")
    if size is None:
        size = ctx.event.data["size"]
    return float(size) * float(ctx.params["unit_ms"]) / 1000


def done_s(ctx: Any) -> float:
    """Work that is done at the first line, in seconds: the switch, and earlier attempts' where work is kept."""
    return SWITCH_S + (float(ctx.restored or 0.0) if ctx.params["kept"] else 0.0)


def work(ctx: Any) -> None:
    done, target = done_s(ctx), size_s(ctx)
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
    done, target = done_s(ctx), size_s(ctx)
    began = time.monotonic() - done
    try:
        while done < target:
            await ctx.sleep(min(STEP_S, target - done))
            done = time.monotonic() - began
            ctx.checkpoint(min(done, target))
    finally:
        ctx.checkpoint(min(time.monotonic() - began, target))
