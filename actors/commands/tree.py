"""The tree of commands: their names, and where each of them is.

A command's module is imported only when the command runs or its own help is asked for, so that
``engine --version`` and the list of commands cost next to nothing. The shell runs the same tree
on each of its lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

import click

from actors import __version__
from actors.errors import RequestError
from actors.status import Status

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from actors.commands.face import Face

MAX_SENTENCE = 400


class Place(NamedTuple):
    """Where a command is, as ``module:name``, its one line in the list of commands, and an example."""

    where: str
    summary: str
    example: str = ""
    in_shell: bool = True
    """Whether it makes sense at the prompt of a shell."""


COMMANDS: Mapping[str, Place] = {
    "start": Place(
        "start:start",
        "Run the engine until it is told to stop.",
        "start --definitions definitions/trading",
        in_shell=False,
    ),
    "shell": Place("shell:shell", "Type commands to a running engine.", "shell -c 'stats; queues'", in_shell=False),
    "validate": Place(
        "checking:validate", "Check definitions: folders or single files.", "validate definitions/trading"
    ),
    "simulate": Place(
        "simulate:simulate",
        "Run a definitions folder in virtual time and print what it comes to.",
        "simulate definitions/ashare --agents 5,8,13",
    ),
    "graph": Place(
        "drawing:graph",
        "Draw a workflow's tasks: for Mermaid, for Graphviz or as text.",
        "graph high_freq_trading --format mermaid",
        in_shell=False,
    ),
    "init": Place("beginning:init", "Write a small definitions folder to begin with.", "init my-flows", in_shell=False),
    "trace": Place(
        "tracing:trace",
        "Write what ran when as a trace for ui.perfetto.dev.",
        "trace -o run.json",
        in_shell=False,
    ),
    "doctor": Place(
        "checkup:doctor", "See what is installed, writable and reachable, and what to do.", "doctor", in_shell=False
    ),
    "schema": Place("checking:schema", "Print the JSON Schema of definition files, for editors.", "schema"),
    "inject": Place("publishing:inject", "Publish an event.", "inject DATA_READY 000003 priority=0 price=10.9"),
    "put": Place(
        "publishing:put", "Add an entity, or change one.", "put 600036 name=招商银行 priority=0 phase=data_ready"
    ),
    "run": Place("publishing:run", "Start a workflow by hand.", "run trend_trading 000002 --wait"),
    "replay": Place("publishing:replay", "Publish a tick file as it once happened.", "replay ticks.csv --speed 60"),
    "ps": Place("listing:ps", "List the tasks that run or wait, with their agents.", "ps --workflow trend_trading"),
    "runs": Place(
        "listing:runs", "List workflow instances, unfinished and ended ones, newest first.", "runs --status failed"
    ),
    "queues": Place("listing:queues", "List what waits for an agent, by priority.", "queues"),
    "agents": Place("listing:agents", "List the agents and what they run.", "agents -o json"),
    "actors": Place("listing:actors", "List the engine's actors: inbox, messages handled, restarts.", "actors"),
    "entities": Place("listing:entities", "List the state table.", "entities --status failed"),
    "show": Place("showing:show", "Show an entity, an instance or a task.", "show 000003"),
    "why": Place(
        "showing:why",
        "Say why a task is where it is: what it waits for, who preempted it, what ended it.",
        "why collect_data_000001_1630000000",
    ),
    "events": Place("streaming:events", "Print state changes.", "events -f --for 000003"),
    "cancel": Place(
        "steering:cancel", "Cancel an instance, or a task's instance.", "cancel trend_trading_000002_1630000000"
    ),
    "retry": Place(
        "steering:retry",
        "Start an ended instance again, as a new one with the same event and params.",
        "retry trend_trading_000002_1630000000",
    ),
    "reprio": Place(
        "steering:reprio",
        "Give an instance or a task another priority, 0 is the highest; also to what runs.",
        "reprio trend_trading_000002_1630000000 0",
    ),
    "pause": Place(
        "steering:pause",
        "Start no task of a workflow until it is resumed; without one, none at all.",
        "pause trend_trading",
    ),
    "resume": Place(
        "steering:resume", "Let a paused workflow go on; without one, the paused engine.", "resume trend_trading"
    ),
    "reload": Place("steering:reload", "Load the definitions anew; what runs keeps its own.", "reload"),
    "drain": Place("steering:drain", "Give an agent no new work; what it runs goes on.", "drain agent_0"),
    "undrain": Place("steering:undrain", "Give a drained agent work again.", "undrain agent_0"),
    "resolve": Place(
        "steering:resolve",
        "Settle a task whose outcome is unknown.",
        "resolve execute_order_000001_1630000000 completed",
    ),
    "dead": Place("listing:dead", "List the events that nobody accepted, or retry or drop one.", "dead retry 3"),
    "wait": Place("steering:wait", "Wait until nothing accepted is left undone.", "wait 10"),
    "stats": Place("listing:stats", "Show counts, latencies and wasted work.", "stats"),
    "settings": Place("listing:settings", "List the engine's settings and where each comes from.", "settings"),
    "watch": Place("watching:watch", "Run a command again and again.", "watch 2 queues"),
    "top": Place("top:top", "Watch agents, queues, rates and the latest preemptions.", "top"),
    "send": Place(
        "protocol:send",
        "Send an actor any message of its protocol.",
        "send keeper PauseWorkflow workflow=trend_trading paused=true",
    ),
    "tap": Place("protocol:tap", "Show an actor's messages as it takes them, until Ctrl-C.", "tap scheduler --count 5"),
    "inspect": Place(
        "protocol:inspect",
        "Show what an actor has in mind: counts, and the first or newest of each kind.",
        "inspect scheduler",
    ),
    "completion": Place(
        "helping:completion", "Print what makes a shell complete commands and names.", "completion bash", in_shell=False
    ),
    "help": Place("helping:help_", "Explain a command, with an example; without one, list them all.", "help inject"),
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
        if args and not args[0].startswith("-") and args[0] not in self._places and not ctx.resilient_parsing:
            raise RequestError(f"{unknown_command(args[0])}; '{_help(ctx)}' lists them")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.summary) for name, place in self._places.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        in_shell = getattr(ctx.obj, "in_shell", False)
        found = [
            CompletionItem(name, help=place.summary)
            for name, place in self._places.items()
            if name.startswith(incomplete) and (place.in_shell or not in_shell)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]


def _imported(where: str) -> click.Command:
    module, _, name = where.partition(":")
    command: click.Command = getattr(import_module(f"actors.commands.{module}"), name)
    return command


def _help(ctx: click.Context) -> str:
    return f"{ctx.info_name} help".strip()


def unknown_command(name: str) -> str:
    from actors.words import did_you_mean

    return f"no command '{name[:40]}'{did_you_mean(name, COMMANDS)}"


@click.group(cls=LazyGroup, places=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="engine")
def tree() -> None:
    """Run workflows, urgent ones at once: an engine that preempts.

    Exit statuses: 0 ok, 1 failed, 2 usage, 3 missing extra, 4 definitions, 5 not found, 6 engine not reachable,
    7 refused, 70 the engine stopped itself, 124 timeout, 130 interrupted.
    """


def run_command(arguments: Sequence[str], face: Face | None = None) -> int:
    """Run one command; return its exit status. Raises what the command raises, ``RequestError`` for wrong usage.

    ``face``: that of a shell, whose prompt has no program's name in front.
    """
    in_shell = face is not None and face.in_shell
    try:
        status = tree.main(list(arguments), prog_name="" if in_shell else "engine", standalone_mode=False, obj=face)
    except click.ClickException as error:
        raise RequestError(_sentence(error)) from None
    except click.Abort:
        raise KeyboardInterrupt from None
    return int(status or Status.OK)


def _sentence(error: click.ClickException) -> str:
    """What is wrong with the command, where, and how it is used: one line."""
    message = " ".join(error.format_message().split()).rstrip(".")
    ctx = getattr(error, "ctx", None)
    if ctx is None:
        return message[:MAX_SENTENCE]
    of_argument = isinstance(error, click.BadParameter) and isinstance(error.param, click.Argument)
    if of_argument and not isinstance(error, click.MissingParameter):
        message = " ".join(error.message.split()).rstrip(".")
    where = " ".join(ctx.command_path.split())
    begins_small = message[:1].lower() + message[1:MAX_SENTENCE]
    text = f"{where}: {begins_small}" if where else begins_small
    usage = " ".join(ctx.get_usage().split()).removeprefix("Usage: ")
    return text if isinstance(error, click.BadParameter) and error.param is None else f"{text}; usage: {usage}"
