"""Runs commands (``run: [program, args]``), each supervised by a worker process of ours."""

from __future__ import annotations

from collections.abc import Mapping

from actors.ports import Clock
from actors.runners.attempts import WorkerRunner
from actors.runners.context import MAX_BYTES
from actors.runners.nursery import Terms


class CommandRunner(WorkerRunner):
    """A ``Runner`` for commands alone, for engines without a process runner, which runs them too.

    A program gets ``params``, ``inputs``, ``entity``, ``event``, ``restored`` and
    ``idempotency_key`` as JSON on standard input. The last line of its standard output is its
    result, as JSON if it is that, else as text; lines on standard error are log lines. It
    fails by its exit status. The stop is SIGTERM to its process group: exit status 0 after
    that is a completion, any other a stop. ``./x`` is found in ``folder``.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        folder: str | None = None,
        environment: Mapping[str, str] | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        terms = Terms({}, (), environment or {}, folder, max_bytes)
        super().__init__(terms, clock=clock, name="actors-commands")
