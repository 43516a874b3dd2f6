"""Commands that speak to one actor: ``send``, ``tap``, ``inspect``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from actors.client.client import Client
from actors.commands.asking import asking
from actors.commands.kinds import Field, Named, named_messages, names, offered, together, word_of
from actors.commands.output import Output, Row
from actors.printable import utc_text
from actors.tables import text_of

if TYPE_CHECKING:
    from actors.model import Json


NAMES = {"workflow": "workflow", "agent": "agent", "entity": "entity", "id": "id"}
"""Fields that hold a name of something that the engine has, and of what."""


class MessageName(click.ParamType[str]):
    """The name of a message that the actor takes."""

    name = "message"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ARG002
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        open_ones = [one for one in named_messages(ctx) if not one["unsafe"] or ctx.params.get("unsafe")]
        return [CompletionItem(one["name"], help=one["doc"]) for one in open_ones if one["name"].startswith(incomplete)]


class MessageField(Field):
    """A field of the message that stands before it."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        message = next((one for one in named_messages(ctx) if one["name"] == ctx.params.get("message")), None)
        if message is None:
            return []
        key, equals, _ = incomplete.partition("=")
        if equals:
            choices = next((one["choices"] for one in message["fields"] if one["name"] == key), ())
            if not choices and key in NAMES and any(one["name"] == key for one in message["fields"]):
                choices = names(ctx, NAMES[key])
            return offered([f"{key}={choice}" for choice in choices], incomplete)
        given = {name for name, _ in ctx.params.get(param.name or "") or ()}
        wanted = sorted(message["fields"], key=lambda one: not one["required"])
        return [
            CompletionItem(f"{one['name']}=", help=one["type"])
            for one in wanted
            if one["name"] not in given and one["name"].startswith(incomplete)
        ]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Json]:
        if isinstance(value, str):
            word = word_of(value)
            message = self._message(ctx)
            declared = next((one for one in message if one["name"] == word.key), None)
            # An entity may be called 360: what must be text is text, whatever it looks like.
            if declared is not None and word.key is not None and str(declared["type"]).startswith("text"):
                return word.key, None if word.text == "null" and not word.quoted else word.text
        return super().convert(value, param, ctx)

    @staticmethod
    def _message(ctx: click.Context | None) -> Sequence[Mapping[str, Any]]:
        if ctx is None:
            return ()
        found = next((one for one in named_messages(ctx) if one["name"] == ctx.params.get("message")), None)
        return () if found is None else found["fields"]


@asking("send")
@click.argument("actor", type=Named("actor"))
@click.argument("message", type=MessageName())
@click.argument("fields", nargs=-1, type=MessageField(), metavar="[FIELD=VALUE]...")
@click.option("--unsafe", is_flag=True, help="Also a message that could forge an outcome; the engine's log has it.")
def send(engine: Client, out: Output, **given: Any) -> None:
    """Send an actor any message of its protocol.

    Fields are checked as the message declares them; a value that begins with [ or { is JSON.
    """
    answer = engine.send(given["actor"], given["message"], together(given["fields"]), unsafe=given["unsafe"])
    told = answer.get("answer")
    if out.for_people:
        if told is None:
            out.message(f"{given['message']} is sent to the {given['actor']}")
        else:
            out.one(told if isinstance(told, dict) else {"answer": told})
    else:
        out.one(answer)


@asking("inspect")
@click.argument("actor", type=Named("actor"))
def inspect(engine: Client, out: Output, actor: str) -> None:
    """Show what an actor has in mind: counts, and the first or newest of each kind."""
    out.one(engine.inspect(actor), name="actor")


@asking("tap")
@click.argument("actor", type=Named("actor"))
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after N messages.")
def tap(engine: Client, out: Output, actor: str, count: int | None) -> None:
    """Show an actor's messages as it takes them, until Ctrl-C.

    Of very many only some are shown; how many were left out is told.
    """
    for number, message in enumerate(engine.tap(actor), 1):
        out.told(message, _line(message), name="message")
        if number == count:
            return


def _line(message: Row) -> str:
    left_out = f"({message['skipped']} left out before this)  " if message.get("skipped") else ""
    fields = " ".join(f"{name}={text_of(value)}" for name, value in (message.get("fields") or {}).items())
    return f"{utc_text(message['at'])}  {left_out}{message['message']}  {fields}".rstrip()
