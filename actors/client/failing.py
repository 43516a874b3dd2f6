"""The control API's refusals as our own errors, with the server's sentence."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from actors.errors import (
    DefinitionError,
    EngineError,
    EngineFailed,
    EngineStopped,
    Fault,
    NotFoundError,
    Overloaded,
    RefusedError,
    RequestError,
)

RETRY_AFTER_S = 1.0
MAX_SHOWN = 200
"""Characters of an answer that is not the control API's."""

_KINDS: Mapping[str, Callable[[str], Exception]] = {
    "request": RequestError,
    "too_large": RequestError,
    "not_found": NotFoundError,
    "refused": RefusedError,
    "stopped": EngineStopped,
    "failed": EngineFailed,
    "no_answer": TimeoutError,
}
"""By the answer's code."""
_BY_STATUS: Mapping[int, Callable[[str], Exception]] = {
    400: RequestError,
    401: RefusedError,
    403: RefusedError,
    404: NotFoundError,
    409: RefusedError,
    413: RequestError,
    503: EngineStopped,
}


def error_of(status: int, body: bytes) -> Exception:
    """The error that an answer other than 2xx stands for."""
    told = _told(body)
    if told is None:
        text = body[:MAX_SHOWN].decode("utf-8", "replace")
        return EngineError(f"the engine's answer makes no sense (status {status}): {text or 'it is empty'}")
    code, message = str(told.get("code", "")), str(told.get("message", ""))
    if cure := told.get("cure"):
        message = f"{message}; {cure}"
    if status == 429:
        return Overloaded(
            message,
            retry_after=_number(told.get("retry_after_s"), RETRY_AFTER_S),
            accepted=int(_number(told.get("accepted"), 0)),
        )
    if code == "definitions" and (faults := _faults(told.get("faults"))):
        return DefinitionError(faults)
    return _KINDS.get(code, _BY_STATUS.get(status, EngineError))(message)


def _told(body: bytes) -> Mapping[str, Any] | None:
    try:
        told = json.loads(body)["error"]
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _faults(given: Any) -> list[Fault]:
    try:
        return [Fault(**fault) for fault in given or ()]
    except TypeError:
        return []


def _number(value: Any, otherwise: float) -> float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else otherwise
