"""What holds for worker processes beyond the port: where an action runs and what it cannot touch."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.errors import DefinitionError, EngineError
from actors.model import ActionKind, ActionSpec, Limits, OutcomeKind, StopReason
from tests.conformance.process_world import (
    children,
    children_of_engine,
    limited,
    lives,
    process_runner,
    processes,
    result,
    text_of,
    until,
    written,
)
from tests.conformance.runners_under_test import World

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="looks at processes through /proc")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = processes(tmp_path)
    yield world
    assert world.close() == []
    world.check()


# --- where an action runs ------------------------------------------------------------------------


def test_a_worker_has_a_group_of_its_own_and_not_a_session(world: World) -> None:
    place = result(world, "place")

    assert place["group"] == place["pid"]
    assert place["session"] == os.getsid(0)


def test_an_action_does_not_see_the_engines_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "secret")
    monkeypatch.setenv("LANG", "C.UTF-8")
    world = processes(tmp_path, lambda: process_runner(environment={"CHOSEN": "1"}))

    variables = result(world, "place")["variables"]

    assert "API_TOKEN" not in variables
    assert {"LANG", "PATH", "CHOSEN"} <= set(variables)
    world.close()


def test_an_action_has_no_descriptor_of_the_engines(world: World, tmp_path: Path) -> None:
    with (tmp_path / "engine").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        place = result(world, "place")

    # Standard ones, its link, its shared memory, and the one that lists the folder.
    assert len(place["open"]) == 6
    assert place["stdin"] == os.devnull


def test_each_worker_has_an_empty_folder_of_its_own(world: World) -> None:
    folder = result(world, "litters")
    place = result(world, "place")

    assert place["folder"] == place["temporary"] == folder
    assert place["files"] == []


def test_attempts_of_one_level_share_a_warm_worker(world: World) -> None:
    assert len({result(world, "place")["pid"] for _ in range(5)}) == 1


def test_less_important_work_runs_at_a_higher_nice_in_workers_of_its_own(world: World) -> None:
    base = os.nice(0)
    places = [result(world, "place", {"priority": priority}) for priority in (0, 1, 2, 9, 0, 2)]

    assert [place["nice"] - base for place in places] == [0, 5, 10, 10, 0, 10]
    # A worker cannot become less nice again, so each level has its own.
    assert len({place["pid"] for place in places}) == 3


def test_workers_draw_different_random_numbers(world: World) -> None:
    drawn = {result(world, "place", {"priority": priority})["drawn"] for priority in (0, 1, 2)}

    assert len(drawn) == 3


def test_what_an_action_prints_comes_out(world: World, capfd: pytest.CaptureFixture[str]) -> None:
    assert result(world, "prints") is None

    assert capfd.readouterr().out == "printed by an action"


def test_time_stands_still_while_suspended(world: World) -> None:
    attempt = world.start("time_left")
    world.said(attempt)
    world.runner.suspend(attempt)
    world.suspended(attempt)
    world.nothing_more(attempt, 0.2)
    world.release()
    world.runner.resume(attempt, world.report("second"))

    outcome = world.ended(attempt)

    before, after = outcome.result
    assert outcome.began is not None
    assert (outcome.ended - outcome.began) / 1e9 > 0.2
    assert before - after < 0.15


def test_what_is_said_without_end_is_bounded_and_the_rest_counted(world: World) -> None:
    attempt = world.start("says_much", lines=20_000)
    world.ended(attempt)

    notes = world.told[attempt].notes
    # One on its way, and what was left at the end.
    assert len(notes) == 2
    assert all(len(note.lines) <= 100 for note in notes)
    assert notes[-1].lines[-1][1] == "line number=19999"
    assert sum(len(note.lines) + note.lost_lines for note in notes) == 20_000
    assert notes[-1].progress == (19_999 / 20_000, "on its way")


# --- what an action leaves -----------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", ["leaves_child", "leaves_daemon"])
def test_what_an_action_started_and_left_is_gone_when_its_end_is_reported(world: World, behaviour: str) -> None:
    left = result(world, behaviour)

    assert not lives(left)


@pytest.mark.parametrize("behaviour", ["leaves_daemon_and_waits", "leaves_daemon_and_dies"])
def test_a_daemon_does_not_outlive_the_worker(world: World, behaviour: str) -> None:
    attempt = world.start(behaviour)
    if behaviour == "leaves_daemon_and_waits":
        world.said(attempt)
        world.runner.kill(attempt)
    world.ended(attempt)

    assert not lives(int((world.folder / "daemon").read_text()))


def test_a_thread_left_behind_does_not_run_on(world: World) -> None:
    worker = result(world, "leaves_thread")

    assert not lives(worker)
    beats = (world.folder / "beats").stat().st_size
    assert result(world, "place")["pid"] != worker
    assert (world.folder / "beats").stat().st_size == beats


def test_a_worker_whose_action_waited_for_its_children_is_used_again(world: World) -> None:
    worker, _ = result(world, "waits_for_children")

    assert result(world, "place")["pid"] == worker


def test_a_fork_of_the_action_is_not_taken_for_the_worker(world: World) -> None:
    worker = result(world, "forks")

    assert result(world, "place")["pid"] == worker
    assert result(world, "forks") == worker


def test_what_an_attempt_did_to_signals_does_not_reach_the_next(world: World) -> None:
    worker = result(world, "leaves_alarm")

    assert result(world, "naps_well") == worker
    attempt = world.start("naps")
    world.said(attempt)
    world.runner.interrupt(attempt, StopReason.PREEMPT)
    assert world.ended(attempt).kind is OutcomeKind.STOPPED


def test_a_job_larger_than_a_sockets_buffer_arrives(world: World) -> None:
    large = ["x" * 1000] * 5000
    attempt = world.start("counts_params", rows=large)

    assert world.ended(attempt).result == 5000


def test_a_killed_worker_is_waited_for_before_the_end_is_reported(world: World) -> None:
    attempt = world.start("refuses")
    world.said(attempt)
    before = {pid for helper in children_of_engine() for pid in children(helper)}
    world.runner.interrupt(attempt, StopReason.PREEMPT)
    world.runner.kill(attempt)
    outcome = world.ended(attempt)

    assert outcome.kind is OutcomeKind.STOPPED
    assert outcome.killed
    gone = [pid for pid in before if not Path(f"/proc/{pid}").exists()]
    assert len(gone) == 1


# --- limits --------------------------------------------------------------------------------------


def test_an_attempt_over_its_memory_fails_and_names_the_limit(world: World) -> None:
    task = limited("takes_memory", limits=Limits(memory_mb=64))
    fits = world.ended(world.start("", fields={"task": task}, mb=32))
    fails = world.ended(world.start("", fields={"task": task}, mb=128))

    assert (fits.kind, fits.result) == (OutcomeKind.COMPLETED, 32 << 20)
    assert fails.kind is OutcomeKind.FAILED
    assert text_of(fails).startswith("limits.memory_mb = 64 is used up")


def test_an_attempt_over_its_processor_time_fails_and_names_the_limit(world: World) -> None:
    outcome = world.ended(world.start("", fields={"task": limited("computes", limits=Limits(cpu_s=1))}))

    assert outcome.kind is OutcomeKind.FAILED
    assert text_of(outcome) == "limits.cpu_s = 1 is used up"


def test_an_attempt_over_its_files_fails_and_names_the_limit(world: World) -> None:
    task = limited("takes_files", limits=Limits(files=20))
    fits = world.ended(world.start("", fields={"task": task}, files=10))
    fails = world.ended(world.start("", fields={"task": task}, files=30))

    assert (fits.kind, fits.result) == (OutcomeKind.COMPLETED, 10)
    assert fails.kind is OutcomeKind.FAILED
    assert text_of(fails).startswith("limits.files = 20 is used up")


def test_a_worker_with_limits_serves_one_attempt(world: World) -> None:
    task = limited("place", limits=Limits(files=100))
    pids = {world.ended(world.start("", fields={"task": task})).result["pid"] for _ in range(3)}

    assert len(pids) == 3
    until(lambda: not any(lives(pid) for pid in pids), "the workers' end")


# --- what cannot be loaded -----------------------------------------------------------------------


def test_an_action_that_cannot_be_imported_is_named_and_the_others_run(tmp_path: Path) -> None:
    specs = {
        **written(tmp_path, "broken.py", "import nowhere\ndef a(ctx): ...\n", "a"),
        **written(tmp_path, "leaving.py", "raise SystemExit(3)\n", "b"),
        **written(tmp_path, "fine.py", "def c(ctx): return 'fine'\n", "c", "d"),
        **written(tmp_path, "json.py", "def e(ctx): ...\n", "e"),
        "f": ActionSpec("f", "__main__", "f", ActionKind.FUNCTION, importable=False),
    }
    runner = process_runner(specs)
    world = processes(tmp_path, lambda: runner)

    with pytest.raises(DefinitionError) as caught:
        runner.warm()

    faults = {fault.path: fault.message for fault in caught.value.faults}
    assert faults.keys() == {"actions.a", "actions.b", "actions.d", "actions.e", "actions.f"}
    assert "No module named 'nowhere'" in faults["actions.a"]
    assert "SystemExit" in faults["actions.b"]
    assert "has no d" in faults["actions.d"]
    assert "the name json is taken" in faults["actions.e"]
    assert "isolation: thread" in faults["actions.f"]
    assert result(world, "c") == "fine"
    outcome = world.ended(world.start("a"))
    assert outcome.kind is OutcomeKind.FAILED
    assert outcome.error is not None
    assert "No module named 'nowhere'" in outcome.error.message
    assert "broken.py" in outcome.error.traceback
    assert not outcome.error.retryable
    assert world.close() == []


def test_an_import_that_ends_the_process_is_said_and_costs_the_attempt(tmp_path: Path) -> None:
    specs = written(tmp_path, "deadly.py", "import os\nos._exit(5)\ndef a(ctx): ...\n", "a")
    runner = process_runner(specs)
    world = processes(tmp_path, lambda: runner)

    with pytest.raises(EngineError, match="exit status 5"):
        runner.warm()
    outcome = world.ended(world.start("a"))

    assert outcome.kind is OutcomeKind.LOST
    assert "exit status 5" in text_of(outcome)
    assert world.close() == []


def test_workers_are_executed_where_an_import_left_a_thread_running(tmp_path: Path) -> None:
    text = """
