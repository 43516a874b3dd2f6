"""One run of the engine from the command line: start, tell, end, stop in stages.

The main thread waits for occasions (a signal, all is done, the shell is left, something broke)
and decides; threads beside it replay, read the shell's lines and wait for idleness.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any, TypeAlias

from actors.doors import Doors
from actors.engine import Engine, Hosting
from actors.errors import EngineError, EngineFailed
from actors.model import InstanceStatus, TaskStatus
from actors.narration import Notice
from actors.notify import Notifier
from actors.plan import Plan
from actors.printer import Printer
from actors.recorder import ROOM, Recorder
from actors.renewal import Renewal
from actors.replay import Progress, replay
from actors.shell.attaching import Attached, Attachment
from actors.status import Status
from actors.teller import Teller
from actors.ticks.files import TickFile

CHECK_SECONDS = 1.0
"""How often it is asked whether the engine still lives."""
JOIN_SECONDS = 2.0
HARDEST = 2
"""So many signals are heeded; the next one ends the process."""


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
    status: Status
    """Of the first line that failed."""


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


@dataclass(frozen=True, slots=True)
class HungUp:
    """SIGHUP: definitions are to be read again."""


Occasion: TypeAlias = Signalled | HungUp | OutputGone | ReplayOver | ShellLeft | Idle | Broken | Stopped


class Session:
    """One engine, from before its start to after its stop. ``run`` once, in the main thread."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._occasions: SimpleQueue[Occasion] = SimpleQueue()
        self._printer = Printer(lambda: self._occasions.put(OutputGone()))
        hosting = Hosting(None if plan.data is None else plan.data / "versions", takes_output=True)
        self._engine = Engine(plan.definitions, agents=plan.agents, store=plan.store, hosting=hosting)
        self._teller = Teller(plan, self._printer)
        self._notifier = Notifier()
        self._renewal = Renewal(self._engine, self._teller, self._notifier)
        self._doors: Doors | None = None
        self._recorder = Recorder(plan.record, self._teller.complain) if plan.record is not None else None
        self._threads: list[threading.Thread] = []
        self._shell: Attachment | None = None
        self._stop_replay = threading.Event()
        self._stopping = False
        self._signals = 0
        self._script = Status.OK
        """Of the shell's first line that failed, where it was a script."""
        self._wrong = False
        """Something could not be done that the exit status must tell."""

    def run(self) -> Status:
        """Run the engine until what the plan names has happened, or a signal; return the exit status.

        Raises what broke, once the engine is stopped.
        """
        plan = self._plan
        try:
            if plan.data is not None:
                self._doors = Doors(self._engine, plan.data, plan.http)
            return self._run()
        finally:
            if self._doors is not None:
                self._doors.close()
            self._notifier.close()
            self._close_record()

    def _run(self) -> Status:
        self._teller.announce(self._engine.definitions)
        broken: BaseException | None = None
        with self._heeding_signals():
            self._engine.subscribe(self._teller.change, self._teller.types)
            if self._recorder is not None:
                self._engine.subscribe(self._recorder.take, room=ROOM)
            self._teller.say(Notice.STARTING)
            self._start()
            try:
                last = self._until_the_end()
                broken = last.error if isinstance(last, Broken) else None
                stats = self._engine.stats()
                self._name_unknown(stats)
            finally:
                left = self._stop()
                self._close_record()
        self._teller.say(Notice.STOPPED, **self._teller.tally.figures(stats))
        if left:
            self._teller.say(Notice.LEFT, names=", ".join(left))
        if broken is not None:
            raise broken
        if isinstance(last, Signalled) and last.number == signal.SIGINT:
            return Status.INTERRUPTED
        if self._wrong or left or isinstance(last, OutputGone):
            return Status.FAILED
        return self._script

    def _start(self) -> None:
        try:
            self._engine.start()
            if self._doors is not None:
                self._doors.open()
                self._name_doors(self._doors)
            self._notifier.ready(f"{len(self._engine.agents())} agents")  # The scheduler has heard of them by now.
            self._notifier.feed_from(self._engine.pulse)
        except BaseException:
            self._engine.stop(grace=0)
            raise

    def _name_doors(self, doors: Doors) -> None:
        self._teller.note(Notice.SOCKET, socket=doors.socket)
        if (url := doors.login_link()) is not None:
            self._teller.note(Notice.HTTP, url=url)

    def _close_record(self) -> None:
        """The engine has ended, and with it what is to be written. Nothing the second time."""
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return
        recorder.close()
        self._teller.note(Notice.RECORDED, file=recorder.path, written=recorder.written)
        if recorder.lost:
            self._teller.note(Notice.RECORD_LOST, lost=recorder.lost)
        self._wrong = self._wrong or recorder.failed or recorder.lost > 0

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
            self._shell = self._attach()
            self._beside("shell", self._run_shell)
        if not waited_for and plan.until_idle:
            self._beside("idle", self._wait_idle)
        while True:
            match self._next_occasion():
                case ReplayOver() | ShellLeft() as over:
                    if isinstance(over, ShellLeft):
                        self._script = over.status
                        if over.quit:
                            return over
                    # Only when nothing more can come in does idleness mean the end.
                    waited_for.discard(type(over))
                    if not waited_for:
                        self._beside("idle", self._wait_idle)
                case HungUp():
                    self._renewal.ask()
                case Signalled(signal.SIGINT) if self._shell is not None and self._shell.interrupt():
                    # At a prompt Ctrl-C is for the command under way; Ctrl-D and 'quit' end the engine.
                    self._signals -= 1
                case last:
                    return last

    def _attach(self) -> Attachment:
        """The shell on this engine, through the same door as all others."""
        assert self._doors is not None, "a shell needs a data directory"
        assert self._doors.socket is not None
        to = Attached(self._doors.socket, self._doors.history, own=True, keep_going=self._plan.keep_going)
        return Attachment(to, say=self._printer.line, complain=self._printer.note)

    def _next_occasion(self) -> Occasion:
        while True:
            try:
                return self._occasions.get(timeout=CHECK_SECONDS)
            except Empty:
                if self._recorder is not None:
                    self._recorder.flush()
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
        self._teller.progress(progress)
        self._wrong = self._wrong or progress.skipped > 0

    def _run_shell(self) -> Occasion:
        assert self._shell is not None
        status, left_by_quit = self._shell.run()
        return ShellLeft(left_by_quit, status)

    def _name_unknown(self, stats: Mapping[str, Any]) -> None:
        """Name the tasks that a person must settle, before the engine is gone."""
        running = max(1, stats["instances"]["running"])
        instances = self._engine.instances(status=InstanceStatus.RUNNING, limit=running)
        unknown = [task.id for instance in instances for task in instance.tasks if task.status is TaskStatus.UNKNOWN]
        if unknown:
            self._teller.say(Notice.UNKNOWN, tasks=", ".join(unknown))
            self._wrong = True

    # --- stopping --------------------------------------------------------------------------------

    def _stop(self) -> Sequence[str]:
        """Stop the engine, harder with each further signal; return the names of what is left."""
        self._stopping = True
        self._notifier.stopping()
        self._stop_replay.set()
        if self._shell is not None:
            self._shell.close()
        with contextlib.suppress(EngineError, TimeoutError):
            running = [agent["task"] for agent in self._engine.agents() if agent["task"] is not None]
            if running:
                self._teller.waiting(running)
        stopper = threading.Thread(target=self._stop_engine, args=(self._plan.grace,), name="engine-stop", daemon=True)
        stopper.start()
        while not isinstance(occasion := self._occasions.get(), Stopped):
            # What comes to its end meanwhile changes nothing; who asks again wants it over.
            if isinstance(occasion, Signalled | OutputGone):
                self._teller.say(Notice.HARDER)
                self._engine.stop(grace=0)
        for thread in (stopper, *self._threads):
            thread.join(JOIN_SECONDS)
        self._renewal.close()
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

        def hang_up(number: int, _: FrameType | None) -> None:
            # A terminal that is gone tells so by the same signal; who was told to outlive it does.
            if not terminal or _terminal():
                self._occasions.put(HungUp())
            elif before[signal.SIGHUP] is not signal.SIG_IGN:
                self._occasions.put(Signalled(number))

        terminal = _terminal()
        before = {number: signal.signal(number, heed) for number in (signal.SIGINT, signal.SIGTERM)}
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, hang_up)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _terminal() -> bool:
    """Whether there is a terminal that the engine was started from."""
    try:
        os.close(os.open(os.ctermid(), os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
