"""One run: a scenario, steps of a storm, people who interfere, and then the calm in which all must end."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from actors.effects import KEEPER, ROUTER, SCHEDULER
from actors.messages import (
    AwaitIdle,
    AwaitInstance,
    Cancel,
    DrainAgent,
    ExplainTask,
    PauseWorkflow,
    Publish,
    PutEntity,
    ReadStats,
    ResolveTask,
    RunWorkflow,
    SetPriority,
    Watch,
)
from actors.model import NOBODY, EntityId, EntitySeed, Event, ReplyId, WorkflowId
from actors.simulation.choices import Calm, Choices
from actors.simulation.parts import BEGINNING
from actors.simulation.storm import Storm
from tests.simulation.lines import line
from tests.simulation.observer import Observer
from tests.simulation.reckoning import reckon, reckon_stopped
from tests.simulation.scenarios import ENTITIES, FILLER, Scenario, scenario
from tests.simulation.told import rule

STEPS = 320
_CHATTER = (
    "ChangesMade",
    "PrioritiesChanged",
    "EventsAnswered",
    "ActionNoted",
    "AttemptNoted",
    "NoteReceived",
    "NoteTaken",
)
"""Messages that a story can do without."""
DRAIN_BOUND = 20_000
"""Deliveries and instants in which the queue must be empty after the last interference: no livelock."""


class Noting(Observer):
    """An observer that keeps what it saw as lines, or only their digest."""

    def __init__(self, given: Scenario, *, told: bool) -> None:
        super().__init__(given.definitions)
        self.lines: list[str] | None = [] if told else None
        self.digest = hashlib.sha256()

    def note(self, sender: str, to: str, text: str) -> None:
        """A line: time, from, to, text."""
        assert self.parts is not None
        entry = f"{(self.parts.now - BEGINNING) // 1_000_000:8} ms  {sender:>9} > {to:9}  {text}"
        self.digest.update(entry.encode())
        if self.lines is not None and not text.startswith(_CHATTER):
            self.lines.append(entry)

    def took(self, sender: str, name: str, message: Any, effects: Any) -> None:
        self.note(sender, name, line(message))
        super().took(sender, name, message, effects)

    def started(self, action: Any) -> None:
        job = action.job
        self.note(
            action.agent, "runner", f"{job.task_id} begins, attempt {job.attempt.number} of task {job.attempt.task}"
        )
        super().started(action)

    def ended(self, action: Any, outcome: Any) -> None:
        job, told = action.job, f", told {action.told}" if action.told else ""
        self.note("runner", action.agent, f"{job.task_id} ends {outcome.kind}{told}, attempt {job.attempt.number}")
        super().ended(action, outcome)


class Story:
    """Drives one storm from choices. ``told``: keep every message as a line."""

    def __init__(self, choices: Choices, *, told: bool = False) -> None:
        self.choices: Choices = choices
        self.given = scenario(choices)
        self.observer = Noting(self.given, told=told)
        self.storm = Storm(self.given.definitions, choices, self.observer)
        self.numbers = 0
        self.published = 0
        self.ids: list[str] = []
        self.stop_asked = NOBODY
        """Who waits for the engine's end, if it was stopped."""
        self.waiters: set[ReplyId] = set()
        """Who waits for something to be done, which an engine that stops may never do."""
        self.begin()

    def begin(self) -> None:
        storm, observer = self.storm, self.observer
        observer.watch(storm.parts)
        storm.post("user", KEEPER, Watch(watched=True))
        for number in range(self.given.agents):
            self.run(FILLER, f"low{number}")
        storm.choices = Calm()
        while storm.deliver():
            pass
        storm.choices = self.choices

    # --- people ----------------------------------------------------------------------------------

    def ask(self, to: str, message: Any, who: str = "user") -> ReplyId:
        self.numbers += 1
        number = ReplyId(self.numbers)
        self.observer.asked.append(number)
        if isinstance(message, AwaitIdle | AwaitInstance):
            self.waiters.add(number)
        self.storm.post(who, to, replace(message, reply=number))
        return number

    def run(self, workflow: str, entity: str) -> None:
        self.ask(KEEPER, PutEntity(EntitySeed(EntityId(entity), phase="by_hand")))
        self.ask(KEEPER, RunWorkflow(WorkflowId(workflow), EntityId(entity)))

    def outside(self) -> None:
        """Somebody publishes, starts, steers, or asks."""
        pick = self.choices.pick
        names, what = self.given.names, pick(12)
        if what < 4:
            self.publish()
        elif what < 7:
            self.run(names[pick(len(names))], ENTITIES[pick(len(ENTITIES))])
        elif what == 7:
            self.hold()
        elif what == 8 and self.observer.instances:
            newest = self.observer.instances[-1 - pick(min(8, len(self.observer.instances)))]
            self.ask(KEEPER, (Cancel(newest), AwaitInstance(newest, ReplyId(0)))[pick(2)])
        elif what == 9 and self.observer.tasks:
            id_ = self.observer.tasks[-1 - pick(min(8, len(self.observer.tasks)))]
            self.ask(KEEPER, SetPriority(id_, pick(8)))
        elif what == 10:
            self.people()
        elif self.observer.tasks:
            id_ = self.observer.tasks[-1 - pick(min(8, len(self.observer.tasks)))]
            self.ask(KEEPER, ExplainTask(id_))

    def hold(self) -> None:
        """A workflow is paused or goes on, or an agent is drained, or the whole engine is paused: that not for long."""
        names, pick = self.given.names, self.choices.pick
        match pick(4):
            case 2:
                agents = self.storm.parts.agent_names
                self.ask(KEEPER, DrainAgent(agents[pick(len(agents))][0], drained=pick(3) == 1))
            case 3:
                self.ask(KEEPER, PauseWorkflow(None, paused=pick(4) == 1))
            case _:
                self.ask(KEEPER, PauseWorkflow(WorkflowId(names[pick(len(names))]), paused=pick(2) == 1))

    def people(self) -> None:
        pick = self.choices.pick
        match pick(5):
            case 0:
                for id_ in [*self.observer.unknown][:1]:
                    self.ask(KEEPER, ResolveTask(id_, ("completed", "failed", "retry", "cancelled")[pick(4)]))
            case 1:
                seed = EntitySeed(EntityId(ENTITIES[pick(4)]), phase="data_ready", priority=pick(5))
                self.ask(KEEPER, PutEntity(seed))
            case 2:
                self.ask(ROUTER, AwaitIdle(ReplyId(0)))
            case 3:
                self.stop()
            case _:
                self.ask((KEEPER, ROUTER, SCHEDULER)[pick(3)], ReadStats())

    def stop(self) -> None:
        """Now and then, the engine is stopped; and then perhaps again, harder, for which nobody waits."""
        pick = self.choices.pick
        if self.storm.stop is not None:
            self.storm.order_stop(0, NOBODY)
        elif pick(3) == 1:
            self.numbers += 1
            self.stop_asked = ReplyId(self.numbers)
            self.observer.asked.append(self.stop_asked)
            self.storm.order_stop((0, 10, 60, 400)[pick(4)], self.stop_asked)

    def publish(self) -> None:
        """An event, now and then with an id that was used before: doubled on its way."""
        pick = self.choices.pick
        events = []
        for _ in range(1 + pick(2)):
            kind = ("DATA_READY", "HIGH_PRIORITY_ARRIVED")[pick(2)]
            self.published += 1
            id_ = f"event-{self.published}"
            if self.ids and pick(6) == 1:
                id_ = self.ids[pick(len(self.ids))]
                self.observer.seen["events doubled"] += 1
            self.ids.append(id_)
            priority, valid = (None, 0, 3)[pick(3)], (None, None, None, 30)[pick(4)]
            entity = ENTITIES[pick(len(ENTITIES))]
            events.append(Event(kind, entity, priority, self.published, valid_for_ms=valid, id=id_))
        if pick(12) == 1:
            self.observer.seen["events lost"] += len(events)
            self.published -= len(events)
            return
        self.ask(ROUTER, Publish(tuple(events)), who=("user", "other")[pick(2)])

    # --- steps -----------------------------------------------------------------------------------

    def step(self) -> None:
        what = self.choices.pick(100)
        storm = self.storm
        if what < 82:
            if not storm.deliver():
                self.outside()
        elif what < 86:
            storm.act()
        elif what < 94:
            self.outside()
        else:
            storm.pass_time()
        self.observer.counts()

    def play(self, steps: int = STEPS) -> None:
        """The whole run; raises ``Broken`` if anything forbidden happens."""
        for _ in range(steps):
            self.choices.step()
            self.step()
        self.calm_down()

    def calm_down(self) -> None:
        """Nobody interferes any more, actions hear and succeed: all that was accepted gets done.

        If the engine was stopped, what runs ends, and nothing else.
        """
        storm = self.storm
        self.choices = Calm()
        storm.calm_down(self.choices)
        for name in (None, *map(WorkflowId, self.given.names)):
            self.ask(KEEPER, PauseWorkflow(name, paused=False))
        for agent, _ in storm.parts.agent_names:
            self.ask(KEEPER, DrainAgent(agent, drained=False))
        resolved: set[str] = set()
        for _ in range(DRAIN_BOUND):
            if storm.deliver() or storm.pass_time():
                self.observer.counts()
                continue
            left = [id_ for id_ in self.observer.unknown if id_ not in resolved]
            if not left:
                break
            resolved.update(left)
            for id_ in left:
                self.ask(KEEPER, ResolveTask(id_, "completed"))
        else:
            rule("L3", False, "the queue does not drain")
        if self.storm.stop is None:
            reckon(self)
        else:
            reckon_stopped(self)
