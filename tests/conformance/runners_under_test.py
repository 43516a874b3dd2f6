"""Which runners the contract is checked for, and a world to check one in.

A new runner joins with one line in ``SUBJECTS``.
"""

from __future__ import annotations

import inspect
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from actors.actions import describe
from actors.clock import SystemClock
from actors.messages import ActionEnded, ActionNoted, ActionSuspended, FromRunner, Note
from actors.model import (
    NS_PER_MS,
    AttemptId,
    Entity,
    EntityId,
    Event,
    Instant,
    Isolation,
    Job,
    Origin,
    Outcome,
    Task,
    TaskKey,
    WorkflowId,
)
from actors.ports import Report, Runner
from actors.runners.commands import CommandRunner
from actors.runners.event_loop import EventLoopRunner
from actors.runners.processes import ProcessRunner
from actors.runners.threads import ThreadRunner
from tests.conformance import contract_actions, contract_process_actions

BOUND_S = 20.0
"""How long anything may take that must happen."""
MAX_BYTES = 65_536
ROOT = Path(__file__).parents[2]

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    name: function
    for module in (contract_actions, contract_process_actions)
    for name, function in vars(module).items()
    if inspect.isfunction(function) and function.__module__ == module.__name__ and name[0] != "_"
}


@dataclass(frozen=True)
class Subject:
    """One runner under test. ``isolation`` says how its actions are written."""

    name: str
    isolation: Isolation
    make: Callable[[], Runner]

    def task(self, behaviour: str, **fields: Any) -> Task:
        """A task with that behaviour, as this runner's actions are written."""
        if self.isolation is Isolation.COMMAND:
            program = str(Path(contract_actions.__file__).with_name("contract_program.py"))
            fields["run"] = (sys.executable, "-S", program, behaviour)
        elif self.isolation is Isolation.ASYNC and not behaviour.startswith("async_"):
            fields["action"] = f"async_{behaviour}"
        else:
            fields["action"] = behaviour
        return Task("t", 0, isolation=self.isolation, **fields)


def make_processes() -> Runner:
    specs = {name: describe(name, function) for name, function in FUNCTIONS.items()}
    return ProcessRunner(specs, clock=SystemClock(), paths=[str(ROOT), *sys.path], max_bytes=MAX_BYTES)


SUBJECTS = (
    Subject("threads", Isolation.THREAD, lambda: ThreadRunner(FUNCTIONS, clock=SystemClock(), max_bytes=MAX_BYTES)),
    Subject(
        "coroutines", Isolation.ASYNC, lambda: EventLoopRunner(FUNCTIONS, clock=SystemClock(), max_bytes=MAX_BYTES)
    ),
    Subject("processes", Isolation.PROCESS, make_processes),
    Subject("commands", Isolation.COMMAND, lambda: CommandRunner(clock=SystemClock(), max_bytes=MAX_BYTES)),
)


def only(*isolations: Isolation) -> pytest.MarkDecorator:
    """Check this promise for the runners of these isolations alone."""
    chosen = [subject for subject in SUBJECTS if subject.isolation in isolations]
    return pytest.mark.parametrize("subject", chosen, ids=[subject.name for subject in chosen], indirect=True)


with_ctx = only(*(set(Isolation) - {Isolation.COMMAND}))
can_kill = only(Isolation.PROCESS, Isolation.COMMAND)
cannot_kill = only(Isolation.THREAD, Isolation.ASYNC)


@dataclass
class Told:
    """What the runner reported about one attempt, in order, and to which of its report functions."""

    job: Job
    messages: list[FromRunner] = field(default_factory=list)
    to: list[str] = field(default_factory=list)

    @property
    def outcome(self) -> Outcome | None:
        return next((each.outcome for each in self.messages if isinstance(each, ActionEnded)), None)

    @property
    def notes(self) -> list[Note]:
        return [each.note for each in self.messages if isinstance(each, ActionNoted)]

    @property
    def said(self) -> list[str]:
        return [text for note in self.notes for _, text in note.lines]


