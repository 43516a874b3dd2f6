"""``engine reload``: the same as SIGHUP, with an answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors import Engine
from actors.doors import Doors
from tests.commands.conftest import CommandLine
from tests.engine.command_line import folder

FLOW = "id: flow\ntasks: [{id: t, run: ['true']}]\n"


def test_a_reload_tells_what_has_changed_and_faults_are_told_line_by_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flows, data = folder(tmp_path / "flows", workflows=FLOW), tmp_path / "data"
    live = Engine(flows)
    doors = Doors(live, data, None)
    try:
        live.start()
        doors.open()
        run = CommandLine(live, data, capsys)
        same = run("reload")
        (flows / "workflows.yaml").write_text(FLOW + "max_concurrent: 2\n")
        (flows / "engine.yaml").write_text("agents: 3\n")
        changed = run("reload", "-o", "json")
        (flows / "workflows.yaml").write_text(FLOW + "max_concurrent: two\n")
        faulty = run("reload")
        version = live.version
    finally:
        live.stop(grace=0)
        doors.close()

    assert (same.status, same.err.strip().endswith("nothing has changed")) == (0, True)
    assert (changed.json["changed"], changed.json["at_next_start"]) == (["flow"], ["agents"])
    assert set(changed.json) == {
        "version", "previous", "added", "changed", "removed", "code_changed", "settings", "at_next_start",
    }  # fmt: skip
    assert faulty.status == 4
    assert f"{flows / 'workflows.yaml'}:3:17: max_concurrent: must be a whole number" in faulty.err
    assert version == changed.json["version"]
