"""The message-injection shell: acts on orders, one after the other, and prints what came of them.

Whatever is typed, the engine is unharmed: what cannot be done is one line that says why and
what to do instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, assert_never

from actors.errors import EngineFailed, EngineStopped, Error, NotFoundError, RefusedError
from actors.model import Entity, EventType, InstanceStatus
from actors.narration import one_line
from actors.orders import (
    COMMANDS,
    CancelWork,
    Help,
    Inject,
    Order,
    Pause,
    Put,
    Quit,
    Reprioritise,
    Resolve,
    Run,
    Show,
    ShowAgents,
    ShowQueues,
    ShowStats,
    Unpause,
    Wait,
    Why,
    parse,
)
from actors.tables import attempt_row, entity_row, instance_row, table, task_row, text_of
from actors.views import InstanceView, Receipt, TaskView

if TYPE_CHECKING:
    from actors.engine import Engine
    from actors.terminal import Completions, Lines

MAX_ROWS = 200
"""Rows of one table."""

Say = Callable[[str], None]


class Shell:
    """Orders to one engine. ``say`` prints an answer, ``complain`` an error, each a line."""

    def __init__(self, engine: Engine, *, say: Say, complain: Say) -> None:
        self._engine = engine
        self._say = say
        self._complain = complain

    def run(self, lines: Lines) -> tuple[int, bool]:
        """Act on all lines; return how many went wrong, and whether ``quit`` ended it.

        An error is told with its line number, unless a person typed it, and the next line is
        read. Raises ``EngineStopped`` and ``EngineFailed`` when there is no engine any more.
        """
        number = wrong = 0
        while True:
            number += 1
            try:
                line = lines.read()
                if line is None:
                    return wrong, False
                order = parse(line)
                if isinstance(order, Quit):
                    return wrong, True
                if order is not None:
                    self.act(order)
            except (EngineStopped, EngineFailed):
                raise
            except (Error, TimeoutError) as error:
                wrong += 1
                place = "" if lines.interactive else f"line {number}: "
                self._complain(one_line(f"{place}{' '.join(str(error).split())}"))

    def act(self, order: Order) -> None:
        """Carry out one order; raise one of our errors if it cannot be done."""
        engine = self._engine
        match order:
            case Inject(event):
                self._say(accepted(engine.publish(event)))
            case Put(id_, fields):
                self._table([entity_row(engine.put_entity(id_, **fields))])
            case Run(workflow, entity, params):
                self._say(accepted(engine.run(workflow, entity, params or None)))
            case Show(id_):
                self._show(id_)
            case ShowAgents():
                self._table(engine.agents())
            case ShowQueues():
                self._table(engine.queues(), empty="nothing waits")
            case ShowStats():
                self._facts(engine.stats())
            case Why(task):
                self._facts(engine.why(task))
            case CancelWork(id_):
                engine.cancel(id_)
                self._say(f"cancelling {id_}")
            case Resolve(task, outcome):
                engine.resolve(task, outcome)
                self._say(f"{task} is resolved: {outcome}")
            case Reprioritise(id_, priority):
                engine.set_priority(id_, priority)
                self._say(f"{id_} has priority {priority}")
            case Pause(workflow):
                engine.pause(workflow)
                self._say(f"{workflow} is paused")
            case Unpause(workflow):
                engine.resume(workflow)
                self._say(f"{workflow} goes on")
            case Wait(seconds):
                self._wait(seconds)
            case Help(command):
                self._help(command)
            case Quit():
                pass  # ``run`` ends on it.
            case _:
                assert_never(order)

    def _show(self, id_: str | None) -> None:
        if id_ is None:
            self._table([entity_row(entity) for entity in self._engine.entities()], empty="no entities")
            running = self._engine.instances(status=InstanceStatus.RUNNING)
            self._table([instance_row(instance) for instance in running], empty="nothing runs")
            return
        found = self._find(id_)
        match found:
            case Entity():
                self._facts({"entity": found.id, **{k: v for k, v in entity_row(found).items() if k != "id"}})
            case InstanceView():
                self._table([instance_row(found)])
                self._table([task_row(task) for task in found.tasks])
            case TaskView():
                self._facts({"task": found.id, **{k: v for k, v in task_row(found).items() if k != "id"}})
                self._table([attempt_row(attempt) for attempt in found.attempts], empty="no attempt yet")

    def _find(self, id_: str) -> Entity | InstanceView | TaskView:
        for look in (self._engine.entity, self._engine.instance, self._task):
            try:
                return look(id_)
            except NotFoundError:
                continue
        raise NotFoundError(f"show: no entity, instance or task '{id_[:80]}'; 'show' lists what there is")

    def _task(self, id_: str) -> TaskView:
        for instance in self._engine.instances():
            for task in instance.tasks:
                if task.id == id_:
                    return task
        raise NotFoundError(id_)

    def _wait(self, seconds: float | None) -> None:
        try:
            self._engine.wait_idle(seconds)
        except TimeoutError:
            raise RefusedError(
                f"wait: still at work after {seconds:g} s; 'queues' and 'agents' say with what"
            ) from None
        self._say("idle")

    def _help(self, name: str | None) -> None:
        if name is not None:
            command = COMMANDS[name]
            self._say(f"{command.usage}\n  {command.summary}\n  for example: {command.example}")
            return
        for each in COMMANDS.values():
            self._say(f"{each.usage}\n    {each.summary}")

    def _table(self, rows: Iterable[Mapping[str, Any]], *, empty: str = "") -> None:
        rows = list(rows)
        for line in table(rows[:MAX_ROWS]) if rows else [empty]:
            self._say(line)
        if len(rows) > MAX_ROWS:
            self._say(f"and {len(rows) - MAX_ROWS} more")

    def _facts(self, facts: Mapping[str, Any]) -> None:
        width = max((len(name) for name in facts), default=0)
        for name, value in facts.items():
            self._say(f"{name:<{width}}  {text_of(value)}")


def completions(engine: Engine) -> Completions:
    """What may follow what, for a terminal's Tab key."""
    workflows = {str(name): None for name in engine.definitions.workflows}
    types = [*EventType, *engine.definitions.settings.event_types]
    return {
        **dict.fromkeys(COMMANDS),
        "inject": {
            str(type_): None for type_ in types if type_ not in (EventType.TASK_COMPLETED, EventType.TASK_FAILED)
        },
        "run": workflows,
        "pause": workflows,
        "resume": workflows,
        "help": dict.fromkeys(COMMANDS),
    }


def accepted(receipt: Receipt) -> str:
    """Say what became of an event or a start by hand."""
    twice = ", as before: this id is known" if receipt.duplicate else ""
    led_to = ", ".join(receipt.instances) or "no workflow wants it now"
    return f"accepted {receipt.event_id}{twice}: {led_to}"
