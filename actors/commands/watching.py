"""``watch``: a command, run again and again."""

from __future__ import annotations

import shlex
import sys
import time
from typing import Any

import click
from click.shell_completion import CompletionItem, ShellComplete

from actors.commands.face import Face
from actors.commands.kinds import Number
from actors.commands.options import debug_option
from actors.commands.tree import COMMANDS, run_command, tree, unknown_command
from actors.errors import Error, RequestError
from actors.printable import one_line
from actors.status import Status, sentence, status_of

LEAST_S = 0.1
ENDLESS = ("watch", "top", "start", "shell")
_HOME_AND_CLEAR = "\x1b[H\x1b[2J"


class Watched(click.ParamType[str]):
    """A word of the command that is watched: completed as if it stood alone."""

    name = "command"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ARG002
        return value

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        words = [str(word) for word in ctx.params.get(param.name or "") or ()]
        found = ShellComplete(tree, {"obj": ctx.ensure_object(Face)}, "", "").get_completions(words, incomplete)
        return found if words else [item for item in found if item.value not in ENDLESS]


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after N times.")
@debug_option
@click.argument("seconds", type=Number())
@click.argument("command", nargs=-1, required=True, type=Watched(), metavar="COMMAND...")
def watch(seconds: float, command: tuple[str, ...], count: int | None, debug: bool) -> int:  # noqa: ARG001, FBT001
    """Run a command again and again.

    So many seconds lie between, until Ctrl-C. At a terminal it stays in place.
    """
    ctx = click.get_current_context()
    face = ctx.ensure_object(Face)
    if command[0] not in COMMANDS:
        raise RequestError(f"watch: {unknown_command(command[0])}")
    if command[0] in ENDLESS:
        raise RequestError(f"watch: '{command[0]}' does not end by itself; name a command such as 'queues'")
    shown = shlex.join(command)
    done, status = 0, Status.OK
    while True:
        if sys.stdout.isatty():
            face.say(f"{_HOME_AND_CLEAR}every {seconds:g} s: {shown}    {time.strftime('%H:%M:%S')}")
        try:
            status = Status(run_command(command, face))
        except (Error, OSError) as error:
            if type(error) is RequestError:
                raise  # It would be as wrong the next time.
            status = status_of(error)
            face.complain(one_line(sentence(error)))
        done += 1
        if done == count or face.pause_for(max(seconds, LEAST_S)):
            return status
