"""Every setting is shown with its value, its default, and where the value was written."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from actors import Engine
from actors.model import AgentGroup, Settings
from tests.engine import engine_actions
from tests.engine.conftest import one_task

QUICK = {"quick": engine_actions.quick}
ENGINE = """\
# The engine's own settings.
agents: 3

max_dead_letters: 50
starvation_ms: 2000
event_types: [TICK, BELL]
entities:
  - {id: 000001, name: 平安银行}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "engine.yaml").write_text(ENGINE, encoding="utf-8")
    (tmp_path / "flow.json").write_text(json.dumps(one_task("quick")))
    return tmp_path


def by_name(engine: Engine) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in engine.settings_sources()}


def test_what_stands_in_a_file_is_shown_with_its_line(folder: Path) -> None:
    shown = by_name(Engine(folder, actions=QUICK))

    file = folder / "engine.yaml"
    assert shown["max_dead_letters"] == {
        "name": "max_dead_letters", "value": 50, "default": 1000, "source": f"{file}:4",
    }  # fmt: skip
    assert (shown["starvation_ms"]["value"], shown["starvation_ms"]["source"]) == (2000, f"{file}:5")
    assert (shown["agents"]["value"][0]["count"], shown["agents"]["source"]) == (3, f"{file}:2")
    assert (shown["event_types"]["value"], shown["event_types"]["source"]) == (["BELL", "TICK"], f"{file}:6")
    assert shown["entities"]["value"][0]["id"] == "000001"
    assert shown["max_finished"] == {"name": "max_finished", "value": 10000, "default": 10000, "source": "default"}
    assert shown["store"] == {"name": "store", "value": "memory", "default": "memory", "source": "default"}
    assert list(shown) == [field.name for field in dataclasses.fields(Settings)]


def test_what_the_program_gives_is_an_argument(folder: Path) -> None:
    given = by_name(Engine(folder, actions=QUICK, agents=2, store="memory"))
    whole = by_name(Engine(folder, actions=QUICK, settings=Settings(agents=(AgentGroup(count=1),), max_finished=7)))
    of_a_dict = by_name(Engine({"workflows": [one_task("quick")], "settings": {"agents": 4}}, actions=QUICK))

    assert (given["agents"]["value"][0]["count"], given["agents"]["source"]) == (2, "argument")
    assert given["store"]["source"] == "argument"
    assert given["max_dead_letters"]["source"].endswith("engine.yaml:4")
    assert {name: each["source"] for name, each in whole.items() if each["source"] != "default"} == {
        "agents": "argument",
        "max_finished": "argument",
    }
    assert of_a_dict["agents"]["source"] == "argument"


def test_a_password_in_a_stores_address_is_not_shown(folder: Path) -> None:
    (folder / "engine.yaml").write_text("store: postgresql://me:secret@localhost/engine\n")

    shown = by_name(Engine(folder, actions=QUICK))

    assert shown["store"]["value"] == "postgresql://me:…@localhost/engine"
    assert shown["store"]["source"] == f"{folder / 'engine.yaml'}:1"
