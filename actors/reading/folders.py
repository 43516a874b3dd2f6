"""Where definitions come from: a folder, one file, or a dict; each to nouns and faults."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from actors.errors import Fault
from actors.model import Definitions, EventType, Settings, Workflow, WorkflowId
from actors.reading.action_book import ActionBook
from actors.reading.action_files import survey
from actors.reading.faults import Faults, Source
from actors.reading.files import ENDINGS, read_file
from actors.reading.fingerprint import version_of, version_of_value
from actors.reading.nodes import Mark, Node, Unreadable, clip, find, place, show
from actors.reading.nodes import Path as NodePath
from actors.reading.values import read_value
from actors.reading.workflows import read_workflow
from actors.settings import read_settings, written

ENGINE_FILES = tuple(f"engine{ending}" for ending in ENDINGS)
REPLAY_FILE = "replay.yaml"
"""Says how the lines of a tick file become events; a replay reads it, here it is checked."""
DURATIONS_FILE = "durations.yaml"
"""Says how long tasks take in a simulation, which reads it; here it is checked."""
_BESIDE = (*ENGINE_FILES, REPLAY_FILE, DURATIONS_FILE)
"""What a folder has beside its workflows."""
SCHEMA_FILE = "schema.json"
"""The JSON Schema for editors; no definitions."""
MAX_FILES = 1_000

Given = Mapping[str, Callable[..., Any]]
Result = tuple[Definitions | None, list[Fault]]


def read_path(path: str | Path, given: Given, shown_as: str | None = None) -> Result:
    """The definitions of a folder, or of one file with its folder's settings and actions."""
    faults = Faults()
    typed, real = shown_as or str(path), Path(path)
    if "\0" in str(path) or not os.path.exists(real):
        faults.add(Fault(clip(typed, 300), 1, 1, "", "no such file or directory"))
        return None, faults.sorted()
    if real.is_dir():
        folder, shown, names = real, typed, _names(real, typed, faults)
    else:
        folder, shown, names = real.parent, os.path.dirname(typed), [real.name]
        if real.suffix not in ENDINGS:
            faults.add(Fault(typed, 1, 1, "", f"definitions end in {', '.join(ENDINGS)}"))
            return None, faults.sorted()
    reading = _Reading(folder, shown, given, faults)
    found = reading.read([name for name in names if name not in _BESIDE])
    file = None if real.is_dir() else real.name
    return dataclasses.replace(found, file=file, version=version_of(folder, only=file or "")), faults.sorted()


def read_dict(value: object, given: Given) -> Result:
    """The definitions in a dict or a list, which may name only the given actions."""
    faults = Faults()
    seen: list[Fault] = []
    try:
        root = read_value(value, seen)
    except Unreadable as error:
        faults.add(place("", Mark(), (), error.message))
        return None, faults.sorted()
    faults.extend(seen)
    source = Source("", root, faults)
    settings = read_settings(source, ("settings",)) if "settings" in root.mapping() else Settings()
    collected = _Collected(settings, ActionBook(given, None, faults), faults)
    collected.take(Source("", _without(root, "settings"), faults))
    found, told = collected.definitions(None), faults.sorted()
    return found if told else dataclasses.replace(found, version=version_of_value(value)), told


def _names(folder: Path, shown: str, faults: Faults) -> list[str]:
    """The definition files of a folder, in the order of their names."""
    try:
        names = sorted(name for name in os.listdir(folder) if not os.path.isdir(folder / name))
    except OSError as error:
        faults.add(Fault(shown, 1, 1, "", f"cannot be read: {(error.strerror or '').lower()}"))
        return []
    found = [name for name in names if Path(name).suffix in ENDINGS and name != SCHEMA_FILE and name[0] != "."]
    if all(name in _BESIDE for name in found):
        faults.add(
            Fault(shown, 1, 1, "", f"holds no workflows ({', '.join(f'*{e}' for e in ENDINGS)}){_below(folder)}")
        )
    if len(found) > MAX_FILES:
        faults.add(Fault(shown, 1, 1, "", f"holds more than {MAX_FILES} definition files"))
    return found[:MAX_FILES]


def _below(folder: Path) -> str:
    """Where one level down there are definitions: each of those folders deploys by itself."""
    names = sorted({path.parent.name for name in ENGINE_FILES for path in folder.glob(f"*/{name}")})[:5]
    return f"; name a folder below it: {', '.join(names)}" if names else ""


