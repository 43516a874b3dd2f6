"""Faults with their places, collected: one run names all of them, within bounds."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Collection, Iterable

from actors.errors import Fault
from actors.reading.nodes import Mark, Node, Path, clip, find, place

MAX_FAULTS = 1_000
MAX_CONDITIONS = 65_536
"""Characters of all conditions in one file: the library takes about 5 µs for each."""
_MAX_COMPARED = 100_000
"""Characters of names compared for suggestions in one run: hostile files would otherwise buy minutes."""


class Faults:
    """All faults of one run."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._compared = 0

    def __len__(self) -> int:
        return len(self._faults)

    def add(self, fault: Fault) -> None:
        self._faults.append(fault)

    def extend(self, faults: Iterable[Fault]) -> None:
        self._faults.extend(faults)

    def sorted(self) -> list[Fault]:
        """Each once, file by file, from the top; the rest beyond ``MAX_FAULTS`` is a number."""
        kept = sorted(
            dict.fromkeys(map(_printable, self._faults)), key=lambda fault: (fault.file, fault.line, fault.column)
        )
        if len(kept) <= MAX_FAULTS:
            return kept
        more = len(kept) - MAX_FAULTS
        last = kept[MAX_FAULTS - 1]
        return [*kept[:MAX_FAULTS], Fault(last.file, last.line, last.column, "", f"and {more} more faults")]

    def suggest(self, name: str, known: Collection[str]) -> str:
        """``; did you mean 'collect'?`` if a known name is close, else nothing."""
        if len(name) > 60 or len(known) > 1_000 or self._compared > _MAX_COMPARED:
            return ""
        near = [candidate for candidate in known if abs(len(candidate) - len(name)) <= 2 + len(name) // 3]
        self._compared += sum(map(len, near))
        by_folded = {candidate.casefold(): candidate for candidate in near}
        close = difflib.get_close_matches(name.casefold(), by_folded, n=1)
        return f"; did you mean '{by_folded[close[0]]}'?" if close else ""


def _printable(fault: Fault) -> Fault:
    """The same fault: names of files and words in them may hold what steers a terminal, or breaks an encoding."""
    if fault.file.isprintable() and fault.message.isprintable():
        return fault
    return dataclasses.replace(fault, file=clip(fault.file, 1_000), message=clip(fault.message, 1_000))


class Source:
    """One file, or one dict, that is being checked."""

    def __init__(self, file: str, root: Node, faults: Faults) -> None:
        self.file = file
        """As the user named it; empty for a dict."""
        self.root = root
        self.faults = faults
        self.conditions_left = MAX_CONDITIONS

    def fault(self, path: Path, message: str, *, shown: Path | None = None) -> None:
        """Something is wrong with the value at the path; ``shown`` is the path to name instead."""
        self.at(find(self.root, path).mark, shown if shown is not None else path, message)

    def key_fault(self, path: Path, message: str) -> None:
        """Something is wrong with the key that the path ends in."""
        mark = find(self.root, path[:-1]).keys.get(str(path[-1]), find(self.root, path).mark)
        self.at(mark, path, message)

    def at(self, mark: Mark, path: Path, message: str) -> None:
        self.faults.add(place(self.file, mark, path, message))

    def unknown(self, path: Path, kind: str, name: str, known: Collection[str], *, shown: Path | None = None) -> None:
        """A name that stands for nothing: ``no task 'collct'; did you mean 'collect'?``."""
        self.fault(path, f"no {kind} '{clip(name)}'{self.faults.suggest(name, known)}", shown=shown)
