"""The JSON Schema: generated from the shapes, shipped, and saying what the loader says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.definitions import json_schema, schema_text, validate
from actors.model import Delivery, OnPreempt, Trigger
from actors.reading.engine_shapes import SettingsShape
from actors.reading.shapes import TaskShape, WorkflowShape

SHIPPED = Path(__file__).parent.parent.parent / "definitions"
FOLDERS = sorted(path.parent for path in SHIPPED.glob("*/engine.yaml"))


def properties(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json_schema()["$defs"][name]["properties"]
    return found


def references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


def test_the_shipped_copy_is_what_the_shapes_say() -> None:
    assert (SHIPPED / "schema.json").read_text(encoding="utf-8") == schema_text()


def test_it_is_json_of_the_draft_it_names() -> None:
    schema = json.loads(schema_text())

    assert schema == json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_reference_leads_somewhere_and_every_definition_is_used() -> None:
    schema = json_schema()

    assert set(references(schema)) == {f"#/$defs/{name}" for name in schema["$defs"]}


@pytest.mark.parametrize(
    ("name", "shape"), [("workflow", WorkflowShape), ("task", TaskShape), ("settings", SettingsShape)]
)
def test_every_field_is_described_for_the_editor(name: str, shape: type[Any]) -> None:
    fields = properties(name)

    assert set(fields) - {"$schema"} == set(shape.model_fields)
    assert all(field.get("description") for key, field in fields.items() if key != "$schema")
    assert json_schema()["$defs"][name]["additionalProperties"] is False


def test_defaults_and_choices_are_the_models() -> None:
    task, workflow = properties("task"), properties("workflow")
    definitions = json_schema()["$defs"]

    assert (task["timeout"]["default"], task["retry"]["default"], task["grace_ms"]["default"]) == (1000, 0, 100)
    assert (workflow["priority"]["default"], workflow["trigger_event"]["default"]) == (2, "DATA_READY")
    assert definitions["Delivery"]["enum"] == list(Delivery)
    assert definitions["OnPreempt"]["enum"] == list(OnPreempt)
    assert definitions["Trigger"]["enum"] == list(Trigger)
    assert definitions["Isolation"]["enum"] == ["process", "thread", "async", "command"]


def test_a_workflow_needs_what_the_loader_needs() -> None:
    definitions = json_schema()["$defs"]

    assert definitions["workflow"]["required"] == ["tasks"]
    assert definitions["workflow_with_id"]["required"] == ["id"]
    assert definitions["task"]["required"] == ["id"]
    assert definitions["task"]["oneOf"] == [{"required": ["action"]}, {"required": ["run"]}]


def test_there_are_shipped_folders() -> None:
    assert {folder.name for folder in FOLDERS} >= {"trading", "preemption", "ashare"}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.name))
def test_a_shipped_folder_has_no_fault(folder: Path) -> None:
    assert validate(folder) == []


@pytest.mark.parametrize("file", sorted(SHIPPED.glob("*/*.yaml")), ids=lambda file: f"{file.parent.name}/{file.name}")
def test_a_shipped_file_names_its_schema_to_the_editor(file: Path) -> None:
    first = file.read_text(encoding="utf-8").splitlines()[0]
    modeline = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)

    assert modeline is not None
    assert (file.parent / modeline[1]).resolve() == SHIPPED / "schema.json"
