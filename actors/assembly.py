"""Builds an engine's parts and starts and stops them, in reverse order.

Keeper, then scheduler, agents, router: whoever is spoken to is there first. Stopping refuses
new work first, then ends what runs, then the actors from the outside in.
"""

from __future__ import annotations

import dataclasses
import sys
import uuid
from collections.abc import Callable, Mapping
from queue import Empty
from typing import Any

from actors import admission
from actors.actions import load_callables
from actors.actor import LogicActor
from actors.agent import AgentActor
from actors.clock import SystemClock, TimerThread
from actors.desk import Desk
from actors.effects import KEEPER, ROUTER, SCHEDULER
from actors.errors import EngineError, EngineFailed, EngineStopped
from actors.ids import short_unique
from actors.keeper import KeeperActor
from actors.ledger import Ledger, Remains
from actors.log import logger
from actors.logic.history import Calendar
from actors.logic.keeping import Keeping
from actors.logic.routing import Routing
from actors.logic.scheduling import Scheduling
from actors.logic.state import State
from actors.logic.working import Working
from actors.messages import (
    Bootstrap,
    DueEvent,
    ForwardedEvent,
    Publish,
    PutEntity,
    ReadStats,
    RunWorkflow,
    ScheduleEvents,
    StopAgents,
)
from actors.model import (
    DEFAULT_PRIORITY,
    NOBODY,
    NS_PER_MS,
    ActionSpec,
    AgentName,
    Definitions,
    Isolation,
    Millis,
    ReplyId,
)
from actors.ports import Runner, Store, Warmable
from actors.repair import Logic
from actors.router import RouterActor
from actors.scheduler import SchedulerActor
from actors.seat import Seat, Surroundings
from actors.stores.opening import open_store
from actors.subscribers import Subscribers
from actors.supervisor import Bounds, Supervisor

NEW_WORK = (Publish, ScheduleEvents, RunWorkflow, PutEntity)
"""Refused from outside when the engine is stopping."""
JOIN_S = 2.0
"""How long an actor or the subscribers' thread may take to end."""


