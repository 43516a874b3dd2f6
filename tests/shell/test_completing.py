"""The Tab key knows commands, options, and what the live engine has."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from actors.client.client import Client
from actors.shell.completing import offers
from actors.shell.live import Live, toolbar_of
from tests.engine.command_line import ROOT, environment
from tests.shell.conftest import Session


def offered(session: Session, line: str) -> list[str]:
    return [offer.text for offer in offers(session.face, line)[1]]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("inj", ["inject"]),
        ("show nobody; pau", ["pause"]),
        ("qui", ["quit"]),
        ("inject DATA", ["DATA_READY"]),
        ("inject TASK", []),
        ("inject DATA_READY A ", ["priority=", "id=", "valid_for_ms=", "timestamp="]),
        ("inject DATA_READY A priority=1 p", []),
        ("put A ph", ["phase="]),
        ("run ", ["fast", "slow", "order"]),
        ("pause s", ["slow"]),
        ("run fast ", ["000042", '"a b"']),
        ("show 0", ["000042"]),
        ("resolve x ", ["completed", "failed", "retry", "cancelled"]),
        ("help inj", ["inject"]),
        ("runs --stat", ["--status"]),
        ("runs --status run", ["running"]),
        ("agents -o j", ["json", "jsonl"]),
        ("drain agent_", ["agent_0", "agent_1"]),
        ('show "0', []),
        ("nosuch x", []),
        ("star", []),
        ("send keeper PauseWorkflow workflow=s", ["workflow=slow"]),
        ("watch 1 ru", ["run", "runs"]),
        ("watch 1 to", []),
        ("watch 1 drain agent_", ["agent_0", "agent_1"]),
    ],
)
def test_what_may_follow(session: Session, line: str, names: list[str]) -> None:
    session.type("put 000042 phase=idle", "put 'a b' phase=idle")

    assert offered(session, line) == names


def test_ids_of_what_is_at_work_are_offered(session: Session) -> None:
    session.type("put A phase=idle", "run slow A")
    instance = session.engine.instances()[0]

    assert offered(session, "cancel slow") == [instance.id]
    assert offered(session, "why ") == [instance.tasks[0].id]
    assert offered(session, "reprio h") == [instance.tasks[0].id]
    session.type(f"cancel {instance.id}")


def test_an_engine_that_is_gone_offers_nothing_and_no_error(session: Session) -> None:
    session.engine.stop(grace=0)

    assert offered(session, "show ") == []
    assert offered(session, "inj") == ["inject"]


def test_names_are_kept_for_a_moment(session: Session) -> None:
    with Client(session.socket) as client:
        live = Live(client, lambda _: None)
        assert live.names("entity") == []
        session.type("put A phase=idle")
        assert live.names("entity") == []
        live.close()


def test_the_toolbar_counts_what_waits_and_who_works() -> None:
    stats = {
        "queues": {1: 3, 2: 17, 7: 1},
        "agents": {"idle": 1, "running": 3, "stopping": 1, "suspended": 2, "set_aside": 1},
        "preemptions": 12,
    }

    assert toolbar_of(stats) == "P0 0 · P1 3 · P2 17 · P7 1 · agents 4/5 · preempted 12"


def test_bash_completes_by_the_same_tree_from_the_live_engine(session: Session) -> None:
    def complete(*words: str) -> list[str]:
        ended = subprocess.run(
            [sys.executable, "-P", "-c", "import sys; sys.argv[0] = 'engine'; from actors.cli import main; main()"],
            capture_output=True,
            text=True,
            env=environment(
                {
                    "_ENGINE_COMPLETE": "bash_complete",
                    "COMP_WORDS": " ".join(["engine", *words]),
                    "COMP_CWORD": str(len(words)),
                }
            ),
            timeout=20,
            check=False,
            cwd=ROOT,
        )
        assert ended.stderr == ""
        return [line.split(",", 1)[1] for line in ended.stdout.split()]

    data = os.fspath(session.socket.parent)
    assert complete("inj") == ["inject"]
    assert complete("run", "--data-dir", data, "") == ["fast", "slow", "order"]
    assert complete("run", "--data-dir", data + "nowhere", "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_is_told_how_to_complete(shell: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "actors.cli", "completion", shell],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=20,
        check=True,
        cwd=ROOT,
    )

    assert f"_ENGINE_COMPLETE={shell}_complete" in ended.stdout
