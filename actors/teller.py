"""Tells what happens in one run: as lines in the reader's language, or as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from actors.log import logger
from actors.model import Definitions
from actors.narration import (
    NARRATED,
    NOTABLE,
    Notice,
    change_as_json,
    narrate,
    notice,
    notice_as_json,
)
from actors.plan import Plan
from actors.printer import Printer
from actors.replay import Progress
from actors.tally import COUNTED, Tally
from actors.views import ChangeType, StateChanged

MAX_NAMED = 5
"""Tasks named in one line."""


class Teller:
    """``change`` is the engine's subscriber; the rest is what the command line itself has to say."""

    def __init__(self, plan: Plan, printer: Printer) -> None:
        self.tally = Tally()
        self._plan = plan
        self._printer = printer
        self._log = logger()
        lines = NOTABLE if plan.replay is not None and not plan.verbose else NARRATED
        self._told = frozenset(ChangeType) if plan.json else lines
        self._told_faults = 0

    @property
    def types(self) -> frozenset[ChangeType]:
        """The changes to subscribe to."""
        return self._told | COUNTED | {ChangeType.TASK_NOTED}

    def change(self, change: StateChanged) -> None:
        self.tally.take(change)
        if change.type is ChangeType.TASK_NOTED:
            # What an action said by ``ctx.log``, with who said it.
            for level, text in change.detail.get("lines", ()):
                self._log.log(
                    level, text, instance=change.instance_id, task=change.task_id, attempt=change.attempt,
                    entity=change.entity_id, agent=change.agent,
                )  # fmt: skip
        if change.type in self._told:
            line = change_as_json(change) if self._plan.json else narrate(change, self._plan.language)
            if line is not None:
                self._printer.line(line)

    def say(self, kind: Notice, **fields: Any) -> None:
        """Among the lines of what happens."""
        self._printer.line(self._text(kind, fields))

    def note(self, kind: Notice, **fields: Any) -> None:
        """Beside them, on standard error."""
        self._printer.note(self._text(kind, fields))

    def complain(self, text: str) -> None:
        """A sentence about what went wrong beside the engine."""
        self._printer.note(text)

    def announce(self, definitions: Definitions) -> None:
        """Say whose code will run, and of each action whose isolation nobody chose what it is."""
        tasks = [task for workflow in definitions.workflows.values() for task in workflow.tasks]
        self.note(Notice.TRUSTED, folder=definitions.folder)
        for program in sorted({task.run[0] for task in tasks if task.run}):
            self.note(Notice.COMMAND, program=program)
        unchosen = {(task.action, task.isolation.value) for task in tasks if task.action and not task.isolation_chosen}
        for action, isolation in sorted(unchosen):
            self.note(Notice.ISOLATION, action=action, isolation=isolation)

    def waiting(self, tasks: Sequence[str]) -> None:
        """Say what a stop waits for."""
        named = ", ".join(tasks[:MAX_NAMED]) + (" ..." if len(tasks) > MAX_NAMED else "")
        self.say(Notice.WAITING, count=len(tasks), seconds=f"{self._plan.grace:g}", tasks=named)

    def progress(self, progress: Progress) -> None:
        """Show how far a replay is; each line that could not be used is told once."""
        for fault in progress.faults[self._told_faults :]:
            self._printer.note(fault)
        self._told_faults = len(progress.faults)
        shown = asdict(progress) | {"percent": int(100 * progress.fraction)}
        shown |= {name: f"{shown[name]:.1f}" for name in ("behind", "most_behind", "elapsed")}
        kind = Notice.REPLAYED if progress.done else Notice.REPLAYING
        self._printer.progress(self._text(kind, shown), last=progress.done)

    def _text(self, kind: Notice, fields: Mapping[str, Any]) -> str:
        return notice_as_json(kind, fields) if self._plan.json else notice(kind, self._plan.language, fields)
