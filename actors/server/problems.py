"""What goes wrong, as an answer: a status, and one sentence that says what to do.

Every answer that is not 2xx has the same shape, whoever found the fault::

    {"error": {"code": "not_found", "message": "no instance 'x' (the newest 10000 ended are kept)"}}

``code`` is for programs, ``message`` for people. ``retry_after_s`` and ``accepted`` come with
``overloaded``, ``faults`` with ``definitions``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from actors import plain
from actors.errors import (
    DefinitionError,
    EngineFailed,
    EngineStopped,
    Error,
    NotFoundError,
    Overloaded,
    RefusedError,
    RequestError,
)
from actors.log import logger

MAX_MESSAGE = 2_000
RETRY_AFTER_S = 1.0

_BY_ERROR: Sequence[tuple[type[BaseException], int, str]] = (
    (NotFoundError, 404, "not_found"),
    (RefusedError, 409, "refused"),
    (RequestError, 400, "request"),
    (DefinitionError, 400, "definitions"),
    (Overloaded, 429, "overloaded"),
    (EngineStopped, 503, "stopped"),
    (EngineFailed, 503, "failed"),
    (TimeoutError, 503, "no_answer"),
)
_BY_STATUS: Mapping[int, str] = {404: "not_found", 405: "method", 408: "slow", 413: "too_large"}

_SAID_BETTER: Mapping[int, str] = {
    400: "the body cannot be read; send JSON in UTF-8",
    404: "there is no such route; /openapi.json lists them all",
    405: "this route takes no such method; /openapi.json says what it takes",
}
"""Instead of what the framework itself says: all of these are its own, ours are of the kind ``Refusal``."""


class Refusal(HTTPException):
    """The API's own no, which no call of the engine has said.

    Of Starlette's kind, which FastAPI lets through where it reads a body.
    """

    def __init__(self, status: int, code: str, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(status, message)
        self.code = code
        self.retry_after_s = retry_after_s


def problem(status: int, code: str, message: str, *, retry_after_s: float | None = None, **more: Any) -> Response:
    """The answer; with ``retry_after_s`` also as the header, in whole seconds."""
    headers = {}
    if retry_after_s is not None:
        headers["retry-after"] = str(max(1, math.ceil(retry_after_s)))
        more["retry_after_s"] = retry_after_s
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    body = {"error": {"code": code, "message": one_line(message), **more}}
    return Response(plain.encoded(body), status, headers, "application/json")


def code_of(error: BaseException) -> tuple[int, str]:
    """The status and the code of an error of ours; 500 for what nobody foresaw."""
    return next(((status, code) for kind, status, code in _BY_ERROR if isinstance(error, kind)), (500, "internal"))


def problem_of(error: BaseException) -> Response:
    """The answer for an error that a call has raised."""
    if isinstance(error, Refusal):
        return problem(error.status_code, error.code, error.detail, retry_after_s=error.retry_after_s)
    status, code = code_of(error)
    match error:
        case Overloaded(retry_after=seconds, accepted=accepted):
            return problem(status, code, str(error), retry_after_s=seconds, accepted=accepted)
        case DefinitionError(faults=faults):
            return problem(status, code, str(error), faults=[asdict(fault) for fault in faults])
        case TimeoutError():
            return problem(status, code, f"the engine did not answer in time ({error})", retry_after_s=RETRY_AFTER_S)
        case Error():
            return problem(status, code, str(error))
        case _:
            logger().error("request failed", exc_info=error)
            return problem(status, code, "unexpected fault in the server; the engine's log has it")


def one_line(text: str) -> str:
    """Without line breaks and control characters, which a terminal would obey."""
    text = text if len(text) <= MAX_MESSAGE else text[: MAX_MESSAGE - 1] + "…"
    return "".join(c if c.isprintable() else " " if c.isspace() else f"\\x{ord(c):02x}" for c in text)


def answer_errors(app: FastAPI) -> None:
    """Give every error its answer."""

    async def by_error(_: Request, error: Exception) -> Response:
        return problem_of(error)

    async def by_status(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        message = _SAID_BETTER.get(error.status_code, str(error.detail))
        code = _BY_STATUS.get(error.status_code, "request")
        found = problem(error.status_code, code, message)
        found.headers.update(error.headers or {})
        return found

    async def by_validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        if isinstance(error.body, bytes):  # It was not read as JSON, since it did not say that it is.
            kind = request.headers.get("content-type", "nothing")[:100]
            text = f"the body says that it is {kind}; send JSON, with the header 'Content-Type: application/json'"
            return problem(400, "request", text)
        return problem(400, "request", "; ".join(_fault(one) for one in list(error.errors())[:5]))

    for kind in (Error, TimeoutError, Refusal):
        app.add_exception_handler(kind, by_error)
    app.add_exception_handler(HTTPException, by_status)
    app.add_exception_handler(RequestValidationError, by_validation)
    app.add_exception_handler(Exception, by_error)


def _fault(found: Mapping[str, Any]) -> str:
    where, *path = [str(part) for part in found["loc"]] or ["request"]
    if found["type"] == "json_invalid":
        return f"the body is not JSON: {found.get('ctx', {}).get('error', found['msg'])}"
    name = ".".join(path) or "it"
    text = str(found["msg"])
    return f"{where}: {name}: {text[:1].lower()}{text[1:]}"
