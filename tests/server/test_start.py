"""``engine start`` opens the control API, and closes it again."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import httpx

from tests.engine.command_line import Running, engine, folder

WORKFLOWS = """
id: flow
trigger: manual
tasks: [{id: task, run: ["true"]}]
"""


def ask(data: Path, path: str) -> httpx.Response:
    about = json.loads((data / "engine.json").read_text())
    with httpx.Client(transport=httpx.HTTPTransport(uds=about["socket"]), base_url="http://engine") as client:
        return client.get(path)


def test_it_serves_by_socket_and_http_and_a_second_engine_names_the_first(tmp_path: Path) -> None:
    definitions = folder(tmp_path / "d", workflows=WORKFLOWS)
    with Running("start", "--definitions", definitions, "--lang", "en") as first:
        first.wait_for("control API over HTTP")
        data = definitions / ".engine"
        about = json.loads((data / "engine.json").read_text())

        assert ask(data, "/v1/ready").json() == {"ready": True, "state": "running"}
        assert httpx.get(about["http"] + "/v1/health", trust_env=False).json() == {"status": "ok"}
        second = engine("start", "--definitions", definitions)
        assert second.returncode == 7
        assert f"pid {about['pid']}" in second.stderr
        assert ask(data, "/v1/health").status_code == 200
        first.signal(signal.SIGTERM)
        assert first.end() == 0

    assert sorted(path.name for path in data.iterdir()) == ["lock", "token"]


def test_http_can_be_left_out_and_an_address_for_others_needs_a_token_and_tls(tmp_path: Path) -> None:
    definitions = folder(tmp_path / "d", workflows=WORKFLOWS)

    quiet = engine("start", "--definitions", definitions, "--no-http", "--until-idle", "--data", tmp_path / "data")
    assert quiet.returncode == 0
    assert "http://" not in quiet.stderr

    for options, why in (
        (("--http", "0.0.0.0:0"), "--token-file"),
        (("--http", "0.0.0.0:0", "--token-file", tmp_path / "t"), "--plaintext"),
        (("--http", "nonsense:x"), "no address"),
        (("--tls-cert", tmp_path / "c"), "--tls-key"),
    ):
        refused = engine("start", "--definitions", definitions, "--until-idle", *options)
        assert refused.returncode == 2
        assert why in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
