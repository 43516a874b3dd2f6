"""What a line typed at the shell means: text to an order, or a sentence that says what is wrong.

    inject DATA_READY 000003 priority=0 price=10.9 note="limit up"

Nothing is done here; ``actors.shell`` acts. What a word is, ``actors.words`` says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from actors.errors import RequestError
from actors.model import Event, Json
from actors.words import Word, did_you_mean, json_value, split, value_of

MAX_LINE_CHARS = 2_000_000
"""Room for the largest data an event may carry, written with escapes."""
MAX_DIGITS = 9
OUTCOMES = ("completed", "failed", "retry", "cancelled")
_EVENT_FIELDS = ("priority", "id", "valid_for_ms", "timestamp")
_ENTITY_FIELDS = ("name", "phase", "status", "priority", "data")


@dataclass(frozen=True, slots=True)
class Inject:
    event: Event


@dataclass(frozen=True, slots=True)
class Put:
    id: str
    fields: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Show:
    """An entity, an instance or a task by its id; None: all entities and what runs."""

    id: str | None


@dataclass(frozen=True, slots=True)
class ShowAgents:
    pass


@dataclass(frozen=True, slots=True)
class ShowQueues:
    pass


@dataclass(frozen=True, slots=True)
class ShowStats:
    pass


@dataclass(frozen=True, slots=True)
class CancelWork:
    id: str


@dataclass(frozen=True, slots=True)
class Resolve:
    task: str
    outcome: str


@dataclass(frozen=True, slots=True)
class Reprioritise:
    id: str
    priority: int


@dataclass(frozen=True, slots=True)
class Run:
    workflow: str
    entity: str
    params: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Pause:
    workflow: str


@dataclass(frozen=True, slots=True)
class Unpause:
    workflow: str


@dataclass(frozen=True, slots=True)
class Why:
    task: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Until nothing accepted is left undone, at most so many seconds."""

    seconds: float | None


@dataclass(frozen=True, slots=True)
class Help:
    command: str | None


@dataclass(frozen=True, slots=True)
class Quit:
    pass


Order: TypeAlias = (
    Inject
    | Put
    | Show
    | ShowAgents
    | ShowQueues
    | ShowStats
    | CancelWork
    | Resolve
    | Reprioritise
    | Run
    | Pause
    | Unpause
    | Why
    | Wait
    | Help
    | Quit
)


@dataclass(frozen=True, slots=True)
class Arguments:
    """A command's words, sorted: those in order, ``key=value``, and what follows ``--data``."""

    texts: tuple[str, ...]
    fields: Mapping[str, Json] = field(default_factory=dict)
    data: Json = None

    def text(self, place: int) -> str | None:
        return self.texts[place] if place < len(self.texts) else None


@dataclass(frozen=True, slots=True)
class Command:
    usage: str
    summary: str
    example: str
    build: Callable[[Arguments], Order]
    least: int = 0
    most: int = 0
    """How many words it takes, beside fields."""
    fields: Collection[str] | None = ()
    """The keys it takes; None: any."""
    data: bool = False
    """Takes ``--data JSON`` too."""


def _event(arguments: Arguments) -> Order:
    """Fields that an event has are the event's; the others are its data."""
    known: dict[str, Any] = {name: value for name, value in arguments.fields.items() if name in _EVENT_FIELDS}
    data: Json = {name: value for name, value in arguments.fields.items() if name not in _EVENT_FIELDS} or None
    if arguments.data is not None:
        if data is not None and not isinstance(arguments.data, dict):
            raise RequestError("--data beside key=value must be a JSON object")
        data = {**arguments.data, **data} if data is not None else arguments.data
    if "id" in known:
        known["id"] = str(known["id"])
    return Inject(Event(arguments.texts[0], arguments.texts[1], data=data, **known))


def _put(arguments: Arguments) -> Order:
    data = {} if arguments.data is None else {"data": arguments.data}
    if not arguments.fields and not data:
        raise RequestError(f"nothing to put; give one of {', '.join(_ENTITY_FIELDS)}")
    # A stock may be called 360: a name that looks like a number is a name.
    names = {name: str(arguments.fields[name]) for name in ("name", "phase") if name in arguments.fields}
    return Put(arguments.texts[0], {**arguments.fields, **names, **data})


def _resolve(arguments: Arguments) -> Order:
    task, outcome = arguments.texts
    if outcome not in OUTCOMES:
        raise RequestError(
            f"no outcome '{outcome[:40]}'{did_you_mean(outcome, OUTCOMES)}; one of {', '.join(OUTCOMES)}"
        )
    return Resolve(task, outcome)


def _reprioritise(arguments: Arguments) -> Order:
    id_, priority = arguments.texts
    if not (priority.isascii() and priority.isdigit() and len(priority) <= MAX_DIGITS):
        raise RequestError(f"the priority must be a whole number from 0, not '{priority[:40]}'")
    return Reprioritise(id_, int(priority))


def _wait(arguments: Arguments) -> Order:
    seconds = arguments.text(0)
    if seconds is None:
        return Wait(None)
    value = value_of(Word(seconds, "SECONDS"))
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise RequestError(f"the time must be a number of seconds, not '{seconds[:40]}'")
    return Wait(float(value))


