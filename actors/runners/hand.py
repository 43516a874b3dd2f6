"""One worker process, as the engine holds it."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress

from actors.model import Instant, Json, Limits, StopReason
from actors.runners.board import Board, Reading, Word, shared_file
from actors.runners.jobs import limits_to_json
from actors.runners.wire import Link, decode
from actors.runners.workplace import STOP_SIGNAL

REASONS = tuple(StopReason)
_FRAME_SPARE = 262_144
"""What an outcome may take beside its result: the texts of an error."""


class Hand:
    """A worker: its link, its board, and its process once there is one.

    Nothing is sent to a process that is buried: its number may be a stranger's by then.
    """

    def __init__(self, number: int, max_bytes: int) -> None:
        """Raises ``OSError`` when the machine has no descriptors or memory left."""
        self.number = number
        self.nice = 0
        """What it serves; a fresh one is fit for all, and becomes what it is first used for."""
        self.limits: Limits | None = None
        self.pid: int | None = None
        self.buried = False
        self.fault = ""
        """What it did wrong, when it is buried for that."""
        self._hastened = False
        self.turn = 0
        """Counts the attempts that it was given."""
        ours, self._theirs = socket.socketpair()
        self.link = Link(ours, max_bytes + _FRAME_SPARE)
        self._board_fd = -1
        try:
            self._board_fd = shared_file(max_bytes)
            self.board = Board(self._board_fd, max_bytes)
        except OSError:
            self.hand_over()
            self.link.close()
            raise

    @property
    def fds(self) -> tuple[int, int]:
        """What the process is given: its end of the link and the board."""
        return self._theirs.fileno(), self._board_fd

    def hand_over(self) -> None:
        """Close what only the process needs."""
        self._theirs.close()
        if self._board_fd >= 0:
            os.close(self._board_fd)
            self._board_fd = -1

    def give(self, job: Json) -> Reading:
        """Have it run an attempt. Raises ``TypeError`` or ``ValueError`` if the job is not JSON."""
        self.turn += 1
        self.board.clear()
        terms = [self.nice, limits_to_json(self.limits)] if self.turn == 1 else None
        self.link.send([self.turn, job, terms])
        return Reading(self.board, decode)

    def tell(self, reason: StopReason) -> None:
        """Leave word for the present turn that it must stop; ``send_stop`` has it looked at."""
        self.board.words[Word.REASON] = REASONS.index(reason)
        self.board.words[Word.STOP] = self.turn

    def hasten(self) -> None:
        """Stop being nice, where the system allows that: what is to end is in the way of something urgent.

        Ending takes processor time too, and one that is nice gets it late beside others that
        compute. ``slow_down`` takes it back.
        """
        if self.pid is not None and not self.buried and self.nice and not self._hastened:
            with suppress(OSError):
                os.setpriority(os.PRIO_PGRP, self.pid, os.getpriority(os.PRIO_PROCESS, 0))
                self._hastened = True

    def slow_down(self) -> None:
        if self.pid is not None and not self.buried and self._hastened:
            self._hastened = False
            with suppress(OSError):
                os.setpriority(os.PRIO_PGRP, self.pid, os.getpriority(os.PRIO_PROCESS, 0) + self.nice)

    def send_stop(self) -> None:
        if self.pid is not None and not self.buried:
            with suppress(ProcessLookupError):
                os.kill(self.pid, STOP_SIGNAL)

    def signal_group(self, number: signal.Signals) -> None:
        """To the worker and all that its action has started, unless it left the group."""
        if self.pid is not None and not self.buried:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def began(self) -> Instant:
        """What the worker says about when the action's first line ran; 0: not yet."""
        return self.board.words[Word.BEGAN]

    def kill_group(self) -> None:
        """End it and all that shares its group."""
        self.hasten()
        self.signal_group(signal.SIGKILL)

    def close(self) -> None:
        self.hand_over()
        self.link.close()
        self.board.close()


class Ended:
    """How a worker ended: exit code or signal, or a text where there is neither."""

    def __init__(self, code: int | None = None, signal_number: int | None = None, text: str = "") -> None:
        self.code = code
        self.signal = signal_number
        self._text = text

    def __str__(self) -> str:
        if self._text:
            return self._text
        if self.signal is not None:
            try:
                return f"the worker process was killed by {signal.Signals(self.signal).name}"
            except ValueError:
                return f"the worker process was killed by signal {self.signal}"
        return f"the worker process ended with exit status {self.code}"
