"""Text for a terminal or a log. It imports next to nothing, so that a short command is quick."""

from __future__ import annotations

from datetime import UTC, datetime


def one_line(text: str) -> str:
    """Return the text without line breaks and other control characters, which could forge lines."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def utc_text(seconds: float) -> str:
    """Return UTC seconds as ISO 8601 with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
