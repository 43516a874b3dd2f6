"""Definitions: what is loaded, whether others would do, and loading them anew."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path

from fastapi import APIRouter, Response

from actors import plain
from actors.errors import NotFoundError, RequestError
from actors.model import WorkflowId
from actors.server.answers import Live, answer, problems
from actors.server.shapes import answers as shapes
from actors.server.shapes import asked
from actors.words import did_you_mean

MAX_BYTES = 512 * 1024
"""To read a mebibyte of YAML takes the engine's own process some seconds."""
router = APIRouter(prefix="/definitions", tags=["definitions"])


@router.get("", response_model=shapes.Workflows, responses=problems())
async def definitions(engine: Live) -> Response:
    """Every workflow that is loaded."""
    return answer({"items": plain.definitions(engine.definitions)})


@router.get("/{workflow}", response_model=shapes.Workflow, responses=problems(404))
async def definition(workflow: str, engine: Live) -> Response:
    """One workflow with its tasks and what each waits for."""
    known = engine.definitions.workflows
    found = known.get(WorkflowId(workflow))
    if found is None:
        raise NotFoundError(f"no workflow '{workflow}'{did_you_mean(workflow, [str(id) for id in known])}")
    return answer(plain.workflow(found))


@router.post("/validate", response_model=shapes.Validated, responses=problems())
def validate(given: asked.FilesToValidate) -> Response:
    """Check definitions, a folder's files by name, without loading them: every fault with its line and column.

    Python files are parsed to know which actions there are, and not run. All files together may
    have 512 KiB.
    """
    from actors.definitions import validate as find_faults

    size = sum(len(text.encode(errors="replace")) for text in given.files.values())
    if size > MAX_BYTES:
        raise RequestError(f"the files have {size:,} bytes and may have {MAX_BYTES:,}; 'engine validate' checks any")
    with tempfile.TemporaryDirectory(prefix="engine-validate-") as folder:
        for name, text in given.files.items():
            Path(folder, name).write_text(text, encoding="utf-8", errors="backslashreplace")
        faults = [asdict(fault) for fault in find_faults(folder)]
    for fault in faults:
        fault["file"] = fault["file"].removeprefix(folder).lstrip("/")
        fault["message"] = fault["message"].replace(folder, ".")
    return answer({"valid": not faults, "faults": faults})


@router.post("/reload", response_model=shapes.Reloaded, responses=problems(409))
def reload(engine: Live) -> Response:
    """Load the definitions folder anew; instances there are go on by what they began with.

    Definitions with faults are refused whole (400, code ``definitions``), and the old stay in force.
    """
    return answer(plain.reloaded(engine.reload()))
