"""What each logic knows, as bounded plain JSON: totals, and the first few of every collection.

Only for looking at: nothing is changed by it, and nothing of what users handed over is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, TypeVar

from actors.logic.fleet import Agent, Running
from actors.logic.floor import Floor
from actors.logic.state import State
from actors.logic.waiting import Waiting
from actors.messages import WorkReport
from actors.model import NS_PER_MS, Instant, Job, Json, ReplyId

SHOWN = 50
"""So many of each collection."""

T = TypeVar("T")


def some(items: Iterable[T], total: int, show: Callable[[T], Json]) -> Json:
    """How many there are, and the first of them."""
    return {"total": total, "first": [show(item) for item in islice(items, SHOWN)]}


def scheduler(floor: Floor, now: Instant, *, knows: bool, stopping: ReplyId | None) -> Mapping[str, Json]:
    """``knows`` is false while it learns after a crash what waits and what runs."""
    line, levels = floor.line, sorted(floor.line.depth.items())
    return {
        "knows": knows,
        "stopping": stopping is not None,
        "in_line": some(line, len(line), lambda waiting: _waiting(waiting, now)),
        "running": some(floor.running.values(), len(floor.running), lambda running: _running(running, now)),
        "agents": some(floor.fleet, len(floor.fleet.agents), _agent),
        "depth": some(levels, len(levels), lambda level: {"priority": level[0], "depth": level[1]}),
        "limits": some(
            floor.limits.items(),
            len(floor.limits),
            lambda limit: {"workflow": limit[0], "max_concurrent": limit[1], "taken": floor.taken[limit[0]]},
        ),
        "held_workflows": some(sorted(floor.held), len(floor.held), str),
        "set_aside": some(floor.set_aside.values(), len(floor.set_aside), lambda aside: _job(aside.job)),
        "ending": len(floor.ending),
        "unrecorded_ends": len(floor.unrecorded),
        "suspended": floor.suspended,
        "preemptions": floor.preemptions,
    }


def _waiting(waiting: Waiting, now: Instant) -> Json:
    return {
        "task_id": waiting.job.task_id,
        "priority": waiting.priority,
        "own_priority": waiting.own,
        "waiting_ms": _ms(now - waiting.since),
        "reserved": waiting.reserved,
        "suspended_on": waiting.home,
        "preemptions": waiting.preemptions,
        "lock": waiting.lock,
    }


def _running(running: Running, now: Instant) -> Json:
    return {
        **_job(running.job),
        "agent": running.agent.name,
        "priority": running.priority,
        "own_priority": running.own,
        "running_ms": _ms(now - running.assigned_at),
        "told": running.sent,
        "stopping": None if running.stopping is None else str(running.stopping),
        "suspending": running.suspending,
        "stuck": running.stuck,
        "protected": running.protected,
        "held_back": running.held_back,
        "preempted_by": None if running.preempted_by is None else running.preempted_by.job.task_id,
    }


def _agent(agent: Agent) -> Json:
    return {
        "name": agent.name,
        "present": agent.present,
        "drained": agent.drained,
        "incarnation": agent.incarnation,
        "task_id": None if agent.running is None else agent.running.job.task_id,
        "kept_for_priority": None if agent.hold is None else agent.hold[1],
        "reserved_for": None if agent.reserved_for is None else agent.reserved_for.job.task_id,
    }


def keeper(state: State) -> Mapping[str, Json]:
    """Of instances the newest, of entities the first that were added."""
    return {
        "entities": some(
            state.rows.values(),
            len(state.rows),
            lambda row: {
                "id": row.entity.id,
                "phase": row.entity.phase,
                "status": str(row.entity.status),
                "priority": row.entity.priority,
                "unfinished": row.live,
            },
        ),
        "pending_entities": some(state.pending, len(state.pending), str),
        "instances": some(
            reversed(state.live.values()),
            len(state.live),
            lambda instance: {
                "id": instance.id,
                "key": instance.key,
                "active": instance.active,
                "started": instance.started,
                "open_tasks": instance.open,
                "unfinished_tasks": instance.unfinished,
                "unknown_tasks": instance.unknown,
                "merged": instance.merged,
                "cancelling": instance.cancelling,
            },
        ),
        "working": state.working,
        "late_ends": len(state.late),
        "event_ids_remembered": len(state.seen),
        "derived_events_out": len(state.derived_out),
        "dead_letters": len(state.dead_letters),
        "all_paused": state.all_paused,
        "paused": some(sorted(state.paused), len(state.paused), str),
        "drained": some(sorted(state.drained), len(state.drained), str),
        "waited_for": some(state.waiters, len(state.waiters), int),
        "waiting_for_idle": len(state.idle_waiters),
        "watched": sorted(map(str, state.watched)),
        "changes_told": state.sequence,
        "events": dict(state.events),
    }


def agent(report: WorkReport, ran: int) -> Mapping[str, Json]:
    """From the report that it would give a scheduler which has crashed."""
    runs = report.runs
    return {
        "incarnation": report.incarnation,
        "present": report.present,
        "attempts": ran,
        "runs": None
        if runs is None
        else {
            **_job(runs.job),
            "priority": runs.job.priority,
            "isolation": str(runs.job.task.isolation),
            "stopping": None if runs.stopping is None else str(runs.stopping),
            "suspending": runs.suspending,
            "stuck": runs.stuck,
        },
        "aside": some(report.aside, len(report.aside), lambda aside: _job(aside.job)),
        "ending": len(report.ending),
        "unconfirmed_ends": len(report.ends),
    }


def _job(job: Job) -> dict[str, Any]:
    return {"task_id": job.task_id, "attempt": job.attempt.number}


def _ms(ns: int) -> float:
    return ns / NS_PER_MS
