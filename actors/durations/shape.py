"""The JSON Schema of ``durations.yaml``, for editors."""

from __future__ import annotations

from typing import Any

from actors.durations.files import DEFAULT, FILE_NAME, LAWS, MANNER, RECORDED

_MS = {"type": "number", "minimum": 0}
_NAMED = r"^[^.]+\..+$"
"""``workflow.task``."""


def durations_schema() -> dict[str, Any]:
    """Milliseconds by ``workflow.task``: a number, a distribution, or ``recorded``."""
    laws = {
        name: _MS if count == 1 else {"type": "array", "items": _MS, "minItems": count or 1}
        | ({"maxItems": count} if count is not None else {})
        for name, (count, _) in LAWS.items()
    }  # fmt: skip
    manner = {"keeps_work": {"type": "boolean"}, "stops_ms": {"anyOf": [_MS, {"const": "never"}]}}
    assert set(manner) == set(MANNER)
    drawn = {
        "type": "object",
        "properties": laws | manner,
        "oneOf": [{"required": [name]} for name in laws],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "description": f"{FILE_NAME}: how long tasks take in a simulation, in ms.",
        "properties": {DEFAULT: {"anyOf": [_MS, drawn]}},
        "patternProperties": {_NAMED: {"anyOf": [_MS, drawn, {"const": RECORDED}]}},
        "additionalProperties": False,
    }


def is_durations() -> dict[str, Any]:
    """Matches a mapping that names a ``workflow.task``, or a default."""
    return {"not": {"propertyNames": {"not": {"anyOf": [{"pattern": _NAMED}, {"const": DEFAULT}]}}}}
