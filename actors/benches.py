"""What attempts run on, by the version of the definitions that they are of.

Every version has runners of its own, since they have its code. Agents ask here at each start, so
that a version which comes or goes needs no word to them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from actors.model import Isolation, Job
from actors.ports import Runner

Runners = Mapping[Isolation, Runner]


class Benches:
    """The runners of one engine. Any thread may ask; one at a time changes it."""

    def __init__(self) -> None:
        self._by_version: dict[str, Runners] = {}
        self.all: tuple[Runner, ...] = ()
        """Each once. Who asks them about an attempt need not know where it runs."""

    def of(self, job: Job) -> Runner:
        """Raises ``KeyError`` for a version that is not there."""
        return self._by_version[job.version][job.task.isolation]

    def versions(self) -> Sequence[str]:
        return tuple(self._by_version)

    def add(self, version: str, runners: Runners) -> None:
        self._set({**self._by_version, version: runners})

    def remove(self, version: str) -> tuple[Runner, ...]:
        """Take these out, to be closed by whoever asked."""
        gone = self._by_version.get(version, {})
        self._set({name: runners for name, runners in self._by_version.items() if name != version})
        return tuple(dict.fromkeys(gone.values()))

    def _set(self, by_version: dict[str, Runners]) -> None:
        self._by_version = by_version
        self.all = tuple(dict.fromkeys(runner for runners in by_version.values() for runner in runners.values()))
