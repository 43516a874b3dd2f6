"""The baseline for throughput: the same actors in Pykka, without anything an engine decides.

Router, state, scheduler and agents in a line, tuples as messages, Pykka's own inboxes. The
messages are those of the engine's line and no others: event, accepted, ready, assigned, run,
ended, and the derived event that a task is through. Each agent hands its work to a runner
thread over a ``SimpleQueue``, as an engine must whose agents stay able to hear a cancel.

Two leaner forms are printed too: without runner threads, where the agent calls the action
itself; and without reports, where nobody is told what was accepted, assigned or completed.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import pykka

Action = Callable[[], object]
Message = tuple[Any, ...]
Link = pykka.ActorRef[Any]


class Router(pykka.ThreadingActor):
    use_daemon_thread = True

    def __init__(self, state: Link) -> None:
        super().__init__()
        self._state = state
        self._told = 0

    def on_receive(self, message: Message) -> None:
        match message:
            case ("event", _):
                self._state.tell(message)
            case ("accepted", _) | ("completed", _, _):
                self._told += 1


class State(pykka.ThreadingActor):
    """Knows how far each workflow is: every task waits for the one before it."""

    use_daemon_thread = True

    def __init__(self, tasks: int) -> None:
        super().__init__()
        self._tasks = tasks
        self._scheduler: Link | None = None
        self._router: Link | None = None
        self._running: dict[Any, int] = {}
        self._unfinished = 0
        self._through: threading.Event | None = None

    def on_receive(self, message: Message) -> None:
        scheduler = self._scheduler
        match message:
            case ("event", workflow) if scheduler is not None:
                scheduler.tell(("ready", workflow, 0))
                if self._router is not None:
                    self._router.tell(("accepted", workflow))
            case ("assigned", workflow, task):
                self._running[workflow] = task
            case ("ended", workflow, task) if scheduler is not None:
                if self._router is not None:
                    self._router.tell(("completed", workflow, task))
                if task + 1 < self._tasks:
                    scheduler.tell(("ready", workflow, task + 1))
                else:
                    self._one_less()
            case ("expect", count, through):
                self._unfinished, self._through = count, through
            case ("links", scheduler, router):
                self._scheduler, self._router = scheduler, router

    def _one_less(self) -> None:
        self._unfinished -= 1
        if not self._unfinished and self._through is not None:
            self._through.set()


class Scheduler(pykka.ThreadingActor):
    """Gives the first in line to the first agent that is free."""

    use_daemon_thread = True

    def __init__(self, state: Link, *, reports: bool) -> None:
        super().__init__()
        self._state = state
        self._reports = reports
        self._ready: deque[Message] = deque()
        self._free: deque[Link] = deque()

    def on_receive(self, message: Message) -> None:
        match message:
            case ("ready", workflow, task):
                self._ready.append((workflow, task))
            case ("ended", agent, workflow, task):
                self._free.append(agent)
                self._state.tell(("ended", workflow, task))
            case ("agent", agent):
                self._free.append(agent)
        while self._ready and self._free:
            work = self._ready.popleft()
            self._free.popleft().tell(("run", *work))
            if self._reports:
                self._state.tell(("assigned", *work))


class Agent(pykka.ThreadingActor):
    use_daemon_thread = True

    def __init__(self, scheduler: Link, action: Action, *, runner: bool) -> None:
        super().__init__()
        self._scheduler = scheduler
        self._action = action
        self._work: SimpleQueue[Message | None] = SimpleQueue()
        self._runner = threading.Thread(target=self._run, daemon=True) if runner else None

    def on_start(self) -> None:
        if self._runner is not None:
            self._runner.start()
        self._scheduler.tell(("agent", self.actor_ref))

    def on_receive(self, message: Message) -> None:
        match message:
            case ("run", workflow, task):
                if self._runner is not None:
                    self._work.put((workflow, task))
                else:
                    self._action()
                    self._scheduler.tell(("ended", self.actor_ref, workflow, task))
            case ("done", workflow, task):
                self._scheduler.tell(("ended", self.actor_ref, workflow, task))

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            self._action()
            self.actor_ref.tell(("done", *work))

    def on_stop(self) -> None:
        self._work.put(None)


class Skeleton:
    """The actors, started; ``run`` sends the events and waits until the last workflow is through."""

    def __init__(self, action: Action, *, agents: int, tasks: int, runners: bool = True, reports: bool = True) -> None:
        self._state = State.start(tasks)
        self._scheduler = Scheduler.start(self._state, reports=reports)
        self._router = Router.start(self._state)
        self._state.tell(("links", self._scheduler, self._router if reports else None))
        self._agents = [Agent.start(self._scheduler, action, runner=runners) for _ in range(agents)]

    def run(self, workflows: int, timeout: float) -> None:
        """Raises ``TimeoutError``."""
        through = threading.Event()
        self._state.tell(("expect", workflows, through))
        for workflow in range(workflows):
            self._router.tell(("event", workflow))
        if not through.wait(timeout):
            raise TimeoutError(f"the skeleton was not through within {timeout} s")

    def stop(self) -> None:
        links: list[Link] = [self._router, *self._agents, self._scheduler, self._state]
        for link in links:
            link.stop()
