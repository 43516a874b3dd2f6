"""Everything the keeper knows, as one thing that its parts share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from actors.errors import NotFoundError
from actors.logic import history
from actors.logic.attempts import Attempts
from actors.logic.endings import Endings
from actors.logic.entities import StateTable
from actors.logic.instances import Instances
from actors.logic.intake import Intake
from actors.logic.outbox import Outbox
from actors.logic.state import State
from actors.logic.workflows import Instance, Run
from actors.model import Definitions, EntityId, WorkflowId
from actors.views import InstanceView


@dataclass(frozen=True, slots=True)
class Books:
    state: State
    definitions: Definitions
    names: Mapping[WorkflowId, tuple[str, ...]]
    """By workflow, of all versions: what readable ids of it may begin with."""
    out: Outbox
    table: StateTable
    instances: Instances
    endings: Endings
    attempts: Attempts
    intake: Intake

    def by_id(self, identity: str) -> Instance | None:
        found = self._lookup(identity)
        return None if found is None or found[1] is not None else found[0]

    def by_any_id(self, identity: str) -> Instance | None:
        """The unfinished instance with this id, or with a task of this id."""
        found = self._lookup(identity)
        return None if found is None else found[0]

    def find(self, identity: str) -> tuple[Instance, Run | None]:
        found = self._lookup(identity)
        if found is None:
            raise NotFoundError(f"no unfinished instance or task {identity!r}")
        return found

    def find_task(self, identity: str) -> tuple[Instance, Run | None]:
        """As ``find``, but of a workflow and a task that are called alike it is the task."""
        found = self._lookup(identity, tasks_first=True)
        if found is None:
            raise NotFoundError(f"no unfinished task {identity!r}")
        return found

    def _lookup(self, identity: str, *, tasks_first: bool = False) -> tuple[Instance, Run | None] | None:
        """Unfinished ones by readable id: no index to keep, the id itself says where to look."""
        alike: Instance | None = None
        for workflow, names in self.names.items():
            for name in names:
                if not identity.startswith(f"{name}_"):
                    continue
                rest = identity[len(name) + 1 :]
                for parts in (1, 2):  # entity_second, or entity_second_suffix
                    entity = rest.rsplit("_", parts)[0]
                    row = self.table.get(EntityId(entity))
                    for instance in () if row is None else row.unfinished(workflow):
                        self.state.touch_instance(instance)
                        if instance.id == identity:
                            if not tasks_first:
                                return instance, None
                            alike = instance
                        for run in instance.runs:
                            if instance.task_id(run.task) == identity:
                                self.state.touch_run(run)
                                return instance, run
        return None if alike is None else (alike, None)

    def view(self, instance: Instance) -> InstanceView:
        self.state.touch_instance(instance)  # To look at its tasks makes them, if nobody has yet.
        return history.view(history.record(instance, None), self.out.calendar)
