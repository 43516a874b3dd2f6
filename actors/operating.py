"""What a person steers in a running engine: its work, its workflows, its agents, what it could not accept.

Everything here changes what happens from now on; what has been recorded stays as it is.
"""

from __future__ import annotations

from actors import admission
from actors.effects import KEEPER
from actors.errors import RefusedError
from actors.insight import Insight
from actors.logic.history import again
from actors.messages import (
    Cancel,
    DrainAgent,
    DropDeadLetter,
    PauseWorkflow,
    ReadInstance,
    ResolveTask,
    RetryDeadLetter,
    SetPriority,
)
from actors.model import AgentName, WorkflowId
from actors.views import InstanceView, Receipt


class Operating(Insight):
    """All raise ``EngineStopped`` where the engine does not run."""

    # --- instances and tasks ---------------------------------------------------------------------

    def cancel(self, id: str) -> None:
        """Cancel an unfinished instance, or a task's instance, by id. Raises ``NotFoundError``."""
        self._ask(KEEPER, Cancel(admission.name(id, "an id")))

    def set_priority(self, id: str, priority: int) -> None:
        """Replace the priority of an instance's tasks or of one task, waiting or running."""
        self._ask(KEEPER, SetPriority(admission.name(id, "an id"), admission.priority(priority)))

    def resolve(self, task_id: str, outcome: str) -> None:
        """Say what became of an ``unknown`` task: ``completed``, ``failed``, ``retry`` or ``cancelled``."""
        self._ask(KEEPER, ResolveTask(admission.name(task_id, "a task's id"), admission.outcome(outcome)))

    def retry(self, id: str) -> Receipt:
        """Start an ended instance once more, given by its id or by one of its tasks'.

        A new instance acts on the same event and params, whatever time the event was valid for; it
        is ``retried_by`` of the old one and has that as ``retry_of``. Raises ``NotFoundError``, and
        ``RefusedError`` while the instance has not ended.
        """
        self._accepting()
        name = admission.name(id, "an id")
        live: InstanceView | None = self._ask(KEEPER, ReadInstance(name, by_task=True))
        if live is not None:
            raise RefusedError(f"{live.id} has not ended; cancel it first, or wait for its end")
        record = self._record_of(name)  # Saved before the keeper said that it is not unfinished.
        receipt: Receipt = self._ask(KEEPER, again(record))
        return receipt

    # --- workflows and agents --------------------------------------------------------------------

    def pause(self, workflow: str | None = None) -> None:
        """Start no task of this workflow until ``resume``, of none at all if it is None; what runs goes on.

        What waits, waits on: events are accepted, time passes for timeouts in line.
        """
        self._ask(KEEPER, PauseWorkflow(_workflow(workflow), paused=True))

    def resume(self, workflow: str | None = None) -> None:
        """Let it go on; workflows that were paused by name stay so when the whole engine goes on."""
        self._ask(KEEPER, PauseWorkflow(_workflow(workflow), paused=False))

    def drain(self, agent: str) -> None:
        """Give this agent no new work until ``undrain``; what it runs goes on, and makes way for nobody.

        ``agents`` shows it as ``draining``, then ``drained``. Raises ``NotFoundError``.
        """
        self._ask(KEEPER, DrainAgent(AgentName(admission.name(agent, "an agent")), drained=True))

    def undrain(self, agent: str) -> None:
        """Give it work again."""
        self._ask(KEEPER, DrainAgent(AgentName(admission.name(agent, "an agent")), drained=False))

    # --- dead letters ----------------------------------------------------------------------------

    def retry_dead_letter(self, id: int) -> Receipt:
        """Act on a dead letter's event again, under a new id; the letter goes when it is accepted.

        Raises ``NotFoundError``, and ``RefusedError`` if the event is refused again or crashed the engine.
        """
        self._accepting()
        receipt: Receipt = self._ask(KEEPER, RetryDeadLetter(admission.number(id, "a dead letter's id")))
        return receipt

    def drop_dead_letter(self, id: int) -> None:
        """Keep it no longer. Raises ``NotFoundError``."""
        self._ask(KEEPER, DropDeadLetter(admission.number(id, "a dead letter's id")))


def _workflow(name: str | None) -> WorkflowId | None:
    return None if name is None else WorkflowId(admission.name(name, "a workflow"))
