"""What the control API takes, with every bound.

Only types and the outermost bounds are checked here; what is allowed says the engine's own gate,
which every way in shares.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from actors.admission import MAX_ID, MAX_PRIORITY

Id = Annotated[str, Field(min_length=1, max_length=2 * MAX_ID)]
FILE_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}\.(yaml|yml|json|py)$"
"""What may become the name of a file: nothing that leads elsewhere."""
Priority = Annotated[int, Field(ge=0, le=MAX_PRIORITY, strict=True)]
"""An instance's id is longer than an entity's, which it holds."""


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class EventToPublish(Asked):
    """Something that happened. Only ``type`` and ``entity_id`` are needed."""

    type: Id
    entity_id: Id = Field(validation_alias=AliasChoices("entity_id", "stock_id"))
    priority: Priority | None = Field(None, description="without one: the entity's, else 2")
    data: Any = None
    timestamp: float | None = Field(None, description="UTC seconds; order never comes from it")
    valid_for_ms: int | None = Field(None, ge=0, strict=True)
    id: Id | None = Field(None, description="deduplicates: the same id twice counts once")


class EntityToPut(Asked):
    """What is left out stays as it is."""

    name: str | None = None
    phase: str | None = None
    status: str | None = None
    priority: Priority | None = None
    data: Any = None


class InstanceToRun(Asked):
    workflow: Id
    entity_id: Id = Field(validation_alias=AliasChoices("entity_id", "stock_id"))
    params: dict[str, Any] | None = Field(None, description="override each task's own")


class ById(Asked):
    id: Id = Field(description="of an instance or a task")


class NewPriority(Asked):
    id: Id = Field(description="of an instance or a task")
    priority: Priority


class OfWorkflow(Asked):
    workflow: Id | None = Field(None, description="null: the whole engine")


class OutcomeToSay(Asked):
    outcome: str = Field(description="completed, failed, retry or cancelled")


class MessageToSend(Asked):
    message: Id = Field(description="its name in the actor's protocol")
    fields: dict[str, Any] = Field(default_factory=dict)
    unsafe: bool = Field(default=False, description="send it also if it could forge an outcome; that is logged")


class FilesToValidate(Asked):
    """A definitions folder as text."""

    files: dict[Annotated[str, Field(pattern=FILE_NAME)], str] = Field(
        min_length=1, max_length=200, description="by name: *.yaml, *.yml, *.json, *.py; no folders"
    )
