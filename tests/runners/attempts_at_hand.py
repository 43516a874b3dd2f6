"""An attempt to run right here in the test's own thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from actors.messages import Note
from actors.model import AttemptId, Entity, EntityId, Job, Origin, Task, TaskKey, WorkflowId
from actors.runners.driving import Execution
from actors.runners.notes import Mailbox
from actors.runners.stopping import Control


def job(action: str = "act", *, number: int = 1, timeout_ms: int = 1000, **fields: Any) -> Job:
    given: Mapping[str, Any] = {
        "attempt": AttemptId(TaskKey(number), 1),
        "origin": Origin("store", WorkflowId("flow"), EntityId("000001"), number),
        "task": Task("t", 0, action=action, timeout_ms=timeout_ms),
        "priority": 2,
        "entity": Entity(EntityId("000001")),
        "event": None,
        "params": {},
        "inputs": {},
        "restored": None,
        "merged": 1,
    }
    return Job(**{**given, **fields})


def execution(
    action: Callable[..., Any], *, notes: list[Note] | None = None, control: Control | None = None, **fields: Any
) -> Execution:
    """Credit for notes is given at once."""
    mailbox: Mailbox

    def emit(note: Note) -> None:
        if notes is not None:
            notes.append(note)
        mailbox.credit()

    mailbox = Mailbox(emit)
    return Execution(job(**fields), action, notes=mailbox, control=control or Control(), max_bytes=10_000)
