"""``engine start``: one engine, from the command line."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from actors.addresses import DEFAULT_PORT, Address, Http
from actors.commands.options import debug_option, folder_of

if TYPE_CHECKING:
    from actors.log import LogFormat
    from actors.plan import Plan


@click.command()
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
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where the control API's socket and its token are.  [default: .engine in the definitions folder]",
)
@click.option(
    "--http",
    metavar="ADDR",
    default=f"127.0.0.1:{DEFAULT_PORT}",
    show_default=True,
    help="Serve the control API there too; on a free port if that one is taken.",
)
@click.option("--no-http", is_flag=True, help="Serve it on its Unix socket alone.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What a write over HTTP must show, instead of the data directory's token; must be given for an address "
    "that others can reach.",
)
@click.option("--tls-cert", type=click.Path(path_type=Path), metavar="FILE", help="Serve HTTPS: the certificate, PEM.")
@click.option("--tls-key", type=click.Path(path_type=Path), metavar="FILE", help="Serve HTTPS: its key, PEM.")
@click.option("--plaintext", is_flag=True, help="On an address that others can reach, do without TLS on purpose.")
@click.option("--shell", is_flag=True, help="Read commands from the terminal or a pipe; 'help' lists them.")
@click.option("--keep-going", is_flag=True, help="Let the shell's script go on after an error.")
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
    """Run the engine until it is told to stop.

    Ctrl-C or SIGTERM stops it in stages; a second time, at once.
    """
    for name in ("speed", "skip_gaps"):
        if options[name] is not None and options["replay"] is None:
            raise click.UsageError(f"--{name.replace('_', '-')} goes with --replay")
    if options["keep_going"] and not options["shell"]:
        raise click.UsageError("--keep-going goes with --shell")
    from actors.data_dir import default_path
    from actors.definitions import load
    from actors.log import LogFormat
    from actors.narration import choose_language
    from actors.plan import Plan
    from actors.ticks.columns import columns_of
    from actors.ticks.files import TickFile

    http = None if options["no_http"] else http_of(options)
    folder = folder_of(options["definitions"])
    definitions = load(folder)
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
        keep_going=options["keep_going"],
        grace=options["grace"],
        json=options["log_format"] == LogFormat.JSON,
        verbose=options["verbose"],
        data=options["data"] or default_path(folder),
        http=http,
    )
    return _run(plan, LogFormat(options["log_format"]), level=logging.DEBUG if options["debug"] else logging.INFO)


def _run(plan: Plan, log_format: LogFormat, *, level: int) -> int:
    from actors.log import start_logging, stop_logging
    from actors.runners.said import overheard
    from actors.session import Session

    handler = start_logging(sys.stderr, log_format, level=level)
    try:
        with overheard(handler):
            return Session(plan).run()
    finally:
        stop_logging(handler)


def http_of(options: Mapping[str, Any]) -> Http:
    """Raises ``RequestError`` for what would leave the engine open to others."""
    http = Http(
        Address.read(options["http"]),
        options["token_file"],
        options["tls_cert"],
        options["tls_key"],
        plaintext=options["plaintext"],
    )
    http.check()
    return http
