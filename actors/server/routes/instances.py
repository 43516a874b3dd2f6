"""Workflow instances and their tasks: list, show, run, wait, explain."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from actors import plain
from actors.errors import NotFoundError
from actors.model import InstanceStatus, TaskStatus
from actors.server.answers import Live, answer, done, problems
from actors.server.shapes import answers as shapes
from actors.server.shapes import asked
from actors.server.waits import Waits
from actors.views import InstanceView, TaskView

router = APIRouter(tags=["instances"])
MAX_ITEMS = 1_000
MAX_WAIT_S = 300.0

Limit = Annotated[int, Query(ge=1, le=MAX_ITEMS)]
Timeout = Annotated[float, Query(ge=0, le=MAX_WAIT_S, description="seconds")]


@router.get("/instances", response_model=shapes.Instances, responses=problems())
def instances(
    engine: Live, status: InstanceStatus | None = None, workflow: str | None = None, limit: Limit = 100
) -> Response:
    """Instances, unfinished ones first, each part newest first."""
    found = engine.instances(status, workflow, limit=limit)
    return answer({"items": [plain.instance(view) for view in found], "next_cursor": None})


@router.post("/instances", status_code=201, response_model=shapes.Receipt, responses=problems(404, 409))
def run(wanted: asked.InstanceToRun, engine: Live) -> Response:
    """Start a workflow by hand, after any that runs for the pair, whatever its trigger says."""
    return answer(plain.receipt(engine.run(wanted.workflow, wanted.entity_id, wanted.params)), 201)


@router.get("/instances/{id}", response_model=shapes.Instance, responses=problems(404))
def instance(id: str, engine: Live) -> Response:
    """One instance with its tasks, attempts and results."""
    return answer(plain.instance(engine.instance(id)))


@router.get("/instances/{id}/wait", response_model=shapes.Waited, responses=problems(404))
async def wait(id: str, request: Request, engine: Live, timeout_s: Timeout = 30.0) -> Response:
    """Wait until it has ended, or holds a task whose outcome is unknown; at most ``timeout_s``."""
    waits: Waits = request.app.state.waits
    ended = await waits.instance(id, timeout_s)
    view = await run_in_threadpool(engine.instance, id)
    return answer({"ended": ended, "instance": plain.instance(view)})


@router.get("/tasks", response_model=shapes.Tasks, responses=problems())
def tasks(engine: Live, status: TaskStatus | None = None, workflow: str | None = None, limit: Limit = 100) -> Response:
    """Tasks of unfinished instances, the newest instance first: by default those that have not ended."""
    wanted = _UNENDED if status is None else (status,)
    running = engine.instances(InstanceStatus.RUNNING, workflow, limit=MAX_ITEMS)
    found = [plain.task_of(view, task) for view in running for task in view.tasks if task.status in wanted]
    return answer({"items": found[:limit], "next_cursor": None})


_UNENDED = (TaskStatus.PENDING, TaskStatus.RUNNING, TaskStatus.UNKNOWN)


@router.get("/tasks/{id}", response_model=shapes.TaskAlone, responses=problems(404))
def task(id: str, engine: Live) -> Response:
    """One task with its attempts and result."""
    view, found = _find(engine, id)
    return answer(plain.task_of(view, found))


def _find(engine: Live, id: str) -> tuple[InstanceView, TaskView]:
    for view in engine.instances(limit=engine.definitions.settings.max_finished):
        for found in view.tasks:
            if found.id == id:
                return view, found
    raise NotFoundError(f"no task '{id}'; GET /v1/tasks lists those that have not ended")


@router.get("/tasks/{id}/why", response_model=shapes.Why, responses=problems(404, 409))
def why(id: str, engine: Live) -> Response:
    """Why it is where it is: in words, and the facts."""
    return answer(engine.why(id))


@router.post("/tasks/{id}/resolve", response_model=shapes.Done, responses=problems(404, 409))
def resolve(id: str, said: asked.OutcomeToSay, engine: Live) -> Response:
    """Say what became of a task whose outcome is unknown."""
    engine.resolve(id, said.outcome)
    return done()
