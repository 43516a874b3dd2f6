"""Stopping by signals: in stages, each harder, and saying what is waited for."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.engine.command_line import Running, folder

LONG = """
id: study
tasks: [{id: long, action: "actions:long", timeout: 60000, grace_ms: 60000, isolation: thread}]
"""
ENTITIES = "entities: [{id: A}]\nagents: 1\n"
FINISHES = """
import pathlib
def long(ctx):
    gate = pathlib.Path(__file__).with_name("gate")
    while not gate.exists():
        ctx.sleep(0.01)
"""
STUBBORN = """
import time
def long(ctx):
    with ctx.shield():
        time.sleep(60)
"""


def started(definitions: Path, *options: str) -> Running:
    running = Running("start", "--definitions", definitions, *options)
    running.wait_for("task started: long_A")
    return running


def test_the_first_signal_lets_what_runs_finish_and_says_what_it_waits_for(tmp_path: Path) -> None:
    definitions = folder(tmp_path / "d", engine_yaml=ENTITIES, workflows=LONG, actions=FINISHES)

    with started(definitions) as running:
        running.signal(signal.SIGINT)
        running.wait_for("stopping: waiting for 1 tasks, at most 10 s: long_A_")
        (definitions / "gate").touch()

        assert running.end() == 130
        running.wait_for("task completed: long_A")
        assert running.lines[-1].startswith("workflow engine stopped: completed 1, ")


def test_a_service_manager_s_signal_ends_in_status_0(tmp_path: Path) -> None:
    definitions = folder(tmp_path / "d", engine_yaml=ENTITIES, workflows=LONG, actions=FINISHES)

    with started(definitions) as running:
        running.signal(signal.SIGTERM)
        running.wait_for("stopping: waiting for 1 tasks")
        (definitions / "gate").touch()

        assert running.end() == 0


def test_the_second_signal_stops_what_runs(tmp_path: Path) -> None:
    definitions = folder(tmp_path / "d", engine_yaml=ENTITIES, workflows=LONG, actions=FINISHES)

    with started(definitions, "--grace", "3600") as running:
        running.signal(signal.SIGINT)
        running.wait_for("stopping: waiting for 1 tasks, at most 3600 s")
        running.signal(signal.SIGINT)

        assert running.end() == 130
        running.wait_for("stopping: tasks are stopped now")
        assert running.lines[-1].startswith("workflow engine stopped: completed 0, ")
        assert "unfinished 1" in running.lines[-1]


def test_the_grace_is_bounded(tmp_path: Path) -> None:
    definitions = folder(tmp_path / "d", engine_yaml=ENTITIES, workflows=LONG, actions=FINISHES)

    with started(definitions, "--grace", "0.2") as running:
        running.signal(signal.SIGTERM)

        assert running.end() == 0
        assert "unfinished 1" in running.lines[-1]


@pytest.mark.timeout(30)
def test_the_third_signal_ends_the_process_whatever_it_is_at(tmp_path: Path) -> None:
    definitions = folder(tmp_path / "d", engine_yaml=ENTITIES, workflows=LONG, actions=STUBBORN)

    with started(definitions, "--grace", "3600") as running:
        running.signal(signal.SIGINT)
        running.wait_for("stopping: waiting for 1 tasks")
        running.signal(signal.SIGINT)
        running.wait_for("stopping: tasks are stopped now")
        running.signal(signal.SIGINT)

        assert running.end() == 130
        # It was not the stop that came to its end.
        assert not any("stopped: completed" in line for line in running.lines)