def _help(arguments: Arguments) -> Order:
    name = arguments.text(0)
    if name is not None and name not in COMMANDS:
        raise RequestError(f"no command '{name[:40]}'{did_you_mean(name, COMMANDS)}")
    return Help(name)


COMMANDS: Mapping[str, Command] = {
    "inject": Command(
        "inject TYPE ENTITY [priority=N] [id=ID] [valid_for_ms=N] [key=value ...] [--data JSON]",
        "publish an event; other keys are its data",
        "inject DATA_READY 000003 priority=0 price=10.9",
        _event,
        least=2,
        most=2,
        fields=None,
        data=True,
    ),
    "put": Command(
        "put ID [name=TEXT] [phase=WORD] [status=WORD] [priority=N] [--data JSON]",
        "add an entity, or change one",
        "put 600036 name=招商银行 priority=0 phase=data_ready",
        _put,
        least=1,
        most=1,
        fields=_ENTITY_FIELDS,
        data=True,
    ),
    "run": Command(
        "run WORKFLOW ENTITY [key=value ...]",
        "start a workflow by hand; keys are its params",
        "run trend_trading 000002",
        lambda given: Run(given.texts[0], given.texts[1], given.fields),
        least=2,
        most=2,
        fields=None,
    ),
    "show": Command(
        "show [ID]",
        "an entity, an instance or a task; without an id all entities and what is unfinished",
        "show 000003",
        lambda given: Show(given.text(0)),
        most=1,
    ),
    "agents": Command("agents", "the agents and what they run", "agents", lambda _: ShowAgents()),
    "queues": Command("queues", "what waits, by priority", "queues", lambda _: ShowQueues()),
    "stats": Command("stats", "counts and latencies", "stats", lambda _: ShowStats()),
    "why": Command(
        "why TASK", "why a task is where it is", "why collect_data_000001_1630000000",
        lambda given: Why(given.texts[0]), least=1, most=1,
    ),
    "cancel": Command(
        "cancel ID", "cancel an instance or a task", "cancel trend_trading_000002_1630000000",
        lambda given: CancelWork(given.texts[0]), least=1, most=1,
    ),
    "resolve": Command(
        "resolve TASK " + "|".join(OUTCOMES), "settle a task whose outcome is unknown",
        "resolve execute_order_000001_1630000000 completed", _resolve, least=2, most=2,
    ),
    "reprio": Command(
        "reprio ID N", "give an instance or a task another priority, 0 is the highest",
        "reprio trend_trading_000002_1630000000 0", _reprioritise, least=2, most=2,
    ),
    "pause": Command(
        "pause WORKFLOW", "start no task of it until resumed", "pause trend_trading",
        lambda given: Pause(given.texts[0]), least=1, most=1,
    ),
    "resume": Command(
        "resume WORKFLOW", "let a paused workflow go on", "resume trend_trading",
        lambda given: Unpause(given.texts[0]), least=1, most=1,
    ),
    "wait": Command("wait [SECONDS]", "until nothing accepted is left undone", "wait 10", _wait, most=1),
    "help": Command("help [COMMAND]", "this list, or one command", "help inject", _help, most=1),
    "quit": Command("quit", "stop the engine and leave", "quit", lambda _: Quit()),
}  # fmt: skip


def parse(line: str) -> Order | None:
    """Return what the line means, None for a blank or comment; raise ``RequestError`` for what is wrong."""
    if len(line) > MAX_LINE_CHARS:
        raise RequestError(f"the line has {len(line)} characters; at most {MAX_LINE_CHARS} are read")
    words = split(line)
    if not words:
        return None
    name = words[0].text if words[0].key is None else f"{words[0].key}={words[0].text}"
    command = COMMANDS.get(name)
    if command is None:
        raise RequestError(f"no command '{name[:40]}'{did_you_mean(name, COMMANDS)}; 'help' lists them")
    try:
        return command.build(_arguments(command, words[1:]))
    except RequestError as error:
        raise RequestError(f"{name}: {error}") from None


def _arguments(command: Command, words: Sequence[Word]) -> Arguments:
    texts: list[str] = []
    fields: dict[str, Json] = {}
    data: Json = None
    rest = iter(words)
    for word in rest:
        if command.data and word == Word("--data"):
            following = next(rest, None)
            if following is None or following.key is not None:
                raise RequestError("--data needs JSON after it")
            data = json_value(following.text)
        elif word.key is None:
            texts.append(word.text)
        else:
            _take_field(command, word, fields)
    if not command.least <= len(texts) <= command.most:
        raise RequestError(f"usage: {command.usage}")
    return Arguments(tuple(texts), fields, data)


def _take_field(command: Command, word: Word, fields: dict[str, Json]) -> None:
    key = word.key or ""
    if command.fields is not None and key not in command.fields:
        cure = f"it takes {', '.join(command.fields)}" if command.fields else f"usage: {command.usage}"
        raise RequestError(f"no field '{key[:40]}'{did_you_mean(key, command.fields)}; {cure}")
    if key in fields:
        raise RequestError(f"'{key[:40]}' is given twice")
    try:
        fields[key] = value_of(word)
    except RequestError as error:
        raise RequestError(f"{key[:40]}: {error}") from None
