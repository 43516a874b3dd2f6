"""What all commands have in common that ask a running engine: its options, its form of help, its errors.

    @asking("cancel")
    @click.argument("id", type=Named("id"))
    def cancel(engine, out, id):
        \"\"\"Cancel an instance or a task.\"\"\"

The function is called with the engine's ``Client``, an ``Output``, and what was typed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from actors.commands.face import Face
from actors.commands.kinds import Named, OneOf, names
from actors.commands.options import debug_option
from actors.commands.output import Format, Style
from actors.commands.tree import COMMANDS
from actors.errors import NotFoundError
from actors.words import did_you_mean


class Asking(click.Command):
    """A command with an example in its help."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        example = COMMANDS[self.name or ""].example
        if example:
            prefix = "" if in_shell(ctx) else "engine "
            with formatter.section("Example"):
                formatter.write_text(prefix + example)
        super().format_epilog(ctx, formatter)


def in_shell(ctx: click.Context) -> bool:
    face = ctx.find_object(Face)
    return face is not None and face.in_shell


def asking(name: str, *, data_is_taken: bool = False, **settings: Any) -> Callable[[Callable[..., Any]], Asking]:
    """Make a function a command. ``data_is_taken``: its own ``--data`` is the event's, not a directory."""

    def decorate(function: Callable[..., Any]) -> Asking:
        @functools.wraps(function)
        def act(**given: Any) -> Any:
            ctx = click.get_current_context()
            face = ctx.ensure_object(Face)
            style = Style(Format(given.pop("output")), plain=given.pop("plain"), quiet=given.pop("quiet"))
            given.pop("debug")
            client = face.reach(given.pop("data_dir"), given.pop("definitions"))
            try:
                return function(client, face.output(style), **given)
            except NotFoundError as error:
                raise NotFoundError(f"{error}{_meant(ctx, str(error))}") from None

        command = click.command(name, cls=Asking, **settings)(act)
        # Behind the command's own, which are what its help is read for.
        command.params += _made((*_OPTIONS, _DATA_DIR if data_is_taken else _DATA, debug_option))
        return command

    return decorate


def _made(options: Sequence[Callable[[Any], Any]]) -> list[click.Parameter]:
    def bare() -> None:
        pass

    for option in reversed(options):
        option(bare)
    return list(click.command(bare).params)


def _meant(ctx: click.Context, told: str) -> str:
    """What was meant by the name that is not found, if the engine knows one that is close to it."""
    if "did you mean" in told:
        return ""
    for parameter in ctx.command.params:
        value = ctx.params.get(parameter.name or "")
        if isinstance(parameter.type, Named) and isinstance(value, str):
            known = names(ctx, parameter.type.kind)
            # A name that is there was meant: then it is another that is not.
            close = "" if value in known else did_you_mean(value, known)
            if close:
                return close
    return ""


_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "-o",
        "--output",
        type=OneOf(list(Format)),
        default=Format.TABLE,
        help="Form of the data: table, json, jsonl, yaml or name.",
        metavar="FORM",
    ),
    click.option("--plain", is_flag=True, help="No colours at a terminal; NO_COLOR does the same."),
    click.option("-q", "--quiet", is_flag=True, help="No messages, only data and errors."),
    click.option(
        "--definitions",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Ask the engine of these definitions.  [default: the trading example]",
    ),
)
_PLACE: dict[str, Any] = {
    "type": click.Path(path_type=Path),
    "metavar": "DIR",
    "help": "Ask the engine with this data directory.",
}
_DATA = click.option("--data", "--data-dir", "data_dir", **_PLACE)
_DATA_DIR = click.option("--data-dir", "data_dir", **_PLACE)
