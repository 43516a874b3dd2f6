"""The JSON Schema of definition files: generated from the shapes, for editors.

An editor checks while its user types, so the schema says which kind of file it is by the
fields that are there, instead of complaining that none of four kinds fits.
"""

from __future__ import annotations

from typing import Any

from actors.durations.shape import durations_schema, is_durations
from actors.model import EntityStatus, EventType, Isolation
from actors.reading.engine_shapes import AgentGroupShape, EntityShape, EventShape, SettingsShape
from actors.reading.fields import id_schema
from actors.reading.shapes import Shape, TaskShape, WorkflowShape
from actors.ticks.columns import columns_schema

_SHAPES: dict[str, type[Shape]] = {
    "workflow": WorkflowShape,
    "task": TaskShape,
    "settings": SettingsShape,
    "agents": AgentGroupShape,
    "entity": EntityShape,
    "event": EventShape,
}


def build() -> dict[str, Any]:
    """The schema of every file of a definitions folder, and of a dict given to the engine."""
    definitions: dict[str, Any] = {}
    for name, shape in _SHAPES.items():
        made = _tidy(shape.model_json_schema(ref_template="#/$defs/{model}"))
        definitions |= made.pop("$defs", {})
        required = sorted(shape.needs - {"id"} if shape is WorkflowShape else shape.needs)
        definitions[name] = made | ({"required": required} if required else {})
    _join(definitions)
    definitions["replay"] = columns_schema()
    definitions["durations"] = durations_schema()
    setting = [{"required": [name]} for name in SettingsShape.model_fields]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Workflow definitions and engine settings",
        "description": "A workflow, a list, or 'workflows:' by id; or engine.yaml, replay.yaml, durations.yaml.",
        "if": {"type": "array"},
        "then": {"items": {"$ref": "#/$defs/workflow_with_id"}, "minItems": 1},
        "else": {
            "if": {"required": ["workflows"]},
            "then": {"$ref": "#/$defs/workflows_by_id"},
            "else": {
                "if": {"anyOf": setting},
                "then": {"$ref": "#/$defs/settings"},
                "else": {
                    "if": {"anyOf": [{"required": [name]} for name in definitions["replay"]["properties"]]},
                    "then": {"$ref": "#/$defs/replay"},
                    "else": {
                        "if": is_durations(),
                        "then": {"$ref": "#/$defs/durations"},
                        "else": {"$ref": "#/$defs/workflow_with_id"},
                    },
                },
            },
        },
        "$defs": dict(sorted(definitions.items())),
    }


def _join(definitions: dict[str, Any]) -> None:
    """What shapes leave open because it is checked item by item, and what a field alone cannot say."""
    workflow, task, settings = definitions["workflow"], definitions["task"], definitions["settings"]
    workflow["properties"]["tasks"]["items"] = {"$ref": "#/$defs/task"}
    workflow["properties"]["trigger_event"]["examples"] = [str(kind) for kind in EventType]
    workflow["properties"]["phase"]["anyOf"].append({"type": "null"})
    definitions["Isolation"]["enum"].remove(Isolation.RAY)
    definitions["EntityStatus"]["enum"].remove(EntityStatus.PROCESSING)
    task["oneOf"] = [{"required": ["action"]}, {"required": ["run"]}]
    count = definitions["agents"]["properties"]["count"]
    settings["properties"]["agents"] |= {
        "anyOf": [
            {key: count[key] for key in ("type", "minimum", "maximum")},
            {"type": "object", "additionalProperties": {"$ref": "#/$defs/agents"}, "minProperties": 1},
        ]
    }
    rows = definitions["entity"]
    row = {key: value for key, value in rows.items() if key != "required"}
    settings["properties"]["entities"] |= {
        "anyOf": [
            {"type": "array", "items": {"$ref": "#/$defs/entity"}},
            {"type": "object", "additionalProperties": {"anyOf": [row, {"type": "null"}]}},
        ]
    }
    settings["properties"]["events"] |= {"type": "array", "items": {"$ref": "#/$defs/event"}}
    definitions["event"]["oneOf"] = [{"required": ["entity_id"]}, {"required": ["stock_id"]}]
    # JSON has no comments to name the schema in.
    for name in ("workflow", "settings"):
        definitions[name]["properties"]["$schema"] = {"type": "string"}
    definitions["workflow_with_id"] = {"$ref": "#/$defs/workflow", "required": ["id"]}
    by_id = {
        "type": "object",
        "minProperties": 1,
        "propertyNames": id_schema()["anyOf"][0],
        "additionalProperties": {"$ref": "#/$defs/workflow"},
    }
    listed = {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/workflow_with_id"}}
    definitions["workflows_by_id"] = {
        "type": "object",
        "properties": {"workflows": {"anyOf": [by_id, listed]}, "$schema": {"type": "string"}},
        "required": ["workflows"],
        "additionalProperties": False,
    }


def _tidy(schema: Any) -> Any:
    """Drop the null that stands for 'not given', and titles: editors would show them instead of the descriptions."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    tidy = {key: _tidy(value) for key, value in schema.items() if not (key == "title" and isinstance(value, str))}
    choices = tidy.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        choices = [choice for choice in choices if choice != {"type": "null"}]
        tidy.pop("anyOf")
        tidy |= choices[0] if len(choices) == 1 else {"anyOf": choices}
    if tidy.get("default", ...) is None:
        tidy.pop("default")
    return tidy
