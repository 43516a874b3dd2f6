"""The commands: what may be typed after ``engine``, and what each needs before it can begin."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from actors import __version__
from actors.errors import NotFoundError
from actors.status import Status
from actors.words import did_you_mean

EXAMPLE = Path(__file__).resolve().parent.parent / "definitions" / "trading"
"""What runs when no definitions are named: in a checkout, beside the package."""

MAX_AGENTS = 10_000

F = TypeVar("F", bound=Callable[..., Any])


class Suggesting(click.Group):
    """A group that suggests a command where a name is close to one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"No such command '{args[0]}'{did_you_mean(args[0], self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


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


def debug_option(command: F) -> F:
    return click.option("--debug", is_flag=True, help="Log in detail; show a traceback of what is unexpected.")(command)


@click.group(cls=Suggesting, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="engine")
def tree() -> None:
    """Run workflows, urgent ones at once: an engine that preempts.

    Exit statuses: 0 ok, 1 failed, 2 usage, 3 missing extra, 4 definitions, 5 not found, 7 refused, 70 the engine
    stopped itself, 130 interrupted.
    """


@tree.command()
@click.option(
    "--definitions", type=click.Path(path_type=Path), help="A definitions folder.  [default: the trading example]"
)
@click.option("--agents", type=click.IntRange(min=1), help="How many agents, instead of what the folder says.")
@click.option("--store", metavar="URL", help="Where state is kept, instead of what the folder says.")
@click.option(
    "--until-idle", is_flag=True, help="Stop when all is done, timed events included; 1 if an outcome is unknown."
)
@click.option("--replay", type=click.Path(path_type=Path), help="Publish this tick file, and stop when all is done.")
@click.option(
    "--speed", type=click.FloatRange(min=0, min_open=True), help="Replay so many times as fast.  [default: 1]"
)
@click.option("--skip-gaps", type=click.FloatRange(min=0), metavar="S", help="Replay a longer gap as one of S seconds.")
@click.option(
    "--record",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write every state change there, a JSON object a line; a file that exists is not written over.",
)
@click.option("--shell", is_flag=True, help="Read commands from the terminal or a pipe; 'help' lists them.")
@click.option(
    "--grace",
    type=click.FloatRange(min=0),
    default=10.0,
    metavar="S",
    show_default=True,
    help="When told to stop, let running tasks go on for S seconds.",
)
@click.option(
    "--lang", type=click.Choice(["zh", "en"]), help="Language of the lines.  [default: the folder's, the locale's]"
)
@click.option(
    "--log-format", type=click.Choice(["console", "json"]), default="console", help="json: one object a line."
)
@click.option("-v", "--verbose", is_flag=True, help="Every task's lines during a replay too.")
@debug_option
def start(**options: Any) -> int:
    """Run the engine until it is told to stop (Ctrl-C or SIGTERM; a second time: at once)."""
    for name in ("speed", "skip_gaps"):
        if options[name] is not None and options["replay"] is None:
            raise click.UsageError(f"--{name.replace('_', '-')} goes with --replay")
    from actors.definitions import load
    from actors.log import LogFormat, start_logging, stop_logging
    from actors.narration import choose_language
    from actors.plan import Plan
    from actors.session import Session
    from actors.ticks.columns import columns_of
    from actors.ticks.files import TickFile

    definitions = load(folder_of(options["definitions"]))
    ticks = None
    if options["replay"] is not None:
        ticks = TickFile(options["replay"], columns_of(definitions.folder or "."))
        ticks.open().close()
    plan = Plan(
        definitions,
        choose_language(options["lang"], definitions.settings.language),
        agents=options["agents"],
        store=options["store"],
        until_idle=options["until_idle"],
        replay=ticks,
        speed=options["speed"] or 1.0,
        skip_gaps=options["skip_gaps"],
        record=options["record"],
        shell=options["shell"],
        grace=options["grace"],
        json=options["log_format"] == LogFormat.JSON,
        verbose=options["verbose"],
    )
    level = logging.DEBUG if options["debug"] else logging.INFO
    handler = start_logging(sys.stderr, LogFormat(options["log_format"]), level=level)
    try:
        return Session(plan).run()
    finally:
        stop_logging(handler)


