"""Commands that bring something in: ``inject``, ``put``, ``run``, ``replay``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from actors.client.client import Client
from actors.commands.asking import asking
from actors.commands.kinds import ENTITY_FIELDS, EVENT_FIELDS, Data, Field, Named, Number, OneOf, together
from actors.commands.output import Output, Row
from actors.commands.rows import entity_row, instance_row
from actors.errors import RequestError
from actors.status import Status

if TYPE_CHECKING:
    from actors.model import Json


@asking("inject", data_is_taken=True)
@click.argument("type", type=Named("event type"))
@click.argument("entity", type=Named("entity"))
@click.argument("fields", nargs=-1, type=Field(EVENT_FIELDS), metavar="[KEY=VALUE]...")
@click.option("--data", type=Data(), help="The event's data, or what key=value is added to.")
def inject(engine: Client, out: Output, **given: Any) -> None:
    """Publish an event.

    priority=N, id=ID, valid_for_ms=N and timestamp=S are the event's own; other keys are its data. An unquoted value
    reads as in YAML: 10.9 is a number, 000003 is text.
    """
    fields = together(given["fields"])
    known: dict[str, Any] = {name: value for name, value in fields.items() if name in EVENT_FIELDS}
    data: Json = {name: value for name, value in fields.items() if name not in EVENT_FIELDS} or None
    if given["data"] is not None:
        if data is not None and not isinstance(given["data"], dict):
            raise RequestError("inject: --data beside key=value must be a JSON object")
        data = {**given["data"], **data} if data is not None else given["data"]
    if "id" in known:
        known["id"] = str(known["id"])
    receipt = engine.publish({"type": given["type"], "entity_id": given["entity"], "data": data, **known})
    _accepted(out, receipt)


@asking("put", data_is_taken=True)
@click.argument("id", type=Named("entity"))
@click.argument("fields", nargs=-1, type=Field(ENTITY_FIELDS, closed=True), metavar="[KEY=VALUE]...")
@click.option("--data", type=Data(), help="The entity's data.")
def put(engine: Client, out: Output, id: str, fields: Sequence[tuple[str, Json]], data: Json) -> None:
    """Add an entity, or change one.

    It has name=TEXT, phase=WORD, status=WORD, priority=N and data; what is left out stays as it is.
    """
    given = together(fields)
    if data is not None:
        given["data"] = data
    if not given:
        raise RequestError(f"put: nothing to put; give one of {', '.join(ENTITY_FIELDS)}")
    for name in ("name", "phase"):
        # A stock may be called 360: a name that looks like a number is a name.
        if isinstance(given.get(name), int | float):
            given[name] = str(given[name])
    from actors.model import EntityStatus

    status = given.get("status")
    if status is not None and status not in list(EntityStatus):
        OneOf(list(EntityStatus)).convert(str(status), None, click.get_current_context())
    out.one(engine.put(id, given), entity_row)


@asking("run")
@click.argument("workflow", type=Named("workflow"))
@click.argument("entity", type=Named("entity"))
@click.argument("fields", nargs=-1, type=Field(), metavar="[KEY=VALUE]...")
@click.option("--wait", is_flag=True, help="Until it has ended; exit status 1 unless it is completed.")
@click.option("--timeout", type=Number(), metavar="S", help="Wait at most S seconds, then exit with status 124.")
def run(engine: Client, out: Output, **given: Any) -> int:
    """Start a workflow by hand.

    It starts whatever phase and condition say, after any instance that runs for the pair; keys are its params.
    """
    receipt = engine.run(given["workflow"], given["entity"], together(given["fields"]) or None)
    if not given["wait"] and given["timeout"] is None:
        _accepted(out, receipt)
        return Status.OK
    out.message(f"waiting for {receipt['instances'][0]}")
    ended = engine.wait(receipt["instances"][0], given["timeout"])
    out.one(ended, instance_row)
    return Status.OK if ended["status"] == "completed" else Status.FAILED


@asking("replay")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="So many times as fast.",
)
@click.option("--skip-gaps", type=click.FloatRange(min=0), metavar="S", help="Take a longer gap as one of S seconds.")
def replay(engine: Client, out: Output, file: Path, speed: float, skip_gaps: float | None) -> int:
    """Publish a tick file as it once happened.

    The gaps are those of the file. Each line is published once, however often the file is replayed; a line that
    cannot be used is told and passed over, with exit status 1.
    """
    from dataclasses import asdict

    from actors.commands.replaying import replay_through

    result = replay_through(engine, out, file, speed=speed, skip_gaps=skip_gaps)
    out.one({**asdict(result), "faults": list(result.faults)}, _replayed, name="published")
    return Status.FAILED if result.skipped else Status.OK


def _replayed(result: Row) -> Row:
    shown = ("published", "duplicates", "skipped", "elapsed", "most_behind")
    return {name: round(result[name], 1) if isinstance(result[name], float) else result[name] for name in shown}


def _accepted(out: Output, receipt: Row) -> None:
    if out.for_people:
        twice = ", as before: this id is known" if receipt["duplicate"] else ""
        led_to = ", ".join(receipt["instances"]) or "no workflow wants it now"
        out.text(f"accepted {receipt['event_id']}{twice}: {led_to}")
    else:
        out.one(receipt, name="event_id")
