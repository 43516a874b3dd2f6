"""Loads other definitions into a running engine.

What is loaded is a version. Instances go on by the version that they began with, code included;
what starts later is of the newest. A version goes when nothing is of it any more. With a folder
for them every version is a copy of the definitions folder as it was loaded. Without one the first
version is the folder itself: its processes have imported its modules by the time they are
changed, but what it imports late, and commands that it runs, are those of the day; later ones are
copied to a temporary folder. To an action its ``__file__`` is always in the folder itself, so that
it finds there what it reads and writes.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from actors.assembly import Assembly
from actors.copies import Copies
from actors.definitions import load, parse, with_actions
from actors.effects import KEEPER
from actors.errors import DefinitionError, EngineError, RefusedError, RequestError
from actors.log import logger
from actors.messages import AdoptDefinitions, AwaitUnused
from actors.model import Definitions, Settings, Workflow
from actors.reading.fingerprint import HALF
from actors.views import Reloaded

Source: TypeAlias = str | Path | Definitions | Mapping[str, Any]

MAX_VERSIONS = 8
"""So many may be in use at once: each has processes, and events do not merge from one into another."""
AT_START = ("agents", "store", "language", "entities", "events", "starvation_ms", "max_remembered_ids",
            "max_finished", "max_dead_letters")  # fmt: skip
"""Settings that an engine takes when it starts; all others are the newest version's."""
JOIN_S = 5.0


class Reloading:
    """The versions of one engine."""

    def __init__(
        self,
        source: Source,
        given: Mapping[str, Callable[..., Any]],
        override: Callable[[Definitions], Definitions],
        folder: Path | None,
    ) -> None:
        """``override`` is what the engine was told to do otherwise than definitions say; ``folder`` is for copies."""
        self._source = source
        self._given = given
        self._override = override
        self._copies = Copies(folder)
        self._copies_first = folder is not None
        self._lock = threading.Lock()
        self._sweepers: list[threading.Thread] = []
        self.newest: Definitions | None = None

    def read(self, source: Source) -> Definitions:
        """The definitions as they are where they are, nothing copied. Raises ``DefinitionError``."""
        if isinstance(source, Definitions):
            found = with_actions(source, self._given)
        elif isinstance(source, str | Path):
            found = load(source, actions=self._given)
        else:
            found = parse(source, actions=self._given)
        return self._override(found)

    def begin(self, first: Definitions) -> Definitions:
        """Before the engine starts: the first version as it is to run."""
        if self._copies_first and first.folder is not None:
            self._copies.clear()
            copy = self._copies.take(Path(first.folder), only=first.file or "")
            # Else it was changed since it was read.
            known = copy.version == first.version
            first = run_from(first, first.folder, copy.folder) if known else self._copied(first)
        self.newest = first
        return first

    def reload(self, parts: Assembly, source: Source | None) -> tuple[Definitions, Reloaded]:
        """Put other definitions in force; what they are, and what they change. See ``Engine.reload``."""
        with self._lock:
            before = self.newest
            assert before is not None
            found = self._found(self._source if source is None else source, before)
            library = parts.generations.library
            is_new = found.version not in library
            if is_new:
                self._add(parts, found)
            newest = library[found.version]
            if newest.version != before.version:
                try:
                    parts.ask(KEEPER, lambda number: AdoptDefinitions(newest.version, number), None)
                except EngineError:
                    if is_new:  # Else there are instances of it.
                        self._remove(parts, newest.version)
                    raise
            shown = summary(before, found)
            self.newest = _with_settings_of(before, found)
            if source is not None:
                self._source = source
            if newest.version != before.version:
                parts.tell(KEEPER, AwaitUnused(before.version, parts.desk.expect(_Sweep(self, parts, before.version))))
            return self.newest, shown

    def close(self) -> None:
        """The engine has stopped; whoever is loading has been told."""
        for thread in self._sweepers:
            thread.join(JOIN_S)
        loaded = self._lock.acquire(timeout=JOIN_S)
        self._copies.close()
        if loaded:
            self._lock.release()

    # --- inside ----------------------------------------------------------------------------------

    def _found(self, source: Source, before: Definitions) -> Definitions:
        if isinstance(source, str | Path):
            return self._copied(source)
        if isinstance(source, Definitions) and source.folder is not None:
            return self._copied(source)
        found = self.read(source)
        if source is self._source and found.version == before.version:
            raise RequestError("these definitions are no folder that could be read again; say which to load")
        return found

    def _copied(self, source: str | Path | Definitions) -> Definitions:
        """A copy of the folder, read; faults name the files that were copied."""
        path = _path(source)
        if not path.exists():
            return self.read(path)  # Which says so.
        folder, only = (path, "") if path.is_dir() else (path.parent, path.name)
        copy = self._copies.take(folder, only=only)
        try:
            found = self._override(load(copy.folder / only, actions=self._given, shown=str(path)))
        except DefinitionError:
            self._copies.drop(copy.version)
            raise
        return dataclasses.replace(run_from(found, str(folder.resolve()), copy.folder), version=copy.version)

    def _add(self, parts: Assembly, found: Definitions) -> None:
        if len(parts.generations.library) >= MAX_VERSIONS:
            self._copies.drop(found.version)
            raise RefusedError(
                f"instances of {MAX_VERSIONS} versions of the definitions have not ended; cancel some, or wait"
            )
        try:
            parts.add_version(found)
        except (DefinitionError, EngineError):
            self._copies.drop(found.version)
            raise

    def sweep(self, parts: Assembly, version: str) -> None:
        """Nothing is of this version any more; called where nothing may block."""
        thread = threading.Thread(
            target=self._remove_if_unused, args=(parts, version), name=f"{parts.name}-sweeper", daemon=True
        )
        self._sweepers = [*(one for one in self._sweepers if one.is_alive()), thread]
        thread.start()

    def _remove_if_unused(self, parts: Assembly, version: str) -> None:
        with self._lock:
            if self.newest is not None and self.newest.version != version:  # It may have come back meanwhile.
                self._remove(parts, version)
                logger().info("a version of the definitions is not in use any more", version=version)

    def _remove(self, parts: Assembly, version: str) -> None:
        parts.remove_version(version)
        self._copies.drop(version)


