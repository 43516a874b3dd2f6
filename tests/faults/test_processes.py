"""What is left when processes are killed from outside: nothing that runs, and no attempt without an end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from actors.model import OutcomeKind, StopReason
from actors.runners import crew
from tests.conformance.process_world import (
    children,
    children_of_engine,
    commands,
    lives,
    process_runner,
    processes,
    result,
    run,
    text_of,
    until,
)
from tests.conformance.runners_under_test import BOUND_S, ROOT, World

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="looks at processes through /proc")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = processes(tmp_path)
    yield world
    assert world.close() == []
    world.check()


def helper() -> int:
    """The helper process, which is started on a thread of the runner's own."""
    until(children_of_engine, "the helper")
    (pid,) = children_of_engine()
    return pid


# --- the helper process ----------------------------------------------------------------------------


def test_when_the_helper_is_killed_its_attempts_are_lost_and_work_goes_on(world: World) -> None:
    running = [world.start(behaviour) for behaviour in ("waits", "computes", "refuses")]
    for attempt in running:
        world.said(attempt)
    suspended = world.start("waits")
    world.said(suspended)
    world.runner.suspend(suspended)
    world.suspended(suspended)
    workers = children(helper())
    before = helper()

    os.kill(before, signal.SIGKILL)
    outcomes = [world.ended(attempt) for attempt in running]

    assert [outcome.kind for outcome in outcomes] == [OutcomeKind.LOST] * 3
    assert "SIGKILL" in text_of(outcomes[0])
    assert result(world, "place")["parent"] != before
    until(lambda: not any(lives(pid) for pid in workers), "the end of its workers")
    world.runner.resume(suspended, world.report("second"))
    assert world.ended(suspended).kind is OutcomeKind.LOST


def test_when_the_helper_is_killed_what_actions_started_dies_too(world: World, tmp_path: Path) -> None:
    attempt = run(world, "sh", "-c", f"sleep 60 & echo $! > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; wait")
    until((tmp_path / "pid").exists, "the program's child")
    child = int((tmp_path / "pid").read_text())

    os.kill(helper(), signal.SIGKILL)

    assert world.ended(attempt).kind is OutcomeKind.LOST
    until(lambda: not lives(child), "the end of the program's child")


def test_a_helper_that_is_told_to_end_takes_everything_with_it(world: World) -> None:
    attempt = world.start("refuses")
    world.said(attempt)
    workers = children(helper())

    os.kill(helper(), signal.SIGTERM)

    assert world.ended(attempt).kind is OutcomeKind.LOST
    until(lambda: not any(lives(pid) for pid in workers), "the end of its workers")


def test_a_helper_that_hangs_is_replaced(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = world.start("waits")
    world.said(attempt)
    before = helper()
    monkeypatch.setattr(crew, "_ANSWER_S", 0.3)
    os.kill(before, signal.SIGSTOP)
    world.runner.kill(attempt)

    assert world.ended(attempt).killed
    assert result(world, "place")["parent"] != before


def test_closing_while_the_helper_is_dead_or_dying_leaves_nothing(tmp_path: Path) -> None:
    for signal_number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP):
        world = processes(tmp_path)
        attempt = world.start("refuses")
        world.said(attempt)
        os.kill(helper(), signal_number)
        world.close(seconds=2)
        until(lambda: not children_of_engine(), "the end of the helper")
        until(lambda world=world, attempt=attempt: world.told[attempt].outcome, "the report")  # type: ignore[misc]


# --- workers -----------------------------------------------------------------------------------------


def test_an_idle_worker_that_is_killed_costs_nothing(world: World) -> None:
    pid = result(world, "place")["pid"]
    for each in children(helper()):
        with suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
    until(lambda: not lives(pid), "the worker's end")
    until(lambda: pid not in children(helper()), "its being waited for")

    # One may still be given to a worker whose death is on its way here: that is a loss, never a silence.
    outcomes = [world.ended(world.start("place")) for _ in range(5)]
    assert outcomes[-1].kind is OutcomeKind.COMPLETED
    assert {outcome.kind for outcome in outcomes} <= {OutcomeKind.COMPLETED, OutcomeKind.LOST}


def test_workers_killed_at_random_lose_their_attempts_and_no_report(world: World) -> None:
    for round_ in range(8):
        running = [world.start("waits", fields={"priority": round_ % 3}) for _ in range(4)]
        for each in children(helper()):
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        for attempt in running:
            world.runner.interrupt(attempt, StopReason.CANCEL)
            assert world.ended(attempt).kind in {OutcomeKind.LOST, OutcomeKind.STOPPED}


