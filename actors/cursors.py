"""Cursors: where a page ended, as text that only we read."""

from __future__ import annotations

import base64
import binascii

from actors.errors import RequestError

_LONGEST = 60
_DIGITS = 19


def cursor(kind: str, number: int) -> str:
    """The text for a place in a list of this kind."""
    return base64.urlsafe_b64encode(f"{kind}:{number}".encode()).decode().rstrip("=")


def place_of(kind: str, text: object) -> int:
    """The place that a text of ``cursor`` means. Raises ``RequestError`` for any other."""
    if isinstance(text, str) and 0 < len(text) <= _LONGEST and text.isascii():
        try:
            said = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
        except (binascii.Error, ValueError):
            said = ""
        of, _, number = said.partition(":")
        if of == kind and number.isdigit() and len(number) <= _DIGITS and cursor(kind, int(number)) == text:
            return int(number)
    raise RequestError(f"the cursor is not one that a page of {kind} gave; leave it out to begin with the first page")
