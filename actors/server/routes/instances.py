"""Workflow instances and their tasks: list, show, run, wait, explain."""

from __future__ import annotations

import itertools
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from actors import plain
from actors.errors import NotFoundError
from actors.model import InstanceStatus, TaskStatus
from actors.server.answers import Cursor, Limit, Listed, Live, Text, answer, done, page, problems
from actors.server.shapes import answers as shapes
from actors.server.shapes import asked
from actors.server.waits import Waits
from actors.views import InstanceView, TaskView

router = APIRouter(tags=["instances"])
MAX_WAIT_S = 300.0
TOGETHER = 16
"""Instances whose tasks are looked at together."""

Timeout = Annotated[float, Query(ge=0, le=MAX_WAIT_S, description="seconds")]


@router.get("/instances", response_model=shapes.Instances, responses=problems())
def instances(
    engine: Live,
    status: InstanceStatus | None = None,
    workflow: Text | None = None,
    entity: Text | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Instances with their tasks, the newest first, a page at a time: each once, whatever starts or ends meanwhile.

    A page may be short, or empty, and still have a ``next_cursor``: a call looks at a bounded
    number of instances.
    """
    found = engine.instances_page(status, workflow, entity, limit=limit, cursor=cursor)
    return page(map(plain.instance, found.items), found.next_cursor)


@router.post("/instances", status_code=201, response_model=shapes.Receipt, responses=problems(404, 409))
def run(wanted: asked.InstanceToRun, engine: Live) -> Response:
    """Start a workflow by hand, after any that runs for the pair, whatever its trigger says."""
    return answer(plain.receipt(engine.run(wanted.workflow, wanted.entity_id, wanted.params)), 201)


@router.get("/instances/{id}", response_model=shapes.Instance, responses=problems(404))
def instance(id: str, engine: Live) -> Response:
    """One instance with its tasks, attempts and results."""
    view = engine.instance(id)
    head = plain.encoded(plain.instance_head(view)).removesuffix(b"}")
    return Listed(head + b',"tasks":[', map(plain.task, view.tasks), b"]}")


@router.get("/instances/{id}/wait", response_model=shapes.Waited, responses=problems(404))
async def wait(id: str, request: Request, engine: Live, timeout_s: Timeout = 30.0) -> Response:
    """Wait until it has ended, or holds a task whose outcome is unknown; at most ``timeout_s``."""
    waits: Waits = request.app.state.waits
    ended = await waits.instance(id, timeout_s)
    view = await run_in_threadpool(engine.instance, id)
    return answer({"ended": ended, "instance": plain.instance(view)})


@router.post("/instances/{id}/retry", status_code=201, response_model=shapes.Receipt, responses=problems(404, 409))
def retry(id: str, engine: Live) -> Response:
    """Start an ended instance, given by its id or by a task's, once more: a new one, linked to the old.

    409 while it has not ended.
    """
    return answer(plain.receipt(engine.retry(id)), 201)


@router.get("/tasks", response_model=shapes.Tasks, responses=problems())
def tasks(
    engine: Live,
    status: TaskStatus | None = None,
    workflow: Text | None = None,
    entity: Text | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Tasks of unfinished instances, of the newest instance first: by default those that have not ended.

    An instance's tasks come together, so that a page has ``limit`` tasks or somewhat more.
    """
    wanted = _UNENDED if status is None else (status,)
    found: list[tuple[InstanceView, TaskView]] = []
    while len(found) < limit:
        some = engine.instances_page(InstanceStatus.RUNNING, workflow, entity, limit=TOGETHER, cursor=cursor)
        found += [(view, task) for view in some.items for task in view.tasks if task.status in wanted]
        cursor = some.next_cursor
        if cursor is None or not some.items:
            break
    return page(itertools.starmap(plain.task_of, found), cursor)


_UNENDED = (TaskStatus.PENDING, TaskStatus.RUNNING, TaskStatus.UNKNOWN)


@router.get("/tasks/{id}", response_model=shapes.TaskAlone, responses=problems(404))
def task(id: str, engine: Live) -> Response:
    """One task with its attempts and result."""
    view = engine.instance_of(id)
    found = next((one for one in view.tasks if one.id == id), None)
    if found is None:
        raise NotFoundError(f"{id} is an instance; ask for one of its tasks")
    return answer(plain.task_of(view, found))


@router.get("/tasks/{id}/why", response_model=shapes.Why, responses=problems(404, 409))
def why(id: str, engine: Live) -> Response:
    """Why it is where it is: in words, and the facts."""
    return answer(engine.why(id))


@router.post("/tasks/{id}/resolve", response_model=shapes.Done, responses=problems(404, 409))
def resolve(id: str, said: asked.OutcomeToSay, engine: Live) -> Response:
    """Say what became of a task whose outcome is unknown."""
    engine.resolve(id, said.outcome)
    return done()
