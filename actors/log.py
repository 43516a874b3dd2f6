"""Logs: the library's loggers, and what the command line makes of them.

Embedded, the library says what it has to say through the standard logger ``actors`` and
configures nothing: whoever embeds it decides. The command line puts one handler on that logger.
Log lines are English and never translated; their fields are for machines.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

from actors.printable import utc_text

if TYPE_CHECKING:
    from actors.model import Job

LOGGER = "actors"
_FIELDS = "engine_fields"


class LogFormat(StrEnum):
    CONSOLE = "console"
    JSON = "json"


def logger(**fields: Any) -> structlog.stdlib.BoundLogger:
    """Return a logger whose lines carry these fields; it ends in the standard logger ``actors``."""
    wrapped: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(LOGGER),
        processors=[structlog.stdlib.filter_by_level, structlog.processors.format_exc_info, _hand_over],
        wrapper_class=structlog.stdlib.BoundLogger,
        context_class=dict,
        **fields,
    )
    return wrapped


def _hand_over(_: WrappedLogger, method: str, event: EventDict) -> tuple[tuple[str], dict[str, Any]]:
    """Give the standard logger a readable line, and the fields beside it for our own handler."""
    fields = dict(event)
    text = str(fields.pop("event", ""))
    shown = " ".join(f"{name}={value}" for name, value in fields.items() if name != "exception")
    line = f"{text} {shown}".rstrip()
    # With ``exception`` the standard logger adds the traceback itself.
    if "exception" in fields and method != "exception":
        line += f"\n{fields['exception']}"
    return (line,), {"extra": {_FIELDS: {"event": text, **fields}}}


class _Formatter(logging.Formatter):
    def __init__(self, log_format: LogFormat, *, colors: bool) -> None:
        super().__init__()
        self._json = log_format is LogFormat.JSON
        self._console = structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)

    def format(self, record: logging.LogRecord) -> str:
        fields = dict(getattr(record, _FIELDS, None) or {"event": record.getMessage()})
        if record.exc_info and "exception" not in fields:
            fields["exception"] = self.formatException(record.exc_info)
        head = {"time": utc_text(record.created), "level": record.levelname.lower()}
        if self._json:
            return json_line({**head, **fields})
        shown = {"timestamp": head["time"], "level": head["level"], **fields}
        return str(self._console(None, record.levelname.lower(), shown))


def start_logging(stream: TextIO, log_format: LogFormat, *, level: int = logging.WARNING) -> logging.Handler:
    """Send what the library logs to this stream, for a process that is ours; return the handler.

    ``stop_logging`` takes it away again.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Formatter(log_format, colors=stream.isatty()))
    ours = logging.getLogger(LOGGER)
    ours.addHandler(handler)
    ours.setLevel(level)
    ours.propagate = False
    return handler


def stop_logging(handler: logging.Handler) -> None:
    ours = logging.getLogger(LOGGER)
    ours.removeHandler(handler)
    ours.setLevel(logging.NOTSET)
    ours.propagate = True


def about(job: Job) -> dict[str, Any]:
    """The fields of a line that is about an attempt."""
    return {"instance": job.instance_id, "task": job.task_id, "attempt": job.attempt.number, "entity": job.entity.id}


def json_line(fields: Mapping[str, Any]) -> str:
    """Return one line of JSON, Chinese as it is; what JSON does not know becomes its text."""
    return json.dumps(fields, ensure_ascii=False, default=str)
