"""What holds for commands beyond the port: what a program is given, and what its end means."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.model import Limits, OutcomeKind, StopReason
from tests.conformance.process_world import commands, lives, processes, run, text_of, until
from tests.conformance.runners_under_test import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = commands(tmp_path, folder=str(tmp_path))
    yield world
    assert world.close() == []
    world.check()


@pytest.mark.parametrize(
    ("program", "result"),
    [
        ("echo 17", 17),
        ("echo '{\"a\": [1, null]}'", {"a": [1, None]}),
        ("echo first; echo second", "second"),
        ("printf 'no newline'", "no newline"),
        ("echo 1; echo; echo '  '", 1),
        ("true", None),
        ("echo NaN", "NaN"),
        ("printf '\\377\\n'", "\ufffd"),
        ("echo 价格", "价格"),
        ("seq 1 200000", 200_000),
    ],
)
def test_the_last_line_of_the_output_is_the_result(world: World, program: str, result: object) -> None:
    outcome = world.ended(run(world, "sh", "-c", program))

    assert (outcome.kind, outcome.result) == (OutcomeKind.COMPLETED, result)


def test_a_last_line_that_is_too_long_fails(tmp_path: Path) -> None:
    world = commands(tmp_path, max_bytes=1000)

    outcome = world.ended(run(world, sys.executable, "-c", "print(1); print('x' * 5_000_000)"))
    fits = world.ended(run(world, sys.executable, "-c", "print('x' * 5_000_000); print('x' * 998)"))

    assert outcome.kind is OutcomeKind.FAILED
    assert "longer than 1,000 bytes" in text_of(outcome)
    assert fits.result == "x" * 998
    assert world.close() == []


def test_an_exit_status_is_a_failure_with_the_last_words(world: World) -> None:
    outcome = world.ended(run(world, "sh", "-c", "echo result; echo first >&2; echo 'no such table' >&2; exit 7"))

    assert outcome.kind is OutcomeKind.FAILED
    assert text_of(outcome) == "the program ended with exit status 7: first\nno such table"
    assert outcome.error is not None
    assert outcome.error.retryable


def test_a_signal_is_a_failure_that_names_it(world: World) -> None:
    outcome = world.ended(run(world, "sh", "-c", "kill -SEGV $$"))

    assert outcome.kind is OutcomeKind.FAILED
    assert text_of(outcome) == "the program was ended by SIGSEGV"


def test_a_program_that_is_not_there_will_not_be_there_later(world: World) -> None:
    outcome = world.ended(run(world, "no-such-program"))

    assert outcome.kind is OutcomeKind.FAILED
    assert "cannot run 'no-such-program'" in text_of(outcome)
    assert outcome.error is not None
    assert not outcome.error.retryable


def test_a_program_is_found_from_the_definitions_folder(world: World, tmp_path: Path) -> None:
    (tmp_path / "score.sh").write_text("#!/bin/sh\necho $1\n")
    (tmp_path / "score.sh").chmod(0o700)

    assert world.ended(run(world, "./score.sh", "./score.sh")).result == str(tmp_path / "score.sh")
    assert world.ended(run(world, "sh", "-c", "pwd")).result != str(tmp_path)


def test_lines_on_standard_error_are_log_lines(world: World) -> None:
    attempt = run(world, "sh", "-c", "echo one >&2; printf 'two, not completed' >&2")
    world.ended(attempt)

    assert world.told[attempt].said == ["one", "two, not completed"]


def test_a_program_that_talks_without_end_costs_bounded_memory(world: World) -> None:
    attempt = run(world, sys.executable, "-c", "import sys\nfor i in range(50000): print('x' * 100, file=sys.stderr)")
    world.ended(attempt)

    notes = world.told[attempt].notes
    assert all(len(note.lines) <= 100 for note in notes)
    assert sum(len(note.lines) + note.lost_lines for note in notes) == 50_000


@pytest.mark.parametrize(
    ("program", "kind"),
    [
        ("trap 'echo saved; exit 0' TERM; echo here >&2; while :; do sleep 0.01; done", OutcomeKind.COMPLETED),
        ("trap 'exit 3' TERM; echo here >&2; while :; do sleep 0.01; done", OutcomeKind.STOPPED),
        ("echo here >&2; exec sleep 60", OutcomeKind.STOPPED),
        ("echo here >&2; sleep 60; echo never", OutcomeKind.STOPPED),
    ],
    ids=["ends well", "ends badly", "dies", "is a script"],
)
def test_the_stop_is_a_signal_and_the_program_says_how_it_ends(world: World, program: str, kind: OutcomeKind) -> None:
    attempt = run(world, "sh", "-c", program)
    world.said(attempt)
    world.runner.interrupt(attempt, StopReason.PREEMPT)

    outcome = world.ended(attempt)

    assert outcome.kind is kind
    assert outcome.result == ("saved" if kind is OutcomeKind.COMPLETED else None)
    assert not outcome.killed


def test_what_a_program_leaves_behind_is_gone_when_its_end_is_reported(world: World, tmp_path: Path) -> None:
    line = f"setsid sh -c 'echo $$ > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; exec sleep 60' & "
    wait = f"while [ ! -e {tmp_path}/pid ]; do sleep 0.01; done; echo 1"
    outcome = world.ended(run(world, "sh", "-c", line + wait))

    # It holds the program's output open, which must not hold up the end either.
    assert outcome.result == 1
    assert not lives(int((tmp_path / "pid").read_text()))


def test_a_command_over_its_processor_time_fails_and_names_the_limit(world: World) -> None:
    attempt = run(world, "sh", "-c", "while :; do :; done", limits=Limits(cpu_s=1))

    outcome = world.ended(attempt)

    assert outcome.kind is OutcomeKind.FAILED
    assert text_of(outcome) == "limits.cpu_s = 1 is used up"


def test_a_program_dies_with_its_supervisor(world: World, tmp_path: Path) -> None:
    attempt = run(world, "sh", "-c", f"echo $$ > {tmp_path}/pid; kill -9 $PPID; sleep 60")

    assert world.ended(attempt).kind is OutcomeKind.LOST
    assert not lives(int((tmp_path / "pid").read_text()))


def test_a_program_sees_neither_the_engines_descriptors_nor_ours(world: World) -> None:
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("looks at descriptors through /proc")
    listed = world.ended(run(world, "sh", "-c", "ls /proc/self/fd | wc -l")).result

    assert listed == 4


def test_a_process_runner_runs_commands_too(tmp_path: Path) -> None:
    world = processes(tmp_path)

    assert world.ended(run(world, "echo", "1")).result == 1
    assert world.close() == []


def test_a_command_can_be_killed_while_it_ignores_everything(world: World, tmp_path: Path) -> None:
    program = f"trap '' TERM INT HUP; echo $$ > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; sleep 60; sleep 60"
    attempt = run(world, "sh", "-c", program)
    until((tmp_path / "pid").exists, "the program")
    world.runner.interrupt(attempt, StopReason.PREEMPT)
    world.runner.kill(attempt)

    outcome = world.ended(attempt)

    assert outcome.kind is OutcomeKind.STOPPED
    assert outcome.killed
    assert not lives(int((tmp_path / "pid").read_text()))
