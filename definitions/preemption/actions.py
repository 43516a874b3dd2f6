"""A study that can be cut anywhere and goes on from its last step, and an urgent order."""

from __future__ import annotations

from actors import Context, action


@action("study_trend")
def study_trend(ctx: Context) -> dict[str, int]:
    """Work through ``params.steps`` steps of ``params.step_ms`` each, saving a checkpoint after each.

    The result says how many steps this attempt did itself and from which it went on, so that
    one sees what being cut has cost: at most the step that was cut.
    """
    steps: int = ctx.params["steps"]
    done: int = ctx.restored or 0
    began = done
    if began:
        ctx.log.info("从检查点继续", stock=ctx.entity.id, steps_done=began, of=steps)
    while done < steps:
        ctx.sleep(ctx.params["step_ms"] / 1000)
        done += 1
        ctx.checkpoint(done)
    return {"steps": done, "continued_from": began, "done_here": done - began}


@action("calculate_signal")
def calculate_signal(ctx: Context) -> dict[str, str | float]:
    """The urgent stock's signal: 30 ms."""
    ctx.sleep(0.030)
    return {"signal": "BUY", "price": 100.0}


@action("execute_order")
def execute_order(ctx: Context) -> dict[str, str]:
    """The urgent order: 100 ms, and never cut."""
    ctx.sleep(0.100)
    return {"order_id": "ORDER_123", "status": "FILLED"}