class Assembly:
    """The running parts of one engine. Started once, stopped once."""

    def __init__(
        self,
        definitions: Definitions,
        given: Mapping[str, Callable[..., Any]],
        store_url: str | None,
        subscribers: Subscribers,
        bounds: Bounds | None = None,
    ) -> None:
        self.definitions = definitions
        self.name = f"engine-{uuid.uuid4().hex[:8]}"
        self.clock = SystemClock()
        self.desk = Desk()
        self._subscribers = subscribers
        self.store: Store = open_store(store_url or definitions.settings.store, definitions.settings)
        self.calendar = Calendar(self.clock.utc(), self.clock.now())
        self.failure: EngineFailed | None = None
        self._timers = TimerThread(f"{self.name}-timers")
        self._around = Surroundings(self.clock, self._timers, self.desk, fail=self._fail, check=self._check)
        self._runners = build_runners(definitions, given, self.clock, self.name)
        self.state = State(definitions.settings)
        self._run_id = short_unique()
        self._bounds = bounds or Bounds()
        self.supervisor = Supervisor(self.clock, self._bounds, self._fail)
        self._began = False
        self._stopping = False
        self._stop: StopAgents | None = None
        """What the scheduler has been ordered, or is about to be: a rebuilt one starts nothing either."""
        self.agent_names = agent_names(definitions)

    def start(self) -> None:
        """Start every part; an action's module that cannot be imported is a ``DefinitionError``."""
        try:
            for runner in dict.fromkeys(self._runners.values()):
                if isinstance(runner, Warmable):
                    runner.warm()
            self._timers.start()
            self._subscribers.start(f"{self.name}-subscribers")
            self._start_actors()
            self._began = True
        except BaseException:
            self.stop(grace=0.0)
            raise

    def _start_actors(self) -> None:
        around = self._around
        makers: dict[str, Callable[[], LogicActor]] = {
            KEEPER: self._core(KEEPER, lambda seat: KeeperActor(seat, self.keeping, around, self.store)),
            SCHEDULER: self._core(SCHEDULER, lambda seat: SchedulerActor(seat, self.scheduling, around)),
            **{name: self._agent(name) for name, _ in self.agent_names},
            ROUTER: self._core(ROUTER, lambda seat: RouterActor(seat, self.routing, around, self._subscribers)),
        }
        self.supervisor.start(makers, f"{self.name}-watchdog")
        self._begin()

    def _core(self, name: str, make: Callable[[Seat], LogicActor]) -> Callable[[], LogicActor]:
        seat = Seat(name, self._around, self._bounds.core)
        return lambda: make(seat)

    def _agent(self, name: AgentName) -> Callable[[], LogicActor]:
        seat, ledger = Seat(name, self._around, self._bounds.agent), Ledger()
        return lambda: AgentActor(
            seat, lambda remains: self.working(name, remains), self._around, self._runners, ledger
        )

    # --- a logic of each generation --------------------------------------------------------------

    def keeping(self, generation: int) -> Logic:  # noqa: ARG002 - it goes on as if nothing had been
        """On the state that outlives it, as it was before the batch that crashed."""
        self.state.roll_back()
        return Keeping(self.definitions, calendar=self.calendar, store_id=self.store.id, state=self.state)

    def scheduling(self, generation: int) -> Logic:
        return Scheduling(
            self.definitions.workflows,
            self.agent_names,
            starvation_ms=self.definitions.settings.starvation_ms,
            generation=generation,
            stop=self._stop,
        )

    def routing(self, generation: int) -> Logic:
        return Routing(self.definitions, self._run_id, generation=generation)

    def working(self, name: AgentName, remains: Remains | None) -> Logic:
        if remains is None:
            return Working(name)
        return Working(
            name,
            incarnation=remains.incarnation + 1,
            orphans=remains.orphans,
            death=remains.death,
            reported=(remains.last, remains.ends),
        )

    # --- the first messages ----------------------------------------------------------------------

    def _begin(self) -> None:
        """The initial entities and what is due at once are one batch; later events have timers."""
        settings = self.definitions.settings
        now = self.clock.now()
        due: list[ForwardedEvent] = []
        later: list[DueEvent] = []
        priorities = {seed.id: seed.priority for seed in settings.entities}
        for number, timed in enumerate(settings.events):
            event = timed.event
            if timed.after_ms:
                identity = event.id or f"{self.name}-timed-{number}"
                later.append(DueEvent(now + timed.after_ms * NS_PER_MS, dataclasses.replace(event, id=identity)))
                continue
            priority = event.priority if event.priority is not None else priorities.get(event.entity_id)  # type: ignore[call-overload]
            identity = event.id or f"{self.name}-start-{number}"
            due.append(ForwardedEvent(event, DEFAULT_PRIORITY if priority is None else priority, now, (identity,)))
        due.sort(key=lambda forwarded: forwarded.priority)
        self.tell(KEEPER, self._subscribers.watch())
        self.tell(KEEPER, Bootstrap(settings.entities, tuple(due)))
        if later:
            # A number, so that it counts as asked until the last is dealt with; nobody reads the answer.
            self.tell(ROUTER, ScheduleEvents(tuple(later), self.desk.open()[0]))

    # --- messages from outside -------------------------------------------------------------------

    def tell(self, actor: str, message: object) -> None:
        self._around.inboxes[actor].post(message)

    def hand_in(self, actor: str, message: object) -> None:
        """From outside, and nobody waits. What is published counts as asked, so that no crash loses it."""
        if self.failure is not None:
            raise self.failure
        self._refuse_new(message)
        if self._around.inboxes[actor].closed:
            raise EngineStopped("the engine is stopped")
        if isinstance(message, Publish | ScheduleEvents) and message.reply == NOBODY:
            message = dataclasses.replace(message, reply=self.desk.open()[0])
        self.tell(actor, message)

    def _check(self, actor: str, message: object) -> None:
        """What comes by way of Pykka's own refs."""
        admission.message(actor, message)
        self._refuse_new(message)

    def _refuse_new(self, message: object) -> None:
        if self._stopping and isinstance(message, NEW_WORK):
            raise EngineStopped("the engine is stopping; nothing was accepted")

    def ask(self, actor: str, make: Callable[[ReplyId], object], timeout: float | None) -> Any:
        """Send a message that expects an answer, and wait for it.

        Raises what the answer is if it is an error, and ``TimeoutError``.
        """
        self._refuse_new(make(NOBODY))
        number, answer = self.desk.open()
        self.tell(actor, make(number))
        try:
            value = answer.get(timeout=timeout)
        except Empty:
            self.desk.forget(number)
            raise TimeoutError(f"no answer within {timeout} s") from None
        if isinstance(value, BaseException):
            raise value
        return value

    def _fail(self, actor: str, trace: str) -> None:
        """A logic failed: its state cannot be trusted, so nothing goes on from it."""
        if self.failure is None:
            logger().error("actor failed", actor=actor, traceback=trace[-8000:])
            last = trace.strip().splitlines()[-1]
            self.failure = EngineFailed(
                f"the {actor} failed ({last}); the engine has stopped, its state is as last saved"
            )
        self.supervisor.halt()
        self.desk.close(self.failure)

    # --- stopping --------------------------------------------------------------------------------

    def stop(self, *, grace: float) -> list[str]:
        """End everything; return the names of what is still running at the deadline.

        Attempts may go on for ``grace`` seconds, then they are told to stop, then killed.
        """
        self._stopping = True
        if self._began and self.failure is None:
            self._drain(grace)
        deadline = self.clock.now() + int((1.0 if grace else 0.2) * 1e9)
        left: list[str] = []
        for runner in dict.fromkeys(self._runners.values()):
            left += runner.close(deadline)
        left += self.supervisor.stop()
        self._timers.stop()
        if not self._subscribers.stop(JOIN_S):
            left.append("a subscriber")
        self.store.close()
        self.desk.close(self.failure or EngineStopped("the engine is stopped"))
        return left

    def _drain(self, grace: float) -> None:
        """Let the scheduler bring every attempt to an end; a harder stop may come meanwhile."""
        longest = max((t.grace_ms for w in self.definitions.workflows.values() for t in w.tasks), default=100)
        limit = grace + (min(longest, 2_000) / 1000 + 0.5 if grace else 0.5)
        order = self._order_stop(int(grace * 1000))
        try:
            self.ask(SCHEDULER, lambda number: dataclasses.replace(order, reply=number), timeout=limit)
            # What the last ends led to has reached the store and the subscribers when these answer.
            for actor in (KEEPER, ROUTER):
                self.ask(actor, ReadStats, timeout=JOIN_S)
        except (TimeoutError, EngineError):  # It has failed, or the order itself crashed it.
            return  # Closing the runners names who is late.

    def hurry(self) -> None:
        """While ``stop`` waits in another thread or below a signal handler: stop what runs now."""
        self.tell(SCHEDULER, self._order_stop(0))

    def _order_stop(self, grace: Millis) -> StopAgents:
        """To be told to the scheduler, and remembered for those that come after it: the hardest there was."""
        order = StopAgents(grace, self.clock.now())
        if self._stop is None or self._stop.grace > grace:
            self._stop = order
        return order


