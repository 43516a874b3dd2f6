"""What holds for worker processes beyond the port: stopping them, and what they say at the end."""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.messages import ActionEnded, ActionSuspended
from actors.model import AttemptId, OutcomeKind, StopReason
from actors.runners import attempts
from actors.runners.attempts import WorkerRunner
from tests.conformance.process_world import children, children_of_engine, processes, result, text_of, until
from tests.conformance.runners_under_test import World

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="looks at processes through /proc")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = processes(tmp_path)
    yield world
    assert world.close() == []
    world.check()


@pytest.mark.parametrize("behaviour", ["swallows_in_del", "swallows_unseen"])
def test_a_stop_that_is_swallowed_in_a_destructor_comes_again(world: World, behaviour: str) -> None:
    attempt = world.start(behaviour)
    world.said(attempt)
    world.runner.interrupt(attempt, StopReason.PREEMPT)

    outcome = world.ended(attempt)

    assert outcome.kind is OutcomeKind.STOPPED
    assert not outcome.killed


def test_a_stop_that_is_not_repeated_can_be_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Why it is repeated, and that the test above can fail."""
    monkeypatch.setattr(attempts, "_REPEAT_S", (3600, 3600))
    for _ in range(20):
        attempt = world.start("swallows_unseen")
        world.said(attempt)
        world.runner.interrupt(attempt, StopReason.PREEMPT)
        world.nothing_or_end(attempt, 0.1)
        if world.told[attempt].outcome is None:
            world.runner.kill(attempt)
            assert world.ended(attempt).killed
            return
    raise AssertionError("never swallowed")


def test_a_worker_that_was_hastened_to_its_end_is_as_nice_as_before(world: World) -> None:
    attempt = world.start("has_nice")
    world.said(attempt)
    world.runner.interrupt(attempt, StopReason.PREEMPT)
    stopped = world.ended(attempt)
    place = result(world, "place")

    assert stopped.kind is OutcomeKind.STOPPED
    assert place["pid"] == stopped.checkpoint["pid"]
    assert place["nice"] == os.nice(0) + 10
    if os.geteuid() == 0:
        # Where it is allowed, it cleans up at the engine's own level: something urgent waits for that.
        assert stopped.checkpoint["nice"] == os.nice(0)


def test_a_stop_is_heard_by_a_worker_that_is_not_there_yet(world: World) -> None:
    told = []
    for priority in range(3):
        attempt = world.start("waits", fields={"priority": priority})
        world.runner.interrupt(attempt, StopReason.CANCEL)
        told.append(attempt)

    outcomes = [world.ended(attempt) for attempt in told]

    assert [outcome.kind for outcome in outcomes] == [OutcomeKind.STOPPED] * 3
    # The helper process was not even started when this one was told.
    assert outcomes[0].began is None


def test_what_has_ended_before_it_is_suspended_is_not_suspended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if nobody has heard of its end yet."""
    monkeypatch.setattr(attempts, "_LOOKS", 100_000)
    runner = world.runner
    assert isinstance(runner, WorkerRunner)
    attempt = world.start("leaves_file")
    with runner.locked():
        until((world.folder / "file").exists, "the end of the action")
        until(lambda: waits_for_work(int((world.folder / "file").read_text())), "the worker's waiting for work")
        runner.suspend(attempt)

    assert world.ended(attempt).kind is OutcomeKind.COMPLETED
    assert not [each for each in world.told[attempt].messages if isinstance(each, ActionSuspended)]
    assert result(world, "place")["pid"] == int((world.folder / "file").read_text())