@tree.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@debug_option
def validate(paths: tuple[Path, ...], debug: bool) -> int:  # noqa: ARG001, FBT001 - click passes it by name
    """Check definitions: folders or single files. Every fault is a line; exit status 4 if there is any."""
    from actors.definitions import validate as find_faults

    missing = [path for path in paths if not path.exists()]
    faults = find_faults([path for path in paths if path not in missing])
    for fault in faults:
        click.echo(str(fault))
    for path in missing:
        click.echo(f"{path}: no such file or folder", err=True)
    if faults:
        return Status.DEFINITIONS
    if missing:
        return Status.NOT_FOUND
    click.echo("no faults")
    return Status.OK


class Counts(click.ParamType[tuple[int, ...]]):
    """Whole numbers from 1, parted by commas."""

    name = "N,N..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in str(value).split(",")]
        if not all(part.isascii() and part.isdigit() and 1 <= int(part) <= MAX_AGENTS for part in parts):
            self.fail(
                f"'{value}' is not a number of agents from 1 to {MAX_AGENTS}, or several such as 5,8,13", param, ctx
            )
        return tuple(map(int, parts))


@tree.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--events",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What arrives: JSON lines with at_ms and an event's fields, or a tick file.  [default: the folder's events]",
)
@click.option(
    "--record",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Instead: every instance of this record (start --record) when it was created, each task as long as it was.",
)
@click.option(
    "--durations",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="How long tasks take: YAML, 'workflow.task: 20' in ms or a distribution.  [default: the folder's "
    "durations.yaml]",
)
@click.option(
    "--durations-from",
    type=click.Path(path_type=Path),
    metavar="RECORD",
    help="Draw durations from those of this record, for tasks that --durations does not name.",
)
@click.option(
    "--default-ms", type=click.FloatRange(min=0), metavar="MS", help="How long tasks take of which nothing says it."
)
@click.option("--agents", type=Counts(), help="How many agents; several, such as 5,8,13, are compared in one table.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="What is drawn is drawn by it.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    help="Let a tick file come so many times as fast.  [default: 1]",
)
@click.option(
    "--skip-gaps",
    type=click.FloatRange(min=0),
    metavar="S",
    help="Take a longer gap of a tick file as one of S seconds.",
)
@click.option(
    "--trace",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the timeline as a trace for ui.perfetto.dev, a track per agent; a file there is written over.",
)
@click.option("--json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--lang", type=click.Choice(["zh", "en"]), help="Language of the text.  [default: the folder's, the locale's]"
)
@debug_option
def simulate(folder: Path, **options: Any) -> int:
    """Run a definitions folder in virtual time and print what it comes to. No action is run.

    Printed are throughput, response and waiting by priority, preemptions, wasted work and how busy the agents were.
    """
    options.pop("debug")
    if options["events"] is not None and options["record"] is not None:
        raise click.UsageError("--events and --record are two sources of what arrives; give one")
    for name in ("speed", "skip_gaps"):
        if options[name] is not None and options["events"] is None:
            raise click.UsageError(f"--{name.replace('_', '-')} goes with --events and a tick file")
    from actors.definitions import load
    from actors.simulate.face import Asked, run

    if not folder.exists():
        raise NotFoundError(f"{folder}: no such definitions folder")
    options["agents"] = options["agents"] or ()
    return run(Asked(load(folder), folder, language=options.pop("lang"), **options))


@tree.command()
@debug_option
def schema(debug: bool) -> int:  # noqa: ARG001, FBT001 - click passes it by name
    """Print the JSON Schema of definition files, for editors."""
    from actors.definitions import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
    return Status.OK


def folder_of(asked: Path | None) -> Path:
    """Return the definitions to run; ``NotFoundError`` if they are not there."""
    if asked is not None and not asked.exists():
        raise NotFoundError(f"{asked}: no such definitions folder; name one with --definitions")
    if asked is None and not EXAMPLE.is_dir():
        raise NotFoundError(
            "the examples ship with the checkout, not with the package; name a folder with --definitions"
        )
    return asked or EXAMPLE
