"""Which function an action's name stands for, and why a name may not be used."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from actors.actions import describe
from actors.model import ActionSpec
from actors.reading.action_files import Survey
from actors.reading.faults import Faults
from actors.reading.nodes import clip

_REFERENCE = re.compile(r"[^\s:]+:[^\s:]+")


class ActionBook:
    """What tasks may name: functions given by the embedding program, and a folder's own.

    A definition that did not come from a folder may only name what was given to it.
    """

    def __init__(self, given: Mapping[str, Callable[..., Any]], survey: Survey | None, faults: Faults) -> None:
        self._given = {name: describe(name, function) for name, function in given.items()}
        self._survey = survey
        self._faults = faults
        self.used: dict[str, ActionSpec] = {}
        """Every action that was found."""

    @property
    def trusted(self) -> bool:
        """Whether there is a folder: its author may name any function in it, and run commands."""
        return self._survey is not None

    def find(self, name: str) -> ActionSpec | str:
        """The action, or a sentence that says why there is none."""
        found = self._lookup(name)
        if isinstance(found, ActionSpec):
            self.used[name] = found
        return found

    def _lookup(self, name: str) -> ActionSpec | str:
        if name in self._given:
            return self._given[name]
        if self._survey is None:
            return self._unregistered(name)
        if name in self._survey.marked:
            return self._survey.marked[name]
        if _REFERENCE.fullmatch(name):
            return self._reference(name, self._survey)
        known = {**self._given, **self._survey.marked}
        hint = self._faults.suggest(name, known)
        return f"no action '{clip(name)}'{hint or '; mark a function with @action, or name it as module:function'}"

    def _unregistered(self, name: str) -> str:
        if _REFERENCE.fullmatch(name):
            return (
                f"'{clip(name)}' is not registered; module:function is read from a definitions folder alone, "
                "so pass the function in actions="
            )
        return f"no action '{clip(name)}'{self._faults.suggest(name, self._given) or '; pass it in actions='}"

    def _reference(self, name: str, survey: Survey) -> ActionSpec | str:
        module, _, function = name.partition(":")
        if any(part.startswith("_") for part in (*module.split("."), *function.split("."))):
            return f"'{clip(name)}' is refused: names that begin with an underscore are private"
        if module not in survey.modules:
            hint = self._faults.suggest(module, survey.modules)
            return f"'{clip(name)}' is refused: '{clip(module)}' is no Python file of the definitions folder{hint}"
        if name in survey.functions:
            return survey.functions[name]
        known = [other.partition(":")[2] for other in survey.functions if other.startswith(f"{module}:")]
        return f"no function '{clip(function)}' at the top of module '{module}'{self._faults.suggest(function, known)}"