def agent_names(definitions: Definitions) -> list[tuple[AgentName, frozenset[str]]]:
    """Every agent with its capabilities: ``agent_0`` … in the order of the groups."""
    return [
        (AgentName(f"{group.name}_{number}"), group.capabilities)
        for group in definitions.settings.agents
        for number in range(group.count)
    ]


def build_runners(
    definitions: Definitions, given: Mapping[str, Callable[..., Any]], clock: SystemClock, name: str
) -> dict[Isolation, Runner]:
    """A runner for each isolation that a task uses; the others are not even imported."""
    used = {task.isolation for workflow in definitions.workflows.values() for task in workflow.tasks}
    max_bytes = definitions.settings.max_data_bytes
    runners: dict[Isolation, Runner] = {}
    in_process = used & {Isolation.THREAD, Isolation.ASYNC}
    callables = load_callables(definitions, given) if in_process else {}
    if Isolation.THREAD in used:
        from actors.runners.threads import ThreadRunner

        runners[Isolation.THREAD] = ThreadRunner(callables, clock=clock, max_bytes=max_bytes, name=f"{name}-thread")
    if Isolation.ASYNC in used:
        from actors.runners.event_loop import EventLoopRunner

        runners[Isolation.ASYNC] = EventLoopRunner(callables, clock=clock, max_bytes=max_bytes, name=f"{name}-loop")
    if used & {Isolation.PROCESS, Isolation.COMMAND}:
        from actors.runners.processes import ProcessRunner

        folder = definitions.folder
        specs = _process_actions(definitions)
        workers = ProcessRunner(specs, clock=clock, paths=sys.path, folder=folder, max_bytes=max_bytes)
        runners[Isolation.PROCESS] = runners[Isolation.COMMAND] = workers
    return runners


def _process_actions(definitions: Definitions) -> dict[str, ActionSpec]:
    tasks = [task for workflow in definitions.workflows.values() for task in workflow.tasks]
    named = [task.action for task in tasks if task.isolation is Isolation.PROCESS and task.action is not None]
    return {name: definitions.actions[name] for name in named}
