"""Every setting with where its value comes from: a line of a file, the program, or nobody."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection
from typing import Any

from actors.model import Definitions, Json, Settings
from actors.sketch import Bounds, sketch

DEFAULT, ARGUMENT = "default", "argument"
MEMORY = "memory"
SHOWN = Bounds(items=50, chars=500, values=2_000)
_PASSWORD = re.compile(r"(://[^:/@]*:)[^@/]*@")


def sources(definitions: Definitions, arguments: Collection[str], store: str | None) -> list[dict[str, Json]]:
    """In the order of ``Settings``; ``store`` is the one given beside them. Passwords are not shown."""
    nothing = Settings()
    given = dataclasses.replace(definitions.settings, store=store or definitions.settings.store or MEMORY)
    found: list[dict[str, Json]] = []
    for field in dataclasses.fields(Settings):
        value = getattr(given, field.name)
        default = MEMORY if field.name == "store" else getattr(nothing, field.name)
        if field.name in arguments:
            source = ARGUMENT
        elif field.name in definitions.written:
            source = definitions.written[field.name]
        else:
            source = DEFAULT if value == default else ARGUMENT
        found.append({"name": field.name, "value": _shown(value), "default": _shown(default), "source": source})
    return found


def _shown(value: Any) -> Json:
    if isinstance(value, frozenset):
        value = sorted(value)
    return _PASSWORD.sub(r"\1…@", value) if isinstance(value, str) else sketch(value, SHOWN)
