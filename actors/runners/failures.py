"""What is kept of an exception: bounded texts, at a bounded cost, whatever the exception does."""

from __future__ import annotations

import traceback
from types import TracebackType

from actors.errors import NonRetryable
from actors.model import ErrorInfo

MAX_MESSAGE_CHARS = 2000
MAX_TRACEBACK_CHARS = 8000
_FRAMES = 25


def describe(error: BaseException, *, own_files: frozenset[str] = frozenset()) -> ErrorInfo:
    """Type, message and traceback of ``error``, without the outermost frames from ``own_files``."""
    return ErrorInfo(
        type=_type_name(error),
        message=_clean(_text(error))[:MAX_MESSAGE_CHARS],
        traceback=_cut(_clean(_trace(error, own_files))),
        retryable=not isinstance(error, NonRetryable),
    )


def _trace(error: BaseException, own_files: frozenset[str]) -> str:
    """The chain of exceptions, innermost cause first, the newest frames of each."""
    parts: list[str] = []
    current: BaseException | None = error
    for _ in range(5):
        if current is None:
            break
        trace = current.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename in own_files:
            trace = trace.tb_next
        parts.append(_one(current, trace))
        if current.__cause__ is not None:
            current = current.__cause__
        else:
            current = None if current.__suppress_context__ else current.__context__
    return "\n".join(reversed(parts))


def _one(error: BaseException, trace: TracebackType | None) -> str:
    frames = "".join(traceback.format_tb(trace, limit=-_FRAMES)) if trace is not None else ""
    head = "Traceback (most recent call last):\n" if frames else ""
    return f"{head}{frames}{_type_name(error)}: {_text(error)[:MAX_MESSAGE_CHARS]}\n"


def _type_name(error: BaseException) -> str:
    kind = type(error)
    outer = "" if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}."
    return f"{outer}{kind.__qualname__}"[:200]


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as second:  # noqa: BLE001 - the user's __str__ may raise anything; the report must still go out
        return f"<its text cannot be had: {type(second).__name__}>"


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _cut(text: str) -> str:
    """Keep both ends: the outermost frames say where it began, the last lines what happened."""
    if len(text) <= MAX_TRACEBACK_CHARS:
        return text
    half = MAX_TRACEBACK_CHARS // 2 - 10
    return f"{text[:half]}\n  …\n{text[-half:]}"
