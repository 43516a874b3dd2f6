"""Definitions: a folder, a file or a dict to frozen nouns, or every fault in one run.

A folder is its author's: tasks may name any public function of its Python files, and commands.
A dict may have come from anywhere: it may name only what is given beside it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from actors.errors import DefinitionError, Fault
from actors.model import Definitions, Json

Actions = Mapping[str, Callable[..., Any]]
_NONE: Actions = MappingProxyType({})


def load(path: str | Path, *, actions: Actions = _NONE, shown: str | None = None) -> Definitions:
    """The definitions in a folder, or in one file of it.

    A folder holds ``engine.yaml`` (settings), workflows in ``*.yaml``, ``*.yml`` and ``*.json``, and
    Python files with actions; folders below it are not read, but for Python packages. A file
    is read together with the ``engine.yaml`` and the Python files beside it. ``actions`` are
    functions by name, which win over the folder's; ``shown`` is what faults call the path.
    Raises ``DefinitionError`` with all faults.
    """
    from actors.reading.folders import read_path

    definitions, faults = read_path(path, actions, shown)
    if definitions is None or faults:
        raise DefinitionError(faults)
    return definitions


def parse(source: Mapping[str, Any] | Sequence[Any], *, actions: Actions = _NONE) -> Definitions:
    """The definitions in a dict: one workflow, a list of them, or ``{"workflows": …}``.

    ``settings`` beside them is what ``engine.yaml`` would say. Tasks may name only what is in
    ``actions``; commands are refused. Raises ``DefinitionError`` with all faults.
    """
    from actors.reading.folders import read_dict

    definitions, faults = read_dict(source, actions)
    if definitions is None or faults:
        raise DefinitionError(faults)
    return definitions


def validate(paths: str | Path | Iterable[str | Path]) -> list[Fault]:
    """All faults of all the folders and files, in their order; none means that each can be loaded."""
    from actors.reading.folders import read_path

    if isinstance(paths, str | Path):
        paths = [paths]
    return [fault for path in paths for fault in read_path(path, _NONE)[1]]


def with_actions(definitions: Definitions, actions: Actions) -> Definitions:
    """The same definitions with these functions, which win over what was found before.

    Where an isolation was not written, it follows the new function. Raises ``DefinitionError``.
    """
    from actors.reading.rebinding import rebind

    return rebind(definitions, actions)


def json_schema() -> dict[str, Json]:
    """The JSON Schema (draft 2020-12) of definition files, for editors."""
    from actors.reading.schema import build

    return build()


def schema_text() -> str:
    """The JSON Schema as ``definitions/schema.json`` has it."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
