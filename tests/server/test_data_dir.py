"""The data directory: one engine at a time, private, and how clients find who has it."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from actors.data_dir import DataDir, default_path, find
from actors.errors import EngineUnreachable, RefusedError, RequestError


def mode(path: Path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_all_in_it_is_for_its_own_user_alone(tmp_path: Path) -> None:
    data = DataDir.open(tmp_path / "data")
    with data.bind():
        data.token()
        data.describe(definitions="somewhere", http=None)

        assert mode(data.path) == 0o700
        assert data.listens_at is not None
        assert {mode(data.path / name) for name in ("engine.json", "token", "control.sock")} == {0o600}
    data.close()


def test_a_second_engine_is_refused_by_the_pid_of_the_first(tmp_path: Path) -> None:
    first = DataDir.open(tmp_path)

    with pytest.raises(RefusedError, match=f"pid {os.getpid()}"):
        DataDir.open(tmp_path)

    first.close()
    DataDir.open(tmp_path).close()


def test_a_client_that_looks_whether_an_engine_is_there_keeps_none_from_starting(tmp_path: Path) -> None:
    DataDir.open(tmp_path).close()
    looking = os.open(tmp_path / "lock", os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    done = threading.Timer(0.05, os.close, (looking,))
    done.start()

    DataDir.open(tmp_path).close()

    done.join()


def test_clients_find_the_engine_while_it_runs_and_then_are_told_what_to_do(tmp_path: Path) -> None:
    data = DataDir.open(tmp_path / "defs" / ".engine")
    with data.bind():
        data.describe(definitions=str(tmp_path / "defs"), http="http://127.0.0.1:1")

        about = find(None, tmp_path / "defs")
        assert (about["pid"], about["socket"]) == (os.getpid(), str(data.listens_at))
        assert about == find(data.path, "elsewhere")
    data.close()

    with pytest.raises(EngineUnreachable, match="engine start"):
        find(None, tmp_path / "defs")
    assert not (data.path / "control.sock").exists()


def test_what_a_dead_engine_left_is_no_engine_and_is_replaced(tmp_path: Path) -> None:
    dead = DataDir.open(tmp_path)
    dead.bind().close()
    dead.describe(definitions=None, http=None)
    kept = (tmp_path / "engine.json").read_text()
    dead.close()
    (tmp_path / "engine.json").write_text(kept)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "control.sock"))

    with pytest.raises(EngineUnreachable, match="without a goodbye"):
        find(tmp_path, "anything")
    data = DataDir.open(tmp_path)
    with data.bind(), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(data.listens_at))
    data.close()


def test_a_socket_path_that_would_be_too_long_goes_to_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    long = tmp_path / ("x" * 100)
    data = DataDir.open(long)
    with data.bind():
        data.describe(definitions=None, http=None)
        found = Path(find(long, "anything")["socket"])
        assert len(str(found)) <= 107
        assert mode(found.parent) == 0o700

        about = (long / "engine.json").read_text()
    data.close()
    assert not found.parent.exists()

    found.parent.mkdir(mode=0o700)  # As an engine that was killed leaves it.
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(found))
    (long / "engine.json").write_text(about)
    DataDir.open(long).close()
    assert not found.parent.exists()


def test_the_token_stays_over_restarts_and_one_that_is_none_is_refused(tmp_path: Path) -> None:
    data = DataDir.open(tmp_path)
    token = data.token()
    data.close()

    data = DataDir.open(tmp_path)
    assert data.token() == token
    (tmp_path / "token").write_text("two words\n")
    with pytest.raises(RequestError, match="holds no token"):
        data.token()
    data.close()


def test_a_folder_that_holds_other_things_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    tmp_path.chmod(0o755)

    with pytest.raises(RequestError, match="holds other things"):
        DataDir.open(tmp_path)

    assert mode(tmp_path) == 0o755


def test_definitions_that_cannot_be_written_have_theirs_in_the_users_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(os, "access", lambda *_: False)

    assert default_path(tmp_path).parent == tmp_path / "state" / "actors-engine"
    assert default_path(tmp_path) == default_path(f"{tmp_path}/.")


def test_of_a_folder_that_is_not_there_no_engine_is_looked_for_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(EngineUnreachable, match=r"there is no definitions folder .*/nowhere"):
        find(None, tmp_path / "nowhere")
