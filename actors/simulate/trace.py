"""The timeline as a trace in Chrome's event format, which Perfetto and chrome://tracing show.

One process for each simulation, one track for each agent, one slice for each attempt. Written
as it comes, beside its place; only a whole one takes it.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from actors.errors import NotFoundError, RequestError
from actors.model import AgentName, OutcomeKind
from actors.simulation import Span

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Trace:
    """A file of slices; a context manager. Leaving it by an exception leaves nothing behind."""

    def __init__(self, path: Path) -> None:
        """Raises ``RequestError`` if it cannot be written."""
        self.path = path
        # A pipe or a device is written as it is; a file takes its place when it is whole.
        self._whole = not path.exists() or path.is_file()
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part") if self._whole else path
        if path.is_dir():
            raise RequestError(f"{path} cannot be written: it is a folder; name a file")
        self._file = self._open()
        self._first = True
        self._process = 0
        self._threads: dict[AgentName, int] = {}

    def _open(self) -> TextIO:
        try:
            return self._part.open("w", encoding="utf-8", errors="backslashreplace", newline="\n")
        except FileNotFoundError:
            raise NotFoundError(f"{self.path} cannot be written: there is no folder {self.path.parent}") from None
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> RequestError:
        return RequestError(
            f"{self.path} cannot be written: {(error.strerror or str(error)).lower()}; nothing is left of it"
        )

    def __enter__(self) -> Self:
        return self

    def begin(self, title: str, agents: list[AgentName]) -> None:
        """What follows is of another simulation, with these agents."""
        self._process += 1
        self._threads = {name: number for number, name in enumerate(agents, start=1)}
        self._meta("process_name", 0, {"name": title})
        for name, number in self._threads.items():
            self._meta("thread_name", number, {"name": name})
            self._meta("thread_sort_index", number, {"sort_index": number})

    def span(self, span: Span) -> None:
        """One attempt; its times are in microseconds there."""
        if span.began is None:
            return  # It was given up before its first line.
        told: dict[str, object] = {"task": span.task_id, "priority": span.priority, "attempt": span.attempt}
        told["outcome"] = span.outcome.value
        if span.reason is not None and span.outcome is not OutcomeKind.COMPLETED:
            told["reason"] = span.reason.value
        told["waited_ms"] = (span.began - span.ready) / 1e6
        if span.stood_still:
            told["stood_still_ms"] = span.stood_still / 1e6
        self._write({
            "name": f"{span.task} {span.entity}", "cat": span.workflow, "ph": "X", "ts": span.began / 1000,
            "dur": (span.ended - span.began) / 1000, "pid": self._process, "tid": self._threads[span.agent],
            "args": told,
        })  # fmt: skip

    def event(self, event: dict[str, object]) -> None:
        """Any event of the format."""
        self._write(event)

    def _meta(self, name: str, thread: int, told: dict[str, object]) -> None:
        self._write({"name": name, "ph": "M", "pid": self._process, "tid": thread, "args": told})

    def _write(self, event: dict[str, object]) -> None:
        opening = '{"displayTimeUnit":"ms","traceEvents":[\n' if self._first else ",\n"
        self._first = False
        try:
            self._file.write(opening + _encode(event))
        except OSError as error:
            raise self._unwritable(error) from error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is not None:
            self._discard()
            return
        try:
            self._file.write("\n]}\n" if not self._first else '{"displayTimeUnit":"ms","traceEvents":[]}\n')
            self._file.close()
            if self._whole:
                self._part.replace(self.path)
        except OSError as late:
            self._discard()
            raise self._unwritable(late) from late

    def _discard(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()
        if self._whole:
            self._part.unlink(missing_ok=True)
