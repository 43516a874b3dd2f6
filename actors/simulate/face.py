"""``engine simulate``: reads what is asked, simulates, prints what it came to."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actors.durations.files import FILE_NAME, Given, read_durations
from actors.errors import RequestError
from actors.log import json_line
from actors.model import AgentGroup, Definitions
from actors.narration import choose_language
from actors.printer import Printer
from actors.simulate.arrivals import EVENTS, Arrival, arrivals_of, first_of, open_file
from actors.simulate.choosing import Sources, planner_of, tasks_of
from actors.simulate.records import Recorded, raised, read_record, recorded_arrivals, started_by_record
from actors.simulate.running import Watching, rehearse
from actors.simulate.trace import Trace
from actors.simulate.wording import Wording
from actors.status import Status

MAX_SHOWN = 20
"""Unusable lines that are shown; beyond that they are counted."""
PROGRESS_SECONDS = 0.2
LONG_SECONDS = 2.0
"""Of a simulation that took as long it is said when it is over."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of the command."""

    definitions: Definitions
    folder: Path
    """As it was typed."""
    events: Path | None = None
    record: Path | None = None
    durations: Path | None = None
    durations_from: Path | None = None
    default_ms: float | None = None
    agents: Sequence[int] = ()
    """Simulated one after another; none: as the folder says."""
    seed: int = 1
    speed: float | None = None
    skip_gaps: float | None = None
    trace: Path | None = None
    language: str | None = None
    json: bool = False


def run(asked: Asked) -> Status:
    """Simulate and print. Raises what is wrong with the files, before anything is printed."""
    return _Run(asked).run()


class _Run:
    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        language = choose_language(asked.language, asked.definitions.settings.language)
        self._wording = Wording(language, str(asked.folder))
        self._printer = Printer(lambda: None)
        self._wrong = False
        self._skipped = 0

    def run(self) -> Status:
        asked = self._asked
        self._spare_inputs()
        if asked.events is not None:
            open_file(asked.events, EVENTS).close()
        recorded = self._read(asked.record) if asked.record is not None else None
        samples = self._read(asked.durations_from) if asked.durations_from is not None else None
        sources = Sources(
            named=self._given(asked.durations), samples=samples, exact=recorded, beside=self._given(self._beside()),
            default_ms=asked.default_ms,
        )  # fmt: skip
        planner_of(asked.definitions, sources, asked.seed)  # What is missing is said before anything is begun.
        definitions = self._definitions(recorded)
        reports: list[dict[str, Any]] = []
        with Trace(asked.trace) if asked.trace is not None else contextlib.nullcontext() as trace:
            for count in asked.agents or (None,):
                wanted = definitions if count is None else _with_agents(definitions, count)
                arrivals = first_of(self._arrivals(recorded, wanted))
                planner = planner_of(asked.definitions, sources, asked.seed)
                title = self._title(wanted)
                began = time.monotonic()
                reports.append(rehearse(wanted, arrivals, planner, Watching(trace, title, self._progress())))
                self._note_end(reports[-1], time.monotonic() - began)
        self._print(reports)
        return Status.FAILED if self._wrong else Status.OK

    # --- what is read ----------------------------------------------------------------------------

    def _spare_inputs(self) -> None:
        """The trace takes the place of what is there; that must not be what is read."""
        asked = self._asked
        for path in (asked.events, asked.record, asked.durations, asked.durations_from):
            if path is not None and asked.trace is not None and path.resolve() == asked.trace.resolve():
                raise RequestError(f"{path} is read; --trace would write over it: name another file")

    def _read(self, path: Path) -> Recorded:
        strict = path is self._asked.record
        recorded = read_record(path, self._asked.definitions, strict=strict)
        if recorded.lost:
            self._note("lost", file=path, lost=recorded.lost)
            self._wrong = True
        if recorded.cut:
            self._note("cut", file=path)
        return recorded

    def _beside(self) -> Path | None:
        path = Path(self._asked.definitions.folder or ".") / FILE_NAME
        return path if path.exists() and self._asked.durations is None else None

    def _given(self, path: Path | None) -> Given:
        return Given() if path is None else read_durations(path, tasks_of(self._asked.definitions))

    def _definitions(self, recorded: Recorded | None) -> Definitions:
        """As the folder says; a file of events takes the place of its timed events."""
        definitions = self._asked.definitions
        if recorded is not None:
            return started_by_record(definitions)
        if self._asked.events is None:
            return definitions
        return dataclasses.replace(definitions, settings=dataclasses.replace(definitions.settings, events=()))

    def _arrivals(self, recorded: Recorded | None, definitions: Definitions) -> Iterator[Arrival]:
        asked = self._asked
        if recorded is not None:
            return raised(definitions, recorded_arrivals(recorded))
        if asked.events is None:
            return iter(())
        self._skipped = 0
        pace = {"speed": asked.speed, "skip_gaps": asked.skip_gaps}
        return arrivals_of(asked.events, asked.definitions, skip=self._skip, **pace)

    def _skip(self, fault: str) -> None:
        self._skipped += 1
        if self._skipped <= MAX_SHOWN and not self._wrong:
            self._printer.note(fault)

    # --- what is said ----------------------------------------------------------------------------

    def _note(self, word: str, **fields: Any) -> None:
        self._printer.note(self._wording.say(word, **fields))

    def _progress(self) -> Callable[[int, int], None]:
        told = time.monotonic()

        def tell(now_ns: int, attempts: int) -> None:
            nonlocal told
            if time.monotonic() - told >= PROGRESS_SECONDS:
                told = time.monotonic()
                self._printer.progress(self._wording.say("progress", seconds=f"{now_ns / 1e9:.0f}", attempts=attempts))

        return tell

    def _title(self, definitions: Definitions) -> str:
        return self._wording.say("of", agents=sum(group.count for group in definitions.settings.agents))

    def _note_end(self, report: dict[str, Any], took: float) -> None:
        if took >= LONG_SECONDS:
            seconds = f"{report['virtual_s']:.1f}"
            self._note("over", agents=report["agents"], seconds=seconds, took=f"{took:.1f}")
        counts = {
            "skipped": self._skipped,
            "refused": report["events"]["refused"] + report["events"]["rejected"],
            "unfinished": report["instances"]["running"],
        }
        for word, count in counts.items():
            if count:
                self._note(word, count=count)
                self._wrong = True

    def _print(self, reports: Sequence[dict[str, Any]]) -> None:
        asked = self._asked
        if asked.json:
            self._printer.line(json_line({"folder": str(asked.folder), "seed": asked.seed, "runs": reports}))
        else:
            lines = self._wording.report(reports[0]) if len(reports) == 1 else self._wording.compare(reports)
            for line in lines:
                self._printer.line(line)
        if asked.trace is not None:
            self._note("traced", file=asked.trace)


def _with_agents(definitions: Definitions, count: int) -> Definitions:
    settings = dataclasses.replace(definitions.settings, agents=(AgentGroup(count=count),))
    return dataclasses.replace(definitions, settings=settings)