def test_a_machine_without_descriptors_costs_attempts_and_not_the_runner(world: World) -> None:
    import resource

    result(world, "place")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 2, hard))
    try:
        outcomes = [world.ended(world.start("place", fields={"priority": priority})) for priority in (1, 2, 1, 2)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    lost = [outcome for outcome in outcomes if outcome.kind is OutcomeKind.LOST]
    assert all("Too many open files" in text_of(outcome) for outcome in lost)
    assert result(world, "place", {"priority": 2})["pid"]


# --- the engine ----------------------------------------------------------------------------------------

ENGINE = """
import sys, time
from pathlib import Path
from tests.conformance.process_world import processes, run
from tests.conformance.process_world import children, children_of_engine
folder = Path(sys.argv[1])
world = processes(folder)
attempts = [world.start(name) for name in ("refuses", "computes", "leaves_daemon_and_waits")]
for attempt in attempts:
    world.said(attempt)
world.runner.suspend(attempts[0])
world.suspended(attempts[0])
run(world, "sh", "-c", f"sleep 60 & echo $! > {folder}/new; mv {folder}/new {folder}/program; wait")
while not (folder / "program").exists():
    time.sleep(0.001)
(helper,) = children_of_engine()
print(helper, *children(helper), (folder / "daemon").read_text(), (folder / "program").read_text(), flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_an_engine_that_is_killed(tmp_path: Path, signal_number: int) -> None:
    base = tmp_path / "base"
    base.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", ENGINE, str(tmp_path)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(base)},
    ) as engine:
        assert engine.stdout is not None
        pids = [int(word) for word in engine.stdout.readline().split()]
        engine.send_signal(signal_number)
        engine.wait(BOUND_S)

    assert len(pids) >= 6
    until(lambda: not [pid for pid in pids if lives(pid)], "the end of what the engine started")
    until(lambda: not list(base.iterdir()), "the end of its folders")


def test_a_worker_does_not_outlive_both_engine_and_helper(tmp_path: Path) -> None:
    # Nobody is left to remove the folders.
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", ENGINE, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=environment) as engine:
        assert engine.stdout is not None
        pids = [int(word) for word in engine.stdout.readline().split()]
        # The daemon and the program's child are nobody's then, and run on: kill -9 of both is beyond what is promised.
        spawner, *workers = pids[:-2]
        os.kill(spawner, signal.SIGSTOP)
        engine.kill()
        os.kill(spawner, signal.SIGKILL)
        engine.wait(BOUND_S)

    until(lambda: not [pid for pid in workers if lives(pid)], "the end of the workers")
    for pid in pids[-2:]:
        if lives(pid):
            os.kill(pid, signal.SIGKILL)


# --- from any program ------------------------------------------------------------------------------------

SCRIPT = """
import sys, time
sys.path.insert(0, {root!r})
from actors.clock import SystemClock
from actors.model import *
from actors.runners.processes import ProcessRunner
import queue

print("main runs")
spec = ActionSpec("a", "own", "a", ActionKind.FUNCTION, {folder!r})
runner = ProcessRunner({{"a": spec}}, clock=SystemClock(), paths=sys.path)
ends = queue.Queue()
job = Job(AttemptId(TaskKey(1), 1), Origin("s", WorkflowId("w"), EntityId("e"), 1), Task("t", 0, action="a"), 0,
          Entity(EntityId("e")), None, {{}}, {{}}, None, 1)
runner.start(job, ends.put)
print(ends.get(timeout=20).outcome.result)
print(list(runner.close(time.monotonic_ns() + 10**10)))
"""


@pytest.mark.parametrize("how", ["script", "argument", "input", "interactive"])
def test_it_works_from_any_program(tmp_path: Path, how: str) -> None:
    """Without a guard for ``__main__``, and with a file in the working folder that has a library's name."""
    (tmp_path / "own.py").write_text("def a(ctx):\n    return 'ran'\n")
    text = SCRIPT.format(root=str(ROOT), folder=str(tmp_path))
    (tmp_path / "script.py").write_text(text)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "gc.py").write_text("raise SystemExit('a file of the user')\n")
    (elsewhere / "resource.py").write_text("raise SystemExit('a file of the user')\n")
    arguments, given = {
        "script": (["../script.py"], None),
        "argument": (["-c", text], None),
        "input": (["-"], text),
        "interactive": (["-i", "-q"], text),
    }[how]

    done = subprocess.run(
        [sys.executable, *arguments],
        input=given,
        capture_output=True,
        text=True,
        cwd=elsewhere if how == "script" else tmp_path,
        timeout=BOUND_S * 2,
        check=False,
    )

    assert done.stdout.split("\n")[:3] == ["main runs", "ran", "[]"], done


def test_ctrl_c_reaches_neither_helper_nor_workers(world: World) -> None:
    attempt = world.start("waits")
    world.said(attempt)

    assert os.getpgid(helper()) != os.getpgid(0)
    assert all(os.getpgid(pid) != os.getpgid(0) for pid in children(helper()))
    os.kill(helper(), signal.SIGINT)
    world.nothing_more(attempt, 0.05)
    world.runner.interrupt(attempt, StopReason.SHUTDOWN)
    assert world.ended(attempt).kind is OutcomeKind.STOPPED


def test_a_command_runner_survives_its_helper_too(tmp_path: Path) -> None:
    world = commands(tmp_path)
    attempt = run(world, "sleep", "60")
    world.nothing_or_end(attempt, 0.05)
    until(lambda: bool(children_of_engine()), "the helper")
    os.kill(helper(), signal.SIGKILL)

    assert world.ended(attempt).kind is OutcomeKind.LOST
    assert world.ended(run(world, "echo", "1")).result == 1
    assert world.close() == []


def test_an_engine_that_never_warmed_up_can_be_closed_at_once() -> None:
    runner = process_runner()
    assert list(runner.close(0)) == []
