"""Builds an engine's parts and starts and stops them, in reverse order.

Keeper, then scheduler, agents, router: whoever is spoken to is there first. Stopping refuses
new work first, then ends what runs, then the actors from the outside in.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Iterable, Mapping
from queue import Empty
from typing import Any

from actors import admission
from actors.actor import LogicActor
from actors.agent import AgentActor
from actors.benches import Benches, Runners
from actors.bootstrap import first_batch, later_events
from actors.clock import SystemClock, TimerThread
from actors.desk import Desk
from actors.effects import KEEPER, ROUTER, SCHEDULER
from actors.errors import EngineError, EngineFailed, EngineStopped
from actors.generations import Generations
from actors.ids import short_unique
from actors.keeper import KeeperActor
from actors.ledger import Ledger
from actors.log import logger
from actors.logic.history import Calendar
from actors.messages import (
    Publish,
    PutEntity,
    ReadStats,
    RetryDeadLetter,
    RetryInstance,
    RunWorkflow,
    ScheduleEvents,
)
from actors.model import NOBODY, AgentName, Definitions, ReplyId
from actors.ports import Runner, Store, Warmable
from actors.router import RouterActor
from actors.runners.building import build_runners
from actors.scheduler import SchedulerActor
from actors.seat import Seat, Surroundings
from actors.stores.opening import open_store
from actors.subscribers import Subscribers
from actors.supervisor import Bounds, Supervisor
from actors.taps import Taps

NEW_WORK = (Publish, ScheduleEvents, RunWorkflow, RetryInstance, RetryDeadLetter, PutEntity)
"""Refused from outside when the engine is stopping."""
JOIN_S = 2.0
"""How long an actor or the subscribers' thread may take to end."""


CLOSE_NS = 2_000_000_000
"""How long the runners of a version that nothing is of any more may take to end."""


