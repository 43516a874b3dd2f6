"""What the rows of a list say of what runs and waits."""

from __future__ import annotations

import time
from typing import Any

import pytest

from actors.commands.rows import live_row


def task_with(*attempts: dict[str, Any]) -> dict[str, Any]:
    told = dict.fromkeys(("id", "status", "priority", "preemptions", "progress"))
    return {**told, "attempts": list(attempts)}


def test_what_runs_is_told_with_its_agent_and_for_how_long_though_only_its_end_tells_its_start() -> None:
    ended = {
        "agent": "agent_0",
        "started_at": time.time() - 60,
        "assigned_at": time.time() - 60,
        "ended_at": time.time(),
    }
    running = {"agent": "agent_1", "started_at": None, "assigned_at": time.time() - 20, "ended_at": None}

    row = live_row(task_with(ended, running))

    assert (row["agent"], row["attempt"]) == ("agent_1", 2)
    assert row["for_s"] == pytest.approx(20, abs=5)


def test_what_waits_has_no_agent_and_no_time() -> None:
    waiting = {"agent": None, "started_at": None, "assigned_at": None, "ended_at": None}

    row = live_row(task_with(waiting))

    assert (row["agent"], row["for_s"]) == (None, None)