class World:
    """A runner, the attempts given to it, and everything it reported."""

    def __init__(self, subject: Subject, folder: Path) -> None:
        self.subject = subject
        self.folder = folder
        self.runner = subject.make()
        self.told: dict[AttemptId, Told] = {}
        self.strays: list[FromRunner] = []
        self._changed = threading.Condition()
        self._credited: dict[AttemptId, int] = {}

    # --- what an agent does ---

    def start(
        self, behaviour: str, *, number: int = 1, task: int | None = None, fields: Any = None, **params: Any
    ) -> AttemptId:
        """Start an attempt of that behaviour; ``fields`` replaces fields of its job."""
        key = TaskKey(len(self.told) + 1 if task is None else task)
        attempt = AttemptId(key, number)
        given: dict[str, Any] = {
            "origin": Origin("store", WorkflowId("flow"), EntityId("000001"), key),
            "task": self.subject.task(behaviour, timeout_ms=30_000),
            "priority": 2,
            "entity": Entity(EntityId("000001")),
            "event": Event("DATA_READY", "000001"),
            "params": {"folder": str(self.folder), **params},
            "inputs": {},
            "restored": None,
            "merged": 1,
        }
        job = Job(attempt=attempt, **{**given, **(fields or {})})
        self.told[attempt] = Told(job)
        self.runner.start(job, self.report("first"))
        return attempt

    def report(self, name: str) -> Report:
        def take(message: FromRunner) -> None:
            with self._changed:
                told = self.told.get(message.attempt)
                if told is None:
                    self.strays.append(message)
                else:
                    told.messages.append(message)
                    told.to.append(name)
                self._changed.notify_all()

        return take

    # --- waiting, always with a bound ---

    def until(self, condition: Callable[[], Any], what: str) -> None:
        """Wait until something that reports bring about is so."""
        with self._changed:
            assert self._changed.wait_for(condition, BOUND_S), f"not within {BOUND_S:g} s: {what}; {self.told}"

    def said(self, attempt: AttemptId, text: str = "here") -> None:
        """Wait until the action has said a line, giving credit for every note meanwhile."""
        told, end = self.told[attempt], time.monotonic() + BOUND_S
        while text not in told.said:
            assert told.outcome is None, f"it ended without saying {text!r}: {told}"
            if len(told.notes) > self._credited.get(attempt, 0):
                self._credited[attempt] = self._credited.get(attempt, 0) + 1
                self.runner.credit(attempt)
            with self._changed:
                self._changed.wait(0.01)
            assert time.monotonic() < end, f"it did not say {text!r}: {told}"

    def ended(self, attempt: AttemptId) -> Outcome:
        self.until(lambda: self.told[attempt].outcome, f"the end of {attempt}")
        outcome = self.told[attempt].outcome
        assert outcome is not None
        return outcome

    def nothing_more(self, attempt: AttemptId, seconds: float = 0.1) -> None:
        """Nothing is reported of this attempt for that long."""
        told = self.told[attempt]
        seen = len(told.messages)
        with self._changed:
            assert not self._changed.wait_for(lambda: len(told.messages) > seen, seconds), told.messages[seen:]

    def nothing_or_end(self, attempt: AttemptId, seconds: float = 0.005) -> None:
        """A short pause, or the attempt's end if that comes first."""
        with self._changed:
            self._changed.wait_for(lambda: self.told[attempt].outcome is not None, seconds)

    def suspended(self, attempt: AttemptId) -> None:
        told = self.told[attempt]
        self.until(
            lambda: any(isinstance(each, ActionSuspended) for each in told.messages), f"the suspension of {attempt}"
        )

    # --- what the actions left ---

    def ledger(self, attempt: AttemptId | None = None) -> list[str]:
        """The lines that actions appended, of one attempt without its name."""
        try:
            lines = (self.folder / "ledger").read_text().splitlines()
        except FileNotFoundError:
            return []
        if attempt is None:
            return lines
        prefix = f"{self.told[attempt].job.task_id}#{attempt.number} "
        return [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]

    def written(self, attempt: AttemptId, line: str) -> None:
        """Wait until the action has appended this line."""
        end = time.monotonic() + BOUND_S
        while line not in self.ledger(attempt):
            assert time.monotonic() < end, f"not within {BOUND_S:g} s: {line!r} in the ledger"
            with self._changed:
                self._changed.wait(0.005)

    def release(self) -> None:
        (self.folder / "release").touch()

    def close(self, seconds: float = BOUND_S) -> list[str]:
        return list(self.runner.close(now() + int(seconds * 1000) * NS_PER_MS))

    def check(self) -> None:
        """The promise about reports, for every attempt of the test: one end, and nothing after it."""
        assert not self.strays
        for attempt, told in self.told.items():
            ends = [each for each in told.messages if isinstance(each, ActionEnded)]
            assert len(ends) == 1, f"{attempt} was reported ended {len(ends)} times: {told.messages}"
            assert told.messages[-1] is ends[0], f"{attempt}: reports after its end: {told.messages}"
            outcome = ends[0].outcome
            assert outcome.began is None or outcome.began <= outcome.ended


def now() -> Instant:
    return time.monotonic_ns()
