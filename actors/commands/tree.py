"""The tree of commands: their names, and where each of them is.

A command's module is imported only when the command runs or its own help is asked for, so that
``engine --version`` and the list of commands cost next to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import NamedTuple

import click

from actors import __version__
from actors.status import Status


class Place(NamedTuple):
    """Where a command is, as ``module:name``, and its one line in the list of commands."""

    where: str
    summary: str


COMMANDS: Mapping[str, Place] = {
    "start": Place("start:start", "Run the engine until it is told to stop."),
    "validate": Place("checking:validate", "Check definitions: folders or single files."),
    "simulate": Place("simulate:simulate", "Run a definitions folder in virtual time and print what it comes to."),
    "schema": Place("checking:schema", "Print the JSON Schema of definition files, for editors."),
}


class LazyGroup(click.Group):
    """A group that imports a command when it is needed, and suggests one where a name is close to one."""

    def __init__(self, *, places: Mapping[str, Place], **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]
        self._places = places

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        place = self._places.get(cmd_name)
        return None if place is None else _imported(place.where)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self._places:
            from actors.words import did_you_mean

            ctx.fail(f"No such command '{args[0][:80]}'{did_you_mean(args[0], self._places)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.summary) for name, place in self._places.items()])


def _imported(where: str) -> click.Command:
    module, _, name = where.partition(":")
    command: click.Command = getattr(import_module(f"actors.commands.{module}"), name)
    return command


@click.group(cls=LazyGroup, places=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="engine")
def tree() -> None:
    """Run workflows, urgent ones at once: an engine that preempts.

    Exit statuses: 0 ok, 1 failed, 2 usage, 3 missing extra, 4 definitions, 5 not found, 6 engine not reachable,
    7 refused, 70 the engine stopped itself, 124 timeout, 130 interrupted.
    """


def run_command(arguments: Sequence[str]) -> int:
    """Run one command; return its exit status. Raises what the command raises."""
    try:
        status = tree.main(list(arguments), prog_name="engine", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return Status.USAGE
    except click.Abort:
        return Status.INTERRUPTED
    return int(status or Status.OK)
