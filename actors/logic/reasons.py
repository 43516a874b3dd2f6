"""Why a task of an unfinished instance is where it is: the keeper's half of ``why``.

What stands in line, runs or is suspended, the scheduler knows more about (``waiting_for``).
An answer has ``why`` in words, and as data what kind of thing it waits for as ``blocked_by``.
"""

from __future__ import annotations

from typing import Any

from actors.logic.books import Books
from actors.logic.ended import why_ended
from actors.logic.telling import ALSO, SHOWN, ms, times
from actors.logic.workflows import Instance, Run
from actors.model import NS_PER_MS, Instant, TaskStatus


def explain(books: Books, instance: Instance, run: Run, now: Instant) -> dict[str, Any]:
    """The facts, ``why`` among them; ``ALSO`` is still to be said."""
    if run.over and run.status is not TaskStatus.UNKNOWN:
        view = books.view(instance)
        return why_ended(view, view.tasks[run.task.index])
    facts = _known(books, instance, run)
    if run.in_line:
        return {**facts, "why": "it is on its way between the engine's parts", "blocked_by": None}
    return facts | _blocked(books, instance, run, now)


def _blocked(books: Books, instance: Instance, run: Run, now: Instant) -> dict[str, Any]:
    if run.status is TaskStatus.UNKNOWN:
        return {"why": "nobody can know how it ended; say so with resolve", "blocked_by": "person"}
    if run.open:
        left = max(0, (run.due or now) - now)
        why = f"it waits for its backoff before retry {run.retries} of {run.task.retry}, for another {ms(left)}"
        until = None if run.due is None else books.out.calendar.utc(run.due)
        return {"why": why, "blocked_by": "backoff", "until": until, "in_ms": left / NS_PER_MS}
    if instance.failing or instance.cancelling:
        why = "its instance is being stopped and will not start it any more"
        return {"why": why, "blocked_by": "ending"}
    if not instance.active:
        row = books.table.get(instance.entity)
        lane = () if row is None else row.unfinished(instance.workflow.id)
        names = [other.id for other in lane if other.key < instance.key]
        why = f"an earlier instance of the same workflow and entity has not ended: {', '.join(names[:1])}"
        return {"why": why, "blocked_by": "turn", "after": names[:SHOWN], "place": len(names)}
    missing = [instance.runs[place] for place in run.task.depends_on]
    left_over = [(instance.task_id(r.task), str(r.status)) for r in missing if r.status is not TaskStatus.COMPLETED]
    shown = ", ".join(f"{name} ({status})" for name, status in left_over)
    return {"why": f"it waits for {shown}", "blocked_by": "dependency", "depends_on": [name for name, _ in left_over]}


def _known(books: Books, instance: Instance, run: Run) -> dict[str, Any]:
    """What is true of it wherever it is."""
    task = run.task
    preempted = [attempt for attempt in run.attempts if attempt.preempted_by is not None]
    by, at = (preempted[-1].preempted_by, preempted[-1].preempted_at) if preempted else (None, None)
    left = None if task.max_preemptions is None else max(0, task.max_preemptions - run.preemptions)
    also = []
    if run.preemptions:
        also.append(f"it was preempted {times(run.preemptions)}" + (f", the last time for {by}" if by else ""))
    if run.status is TaskStatus.UNKNOWN:
        pass  # Nothing of it will run, if nobody says so.
    elif not task.preemptible:
        also.append("it is never preempted once it runs (preemptible: false)")
    elif left is not None:
        more = f"after {left} more" if left else "from now on"
        also.append(f"it is protected {more} (max_preemptions: {task.max_preemptions})")
    return {
        "task_id": instance.task_id(task),
        "task": task.id,
        "instance_id": instance.id,
        "workflow": instance.workflow.id,
        "entity_id": instance.entity,
        "status": str(run.status),
        "priority": instance.task_priority(task),
        "priority_from": instance.priority_from(task),
        "attempts": len(run.attempts),
        "retries": run.retries,
        "max_retry": task.retry,
        "infra_losses": run.losses,
        "preemptions": run.preemptions,
        "preempted_by": by,
        "preempted_at": None if at is None else books.out.calendar.utc(at),
        "preemptions_left": left,
        "protected": not task.preemptible or left == 0,
        ALSO: also,
    }
