"""Durations as their author writes them: YAML by ``workflow.task``, in milliseconds.

::

    quotes.load: 5                                     # always 5 ms
    quotes.fit: {exponential: 120, keeps_work: true}   # its mean; cut, it continues where it was
    quotes.score: {uniform: [10, 30]}                  # from, to
    quotes.send: {normal: [20, 3], stops_ms: 2}        # mean, deviation; stops 2 ms after being told to
    quotes.wait: {lognormal: [50, 0.8]}                # median, deviation of the logarithm
    quotes.book: {empirical: [10, 10, 12, 90]}         # one of these, each as likely
    quotes.rest: recorded                              # as in the record
    default: 10                                        # of every task that is not named
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from actors.durations.laws import (
    LONGEST_NS,
    Empirical,
    Exponential,
    Fixed,
    Law,
    Lognormal,
    Manner,
    Normal,
    TaskName,
    Uniform,
)
from actors.errors import DefinitionError, Fault, NotFoundError
from actors.model import NS_PER_MS
from actors.reading.faults import Faults, Source
from actors.reading.files import read_file
from actors.reading.nodes import Node, clip

FILE_NAME = "durations.yaml"
"""Read from the definitions folder when no other file is named."""
RECORDED = "recorded"
DEFAULT = "default"
LAWS: Mapping[str, tuple[int | None, Callable[[Sequence[float]], Law]]] = {
    "fixed": (1, lambda given: Fixed(given[0])),
    "exponential": (1, lambda given: Exponential(given[0])),
    "uniform": (2, lambda given: Uniform(given[0], given[1])),
    "normal": (2, lambda given: Normal(given[0], given[1])),
    "lognormal": (2, lambda given: Lognormal(given[0], given[1] / NS_PER_MS)),
    "empirical": (None, lambda given: Empirical(tuple(given))),
}
"""How many numbers each takes (None: any), and what it makes of them, in ns."""
MANNER = ("keeps_work", "stops_ms")
_MAX_MS = LONGEST_NS / NS_PER_MS


@dataclass(slots=True)
class Given:
    """What a file says."""

    manners: dict[TaskName, Manner] = field(default_factory=dict)
    recorded: set[TaskName] = field(default_factory=set)
    """Those that are to be as in the record."""
    default: Manner | None = None


def read_durations(path: Path, tasks: Collection[TaskName]) -> Given:
    """Read the file. Raises ``NotFoundError``, and ``DefinitionError`` with all that is wrong in it."""
    if not path.exists():
        raise NotFoundError(f"no file {path}; name one with durations, such as 'workflow.task: 20' (milliseconds)")
    found: list[Fault] = []
    root = read_file(path, str(path), found)
    faults = Faults()
    faults.extend(found)
    given = check_durations(Source(str(path), root, faults), tasks) if root is not None else Given()
    if len(faults):
        raise DefinitionError(faults.sorted())
    return given


def check_durations(source: Source, tasks: Collection[TaskName]) -> Given:
    """Read the mapping; what is wrong is reported to the source, and left out."""
    given = Given()
    if not isinstance(source.root.value, dict):
        source.fault((), "must be a mapping of workflow.task to a duration, such as quotes.load: 20")
        return given
    named = {f"{workflow}.{task}": (workflow, task) for workflow, task in tasks}
    for key, node in source.root.mapping().items():
        if key != DEFAULT and key not in named:
            hint = source.faults.suggest(key, [*named, DEFAULT])
            source.key_fault((key,), f"no task '{clip(key)}'{hint or '; write workflow.task'}")
        elif node.value == RECORDED and key != DEFAULT:
            given.recorded.add(named[key])
        elif (manner := _manner(source, key, node)) is None:
            continue
        elif key == DEFAULT:
            given.default = manner
        else:
            given.manners[named[key]] = manner
    return given


def _manner(source: Source, key: str, node: Node) -> Manner | None:
    if not isinstance(node.value, dict):
        numbers = _numbers(source, (key,), node)
        return None if numbers is None else Manner(Fixed(numbers[0]))
    laws = [name for name in node.value if name in LAWS]
    for name in node.value:
        if name not in LAWS and name not in MANNER:
            hint = source.faults.suggest(name, [*LAWS, *MANNER]) or f"; known are {', '.join((*LAWS, *MANNER))}"
            source.key_fault((key, name), f"unknown field '{clip(name)}'{hint}")
            return None
    if len(laws) != 1:
        source.fault((key,), f"must have one of {', '.join(LAWS)}")
        return None
    law = _law(source, key, laws[0])
    keeps = node.mapping().get("keeps_work")
    if keeps is not None and not isinstance(keeps.value, bool):
        source.fault((key, "keeps_work"), "must be true or false")
        return None
    stops = node.mapping().get("stops_ms")
    if stops is None:
        hears: int | None = 0
    elif stops.value == "never":
        hears = None
    else:
        numbers = _numbers(source, (key, "stops_ms"), stops)
        if numbers is None:
            return None
        hears = round(numbers[0])
    return None if law is None else Manner(law, keeps is not None and keeps.value is True, hears)


def _law(source: Source, key: str, name: str) -> Law | None:
    node = source.root.mapping()[key].mapping()[name]
    count, make = LAWS[name]
    items = node.items() if isinstance(node.value, list) else [node]
    if not items or (count is not None and len(items) != count):
        wanted = "a list of numbers" if count is None else "one number" if count == 1 else f"{count} numbers in a list"
        source.fault((key, name), f"takes {wanted}, in ms")
        return None
    numbers: list[float] = []
    for place, item in enumerate(items):
        path = (key, name, place) if isinstance(node.value, list) else (key, name)
        number = _numbers(source, path, item)
        if number is None:
            return None
        numbers += number
    if name == "uniform" and numbers[0] > numbers[1]:
        source.fault((key, name), "the first number must not be above the second")
        return None
    return make(numbers)


def _numbers(source: Source, path: tuple[str | int, ...], node: Node) -> list[float] | None:
    """The one number in ms at the path, in ns."""
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MAX_MS:
        shown = f", not '{clip(value, 40)}'" if isinstance(value, str) else ""
        source.fault(path, f"must be a number of milliseconds from 0 to a year{shown}")
        return None
    return [value * NS_PER_MS]
