"""Kinds of words that commands take: names that the live engine knows, values, choices.

A kind checks a word, completes it, and finds the name that was meant by a wrong one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from actors.commands.face import Face
from actors.errors import Error, NotFoundError, RequestError
from actors.words import MAX_LINE_CHARS, Word, did_you_mean, json_value, value_of

if TYPE_CHECKING:
    from actors.model import Json

MAX_OFFERED = 200
"""Names offered for one word."""
MAX_ASKED = 500
EVENT_FIELDS = ("priority", "id", "valid_for_ms", "timestamp")
ENTITY_FIELDS = ("name", "phase", "status", "priority", "data")


class Typed(str):
    """A word of a shell's line, with what a plain text does not say: where its key ends, whether it is quoted."""

    word: Word

    @classmethod
    def of(cls, word: Word) -> Typed:
        typed = cls(word.text if word.key is None else f"{word.key}={word.text}")
        typed.word = word
        return typed


def word_of(value: str) -> Word:
    """A word as the shell read it; from the command line, its key ends at the first =."""
    if isinstance(value, Typed):
        return value.word
    key, equals, text = value.partition("=")
    return Word(text, key) if equals and key else Word(value)


class OneOf(click.Choice[str]):
    """One of some words, with a suggestion."""

    def __init__(self, choices: Sequence[str]) -> None:
        super().__init__([str(choice) for choice in choices])  # A member of an enumeration would go by its name.

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, str) and value not in self.choices:
            known = [str(choice) for choice in self.choices]
            self.fail(f"'{value[:40]}' is not one of {', '.join(known)}{did_you_mean(value, known)}", param, ctx)
        return value


class Named(click.ParamType[str]):
    """The name of something that the engine has: agent, actor, workflow, entity, instance, task, id, event type."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.name = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ARG002
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        return offered(names(ctx, self.kind), incomplete)


class Number(click.ParamType[float]):
    """A number of seconds from 0."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = value if isinstance(value, int | float) else value_of(Word(str(value)))
        except RequestError:
            number = None
        if isinstance(number, bool) or not isinstance(number, int | float) or number < 0:
            self.fail(f"the time must be a number of seconds, not '{str(value)[:40]}'", param, ctx)
        return float(number)


class Level(click.ParamType[int]):
    """A priority."""

    name = "priority"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value)
        if not (text.isascii() and text.isdigit() and len(text) <= 10):
            self.fail(f"the priority must be a whole number from 0, not '{text[:40]}'", param, ctx)
        return int(text)


class Field(click.ParamType[Any]):
    """``key=value``. ``known``: the only keys there are, or those to offer first."""

    name = "key=value"

    def __init__(self, known: Sequence[str] = (), *, closed: bool = False) -> None:
        self._known = known
        self._closed = closed

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Json]:
        if isinstance(value, tuple):
            return value
        word = word_of(value)
        if word.key is None:
            self.fail(f"'{word.text[:40]}' is no key=value", param, ctx)
        if self._closed and word.key not in self._known:
            cure = f"{did_you_mean(word.key, self._known)}; it takes {', '.join(self._known)}"
            self.fail(f"no field '{word.key[:40]}'{cure}", param, ctx)
        try:
            return word.key, value_of(word)
        except RequestError as error:
            self.fail(f"{word.key[:40]}: {error}", param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        given = {key for key, _ in ctx.params.get(param.name or "") or ()}
        return offered([f"{key}=" for key in self._known if key not in given], incomplete)


class Data(click.ParamType[Any]):
    """JSON, or @ and the name of a file of it."""

    name = "JSON|@FILE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Json:
        text = value.word.text if isinstance(value, Typed) and value.word.key is None else str(value)
        if not isinstance(value, str):
            return value
        try:
            return json_value(_read(text[1:]) if text.startswith("@") else text)
        except RequestError as error:
            self.fail(str(error), param, ctx)


def _read(name: str) -> str:
    with open(Path(name), "rb") as file:
        found = file.read(MAX_LINE_CHARS + 1)
    if len(found) > MAX_LINE_CHARS:
        raise RequestError(f"{name} has more than {MAX_LINE_CHARS} bytes")
    try:
        return found.decode()
    except UnicodeDecodeError as error:
        raise RequestError(f"{name} is not UTF-8 (byte {error.start + 1})") from None


def together(fields: Sequence[tuple[str, Json]]) -> dict[str, Json]:
    """The fields as a mapping. Raises ``RequestError`` for one that is given twice."""
    found: dict[str, Json] = {}
    for key, value in fields:
        if key in found:
            raise RequestError(f"'{key[:40]}' is given twice")
        found[key] = value
    return found


def offered(known: Sequence[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in known if name.startswith(incomplete)][:MAX_OFFERED]


def names(ctx: click.Context, kind: str) -> list[str]:
    """What the engine has of this kind now; nothing if that cannot be found out."""
    face = ctx.ensure_object(Face)
    if face.names is not None:
        return face.names(kind)
    try:
        return known_names(face.reach(ctx.params.get("data_dir"), ctx.params.get("definitions")), kind)
    except (Error, OSError):
        return []


def known_names(engine: Any, kind: str) -> list[str]:
    """Ask the engine for all names of a kind, those of what is at work first."""
    match kind:
        case "workflow":
            return [each["id"] for each in engine.workflows()]
        case "agent":
            return [each["name"] for each in engine.agents()]
        case "actor":
            return [each["name"] for each in engine.actors()]
        case "entity":
            return [each["id"] for each in engine.entities(MAX_ASKED)[0]]
        case "instance":
            return [each["id"] for each in engine.instances(MAX_ASKED)[0]]
        case "task":
            tasks = [each["id"] for each in engine.tasks(MAX_ASKED)[0]]
            ended = [task["id"] for each in engine.instances(MAX_ASKED)[0] for task in each.get("tasks", ())]
            return list(dict.fromkeys([*tasks, *ended]))
        case "id":
            return [*known_names(engine, "instance"), *known_names(engine, "task")]
        case "any":
            return [*known_names(engine, "id"), *known_names(engine, "entity")]
        case "event type":
            return _event_types(engine)
        case _:
            return []


def _event_types(engine: Any) -> list[str]:
    from actors.model import EventType

    outcomes = (EventType.TASK_COMPLETED, EventType.TASK_FAILED)
    triggers: list[str] = [each["trigger_event"] for each in engine.workflows()]
    listed: list[str] = []
    with contextlib.suppress(NotFoundError):
        listed = next((each["value"] or [] for each in engine.settings() if each["name"] == "event_types"), [])
    return list(dict.fromkeys(str(type_) for type_ in [*EventType, *triggers, *listed] if type_ not in outcomes))


def named_messages(ctx: click.Context) -> list[dict[str, Any]]:
    """The protocol of the actor that this line names; nothing if that cannot be found out."""
    face = ctx.ensure_object(Face)
    actor = ctx.params.get("actor")
    if not isinstance(actor, str):
        return []
    if actor not in face.protocols:
        try:
            engine = face.reach(ctx.params.get("data_dir"), ctx.params.get("definitions"))
            face.protocols[actor] = engine.protocol(actor)
        except (Error, OSError):
            return []
    return face.protocols[actor]
