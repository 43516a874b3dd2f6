"""The worker process: takes one job at a time, runs its action, says how it ended.

It belongs to one spawner and one engine and ends with either. The stop comes as a signal; the
board says which turn it means, so that one that comes late stops nothing else.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from actors.errors import AttemptStopped
from actors.model import (
    ActionKind,
    AttemptId,
    Entity,
    EntityId,
    ErrorInfo,
    Event,
    Instant,
    Job,
    Json,
    Level,
    Origin,
    Outcome,
    OutcomeKind,
    StopReason,
    Task,
    TaskKey,
    WorkflowId,
)
from actors.runners.board import Board, Word
from actors.runners.driving import Execution
from actors.runners.jobs import job_from_json, job_to_json, limits_from_json, outcome_to_json
from actors.runners.limits import name_limit
from actors.runners.loading import Actions
from actors.runners.notes import Mailbox
from actors.runners.program import Program
from actors.runners.said import Ears
from actors.runners.stopping import Control
from actors.runners.wire import Pipe, decode, encode
from actors.runners.workplace import STOP_SIGNAL, Place, Setup, restrict, settle

REASONS = tuple(StopReason)


class WorkerControl(Control):
    """A control whose times the engine sees and sets, on the board."""

    __slots__ = ("_words", "turn")

    def __init__(self, board: Board, turn: int) -> None:
        self._words = board.words
        self.turn = turn
        super().__init__()

    def told(self) -> StopReason | None:
        """What the engine has said to this turn, if it has."""
        return REASONS[self._words[Word.REASON]] if self._words[Word.STOP] == self.turn else None

    @property
    def began(self) -> Instant | None:
        return self._words[Word.BEGAN] or None

    @began.setter
    def began(self, value: Instant | None) -> None:
        self._words[Word.BEGAN] = value or 0

    @property
    def paused_ns(self) -> int:
        return self._words[Word.PAUSED]

    @paused_ns.setter
    def paused_ns(self, value: int) -> None:
        """The engine's to write."""


class BoardNotes:
    """What the action says, written where the engine finds it even if this process dies."""

    def __init__(self, board: Board, pipe: Pipe) -> None:
        self._board = board
        self._pipe = pipe
        self._lock = threading.Lock()
        self._closed = False
        self.newest: Json = None
        self.last_words: Callable[[], None] = lambda: None
        """Called before the notes are closed."""

    def checkpoint(self, value: Json) -> None:
        if value is not None:
            data = encode(value)
            with self._lock:
                if not self._closed:
                    self.newest = value
                    self._board.checkpoint.write(data)
                    self._call()

    def progress(self, fraction: float, note: str) -> None:
        data = encode([fraction, note])
        with self._lock:
            if not self._closed:
                self._board.progress.write(data)
                self._call()

    def line(self, level: Level, text: str) -> None:
        with self._lock:
            if not self._closed:
                self._board.write_line(level, text)
                self._call()

    def close(self) -> None:
        self.last_words()
        with self._lock:
            self._closed = True

    def _call(self) -> None:
        """Tell the engine that there is something, unless it was told and has not looked yet."""
        words = self._board.words
        if not words[Word.CALLED]:
            words[Word.CALLED] = 1
            self._pipe.send(["note"])


