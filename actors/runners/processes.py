"""Runs actions in worker processes: the runner that can stop, kill and suspend anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from actors.model import ActionSpec
from actors.ports import Clock
from actors.runners.attempts import WorkerRunner
from actors.runners.context import MAX_BYTES
from actors.runners.nursery import Terms


class ProcessRunner(WorkerRunner):
    """A ``Runner`` for importable functions, and for commands as well.

    ``actions`` are imported once, by a helper process that forks the workers; ``paths`` is the
    ``sys.path`` it gets. ``environment`` adds to the few variables that are handed on (PATH,
    HOME, LANG and their kind). Results and checkpoints may take ``max_bytes`` as JSON. ``folder``
    is the definitions folder, or that and a copy of it whose code is run.
    """

    def __init__(
        self,
        actions: Mapping[str, ActionSpec],
        *,
        clock: Clock,
        paths: Sequence[str],
        folder: str | tuple[str, str | None] | None = None,
        environment: Mapping[str, str] | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        place, copy = folder if isinstance(folder, tuple) else (folder, None)
        terms = Terms(actions, tuple(paths), environment or {}, place, max_bytes, copy)
        super().__init__(terms, clock=clock, name="actors-processes")