def run_from(definitions: Definitions, folder: str, copy: Path) -> Definitions:
    """These definitions of a folder, with the code of its copy."""
    actions = {
        name: spec if spec.folder is None else dataclasses.replace(spec, folder=folder)
        for name, spec in definitions.actions.items()
    }
    return dataclasses.replace(definitions, actions=actions, folder=folder, copy=str(copy.resolve()))


def _path(source: str | Path | Definitions) -> Path:
    if not isinstance(source, Definitions):
        return Path(source)
    return Path(source.folder or "", source.file or "")


class _Sweep:
    """Waits for the keeper's word that a version is not in use any more."""

    def __init__(self, reloading: Reloading, parts: Assembly, version: str) -> None:
        self._reloading = reloading
        self._parts = parts
        self._version = version

    def put(self, value: Any) -> None:
        if value is True:
            self._reloading.sweep(self._parts, self._version)


def _with_settings_of(before: Definitions, after: Definitions) -> Definitions:
    """The newest definitions with those settings that stay as the engine has taken them."""
    kept = {name: getattr(before.settings, name) for name in AT_START}
    places = {name: place for name, place in after.written.items() if name not in AT_START}
    places |= {name: place for name, place in before.written.items() if name in AT_START}
    return dataclasses.replace(after, settings=dataclasses.replace(after.settings, **kept), written=places)


def summary(before: Definitions, after: Definitions) -> Reloaded:
    """What is different."""
    old, new = before.workflows, after.workflows
    changed = [name for name in new if name in old and not same(old[name], new[name])]
    names = [field.name for field in dataclasses.fields(Settings)]
    settings = [name for name in names if getattr(before.settings, name) != getattr(after.settings, name)]
    return Reloaded(
        version=after.version,
        previous=before.version,
        added=tuple(sorted(new.keys() - old.keys())),
        changed=tuple(sorted(changed)),
        removed=tuple(sorted(old.keys() - new.keys())),
        code_changed=None not in (before.folder, after.folder) and before.version[HALF:] != after.version[HALF:],
        settings=tuple(name for name in settings if name not in AT_START),
        at_next_start=tuple(name for name in settings if name in AT_START),
    )


def same(one: Workflow, other: Workflow) -> bool:
    """Whether two workflows say the same; their code may differ."""
    texts = [None if each.when is None else each.when.text for each in (one, other)]
    return texts[0] == texts[1] and dataclasses.replace(one, when=None) == dataclasses.replace(other, when=None)
