"""``when:`` conditions: CEL on ``entity`` and ``event``, checked when read, bounded when evaluated.

CEL has no loops and no side effects, but its macros walk lists and its ``+`` copies. Definitions
may come from strangers, so what multiplies is refused when the text is read: macros inside
macros, ``map`` and ``filter``, long sums, patterns that are computed or explode.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from actors.model import Condition, Json

if TYPE_CHECKING:
    from cel import Program

MAX_TEXT = 2_000
ENTITY_FIELDS = ("id", "name", "phase", "status", "priority", "last_processed", "data")
EVENT_FIELDS = ("id", "type", "entity_id", "priority", "timestamp", "data", "valid_for_ms")


def compile(text: str) -> Condition:
    """The condition that the text says.

    Raises ``DefinitionError``: its faults have the line and column within the text, and no file.
    """
    import cel

    program = cel.compile(text)
    return CelCondition(text, "event" in program.variables(), program)


@dataclass(frozen=True, slots=True)
class CelCondition:
    """A compiled condition; equal to any other of the same text. May be called from any thread."""

    text: str
    reads_event: bool
    program: Program = field(repr=False, compare=False)

    def __call__(self, entity: Mapping[str, Json], event: Mapping[str, Json] | None) -> bool:
        return bool(self.program.execute({"entity": entity, "event": event}))