class _Reading:
    """One run over a folder."""

    def __init__(self, folder: Path, shown: str, given: Given, faults: Faults) -> None:
        self._folder = folder
        self._shown = shown
        self._faults = faults
        found = survey(folder, shown)
        faults.extend(found.faults)
        self._book = ActionBook(given, found, faults)

    def read(self, names: Sequence[str]) -> Definitions:
        engine = self._engine()
        settings = read_settings(engine, ()) if engine is not None else Settings()
        collected = _Collected(settings, self._book, self._faults)
        for name in names:
            source = self._source(name)
            if source is not None:
                collected.take(source)
        self._check_replay()
        definitions = collected.definitions(str(self._folder.resolve()))
        self._check_durations(definitions)
        return definitions if engine is None else dataclasses.replace(definitions, written=written(engine, ()))

    def _check_replay(self) -> None:
        from actors.ticks.columns import check_columns

        source = self._source(REPLAY_FILE) if (self._folder / REPLAY_FILE).exists() else None
        if source is not None:
            check_columns(source)

    def _check_durations(self, definitions: Definitions) -> None:
        from actors.durations.files import check_durations

        source = self._source(DURATIONS_FILE) if (self._folder / DURATIONS_FILE).exists() else None
        if source is not None:
            workflows = definitions.workflows.values()
            check_durations(source, [(str(workflow.id), task.id) for workflow in workflows for task in workflow.tasks])

    def _engine(self) -> Source | None:
        """The file of settings, if there is one."""
        present = [name for name in ENGINE_FILES if (self._folder / name).exists()]
        for name in present[1:]:
            shown = os.path.join(self._shown, name)
            self._faults.add(Fault(shown, 1, 1, "", f"a second file of settings beside {present[0]}"))
        return self._source(present[0]) if present else None

    def _source(self, name: str) -> Source | None:
        shown = os.path.join(self._shown, name)
        seen: list[Fault] = []
        root = read_file(self._folder / name, shown, seen)
        self._faults.extend(seen)
        # JSON has no comments, so editors are told by a field which schema a file follows.
        return Source(shown, _without(root, "$schema"), self._faults) if root is not None else None


def _without(root: Node, name: str) -> Node:
    """The same mapping but for one field."""
    if not isinstance(root.value, dict) or name not in root.value:
        return root
    return dataclasses.replace(root, value={key: below for key, below in root.value.items() if key != name})


class _Collected:
    """Workflows of all sources; an id is one workflow's."""

    def __init__(self, settings: Settings, book: ActionBook, faults: Faults) -> None:
        self._settings = settings
        self._book = book
        self._faults = faults
        self._event_types = {*(str(kind) for kind in EventType), *settings.event_types}
        self._workflows: dict[WorkflowId, Workflow] = {}
        self._places: dict[WorkflowId, str] = {}

    def take(self, source: Source) -> None:
        """One workflow, a list of them, or a mapping ``workflows:`` by id."""
        root = source.root
        if isinstance(root.value, list):
            self._list(source, ())
        elif not isinstance(root.value, dict):
            source.fault((), "must be a workflow, a list of workflows, or a mapping 'workflows:' by id")
        elif "workflows" in root.value:
            self._wrapped(source, root.value)
        elif root.value and all("tasks" in below.mapping() for below in root.value.values()):
            source.fault((), "workflows by id stand under 'workflows:'")
        else:
            self._one(source, ())

    def _wrapped(self, source: Source, fields: Mapping[str, Node]) -> None:
        for name in fields:
            if name != "workflows":
                hint = self._faults.suggest(name, ("workflows",))
                source.key_fault((name,), f"unknown field '{clip(name)}' beside 'workflows'{hint}")
        workflows = fields["workflows"]
        if isinstance(workflows.value, list):
            self._list(source, ("workflows",))
        elif isinstance(workflows.value, dict):
            for key in workflows.value:
                self._one(source, ("workflows", key), key)
        if not workflows.value or not isinstance(workflows.value, list | dict):
            source.fault(("workflows",), "must be a mapping of workflows by id, or a list of them")

    def _list(self, source: Source, path: NodePath) -> None:
        items = find(source.root, path).items()
        for index in range(len(items)):
            self._one(source, (*path, index))
        if not items and not path:
            source.fault(path, "the list holds no workflow")

    def _one(self, source: Source, path: NodePath, key: str | None = None) -> None:
        workflow = read_workflow(source, path, key=key, event_types=self._event_types, actions=self._book)
        if workflow is None:
            return
        id_path = (*path, "id")
        if workflow.id in self._workflows:
            message = f"a second workflow '{clip(workflow.id)}'; the first is {self._places[workflow.id]}"
            source.fault(id_path, message)
            return
        mark = find(source.root, id_path).mark
        self._places[workflow.id] = f"at {source.file}:{mark.line}" if source.file else show(path) or "the same"
        self._workflows[workflow.id] = workflow

    def definitions(self, folder: str | None) -> Definitions:
        return Definitions(
            workflows=dict(self._workflows),
            settings=self._settings,
            actions=dict(self._book.used),
            folder=folder,
            trusted=folder is not None,
        )