class Assembly:
    """The running parts of one engine. Started once, stopped once."""

    def __init__(
        self,
        definitions: Definitions,
        given: Mapping[str, Callable[..., Any]],
        store_url: str | None,
        subscribers: Subscribers,
        bounds: Bounds | None = None,
        *,
        takes_output: bool = False,
    ) -> None:
        self.definitions = definitions
        self.name = f"engine-{uuid.uuid4().hex[:8]}"
        self.clock = SystemClock()
        self.desk = Desk()
        self._subscribers = subscribers
        self.store: Store = open_store(store_url or definitions.settings.store, definitions.settings)
        self.calendar = Calendar(self.clock.utc(), self.clock.now())
        self.taps = Taps(self.name, self.calendar.utc)
        self.failure: EngineFailed | None = None
        self._timers = TimerThread(f"{self.name}-timers")
        self._around = Surroundings(self.clock, self._timers, self.desk, fail=self._fail, check=self._check)
        self._given = given
        self._takes_output = takes_output
        self.benches = Benches()
        self.benches.add(definitions.version, self._runners_for(definitions))
        self.generations = Generations(definitions, self.calendar, store_id=self.store.id, run_id=short_unique())
        self._bounds = bounds or Bounds()
        self.supervisor = Supervisor(self.clock, self._bounds, self._fail)
        self._loading: tuple[Runner, ...] = ()
        """Of a version that is not there yet: who stops ends what it waits for."""
        self._began = False
        self._stopping = False

    def start(self) -> None:
        """Start every part; an action's module that cannot be imported is a ``DefinitionError``."""
        try:
            warm(self.benches.all)
            self._timers.start()
            self._subscribers.start(f"{self.name}-subscribers")
            self._start_actors()
            self._began = True
        except BaseException:
            self.stop(grace=0.0)
            raise

    def _start_actors(self) -> None:
        around, logics = self._around, self.generations
        makers: dict[str, Callable[[], LogicActor]] = {
            KEEPER: self._core(KEEPER, lambda seat: KeeperActor(seat, logics.keeping, around, self.store)),
            SCHEDULER: self._core(SCHEDULER, lambda seat: SchedulerActor(seat, logics.scheduling, around)),
            **{name: self._agent(name) for name, _ in logics.agent_names},
            ROUTER: self._core(ROUTER, lambda seat: RouterActor(seat, logics.routing, around, self._subscribers)),
        }
        self.supervisor.start(makers, f"{self.name}-watchdog")
        self._begin()

    def _core(self, name: str, make: Callable[[Seat], LogicActor]) -> Callable[[], LogicActor]:
        seat = Seat(name, self._around, self._bounds.core)
        return lambda: make(seat)

    def _agent(self, name: AgentName) -> Callable[[], LogicActor]:
        seat, ledger = Seat(name, self._around, self._bounds.agent), Ledger()
        return lambda: AgentActor(
            seat, lambda remains: self.generations.working(name, remains), self._around, self.benches, ledger
        )

    def _begin(self) -> None:
        """The first messages; events of later have timers."""
        settings, now = self.definitions.settings, self.clock.now()
        self.tell(KEEPER, self._subscribers.watch())
        self.tell(KEEPER, first_batch(settings, now, self.name))
        later = later_events(settings, now, self.name)
        if later:
            # A number, so that it counts as asked until the last is dealt with; nobody reads the answer.
            self.tell(ROUTER, ScheduleEvents(later, self.desk.open()[0]))

    # --- versions of the definitions ---------------------------------------------------------------

    def _runners_for(self, definitions: Definitions) -> Runners:
        return build_runners(definitions, self._given, self.clock, self.name, takes_output=self._takes_output)

    def add_version(self, definitions: Definitions) -> None:
        """Get ready to run what is of this version. Raises ``DefinitionError`` for code that cannot be loaded."""
        runners = self._runners_for(definitions)
        self._loading = each = tuple(dict.fromkeys(runners.values()))
        try:
            self._go_on_loading()
            warm(each)
            self.benches.add(definitions.version, runners)
            self._go_on_loading()  # Who closes the runners may not have seen these.
        except BaseException:
            self.benches.remove(definitions.version)
            self._close(each)
            raise
        finally:
            self._loading = ()
        self.generations.library[definitions.version] = definitions

    def _go_on_loading(self) -> None:
        if self._stopping:
            raise EngineStopped("the engine is stopping; nothing was loaded")

    def remove_version(self, version: str) -> None:
        """Nothing of it runs, or ever will."""
        self.generations.library.pop(version, None)
        self._close(self.benches.remove(version))

    def _close(self, runners: Iterable[Runner]) -> None:
        for runner in runners:
            for left in runner.close(self.clock.now() + CLOSE_NS):
                logger().warning("a runner of older definitions is not closed", left=left)

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
        for runner in (*self.benches.all, *self._loading):
            left += runner.close(deadline)
        left += self.supervisor.stop()
        self._timers.stop()
        if not self._subscribers.stop(JOIN_S):
            left.append("a subscriber")
        if not self.taps.stop(JOIN_S):
            left.append("a tap's listener")
        self.store.close()
        self.desk.close(self.failure or EngineStopped("the engine is stopped"))
        return left

    def _drain(self, grace: float) -> None:
        """Let the scheduler bring every attempt to an end; a harder stop may come meanwhile."""
        flows = [flow for known in list(self.generations.library.values()) for flow in known.workflows.values()]
        longest = max((task.grace_ms for flow in flows for task in flow.tasks), default=100)
        limit = grace + (min(longest, 2_000) / 1000 + 0.5 if grace else 0.5)
        order = self.generations.order_stop(int(grace * 1000), self.clock.now())
        try:
            self.ask(SCHEDULER, lambda number: dataclasses.replace(order, reply=number), timeout=limit)
            # What the last ends led to has reached the store and the subscribers when these answer.
            for actor in (KEEPER, ROUTER):
                self.ask(actor, ReadStats, timeout=JOIN_S)
        except (TimeoutError, EngineError):  # It has failed, or the order itself crashed it.
            return  # Closing the runners names who is late.

    def hurry(self) -> None:
        """While ``stop`` waits in another thread or below a signal handler: stop what runs now."""
        self.tell(SCHEDULER, self.generations.order_stop(0, self.clock.now()))


def warm(runners: Iterable[Runner]) -> None:
    """Have those that can get ready do so."""
    for runner in runners:
        if isinstance(runner, Warmable):
            runner.warm()
