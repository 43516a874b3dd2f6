"""Options that several commands have, and what they default to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from actors.errors import NotFoundError

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "definitions" / "trading"
"""What runs when no definitions are named: in a checkout, beside the package."""

F = TypeVar("F", bound=Callable[..., Any])


def debug_option(command: F) -> F:
    return click.option("--debug", is_flag=True, help="Log in detail; show a traceback of what is unexpected.")(command)


def folder_of(asked: Path | None) -> Path:
    """Return the definitions to run; ``NotFoundError`` if they are not there."""
    if asked is not None and not asked.exists():
        raise NotFoundError(f"{asked}: no such definitions folder; name one with --definitions")
    if asked is None and not EXAMPLE.is_dir():
        raise NotFoundError(
            "the examples ship with the checkout, not with the package; name a folder with --definitions"
        )
    return asked or EXAMPLE
