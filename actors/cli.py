"""The command line's front door: no traceback for a user, one exit status for each kind of end.

Nothing but the standard library is imported before the rest is known to be there, so that a
missing extra is a sentence, and ``--version`` is quick.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

from actors.status import Status, sentence, status_of

_DRAWING = ("rich", "prompt_toolkit")
"""What only some commands need, and only at a terminal."""


def main() -> None:
    """Run the command in ``sys.argv`` and end the process with its status."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; return its exit status. What goes wrong is a sentence on standard error."""
    if sys.platform == "win32":
        complain("Windows itself is not supported: run this in WSL (Windows Subsystem for Linux).")
        return Status.USAGE
    for stream in (sys.stdout, sys.stderr):
        # What an encoding lacks is written as backslash escapes, whatever PYTHONIOENCODING says.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    try:
        return invoke(arguments)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last one on the stack: a user gets a sentence
        if "--debug" in arguments:
            traceback.print_exc()
        complain(sentence(error))
        return status_of(error)


def invoke(arguments: Sequence[str]) -> int:
    try:
        import click as _  # noqa: F401 - tried here, so that the sentence names what to install
    except ModuleNotFoundError as error:
        from actors.extras import missing_extra

        raise missing_extra("server", "The command line", error.name) from None
    from actors.commands.tree import run_command

    try:
        return run_command(arguments)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _DRAWING:
            raise
        from actors.extras import missing_extra

        raise missing_extra("server", f"'{arguments[0]}' at a terminal", error.name) from None


def complain(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - this is the face


if __name__ == "__main__":
    main()
