"""Why a task is where it is, and what waits: the scheduler's half of ``why`` and the queue listing."""

from __future__ import annotations

from typing import Any

from actors.logic.floor import Floor
from actors.logic.inheritance import Inheritance
from actors.logic.ready import Waiting
from actors.model import NS_PER_MS, Instant, TaskKey


def explain(floor: Floor, inheritance: Inheritance, task: TaskKey, now: Instant) -> dict[str, Any]:
    """``why`` in words, with ``place`` in line, ``agent``, ``blocked_by``, what it inherits as data."""
    facts = _explain(floor, task, now)
    gift = inheritance.gift(task)
    if gift is not None:
        waiter = gift.waiter.job.task_id
        what = f"lock {gift.over[1]!r}" if gift.over[0] == "lock" else f"place below the limit of {gift.over[1]}"
        facts["why"] += f"; it counts as priority {gift.priority}, since {waiter} waits for its {what}"
        facts |= {"inherited_priority": gift.priority, "inherited_from": waiter}
    return facts


def _explain(floor: Floor, task: TaskKey, now: Instant) -> dict[str, Any]:
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
    place = 1 + sum(1 for other in floor.line if other.turn < waiting.turn)
    facts: dict[str, Any] = {"place": place, "waited_ms": (now - waiting.since) / NS_PER_MS}
    return facts | _starved(floor, waiting, _blocked(floor, waiting), now)


def _starved(floor: Floor, waiting: Waiting, facts: dict[str, Any], now: Instant) -> dict[str, Any]:
    """The same facts, and why ``starvation_ms`` could not be kept if it has waited longer."""
    bound = floor.aging.bound
    if bound is None or now - waiting.since < bound:
        return facts
    kinds = {id(kind) for kind in floor.fleet.fitting(waiting.need.capabilities)}
    suitable = [agent for agent in floor.fleet if id(agent.kind) in kinds]
    levels = [agent.running.priority for agent in suitable if agent.running is not None]
    longer = sum(1 for other in floor.line if other.aged is not None and other.turn < waiting.turn)
    if facts.get("blocked_by") != "agents":
        cause = "who starts first makes no difference to that"
    elif levels and max(levels) == 0:
        cause = "work of priority 0 keeps every suitable agent busy, and nothing goes before that"
    elif longer:
        cause = f"{longer} that have waited longer go first, and too few agents come free"
    else:
        cause = "no agent has come free for it"
    why = f"{facts['why']}; it has waited longer than starvation_ms ({bound // NS_PER_MS} ms): {cause}"
    return {**facts, "why": why, "starved": cause}


def _blocked(floor: Floor, waiting: Waiting) -> dict[str, Any]:
    workflow = waiting.need.workflow
    if waiting.reserved is not None:
        return {"why": f"{waiting.reserved} is being freed for it", "agent": waiting.reserved}
    if floor.all_held:
        return {"why": "the engine is paused", "blocked_by": "pause"}
    if workflow in floor.held:
        return {"why": f"workflow {workflow} is paused", "blocked_by": "pause"}
    lock, task = waiting.lock, waiting.job.attempt.task
    if lock is not None and not floor.line.locks.open_to(lock, task, waiting.priority):
        return _locked(floor, lock)
    limit = floor.limits.get(workflow)
    if limit is not None and floor.taken[workflow] >= limit:
        taken = floor.taken[workflow]
        return {"why": f"workflow {workflow} runs {taken} of at most {limit} tasks at once", "blocked_by": "limit"}
    ceiling = None if limit is None else floor.succession.ceiling(workflow, limit - floor.taken[workflow])
    if ceiling is not None and waiting.priority > ceiling:
        why = f"the free place of workflow {workflow} is kept for what follows an attempt that has just ended"
        return {"why": why, "blocked_by": "limit"}
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


def _locked(floor: Floor, lock: str) -> dict[str, Any]:
    holder = floor.line.locks.holders.get(lock)
    if holder is None:
        why = f"lock {lock!r} is kept for what follows an attempt that has just ended"
        return {"why": why, "blocked_by": "lock", "lock": lock}
    one = floor.running.get(holder) or floor.line.get(holder)
    name = one.job.task_id if one is not None else "an attempt that has been told to stop and goes on"
    return {"why": f"lock {lock!r} is held by {name}", "blocked_by": "lock", "lock": lock, "held_by": name}


def queues(floor: Floor, inheritance: Inheritance, now: Instant) -> dict[str, Any]:
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
        gift = inheritance.gift(running.job.attempt.task) if running is not None else None
        agents.append(
            {
                "name": agent.name,
                "state": state,
                "incarnation": agent.incarnation,
                "capabilities": sorted(agent.kind.capabilities),
                "task": running.job.task_id if running is not None else None,
                "priority": running.priority if running is not None else None,
                "inherited_from": gift.waiter.job.task_id if gift is not None else None,
            }
        )
    return {"queues": waits, "agents": agents}