def waits_for_work(pid: int) -> bool:
    """It sleeps: after its action, that is when it has said how that ended."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


def test_a_kill_ends_a_worker_that_is_not_there_yet(world: World) -> None:
    attempt = world.start("waits")
    world.runner.kill(attempt)

    assert world.ended(attempt).killed


def test_a_worker_that_is_not_there_yet_can_be_suspended(world: World) -> None:
    attempt = world.start("waits")
    world.runner.suspend(attempt)
    world.suspended(attempt)
    world.runner.resume(attempt, world.report("second"))
    world.runner.interrupt(attempt, StopReason.PREEMPT)

    assert world.ended(attempt).kind is OutcomeKind.STOPPED


def test_a_stop_told_while_suspended_is_raised_when_it_is_resumed(world: World) -> None:
    attempt = world.start("naps")
    world.said(attempt)
    world.runner.suspend(attempt)
    world.suspended(attempt)
    world.runner.interrupt(attempt, StopReason.CANCEL)
    world.nothing_more(attempt)
    world.runner.resume(attempt, world.report("second"))

    assert world.ended(attempt).kind is OutcomeKind.STOPPED


def test_a_suspended_group_stands_still_with_all_that_the_action_started(world: World) -> None:
    attempt = world.start("leaves_daemon_and_waits")
    world.said(attempt)
    (helper,) = children_of_engine()
    world.runner.suspend(attempt)
    world.suspended(attempt)

    def states() -> set[str]:
        return {
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            for pid in children(helper)
            if children(pid)
        }

    until(lambda: states() == {"T"}, "the worker stands still")


# --- what is kept --------------------------------------------------------------------------------


@pytest.mark.parametrize("ballast", [0, 200_000])
def test_a_kill_at_any_moment_keeps_the_newest_checkpoint(world: World, ballast: int) -> None:
    for delay in range(5):
        attempt = world.start("saves_fast", ballast=ballast)
        world.said(attempt)
        world.nothing_or_end(attempt, delay / 500)
        world.runner.kill(attempt)
        outcome = world.ended(attempt)

        saved = int((world.folder / "saved").read_text() or 0)
        assert outcome.checkpoint["number"] in {saved, saved + 1}
        assert len(outcome.checkpoint["ballast"]) == ballast
        assert outcome.began is not None
        assert outcome.saved is not None
        assert outcome.began < outcome.saved < outcome.ended
        (world.folder / "saved").unlink()


def test_a_crash_keeps_the_newest_checkpoint_and_the_last_words(world: World) -> None:
    attempt = world.start("saves_and_crashes")
    outcome = world.ended(attempt)

    assert outcome.kind is OutcomeKind.LOST
    assert "SIGSEGV" in text_of(outcome)
    assert outcome.checkpoint == {"rows": 2}
    assert world.told[attempt].said == ["the last words"]


# --- a worker that is not trusted ------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff\xff",  # a frame of 4 GiB
        struct.pack("=I", 3) + b"]][",
        struct.pack("=I", 5) + b'"end"',
        struct.pack("=I", 21) + b'["end",1,["nope"],1]  ',
        struct.pack("=I", 40) + b'["end",1,["completed",NaN,null,1,2],true]'[:40],
        struct.pack("=I", 20_000) + b"[" * 20_000,
        struct.pack("=I", 31) + b'["end",9,["completed",1,0,1],1]',
    ],
    ids=["too long", "no JSON", "no list", "no outcome", "NaN", "nested", "another turn"],
)
def test_nonsense_from_a_worker_costs_its_attempt_and_nothing_else(world: World, data: bytes) -> None:
    other = world.start("waits")
    world.said(other)

    outcome = world.ended(world.start("sends", data=data.hex()))

    assert outcome.kind is OutcomeKind.LOST
    assert "sent" in text_of(outcome)
    world.nothing_more(other, 0.05)
    assert result(world, "place")["pid"]
    world.runner.interrupt(other, StopReason.CANCEL)
    assert world.ended(other).kind is OutcomeKind.STOPPED


def test_a_worker_that_scribbles_over_shared_memory_harms_nobody_else(world: World) -> None:
    attempt = world.start("scribbles")
    world.said(attempt)
    for _ in range(20):
        world.runner.credit(attempt)
        world.runner.began(attempt)
        world.nothing_or_end(attempt)
    world.runner.kill(attempt)

    assert world.ended(attempt).kind is OutcomeKind.STOPPED
    assert result(world, "place")["pid"]


def test_a_worker_cannot_cut_the_shared_memory_short(world: World) -> None:
    assert not result(world, "shortens_board").startswith('"cut')


# --- everything at once ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_asked_of_it_every_attempt_ends_once(world: World, seed: int) -> None:
    chance = random.Random(seed)
    behaviours = ["place", "waits", "naps", "computes", "refuses", "leaves_child", "saves_and_crashes", "litters"]
    live: list[AttemptId] = []
    for _ in range(60):
        if len(live) < 6:
            live.append(world.start(chance.choice(behaviours), fields={"priority": chance.randrange(3)}))
        attempt = chance.choice(live)
        match chance.randrange(8):
            case 0 | 1:
                world.runner.interrupt(attempt, chance.choice(list(StopReason)))
            case 2:
                world.runner.kill(attempt)
            case 3 | 4:
                world.runner.suspend(attempt)
            case 5:
                world.runner.resume(attempt, world.report("again"))
            case 6:
                world.runner.credit(attempt)
            case _:
                world.nothing_or_end(attempt, chance.random() / 100)
        live = [each for each in live if world.told[each].outcome is None]
    for attempt in live:
        world.runner.kill(attempt)
        world.ended(attempt)

    for told in world.told.values():
        kinds = [type(message) for message in told.messages]
        assert kinds.count(ActionEnded) == 1
        # Never twice in a row without having been resumed; the end comes last.
        assert kinds.index(ActionEnded) == len(kinds) - 1
        assert kinds.count(ActionSuspended) <= 60
    (helper,) = children_of_engine()
    until(lambda: len(children(helper)) <= 20, "only idle workers")