import os, threading, time
threading.Thread(target=threading.Event().wait, daemon=True).start()
def a(ctx):
    return [os.getpid(), threading.active_count()]
def b(ctx):
    ctx.log.info("here")
    time.sleep(60)
"""
    world = processes(tmp_path, lambda: process_runner(written(tmp_path, "threaded.py", text, "a", "b")))

    first, second = result(world, "a"), result(world, "a")
    # The worker imported it itself: the thread is alive in it, as after no fork.
    assert first == second == [first[0], 2]
    attempt = world.start("b")
    world.said(attempt)
    world.runner.interrupt(attempt, StopReason.PREEMPT)
    assert world.ended(attempt).kind is OutcomeKind.STOPPED
    attempt = world.start("b")
    world.said(attempt)
    world.runner.kill(attempt)
    assert world.ended(attempt).killed
    assert world.close() == []


# --- beginning and end ---------------------------------------------------------------------------


def test_warming_starts_workers_before_there_is_work(tmp_path: Path) -> None:
    runner = process_runner()
    world = processes(tmp_path, lambda: runner)
    runner.warm([0, 0, 10])

    (helper,) = children_of_engine()
    until(lambda: len(children(helper)) >= 3, "three workers")
    assert result(world, "place", {"priority": 2})["pid"] in children(helper)
    assert world.close() == []


def test_a_runner_that_was_closed_before_it_came_up_leaves_nothing(tmp_path: Path) -> None:
    for _ in range(3):
        world = processes(tmp_path)
        world.start("place")
        assert world.close() == []
        world.check()


def test_two_runners_do_not_touch_each_other(tmp_path: Path) -> None:
    first, second = processes(tmp_path), processes(tmp_path)
    attempt = second.start("waits")
    second.said(attempt)
    result(first, "place")
    assert first.close() == []

    second.nothing_more(attempt)
    second.runner.interrupt(attempt, StopReason.CANCEL)
    assert second.ended(attempt).kind is OutcomeKind.STOPPED
    assert second.close() == []


def test_nothing_is_left_of_the_workers_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    world = processes(tmp_path)
    result(world, "litters")
    killed = world.start("waits")
    world.said(killed)
    world.runner.kill(killed)
    world.ended(killed)
    assert any(path.name.startswith("actors-") for path in tmp_path.iterdir())

    assert world.close() == []

    assert not any(path.name.startswith("actors-") for path in tmp_path.iterdir())
