"""One run of the engine from the command line: start, tell, end, stop in stages.

The main thread waits for occasions (a signal, all is done, the shell is left, something broke)
and decides; threads beside it replay, read the shell's lines and wait for idleness.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any, TypeAlias

from actors.engine import Engine
from actors.errors import EngineError, EngineFailed
from actors.model import Definitions, InstanceStatus, TaskStatus
from actors.narration import (
    NARRATED,
    NOTABLE,
    Language,
    Notice,
    change_as_json,
    narrate,
    notice,
    notice_as_json,
)
from actors.printer import Printer
from actors.replay import Progress, replay
from actors.shell import Shell, completions
from actors.status import Status
from actors.tally import COUNTED, Tally
from actors.terminal import Lines, lines_from
from actors.ticks.files import TickFile
from actors.views import ChangeType, StateChanged

CHECK_SECONDS = 1.0
"""How often it is asked whether the engine still lives."""
JOIN_SECONDS = 2.0
HARDEST = 2
"""So many signals are heeded; the next one ends the process."""
MAX_NAMED = 5
"""Tasks named in one line."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run is to do."""

    definitions: Definitions
    language: Language
    agents: int | None = None
    store: str | None = None
    until_idle: bool = False
    replay: TickFile | None = None
    speed: float = 1.0
    skip_gaps: float | None = None
    shell: bool = False
    grace: float = 10.0
    """Seconds that running tasks may go on when the engine is told to stop."""
    json: bool = False
    verbose: bool = False
    """Every task's lines during a replay too."""


@dataclass(frozen=True, slots=True)
class Signalled:
    number: int


@dataclass(frozen=True, slots=True)
class OutputGone:
    pass


@dataclass(frozen=True, slots=True)
class ReplayOver:
    pass


@dataclass(frozen=True, slots=True)
class ShellLeft:
    quit: bool


@dataclass(frozen=True, slots=True)
class Idle:
    pass


@dataclass(frozen=True, slots=True)
class Broken:
    error: BaseException


@dataclass(frozen=True, slots=True)
class Stopped:
    left: Sequence[str]
    error: BaseException | None = None


Occasion: TypeAlias = Signalled | OutputGone | ReplayOver | ShellLeft | Idle | Broken | Stopped


