"""Why a task is where it is, and what waits: the scheduler's half of ``why`` and the queue listing."""

from __future__ import annotations

from typing import Any

from actors.logic.floor import Floor
from actors.logic.ready import Waiting
from actors.model import NS_PER_MS, Instant, TaskKey


def explain(floor: Floor, task: TaskKey, now: Instant) -> dict[str, Any]:
    """``why`` in words, with ``place`` in line, ``agent`` or ``blocked_by`` as data."""
    running = floor.running.get(task)
    if running is not None:
        agent = running.agent.name
        if running.stopping is not None:
            return {"why": f"it is being stopped on {agent} ({running.stopping})", "agent": agent}
        return {"why": f"it runs on {agent}", "agent": agent}
    if any(attempt.task == task for attempt in floor.set_aside):
        return {"why": "its last attempt was told to stop and goes on; it runs again when that has ended"}
    waiting = floor.line.get(task)
    if waiting is None:
        return {}
    place = 1 + sum(1 for other in floor.line if other.key < waiting.key)
    facts: dict[str, Any] = {"place": place, "waited_ms": (now - waiting.since) / NS_PER_MS}
    return facts | _blocked(floor, waiting)


def _blocked(floor: Floor, waiting: Waiting) -> dict[str, Any]:
    workflow = waiting.need.workflow
    if waiting.reserved is not None:
        return {"why": f"{waiting.reserved} is being freed for it", "agent": waiting.reserved}
    if workflow in floor.held:
        return {"why": f"workflow {workflow} is paused", "blocked_by": "pause"}
    limit = floor.limits.get(workflow)
    if limit is not None and floor.taken[workflow] >= limit:
        taken = floor.taken[workflow]
        return {"why": f"workflow {workflow} runs {taken} of at most {limit} tasks at once", "blocked_by": "limit"}
    kinds = floor.fleet.fitting(waiting.need.capabilities)
    if not kinds:
        wanted = ", ".join(sorted(waiting.need.capabilities))
        return {"why": f"no agent has the capabilities {wanted}", "blocked_by": "capabilities"}
    fit = {id(kind) for kind in kinds}
    busy = [a.running for a in floor.fleet if id(a.kind) in fit and a.running is not None]
    lower = [r for r in busy if r.priority > waiting.priority]
    if lower and not waiting.need.preempts:
        return {"why": "every suitable agent is busy, and this task does not preempt", "blocked_by": "agents"}
    if lower:
        held = "they may not be preempted now"
        return {
            "why": f"every suitable agent is busy; {len(lower)} with less important work, but {held}",
            "blocked_by": "agents",
        }
    return {"why": f"all {len(busy)} suitable agents are busy with work at least as important", "blocked_by": "agents"}


def queues(floor: Floor, now: Instant) -> dict[str, Any]:
    """What waits by priority, and every agent with what it does."""
    oldest: dict[int, Instant] = {}
    for waiting in floor.line:
        oldest[waiting.priority] = min(waiting.since, oldest.get(waiting.priority, now))
    waits = [
        {"priority": priority, "depth": depth, "oldest_ms": (now - oldest[priority]) / NS_PER_MS}
        for priority, depth in sorted(floor.line.depth.items())
    ]
    agents = []
    for agent in floor.fleet:
        running = agent.running
        state = "idle" if agent.present else "set aside"
        if running is not None:
            state = "running" if running.stopping is None else "stopping"
        agents.append(
            {
                "name": agent.name,
                "state": state,
                "incarnation": agent.incarnation,
                "capabilities": sorted(agent.kind.capabilities),
                "task": running.job.task_id if running is not None else None,
                "priority": running.priority if running is not None else None,
            }
        )
    return {"queues": waits, "agents": agents}
