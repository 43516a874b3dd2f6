"""What to say when an optional package is missing: one sentence with the command to install it."""

from __future__ import annotations

import sys
from pathlib import Path

from actors.errors import MissingExtra

_CHECKOUT = Path(__file__).resolve().parent.parent


def missing_extra(extra: str, needed_for: str, missing: str | None = None) -> MissingExtra:
    """Return the error for a feature whose extra is not installed, to be raised by its adapter.

    ``needed_for`` begins the sentence ("The command line"); ``missing`` is the module that could
    not be imported, if that is known.
    """
    target = f"{_CHECKOUT}[{extra}]" if (_CHECKOUT / "pyproject.toml").is_file() else f"actors-workflow-engine[{extra}]"
    lacking = f" ('{missing}' is not installed)" if missing else ""
    return MissingExtra(f"{needed_for} needs the extra '{extra}'{lacking}: {sys.executable} -m pip install '{target}'")
