"""Values as aligned columns of plain text, for a terminal or a pipe."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from actors.log import utc_text
from actors.model import NS_PER_MS, Entity, TaskStatus
from actors.narration import one_line
from actors.views import AttemptView, InstanceView, TaskView

MAX_SHOWN = 200
"""Characters of one value."""


def entity_row(entity: Entity) -> dict[str, Any]:
    fields = ("id", "name", "phase", "status", "priority")
    last = None if entity.last_processed is None else utc_text(entity.last_processed)
    return {**{name: getattr(entity, name) for name in fields}, "last_processed": last, "data": entity.data}


def instance_row(instance: InstanceView) -> dict[str, Any]:
    done = sum(1 for task in instance.tasks if task.status is TaskStatus.COMPLETED)
    fields = ("id", "workflow", "entity_id", "status", "priority")
    return {**{name: getattr(instance, name) for name in fields}, "tasks": f"{done}/{len(instance.tasks)}"}


def task_row(task: TaskView) -> dict[str, Any]:
    error = f"{task.error.type}: {task.error.message}" if task.error else None
    fields = ("id", "status", "priority", "retries", "preemptions", "result")
    return {**{name: getattr(task, name) for name in fields}, "error": error}


def attempt_row(attempt: AttemptView) -> dict[str, Any]:
    fields = ("number", "agent", "outcome", "reason", "killed")
    took = attempt.ended.ns - attempt.started.ns if attempt.ended and attempt.started else None
    return {
        **{name: getattr(attempt, name) for name in fields},
        "ms": None if took is None else round(took / NS_PER_MS, 1),
    }


def table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the rows as lines with aligned columns, the names of the columns first."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [names, *[[text_of(row.get(name)) for name in names] for row in rows]]
    widths = [max(width_of(line[place]) for line in cells) for place in range(len(names))]
    return [
        "  ".join(_padded(text, width) for text, width in zip(line, widths, strict=True)).rstrip() for line in cells
    ]


def text_of(value: Any) -> str:
    """Return a value as one short line: text as it is, nothing as a dash, all else as JSON."""
    if value is None or value == "":
        return "-"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = one_line(str(text))
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


def width_of(text: str) -> int:
    """Return how many columns of a terminal the text takes; a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - width_of(text))
