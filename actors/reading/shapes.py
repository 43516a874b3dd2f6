"""The shape of a workflow, its tasks and what belongs to them, as their author writes them.

Shapes hold what one field alone can get wrong. What depends on other fields, tasks or files
is checked in ``workflows``. Defaults come from the model, so that they stand in one place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from actors.model import MAX_TASKS, Backoff, Coalesce, Delivery, Isolation, OnPreempt, Task, Trigger, Workflow
from actors.reading.fields import Argument, Cel, Count, Duration, Filled, Id, Lock, Positive, Text, Wait


class Shape(BaseModel):
    """No field beyond those named; nothing converted that could be a slip of the pen."""

    needs: ClassVar[frozenset[str]] = frozenset()
    """Fields that must be given. To pydantic none is required, so that what is right can be read beside what is not."""
    unread: ClassVar[frozenset[str]] = frozenset()
    """Lists whose items are checked one by one, elsewhere."""

    elsewhere: ClassVar[Mapping[str, str]] = {}
    """Fields that belong into another file, and which."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


def default_of(noun: type, name: str) -> Any:
    """What the model says a field is when nothing is said."""
    found = {item.name: item for item in dataclasses.fields(noun)}[name]
    if found.default_factory is not dataclasses.MISSING:
        return found.default_factory()
    return found.default


def _task(name: str) -> Any:
    return default_of(Task, name)


def _workflow(name: str) -> Any:
    return default_of(Workflow, name)


class LimitsShape(Shape):
    """Resource limits of one attempt's process."""

    memory_mb: Positive | None = None
    """Address space, in MiB."""
    cpu_s: Positive | None = None
    """CPU time, in seconds."""
    files: Positive | None = None
    """Open files."""
    processes: Positive | None = None
    """Processes of the user."""


class BackoffShape(Shape):
    """The pause before retry n: initial_ms * factor ** (n - 1), at most max_ms, plus or minus jitter."""

    initial_ms: Duration = default_of(Backoff, "initial_ms")
    """The first pause, in milliseconds."""
    factor: Annotated[float, Field(ge=1, le=1_000)] = default_of(Backoff, "factor")
    """What each pause is multiplied by for the next."""
    max_ms: Duration = default_of(Backoff, "max_ms")
    """The longest pause, in milliseconds."""
    jitter: Annotated[float, Field(ge=0, le=1)] = default_of(Backoff, "jitter")
    """A fraction of the pause, 0 to 1, by which chance makes it longer or shorter."""


class TaskShape(Shape):
    """One step of a workflow: an action (a Python function) or a command."""

    needs = frozenset({"id"})

    id: Id | None = None
    """Names the task within its workflow. A whole number may go without quotes."""
    name: Text = _task("name")
    """For people."""
    action: Filled | None = None
    """The function to call: a name given by @action, or module:function for a Python file of this folder."""
    run: Annotated[list[Argument], Field(min_length=1, max_length=1_000)] | None = None
    """A command instead of an action: [program, argument, …]."""
    depends_on: list[Id] = Field(default_factory=list)
    """Ids of the tasks that must be completed first; their results are its inputs."""
    timeout: Wait = _task("timeout_ms")
    """Milliseconds from the action's first line, per attempt."""
    retry: Count = _task("retry")
    """How often it is tried again after it failed by itself. Preemption is not failure."""
    priority: Count | None = None
    """0 is the most important; the workflow's if not given."""
    params: dict[str, Any] = Field(default_factory=dict)
    """Given to the action as ctx.params."""
    capabilities: list[Id] = Field(default_factory=list)
    """What its agent must be capable of."""
    isolation: Annotated[Isolation, Field(strict=False)] | None = None
    """Where it runs. By default a coroutine on the event loop (async), an importable function in a process,
    any other in a thread."""
    preemptible: bool = _task("preemptible")
    """Whether more important work may interrupt it."""
    preempts: Literal["always", "never"] = "always"
    """never: it waits for a free agent, however urgent it is."""
    on_preempt: Annotated[OnPreempt, Field(strict=False)] = _task("on_preempt")
    """requeue: stop it, continue from its checkpoint. suspend: freeze its process. cancel: give it up."""
    grace_ms: Duration = _task("grace_ms")
    """How long it may take to stop before it is killed."""
    min_runtime_ms: Duration = _task("min_runtime_ms")
    """An attempt is not preempted before it has run so long."""
    max_preemptions: Count | None = None
    """After so many it is not preempted again."""
    lock: Lock | None = None
    """At most one task at a time runs with the same lock, over all workflows. A text in which {entity.id},
    {workflow.id} and {task.id} are filled in."""
    queue_timeout_ms: Wait | None = None
    """It fails if it has not started after so long."""
    delivery: Annotated[Delivery, Field(strict=False)] = _task("delivery")
    """at_most_once: never run again once it may have begun; needs retry 0, and preemptible false or
    on_preempt suspend."""
    limits: LimitsShape | None = None
    """Limits of its process; for processes and commands."""
    backoff: BackoffShape | None = None
    """The pauses between retries; none by default."""


class WorkflowShape(Shape):
    """Tasks that an event, the state table or a person starts for an entity."""

    needs = frozenset({"id", "tasks"})
    elsewhere = dict.fromkeys(("settings", "agents", "entities", "events"), "settings stand in engine.yaml")
    unread = frozenset({"tasks"})

    id: Id | None = None
    """Names the workflow. In a mapping `workflows:` the key is the id."""
    name: Text = _workflow("name")
    """For people."""
    priority: Count = _workflow("priority")
    """0 is the most important; one order over all workflows."""
    trigger: Annotated[Trigger, Field(strict=False)] = _workflow("trigger")
    """What starts it: an event, the state table alone, or a person."""
    trigger_event: Id = str(_workflow("trigger_event"))
    """The type of the event, for trigger event."""
    max_concurrent: Positive | None = None
    """How many of its attempts may run at the same time; no limit if not given."""
    when: Cel | None = None
    """A condition in CEL on `entity` and `event` (null if the table started it): entity.priority <= 0."""
    phase: Id | None = None
    """The phase the entity must be in; null: any. By default data_ready for trigger state and for the
    events DATA_READY and HIGH_PRIORITY_ARRIVED, else any."""
    next_phase: Id | None = None
    """The phase the entity gets when the round ends; it stays pending for whatever waits for that."""
    coalesce: Annotated[Coalesce, Field(strict=False)] = _workflow("coalesce")
    """latest: events that come while it runs merge into one more run. all: each has a run of its own."""
    valid_for_ms: Wait | None = None
    """An event that has not begun to be acted on after so long expires."""
    tasks: Annotated[list[Any], Field(min_length=1, max_length=MAX_TASKS)] = Field(default_factory=list)
    """Its tasks, each once; depends_on says the order."""
