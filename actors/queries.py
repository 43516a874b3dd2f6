"""What can be read of a running engine: nothing here changes anything.

What is unfinished is asked of the actors, what has ended is read from the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from actors import admission
from actors.effects import KEEPER, ROUTER, SCHEDULER
from actors.errors import NotFoundError, RefusedError
from actors.lifecycle import Lifecycle
from actors.logic.ended import why_ended
from actors.logic.history import view
from actors.messages import (
    ExplainTask,
    ReadDeadLetters,
    ReadEntities,
    ReadInstance,
    ReadInstances,
    ReadQueues,
    ReadStats,
)
from actors.model import Entity, EntityId, InstanceStatus, Isolation, WorkflowId
from actors.summary import summarise
from actors.views import InstanceView, Record


class Queries(Lifecycle):
    """All raise ``EngineStopped`` where the engine does not run, but for ``isolations``."""

    def entity(self, id: str) -> Entity:
        """Raises ``NotFoundError``."""
        entity: Entity = self._ask(KEEPER, ReadEntities(EntityId(admission.name(id, "an entity's id"))))
        return entity

    def entities(self) -> tuple[Entity, ...]:
        entities: tuple[Entity, ...] = self._ask(KEEPER, ReadEntities())
        return entities

    def instance(self, id: str) -> InstanceView:
        """One instance with its tasks and attempts. Raises ``NotFoundError``."""
        live: InstanceView | None = self._ask(KEEPER, ReadInstance(admission.name(id, "an instance's id")))
        return live if live is not None else self._finished(id)

    def instance_of(self, id: str) -> InstanceView:
        """The instance of this task, or with this id itself; no other is looked at. Raises ``NotFoundError``."""
        name = admission.name(id, "an id")
        live: InstanceView | None = self._ask(KEEPER, ReadInstance(name, by_task=True))
        return live if live is not None else view(self._record_of(name), self._running().calendar)

    def _record_of(self, id: str) -> Record:
        """Of an ended instance, by its own id or by a task's."""
        record = self._running().store.find(id)
        if record is None:
            kept = self.definitions.settings.max_finished
            raise NotFoundError(f"no instance or task {id!r} (the newest {kept} ended instances are kept)")
        return record

    def _finished(self, id: str) -> InstanceView:
        parts = self._running()
        record = parts.store.get(id)
        if record is None:
            raise NotFoundError(
                f"no instance {id!r} (the newest {self.definitions.settings.max_finished} ended are kept)"
            )
        return view(record, parts.calendar)

    def instances(
        self, status: str | None = None, workflow: str | None = None, *, limit: int = 1000
    ) -> list[InstanceView]:
        """Instances, unfinished ones first, each part newest first, at most ``limit``."""
        wanted = admission.choice(InstanceStatus, status, "status")
        chosen = None if workflow is None else WorkflowId(admission.name(workflow, "a workflow"))
        live: tuple[InstanceView, ...] = self._ask(KEEPER, ReadInstances(wanted, chosen, limit))
        parts = self._running()
        shown = {instance.id: instance for instance in live}
        for record in parts.store.newest(status=wanted, workflow=chosen, limit=limit):
            shown.setdefault(record[0], view(record, parts.calendar))
        return list(shown.values())[:limit]

    def pulse(self, tell: Callable[[BaseException | None], object]) -> None:
        """Have ``tell`` called with None in the scheduler's next turn: a sign that it decides; else with the error."""
        self._ask_soon(SCHEDULER, ReadStats(), tell)

    def stats(self) -> dict[str, Any]:
        """Counts, queue depths by priority, agents, preemptions, latencies and wasted work in ms."""
        counts = summarise(*[self._ask(actor, ReadStats()) for actor in (ROUTER, KEEPER, SCHEDULER)])
        return {**counts, "supervision": self._running().supervisor.stats()}

    def queues(self) -> list[dict[str, Any]]:
        """What waits for an agent: ``priority``, ``depth``, ``oldest_ms``."""
        found: list[dict[str, Any]] = self._ask(SCHEDULER, ReadQueues())["queues"]
        return found

    def agents(self) -> list[dict[str, Any]]:
        """Every agent: ``name``, ``state``, ``incarnation``, ``capabilities``, and its ``task``.

        ``priority`` is what the task counts as, ``inherited_from`` the task it has that from.
        """
        found: list[dict[str, Any]] = self._ask(SCHEDULER, ReadQueues())["agents"]
        return found

    def dead_letters(self) -> tuple[Mapping[str, Any], ...]:
        """Events that were accepted by nobody, the newest ``max_dead_letters``, oldest first.

        ``id`` is a number that stays the letter's, ``at`` UTC seconds, ``kind`` ``rejected`` or
        ``quarantined`` (it crashed the engine), ``why`` the reason, ``event`` the event,
        ``retryable`` whether ``retry_dead_letter`` may act on it again.
        """
        found: tuple[Mapping[str, Any], ...] = self._ask(KEEPER, ReadDeadLetters())
        return found

    def why(self, task_id: str) -> dict[str, Any]:
        """Why a task is where it is, or what ended it: ``why`` in words, and the facts. Raises ``NotFoundError``.

        Of one that has not ended, ``blocked_by`` is what kind of thing it waits for: ``dependency``,
        ``turn`` (an earlier instance), ``backoff``, ``person``, ``reservation``, ``pause``, ``lock``,
        ``limit``, ``capabilities``, ``drain``, ``agents``, ``set_aside``, ``ending``; None if it runs. Of
        one that has, ``ended_by``: ``completion``, ``failure``, ``timeout``, ``queue_timeout``, ``poison``,
        ``cancel``, ``preemption``, ``failure_of``, ``preemption_of``, ``expiry``, ``person``.
        """
        try:
            found: dict[str, Any] = self._ask(KEEPER, ExplainTask(admission.name(task_id, "a task's id")))
        except NotFoundError:
            pass
        else:
            return found
        ended = view(self._record_of(task_id), self._running().calendar)
        task = next((task for task in ended.tasks if task.id == task_id), None)
        if task is None:
            raise RefusedError(f"{task_id} is an instance; ask for one of its tasks")
        return why_ended(ended, task)

    def isolations(self) -> dict[str, Isolation]:
        """What each action runs in, by action name or program."""
        tasks = [task for workflow in self.definitions.workflows.values() for task in workflow.tasks]
        return {task.action if task.action is not None else (task.run or ("",))[0]: task.isolation for task in tasks}
