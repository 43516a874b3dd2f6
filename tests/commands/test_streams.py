"""Commands that go on: state changes, an actor's messages, ``top``; and a file that is replayed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from actors import Engine
from actors.client.client import Client
from actors.commands.top import Latest, Picture, headline, lines_of
from tests.commands.conftest import CommandLine
from tests.engine.command_line import Running


@contextmanager
def following(*arguments: str | Path) -> Iterator[Running]:
    """A command beside this process; it is ended by Ctrl-C."""
    import signal

    with Running(*arguments) as running:
        yield running
        running.signal(signal.SIGINT)
        assert running.end() == 130


def until(seen: Callable[[], bool], act: Callable[[], object]) -> None:
    """Act again and again until it is seen: when a follower begins to listen, nobody is told."""
    give_up = time.monotonic() + 20
    while not seen():
        assert time.monotonic() < give_up
        act()
        threading.Event().wait(0.05)


def test_changes_are_followed_as_lines_and_as_json_and_go_on_after_an_id(run: CommandLine, engine: Engine) -> None:
    engine.put_entity("A", phase="idle")
    with following("events", "-f", "--for", "A", "--lang", "en", "--data-dir", run.data) as events:
        until(lambda: any("task completed: last_A_" in line for line in events.lines), lambda: engine.run("flow", "A"))
    engine.wait_idle(20)

    since = run("events", "--since", "0-0", "--count", "1", "-o", "json").json["id"]
    engine.run("flow", "A")
    engine.wait_idle(20)
    found = run("events", "--since", since, "--type", "instance_ended", "-o", "json")
    assert found.status == 0
    assert '"type": "instance_ended"' in found.out
    assert '"type": "task_started"' not in found.out


def test_an_actor_is_tapped_as_lines(run: CommandLine, engine: Engine) -> None:
    with following("tap", "router", "--data-dir", run.data) as tap:
        until(lambda: any("ReadStats" in line for line in tap.lines), engine.stats)


def test_top_prints_one_look_where_there_is_no_terminal(run: CommandLine, engine: Engine) -> None:
    engine.put_entity("A", phase="idle")
    engine.run("slow", "A")

    printed = run("top")
    assert printed.status == 0
    assert "running 1" in printed.out
    assert "held_A_" in printed.out


def test_what_was_missed_is_no_preemption() -> None:
    class Told:
        """A stream of changes that begins with a gap, and is over."""

        interrupted = False

        def changes(self, **asked: Any) -> Iterator[tuple[str, dict[str, Any]]]:
            assert asked["types"] == ["task_preempted", "task_suspended"]
            yield "x-1", {"type": "gap", "utc": 0.0, "detail": {"lost": 3}}
            yield "x-2", {"type": "task_preempted", "utc": 1.0, "task_id": "t"}
            self.interrupted = True

        def pause_for(self, seconds: float) -> bool:
            return True

        def interrupt(self) -> None:
            pass

    latest = Latest(cast("Client", Told()))
    latest.close()

    assert [change["task_id"] for change in latest.found] == ["t"]


def test_rates_are_what_came_between_two_looks() -> None:
    def look(at: float, events: int, tasks: int) -> Picture:
        stats = {
            "events": {"accepted": events},
            "tasks": {"completed": tasks},
            "preemptions": 0,
            "instances": {"running": 2, "completed": 0},
        }
        agent = {"name": "agent_0", "state": "idle", "task": None}
        change = {"utc": 0.0, "task_id": "t", "agent": "agent_0", "priority": 2, "detail": {"by": "u"}}
        return Picture(at, stats, [agent], [{"priority": 0, "depth": 1, "oldest_ms": 2.0}], [change])

    assert headline(look(1, 10, 1), None).startswith("events/s - · tasks done/s - ·")
    told = lines_of(look(3, 30, 2), look(1, 10, 1))
    assert told[0] == "events/s 10 · tasks done/s 0.5 · preempted/s 0 · running 2"
    assert any("1970-01-01" in line and "u" in line for line in told)


def test_a_file_is_replayed_and_what_cannot_be_used_is_told(run: CommandLine, engine: Engine, tmp_path: Path) -> None:
    engine.put_entity("000001", phase="idle")
    file = tmp_path / "ticks.jsonl"
    lines = [
        '{"symbol": "000001", "time": "09:30:00", "price": 1}',
        '{"symbol": "000001", "time": "09:30:01", "price": 2}',
    ]
    file.write_text("\n".join(lines) + "\n")

    first = run("replay", str(file), "--speed", "1000", "-o", "json")
    again = run("replay", str(file), "--speed", "1000", "-o", "json")
    file.write_text(lines[0] + "\nnonsense\n")
    faulty = run("replay", str(file), "--speed", "1000", "-o", "json")

    assert first.err == ""
    assert (first.status, first.json["published"], first.json["duplicates"]) == (0, 2, 0)
    assert (again.status, again.json["published"], again.json["duplicates"]) == (0, 2, 2)
    assert (faulty.status, faulty.json["skipped"]) == (1, 1)
    assert f"{file}:2: " in faulty.err
    assert run("replay", str(tmp_path / "nowhere")).status == 5


@pytest.mark.parametrize(
    ("line", "status", "told"),
    [
        ("send keeper PauseWorkflow workflow=flow paused=true", 0, "is sent to the keeper"),
        ("send router ReadStats", 0, ""),
        ("send nobody ReadStats", 5, "no actor 'nobody'"),
        ("send kepeer ReadStats", 5, "did you mean 'keeper'?"),
        ("send keeper PauseWorkflw", 5, "did you mean 'PauseWorkflow'?"),
        ("send keeper PauseWorkflow", 2, "needs 'workflow'"),
        ("send keeper PauseWorkflow workflow=flow paused=maybe", 2, "true or false"),
        ("send keeper PauseWorkflow workflow=flow paused=true pasued=1", 2, "did you mean 'paused'?"),
        ("send keeper PauseWorkflow workflow=flow workflow=flow", 2, "given twice"),
        ("send keeper PauseWorkflow flow", 2, "is no key=value"),
        ("send keeper ResolveTask id=360 outcome=failed", 5, "'360'"),
        ("send keeper AttemptClosed", 7, "unsafe"),
        ("send keeper AttemptClosed --unsafe", 2, "needs"),
        ("send scheduler AgentReady --unsafe agent=a incarnation=x", 2, "must be"),
    ],
)
def test_any_message_is_sent_or_refused_in_one_line(run: CommandLine, line: str, status: int, told: str) -> None:
    printed = run(*line.split())

    assert printed.status == status
    assert told in printed.err
    assert len(printed.err.splitlines()) <= 1
    assert run("stats", "-q").status == 0


def test_a_name_that_there_is_is_not_offered_for_the_one_that_there_is_not(run: CommandLine) -> None:
    printed = run("send", "keeper", "Nonsense")

    assert printed.status == 5
    assert "the keeper takes no message 'Nonsense'" in printed.err
    assert "did you mean" not in printed.err
