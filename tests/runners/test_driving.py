"""An action's way from its first line to its outcome, here in this thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import pytest

from actors.errors import AttemptStopped, RequestError
from actors.messages import Note
from actors.model import Entity, EntityId, Event, Level, OutcomeKind, StopReason
from actors.runners.context import Context
from actors.runners.failures import MAX_TRACEBACK_CHARS, describe
from actors.runners.stopping import Control
from tests.runners.attempts_at_hand import execution

# --- ctx -----------------------------------------------------------------------------------------


def test_time_left_counts_from_the_first_line_and_stands_still_while_suspended() -> None:
    clock = [1_000_000_000]
    control = Control(lambda: clock[0])
    seen: list[float | None] = []

    def act(ctx: Context) -> None:
        seen.append(ctx.time_left)
        clock[0] += 300_000_000
        seen.append(ctx.time_left)
        clock[0] += 5_000_000_000
        control.paused_ns += 5_000_000_000
        seen.append(ctx.time_left)
        clock[0] += 5_000_000_000
        seen.append(ctx.time_left)

    execution(act, control=control, timeout_ms=1000).run()

    assert seen == [1.0, 0.7, 0.7, 0.0]


def test_there_is_no_time_left_to_tell_without_a_timeout() -> None:
    seen: list[float | None] = []
    execution(lambda ctx: seen.append(ctx.time_left), timeout_ms=0).run()

    assert seen == [None]


def test_what_ctx_gives_is_the_actions_own_and_the_same_each_time() -> None:
    entity = Entity(EntityId("000001"), data={"price": 1})
    event = Event("DATA_READY", "000001", data=[1])
    inputs = {"a": [1]}

    def act(ctx: Context) -> Any:
        assert ctx.event is not None
        ctx.entity.data["price"] = 2
        ctx.event.data.append(2)
        ctx.inputs["a"].append(2)
        ctx.restored["rows"] = 2
        return [ctx.entity.data, ctx.event.data, ctx.inputs, ctx.restored]

    restored = {"rows": 1}
    outcome = execution(act, entity=entity, event=event, inputs=inputs, restored=restored).run()

    assert outcome.result == [{"price": 2}, [1, 2], {"a": [1, 2]}, {"rows": 2}]
    assert (entity.data, event.data, inputs, restored) == ({"price": 1}, [1], {"a": [1]}, {"rows": 1})


def test_log_lines_carry_level_and_fields_and_are_bounded_whatever_they_hold() -> None:
    notes: list[Note] = []

    def act(ctx: Context) -> None:
        ctx.log.debug("took it", rows=3, of="那里")
        ctx.log.error("big", payload="x" * 100_000, many=list(range(100_000)))
        ctx.log.warning("odd \ud800")

    execution(act, notes=notes).run()

    lines = [line for note in notes for line in note.lines]
    assert lines[0] == (Level.DEBUG, "took it rows=3 of=那里")
    assert lines[1][0] is Level.ERROR
    assert len(lines[1][1]) < 600
    assert lines[2] == (Level.WARNING, "odd ?")


@pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan"), "half", None, True])
def test_progress_that_is_no_fraction_is_refused(fraction: Any) -> None:
    def act(ctx: Context) -> None:
        with pytest.raises(RequestError, match="fraction from 0 to 1"):
            ctx.progress(fraction)

    assert execution(act).run().kind is OutcomeKind.COMPLETED


def test_a_checkpoint_of_none_is_a_safe_point_and_saves_nothing() -> None:
    control = Control()

    def act(ctx: Context) -> None:
        ctx.checkpoint(1)
        ctx.checkpoint(None)
        control.tell(StopReason.PREEMPT)
        ctx.checkpoint()

    outcome = execution(act, control=control).run()

    assert (outcome.kind, outcome.checkpoint) == (OutcomeKind.STOPPED, 1)


def test_ctx_may_be_used_from_helper_threads() -> None:
    notes: list[Note] = []

    def act(ctx: Context) -> int:
        def help_out(number: int) -> None:
            for row in range(50):
                ctx.checkpoint({"row": row})
                ctx.progress(row / 50)
                ctx.log.info("row", number=number)
                ctx.sleep(0)

        threads = [threading.Thread(target=help_out, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(ctx.params)

    outcome = execution(act, notes=notes).run()

    assert outcome.kind is OutcomeKind.COMPLETED
    assert outcome.checkpoint == {"row": 49}
    assert sum(len(note.lines) + note.lost_lines for note in notes) == 200


# --- generators ----------------------------------------------------------------------------------


def test_a_generator_may_save_while_it_cleans_up() -> None:
    control = Control()

    def act(ctx: Context) -> Iterator[Any]:
        try:
            yield {"rows": 1}
            control.tell(StopReason.PREEMPT)
            yield {"rows": 2}
            yield {"rows": "not reached"}
        except AttemptStopped:
            yield {"rows": 3}
            yield {"rows": 4}
            raise

    outcome = execution(act, control=control).run()

    assert (outcome.kind, outcome.checkpoint) == (OutcomeKind.STOPPED, {"rows": 4})


def test_a_generator_that_swallows_the_stop_gets_it_again_at_its_next_yield() -> None:
    control = Control()
    swallowed: list[int] = []

    def act(ctx: Context) -> Iterator[Any]:
        control.tell(StopReason.PREEMPT)
        for number in range(3):
            try:
                yield number
            except AttemptStopped:
                swallowed.append(number)
        yield "last"

    outcome = execution(act, control=control).run()

    assert (outcome.kind, swallowed, outcome.checkpoint) == (OutcomeKind.STOPPED, [0, 1, 2], "last")


def test_a_generators_shield_reaches_across_its_yields() -> None:
    control = Control()

    def act(ctx: Context) -> Iterator[Any]:
        with ctx.shield():
            control.tell(StopReason.PREEMPT)
            yield 1
            yield 2
        yield 3

    outcome = execution(act, control=control).run()

    assert (outcome.kind, outcome.checkpoint) == (OutcomeKind.STOPPED, 2)


def test_a_generator_that_yields_what_is_not_json_learns_it_at_the_yield() -> None:
    def act(ctx: Context) -> Generator[Any, None, str]:
        try:
            yield {1, 2}
        except RequestError as error:
            return str(error)
        return "taken"

    assert "checkpoint is a set" in execution(act).run().result


# --- coroutines in a loop of their own ---------------------------------------------------------


def test_a_coroutine_runs_in_a_loop_of_its_own() -> None:
    async def act(ctx: Context) -> Any:
        await ctx.sleep(0)
        return await asyncio.gather(asyncio.sleep(0, "a"), asyncio.to_thread(lambda: "b"))

    assert execution(act).run().result == ["a", "b"]


def test_a_plain_function_may_return_a_coroutine() -> None:
    async def later(ctx: Context) -> int:
        await ctx.sleep(0)
        return 3

    def act(ctx: Context) -> Any:
        return later(ctx)

    assert execution(act).run().result == 3


def test_tasks_that_a_coroutine_leaves_behind_end_before_it_is_over() -> None:
    ends: list[str] = []

    async def straggle() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            ends.append("straggler")
            raise

    async def act(ctx: Context) -> str:
        task = asyncio.create_task(straggle())
        await asyncio.sleep(0)
        return f"done {task.done()}"

    outcome = execution(act).run()

    assert (outcome.result, ends) == ("done False", ["straggler"])


def test_a_cancel_that_is_not_the_stop_is_the_actions_own_affair() -> None:
    async def act(ctx: Context) -> Any:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(60), 0.01)
        task = asyncio.create_task(asyncio.sleep(60))
        task.cancel()
        await task

    outcome = execution(act).run()

    assert outcome.kind is OutcomeKind.FAILED
    assert outcome.error is not None
    assert "CancelledError" in outcome.error.type


def test_a_stop_goes_through_a_task_group() -> None:
    control = Control()

    async def act(ctx: Context) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(60))
            group.create_task(ctx.sleep(60))
            asyncio.get_running_loop().call_later(0.01, control.tell, StopReason.PREEMPT)

    assert execution(act, control=control).run().kind is OutcomeKind.STOPPED


def test_an_async_generator_may_save_while_it_cleans_up() -> None:
    control = Control()

    async def act(ctx: Context) -> AsyncIterator[Any]:
        try:
            yield 1
            control.tell(StopReason.PREEMPT)
            await asyncio.sleep(60)
        finally:
            yield 2
            await asyncio.sleep(0)
            yield 3

    outcome = execution(act, control=control).run()

    assert (outcome.kind, outcome.checkpoint) == (OutcomeKind.STOPPED, 3)


def test_an_exit_raised_in_a_task_of_the_action_is_seen_by_whoever_awaits_it() -> None:
    async def leave() -> None:
        raise SystemExit(3)

    async def act(ctx: Context) -> str:
        with pytest.raises(SystemExit):
            await asyncio.create_task(leave())
        return "seen"

    assert execution(act).run().result == "seen"


# --- failures ------------------------------------------------------------------------------------


def test_a_failure_shows_the_actions_lines_and_not_ours() -> None:
    def act(ctx: Context) -> None:
        raise ValueError("mine")

    error = execution(act).run().error

    assert error is not None
    assert "test_driving.py" in error.traceback
    assert 'driving.py", line' not in error.traceback.replace("test_driving.py", "")
    assert "stopping.py" not in error.traceback


def test_a_chain_of_errors_is_told_from_its_cause_on() -> None:
    def act(ctx: Context) -> None:
        try:
            raise KeyError("the cause")
        except KeyError as error:
            raise ValueError("the effect") from error

    error = execution(act).run().error

    assert error is not None
    assert error.traceback.index("the cause") < error.traceback.index("the effect")


def test_an_endless_recursion_costs_a_bounded_text() -> None:
    def act(ctx: Context) -> None:
        act(ctx)

    error = execution(act).run().error

    assert error is not None
    assert error.type == "RecursionError"
    assert len(error.traceback) <= MAX_TRACEBACK_CHARS


def test_a_text_with_half_a_surrogate_pair_can_be_written_down() -> None:
    error = describe(ValueError("\ud800"))

    error.message.encode()
    error.traceback.encode()
