"""A record: every state change of a run, one JSON object a line.

::

    {"sequence": 7, "type": "task_started", "utc": 1630000000.5, "ns": 512000000, "entity": "000001",
     "instance": "quotes_000001_1630000000", "task_id": "load_000001_1630000000", "workflow": "quotes",
     "task": "load", "status": "running", "priority": 2, "attempt": 1, "agent": "agent_0"}

``utc`` is in seconds since the epoch, ``ns`` in nanoseconds on the engine's monotonic clock. What
a change does not have is left out. ``detail`` has what is particular to the type: of every end of
an attempt ``began_ns`` and ``ended_ns``, its action's first line and its end, and where a
checkpoint is kept ``saved_ns``, when that was taken. A line of type ``gap`` stands for changes
that were lost, as many as its detail's ``lost`` says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from actors.errors import RequestError
from actors.views import ChangeType, Moment, StateChanged

_FIELDS = (
    ("entity", "entity_id"),
    ("instance", "instance_id"),
    ("task_id", "task_id"),
    ("workflow", "workflow"),
    ("task", "task"),
    ("status", "status"),
    ("priority", "priority"),
    ("attempt", "attempt"),
    ("agent", "agent"),
    ("detail", "detail"),
)
_encode = json.JSONEncoder(ensure_ascii=False, default=str, separators=(", ", ": ")).encode


def line_of(change: StateChanged) -> bytes:
    """Return the change as one line of a record."""
    at = change.at
    fields: dict[str, Any] = {"sequence": change.seq, "type": change.type.value, "utc": at.utc, "ns": at.ns}
    for name, attribute in _FIELDS:
        value = getattr(change, attribute)
        # A priority of 0 is one; an attempt 0 is none.
        if value or (value == 0 and name == "priority"):
            fields[name] = value
    # A name may hold half of a surrogate pair, which UTF-8 has no form for.
    return _encode(fields).encode(errors="backslashreplace") + b"\n"


def change_of(fields: Mapping[str, Any]) -> StateChanged:
    """Return the change that a line of a record, read as JSON, tells of. Raises ``RequestError``."""
    given = {attribute: fields[name] for name, attribute in _FIELDS if name in fields}
    try:
        at = Moment(fields["ns"], fields["utc"])
        return StateChanged(fields["sequence"], ChangeType(fields["type"]), at, **given)
    except (KeyError, ValueError, TypeError) as error:
        raise RequestError(f"this is no line of a record: {error}") from None