class Session:
    """One engine, from before its start to after its stop. ``run`` once, in the main thread."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._occasions: SimpleQueue[Occasion] = SimpleQueue()
        self._printer = Printer(lambda: self._occasions.put(OutputGone()))
        self._engine = Engine(plan.definitions, agents=plan.agents, store=plan.store)
        self._tally = Tally()
        lines = NOTABLE if plan.replay is not None and not plan.verbose else NARRATED
        self._told = frozenset(ChangeType) if plan.json else lines
        self._threads: list[threading.Thread] = []
        self._lines: Lines | None = None
        self._stop_replay = threading.Event()
        self._stopping = False
        self._signals = 0
        self._wrong = False
        """Something could not be done that the exit status must tell."""
        self._told_faults = 0

    def run(self) -> Status:
        """Run the engine until what the plan names has happened, or a signal; return the exit status.

        Raises what broke, once the engine is stopped.
        """
        self._announce()
        broken: BaseException | None = None
        with self._heeding_signals():
            self._engine.subscribe(self._tell, self._told | COUNTED)
            self._say(Notice.STARTING)
            self._engine.start()
            try:
                last = self._until_the_end()
                broken = last.error if isinstance(last, Broken) else None
                stats = self._engine.stats()
                self._name_unknown()
            finally:
                left = self._stop()
        self._say(Notice.STOPPED, **self._tally.figures(stats))
        if left:
            self._say(Notice.LEFT, names=", ".join(left))
        if broken is not None:
            raise broken
        if isinstance(last, Signalled) and last.number == signal.SIGINT:
            return Status.INTERRUPTED
        return Status.FAILED if self._wrong or left or isinstance(last, OutputGone) else Status.OK

    # --- until the end ---------------------------------------------------------------------------

    def _until_the_end(self) -> Occasion:
        """Begin what the plan names; return the occasion that ends the run."""
        plan = self._plan
        waited_for: set[type[Occasion]] = set()
        if plan.replay is not None:
            waited_for.add(ReplayOver)
            self._beside("replay", self._replay, plan.replay)
        if plan.shell:
            waited_for.add(ShellLeft)
            self._beside("shell", self._run_shell)
        if not waited_for and plan.until_idle:
            self._beside("idle", self._wait_idle)
        while True:
            match self._next_occasion():
                case ReplayOver() | ShellLeft(quit=False) as over:
                    # Only when nothing more can come in does idleness mean the end.
                    waited_for.discard(type(over))
                    if not waited_for:
                        self._beside("idle", self._wait_idle)
                case last:
                    return last

    def _next_occasion(self) -> Occasion:
        while True:
            try:
                return self._occasions.get(timeout=CHECK_SECONDS)
            except Empty:
                try:
                    self._engine.stats()
                except EngineFailed as error:
                    return Broken(error)

    def _beside(self, name: str, work: Callable[..., Occasion], *arguments: Any) -> None:
        """Do this in a thread of its own; its result is an occasion."""

        def work_and_tell() -> None:
            try:
                occasion = work(*arguments)
            except BaseException as error:  # noqa: BLE001 - it goes to the main thread, which raises it
                # That the engine is gone is no news once it was told to stop.
                if self._stopping and isinstance(error, EngineError):
                    return
                occasion = Broken(error)
            self._occasions.put(occasion)

        thread = threading.Thread(target=work_and_tell, name=f"engine-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _wait_idle(self) -> Occasion:
        self._engine.wait_idle()
        return Idle()

    def _replay(self, ticks: TickFile) -> Occasion:
        plan = self._plan
        replay(
            self._engine,
            ticks,
            speed=plan.speed,
            skip_gaps=plan.skip_gaps,
            on_progress=self._show_progress,
            stop=self._stop_replay,
        )
        return ReplayOver()

    def _show_progress(self, progress: Progress) -> None:
        for fault in progress.faults[self._told_faults :]:
            self._printer.note(fault)
        self._told_faults = len(progress.faults)
        self._wrong = self._wrong or progress.skipped > 0
        shown = asdict(progress) | {
            "percent": int(100 * progress.fraction),
            "behind": f"{progress.behind:.1f}",
            "most_behind": f"{progress.most_behind:.1f}",
            "elapsed": f"{progress.elapsed:.1f}",
        }
        kind = Notice.REPLAYED if progress.done else Notice.REPLAYING
        self._printer.progress(notice(kind, self._plan.language, shown), last=progress.done)

    def _run_shell(self) -> Occasion:
        with lines_from(sys.stdin.fileno(), completions(self._engine)) as lines:
            self._lines = lines
            wrong, left_by_quit = Shell(self._engine, say=self._printer.line, complain=self._printer.note).run(lines)
            self._wrong = self._wrong or (wrong > 0 and not lines.interactive)
            return ShellLeft(quit=left_by_quit or lines.interactive)

    # --- stopping --------------------------------------------------------------------------------

    def _stop(self) -> Sequence[str]:
        """Stop the engine, harder with each further signal; return the names of what is left."""
        self._stopping = True
        self._stop_replay.set()
        if self._lines is not None:
            self._lines.close()
        with contextlib.suppress(EngineError, TimeoutError):
            running = [agent["task"] for agent in self._engine.agents() if agent["task"] is not None]
            if running:
                named = ", ".join(running[:MAX_NAMED]) + (" ..." if len(running) > MAX_NAMED else "")
                self._say(Notice.WAITING, count=len(running), seconds=f"{self._plan.grace:g}", tasks=named)
        stopper = threading.Thread(target=self._stop_engine, args=(self._plan.grace,), name="engine-stop", daemon=True)
        stopper.start()
        while not isinstance(occasion := self._occasions.get(), Stopped):
            # What comes to its end meanwhile changes nothing; who asks again wants it over.
            if isinstance(occasion, Signalled | OutputGone):
                self._say(Notice.HARDER)
                self._engine.stop(grace=0)
        for thread in (stopper, *self._threads):
            thread.join(JOIN_SECONDS)
        if occasion.error is not None:
            raise occasion.error
        return occasion.left

    def _stop_engine(self, grace: float) -> None:
        try:
            self._occasions.put(Stopped(self._engine.stop(grace=grace)))
        except BaseException as error:  # noqa: BLE001 - it goes to the main thread, which raises it
            self._occasions.put(Stopped((), error))

    @contextlib.contextmanager
    def _heeding_signals(self) -> Iterator[None]:
        """Make SIGINT and SIGTERM occasions; the third ends the process, whatever it is at."""

        def heed(number: int, _: FrameType | None) -> None:
            self._signals += 1
            if self._signals > HARDEST:
                os._exit(Status.INTERRUPTED)
            self._occasions.put(Signalled(number))

        before = {number: signal.signal(number, heed) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    # --- telling ---------------------------------------------------------------------------------

    def _announce(self) -> None:
        """Say of each action whose isolation nobody chose what it is."""
        workflows = self._engine.definitions.workflows.values()
        tasks = [task for workflow in workflows for task in workflow.tasks if not task.isolation_chosen]
        for action, isolation in sorted({(task.action, task.isolation.value) for task in tasks if task.action}):
            self._printer.note(self._text(Notice.ISOLATION, {"action": action, "isolation": isolation}))

    def _tell(self, change: StateChanged) -> None:
        self._tally.take(change)
        if change.type not in self._told:
            return
        line = change_as_json(change) if self._plan.json else narrate(change, self._plan.language)
        if line is not None:
            self._printer.line(line)

    def _say(self, kind: Notice, **fields: Any) -> None:
        self._printer.line(self._text(kind, fields))

    def _text(self, kind: Notice, fields: Mapping[str, Any]) -> str:
        return notice_as_json(kind, fields) if self._plan.json else notice(kind, self._plan.language, fields)

    def _name_unknown(self) -> None:
        """Name the tasks that a person must settle, before the engine is gone."""
        instances = self._engine.instances(status=InstanceStatus.RUNNING)
        unknown = [task.id for instance in instances for task in instance.tasks if task.status is TaskStatus.UNKNOWN]
        if unknown:
            self._say(Notice.UNKNOWN, tasks=", ".join(unknown))
            self._wrong = True