class Worker:
    """Serves one engine over one pipe until that ends."""

    def __init__(self, place: Place, setup: Setup, actions: Actions) -> None:
        self._place = place
        self._setup = setup
        self._actions = actions
        self._pipe = Pipe(socket.socket(fileno=place.end))
        self._board = Board(place.board, setup.max_bytes)
        os.close(place.board)
        self._control: WorkerControl | None = None
        self._traces = False
        self._ears = Ears()
        self._ears.listen(output=setup.takes_output)
        self._threads = threading.active_count()

    def serve(self) -> None:
        sys.unraisablehook = self._on_unraisable
        me = os.getpid()
        while True:
            self._reset_signals()
            try:
                turn, job, terms = self._pipe.receive()
            except EOFError:
                return
            if terms is not None:
                restrict(terms[0], limits_from_json(terms[1]))
            outcome = self._run(turn, job_from_json(job))
            if os.getpid() != me:
                os._exit(0)  # a fork that the action made and did not end; its parent goes on
            # What the action printed and what it left running belong to it.
            with suppress(OSError, ValueError):
                sys.stdout.flush()
            clean = threading.active_count() <= self._threads and not _descendants()
            self._pipe.send(["end", turn, outcome_to_json(outcome), clean])
            self._tidy()

    def _reset_signals(self) -> None:
        """Listen for the stop, whatever the attempt before has changed, and let no alarm of its go off in the next."""
        for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
            signal.setitimer(timer, 0)
        signal.signal(STOP_SIGNAL, self._on_signal)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())

    def _run(self, turn: int, job: Job) -> Outcome:
        control = WorkerControl(self._board, turn)
        action = self._action(job, control)
        if isinstance(action, ErrorInfo):
            return Outcome(OutcomeKind.FAILED, error=action)
        notes = BoardNotes(self._board, self._pipe)
        execution = Execution(job, action, notes=notes, control=control, max_bytes=self._setup.max_bytes)
        self._control = control
        # A signal that came before there was something to stop has left its word.
        if reason := control.told():
            control.tell(reason)
        self._ears.say = partial(control.quietly, notes.line)
        notes.last_words = self._ears.over
        outcome = execution.run()
        self._ears.say = None
        self._control = None
        if self._traces:
            self._traces = False
            sys.settrace(None)
        return name_limit(outcome, job.task.limits)

    def _action(self, job: Job, control: Control) -> Callable[[Any], Any] | ErrorInfo:
        if job.task.run is not None:
            return Program(job, control, folders=self._setup.folders(), max_bytes=self._setup.max_bytes)
        name = job.task.action or ""
        found = self._actions.functions.get(name) or self._actions.faults.get(name)
        return found or ErrorInfo("Unloadable", f"no action {name!r} is known to this worker", retryable=False)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        """Tell and stop the action of the attempt that the signal is meant for, if that runs."""
        control = self._control
        if control is not None and (reason := control.told()):
            control.tell(reason)
            control.raise_here()

    def _on_unraisable(self, unraisable: sys.UnraisableHookArgs) -> None:
        """Take a stop that a destructor swallowed, and raise it at the next line of who was interrupted by that."""
        control = self._control
        if control is None or not isinstance(unraisable.exc_value, AttemptStopped):
            sys.__unraisablehook__(unraisable)
            return

        def trace(_frame: FrameType, _event: str, _argument: object) -> Callable[..., Any]:
            # An exception from here ends the tracing.
            control.raise_here()
            return trace

        self._traces = True
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            frame.f_trace = trace
            frame = frame.f_back
        sys.settrace(trace)

    def _tidy(self) -> None:
        """Give the next attempt an empty working folder."""
        folder = self._place.folder
        with suppress(OSError):
            os.chdir(folder)
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        shutil.rmtree(entry.path, ignore_errors=True)
                    else:
                        os.unlink(entry.path)


def _descendants() -> bool:
    """Whether a process that the action started still runs; those that ended are let go.

    Every orphan below this process comes to it, however it was detached, so one look tells.
    """
    if not hasattr(os, "waitid"):
        return False
    while True:
        try:
            if os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG) is None:
                return True
        except ChildProcessError:
            return False


def prepare(actions: Actions) -> None:
    """Import now, once, what workers would each import later."""
    kinds = {ActionKind.COROUTINE, ActionKind.ASYNC_GENERATOR}
    if kinds.intersection(actions.kinds.values()):
        import actors.runners.coroutines  # noqa: F401


def rehearse() -> None:
    """Run an attempt of nothing.

    The first attempt of a forked process copies every page of memory that it touches; most
    spare workers have the time to do that before they are needed.
    """
    job = Job(
        attempt=AttemptId(TaskKey(0), 1),
        origin=Origin("", WorkflowId(""), EntityId(""), 0),
        task=Task("", 0, action=""),
        priority=0,
        entity=Entity(EntityId("")),
        event=Event("", ""),
        params={},
        inputs={},
        restored=None,
        merged=1,
    )
    job = job_from_json(decode(encode(job_to_json(job))))
    encode(
        outcome_to_json(
            Execution(job, lambda ctx: ctx.entity.id, notes=Mailbox(lambda _: None), control=Control()).run()
        )
    )


def serve(place: Place, setup: Setup, actions: Actions) -> None:
    """Be a worker, in a process that was just forked or executed, until the engine closes its end."""
    settle(place)
    rehearse()
    Worker(place, setup, actions).serve()


def main(arguments: list[str]) -> None:
    """``arguments``: the program's name, the place as JSON, the setup's file."""
    place, setup = Place.from_text(arguments[1]), Setup.load(Path(arguments[2]))
    setup.enter()
    for fd in (place.end, place.board):
        os.set_inheritable(fd, False)  # noqa: FBT003
    actions = Actions(setup.actions)
    prepare(actions)
    serve(place, setup, actions)
