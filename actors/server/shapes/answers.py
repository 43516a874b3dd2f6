"""What the control API gives. The values are made by ``actors.plain`` and are not checked again here.

That both agree is what the tests of the API see to, for every route.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from actors.model import EntityStatus, InstanceStatus, Isolation, OutcomeKind, StopReason, TaskStatus, Trigger

Seconds = Annotated[float, Field(description="UTC seconds since the epoch")]
Ms = Annotated[float, Field(description="milliseconds")]
Level = Annotated[int, Field(ge=0, description="0 is the most important")]


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Fault(Answer):
    code: str = Field(description="for programs: not_found, refused, request, overloaded, ...")
    message: str = Field(description="one sentence for people, with what to do")
    retry_after_s: float | None = None
    accepted: int | None = Field(None, description="with overloaded: how many at the front were accepted")
    faults: list[dict[str, Any]] | None = Field(None, description="with definitions: file, line, column, path, message")


class Problem(Answer):
    """Every answer that is not 2xx."""

    error: Fault


class Done(Answer):
    """It was done."""

    ok: bool = True


class Health(Answer):
    status: str = Field(description="ok, or failed when the engine stopped itself")


class Ready(Answer):
    ready: bool
    state: str = Field(description="new, starting, running, stopping, stopped or failed")


class Version(Answer):
    version: str = Field(description="of the engine's program")
    definitions: str | None = Field(None, description="the definitions folder")
    definitions_version: str | None = Field(None, description="the hash of the definitions that are loaded")
    pid: int
    started_at: Seconds


class LoginLink(Answer):
    url: str


class ErrorText(Answer):
    type: str
    message: str
    traceback: str


class Suspended(Answer):
    from_at: Seconds
    until_at: Seconds | None = Field(description="null while it stands still")


class Attempt(Answer):
    number: int
    agent: str | None
    outcome: OutcomeKind | None = Field(description="null while it runs or is suspended")
    reason: StopReason | None = Field(description="what it was asked to stop for, if it was")
    ready_at: Seconds
    started_at: Seconds | None = Field(description="its action's first line")
    ended_at: Seconds | None
    waited_ms: Ms | None
    ran_ms: Ms | None
    error: ErrorText | None
    killed: bool
    preempted_by: str | None = Field(description="the task that it made way for, the last time")
    assigned_at: Seconds | None = Field(description="when it got its agent, the first time")
    suspended: list[Suspended]


class Progress(Answer):
    fraction: float
    text: str


class Task(Answer):
    id: str
    task: str = Field(description="its id in the workflow")
    action: str = Field(description="the action's name, or the command's program")
    status: TaskStatus
    priority: Level
    result: Any
    error: ErrorText | None
    retries: int
    max_retry: int
    preemptions: int
    infra_losses: int
    progress: Progress | None
    checkpoint: Any
    attempts: list[Attempt]


class TaskAlone(Task):
    instance_id: str
    workflow: str
    entity_id: str


class Event(Answer):
    type: str
    entity_id: str
    priority: Level | None
    data: Any
    timestamp: float | None
    valid_for_ms: int | None
    id: str | None


class InstanceHead(Answer):
    id: str
    workflow: str
    entity_id: str
    status: InstanceStatus
    priority: Level
    created_at: Seconds
    completed_at: Seconds | None
    merged: int = Field(description="how many events it stands for")
    event: Event | None = Field(description="the newest that it acts on; null: the state table or a person started it")
    params: dict[str, Any] | None = Field(description="of a start by hand: they override each task's")
    version: str | None = Field(description="the hash of the definitions it runs by")
    retry_of: str | None = Field(description="the instance that this one repeats")
    retried_by: str | None = Field(description="the instance that repeats this one")


class Instance(InstanceHead):
    tasks: list[Task]


class Instances(Answer):
    items: list[Instance]
    next_cursor: str | None = Field(description="what to pass as cursor for the page after; null: there is none")


class Tasks(Answer):
    items: list[TaskAlone]
    next_cursor: str | None


class Waited(Answer):
    ended: bool = Field(description="false: the time was over first; ask again. True too when a task is unknown")
    instance: Instance


class WaitedIdle(Answer):
    idle: bool = Field(description="false: the time was over first; ask again")


class Entity(Answer):
    id: str
    name: str
    phase: str
    status: EntityStatus
    priority: Level
    last_processed_at: Seconds | None
    data: Any


class Entities(Answer):
    items: list[Entity]
    next_cursor: str | None


class Receipt(Answer):
    event_id: str
    instances: list[str] = Field(description="what it started or merged into, the most important first")
    duplicate: bool = Field(description="an event of the same id was accepted before; the rest is the first one's")


class LineFault(Answer):
    line: int = Field(description="from 1; empty lines count")
    error: Fault


class BatchSummary(Answer):
    accepted: int
    duplicates: int = Field(description="of the accepted: events whose id was accepted before")
    rejected: int
    errors: list[LineFault] = Field(description="the first 100 of the rejected")


class Queue(Answer):
    priority: Level
    depth: int
    oldest_ms: Ms


class Queues(Answer):
    items: list[Queue]


class Agent(Answer):
    model_config = ConfigDict(extra="allow")

    name: str
    state: str
    incarnation: int
    capabilities: list[str]
    task: str | None = Field(description="the id of the task it runs")


class Agents(Answer):
    items: list[Agent]


class Why(Answer):
    model_config = ConfigDict(extra="allow")

    task_id: str
    status: TaskStatus
    why: str = Field(description="in words")


class Stats(Answer):
    """What ``Engine.stats`` says."""

    model_config = ConfigDict(extra="allow")

    events: dict[str, Any]
    queues: dict[str, Any]
    agents: dict[str, Any]
    entities: int
    instances: dict[str, int]
    tasks: dict[str, int]
    preemptions: int
    latency_ms: dict[str, float | None]
    ran_ms: Ms
    wasted_ms: Ms


class TaskDefinition(Answer):
    id: str
    name: str
    action: str | None
    run: list[str] | None
    depends_on: list[str]
    timeout_ms: int
    retry: int
    priority: Level | None
    capabilities: list[str]
    isolation: Isolation
    preemptible: bool
    preempts: bool


class WorkflowHead(Answer):
    id: str
    name: str
    trigger: Trigger
    trigger_event: str
    phase: str | None
    when: str | None
    priority: Level
    max_concurrent: int | None
    task_count: int


class Workflow(WorkflowHead):
    tasks: list[TaskDefinition]


class Workflows(Answer):
    items: list[WorkflowHead]


class Actor(Answer):
    model_config = ConfigDict(extra="allow")

    name: str
    state: str = Field(description="idle, busy, stopping, halted or taken out")
    inbox_depth: int
    handled: int = Field(description="messages dealt with")
    oldest_waiting_ms: Ms
    restarts: int
    generation: int
    dead_letters: int = Field(description="messages that nobody read")


class Actors(Answer):
    items: list[Actor]


class MessageField(Answer):
    name: str
    type: str = Field(description="in words")
    required: bool
    default: Any
    choices: list[Any]
    fields: list[MessageField] = Field(description="of the object, or of each in the list, that it holds")


class Message(Answer):
    name: str
    doc: str
    unsafe: bool = Field(description="it could forge an outcome, and takes unsafe to be sent")
    answers: bool
    fields: list[MessageField]


class Protocol(Answer):
    items: list[Message]


class Sent(Answer):
    ok: bool
    answer: Any = Field(description="null for a message that has no answer")


class Setting(Answer):
    name: str
    value: Any
    default: Any
    source: str = Field(description="default, FILE:LINE, or argument for what the program gave")


class Settings(Answer):
    items: list[Setting]


class DeadLetter(Answer):
    model_config = ConfigDict(extra="allow")

    id: int
    at: Seconds
    kind: str = Field(description="rejected, or quarantined: it crashed the engine")
    why: str
    event: dict[str, Any] | None
    retryable: bool


class DeadLetters(Answer):
    items: list[DeadLetter]


class DefinitionFault(Answer):
    file: str
    line: int
    column: int
    path: str
    message: str


class Validated(Answer):
    valid: bool
    faults: list[DefinitionFault]


class Reloaded(Answer):
    """What has changed: workflows by id, settings by name."""

    version: str
    previous: str
    added: list[str]
    changed: list[str]
    removed: list[str] = Field(description="they start no more; their instances go on")
    code_changed: bool = Field(description="actions' files are others")
    settings: list[str] = Field(description="in force from now on")
    at_next_start: list[str] = Field(description="changed as well, and taken only when an engine starts")
