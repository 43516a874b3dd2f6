"""How facts about a task become one sentence: what both halves of ``why`` share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.model import NS_PER_MS

ALSO = "also"
"""Sentences to be added to ``why``, whatever that says."""
SHOWN = 10
"""At most so many agents or tasks are named."""


def in_words(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts with everything said that there is to say."""
    told = dict(facts)
    also = told.pop(ALSO, [])
    reasons = [*([told["why"]] if "why" in told else []), *also]
    return {**told, "why": "; ".join(reasons or ["nothing is known of it here"])}


def times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def ms(ns: int) -> str:
    return f"{round(ns / NS_PER_MS):,} ms"
