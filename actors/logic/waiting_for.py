"""Why a task in line, on an agent or set aside is where it is: the scheduler's half of ``why``.

What it waits for is looked at in the order in which it would have to be had: first what a person
holds back, then its lock, its place below the workflow's limit, an agent that could run it, and at
last one that is free for it. ``blocked_by`` names the first that is wanting.
"""

from __future__ import annotations

from typing import Any

from actors.logic.fleet import Agent, Running
from actors.logic.floor import Floor
from actors.logic.inheritance import Inheritance
from actors.logic.ready import Waiting
from actors.logic.telling import SHOWN, ms
from actors.model import NS_PER_MS, Instant, StopReason, TaskKey


def explain(floor: Floor, inheritance: Inheritance, task: TaskKey, now: Instant) -> dict[str, Any]:
    """``why`` in words; as data ``blocked_by``, ``place`` in line, ``agent``, what it inherits, and so on."""
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
        return _runs(running, now)
    aside = next((one for attempt, one in floor.set_aside.items() if attempt.task == task), None)
    if aside is not None:
        why = "its last attempt was told to stop and goes on; it runs again when that has ended"
        return {"why": why, "blocked_by": "set_aside", "agent": aside.agent.name}
    waiting = floor.line.get(task)
    if waiting is None:
        return {}
    place = 1 + sum(1 for other in floor.line if other.turn < waiting.turn)
    facts: dict[str, Any] = {"place": place, "in_line": len(floor.line), "waited_ms": (now - waiting.since) / NS_PER_MS}
    facts |= _starved(floor, waiting, _blocked(floor, waiting, now), now)
    if len(floor.line) > 1:
        facts["why"] += f"; it is number {place} of {len(floor.line)} in line"
    if waiting.home is not None:
        facts["why"] += f"; its attempt stands still, suspended on {waiting.home}, and goes on where it was"
        facts["suspended_on"] = waiting.home
    return facts


# --- what runs -----------------------------------------------------------------------------------


def _runs(running: Running, now: Instant) -> dict[str, Any]:
    agent = running.agent
    facts: dict[str, Any] = {
        "agent": agent.name,
        "blocked_by": None,
        "counts_as": running.priority,
        "ran_ms": (now - running.assigned_at) / NS_PER_MS,
    }
    if running.stopping is not None:
        why = f"it is being stopped on {agent.name} ({running.stopping})"
        by = running.preempted_by
        if running.stopping is StopReason.PREEMPT and by is not None:
            why += f" for {by.job.task_id}"
            facts["giving_way_to"] = by.job.task_id
        return facts | {"why": why, "stopping": str(running.stopping)}
    why = f"it runs on {agent.name}" if running.sent else f"it has {agent.name} and runs once that is saved"
    if agent.drained:
        why += ", which is being drained: nobody preempts it there"
    elif running.held_back:
        left = _protected_for(running, now)
        facts["protected_for_ms"] = None if left is None else left / NS_PER_MS
        why += "; it may not be preempted just now: " + (
            "too many stand still already for it to be suspended"
            if left is None
            else f"for another {ms(left)} it is protected (min_runtime_ms)"
        )
    return facts | {"why": why, "may_be_preempted": not (agent.drained or running.held_back or running.protected)}


def _protected_for(running: Running, now: Instant) -> int | None:
    """So long its ``min_runtime_ms`` protects it still; None if that is not why it is held back."""
    left = running.assigned_at + running.job.task.min_runtime_ms * NS_PER_MS - now
    return left if left > 0 else None


# --- what waits ----------------------------------------------------------------------------------


def _starved(floor: Floor, waiting: Waiting, facts: dict[str, Any], now: Instant) -> dict[str, Any]:
    """The same facts, and why ``starvation_ms`` could not be kept if it has waited longer."""
    bound = floor.aging.bound
    if bound is None or now - waiting.since < bound:
        return facts
    suitable = _suitable(floor, waiting)
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


def _suitable(floor: Floor, waiting: Waiting) -> list[Agent]:
    """Agents that could run it and may get new work."""
    kinds = {id(kind) for kind in floor.fleet.fitting(waiting.need.capabilities)}
    return [agent for agent in floor.fleet if id(agent.kind) in kinds and not agent.drained]


def _blocked(floor: Floor, waiting: Waiting, now: Instant) -> dict[str, Any]:
    if waiting.reserved is not None:
        return _reserved(floor, waiting, now)
    if floor.all_held:
        return {"why": "the engine is paused", "blocked_by": "pause", "paused": "*"}
    workflow = waiting.need.workflow
    if workflow in floor.held:
        return {"why": f"workflow {workflow} is paused", "blocked_by": "pause", "paused": workflow}
    lock, task = waiting.lock, waiting.job.attempt.task
    if lock is not None and not floor.line.locks.open_to(lock, task, waiting.priority):
        return _locked(floor, lock)
    return _limited(floor, waiting) or _unfit(floor, waiting) or _busy(floor, waiting, now)


def _reserved(floor: Floor, waiting: Waiting, now: Instant) -> dict[str, Any]:
    name = waiting.reserved
    assert name is not None
    running = floor.fleet.agents[name].running
    facts: dict[str, Any] = {"blocked_by": "reservation", "agent": name, "reserved_ms": None, "held_by": None}
    why = f"{name} is being freed for it"
    if waiting.reserved_at:
        facts["reserved_ms"] = (now - waiting.reserved_at) / NS_PER_MS
    if running is not None:
        facts |= {"held_by": running.job.task_id, "grace_ms": running.job.task.grace_ms}
        why += f"; {running.job.task_id} has been told to stop there, with {running.job.task.grace_ms} ms of grace"
    return {**facts, "why": why}


def _locked(floor: Floor, lock: str) -> dict[str, Any]:
    holder = floor.line.locks.holders.get(lock)
    if holder is None:
        why = f"lock {lock!r} is kept for what follows an attempt that has just ended"
        return {"why": why, "blocked_by": "lock", "lock": lock, "held_by": None}
    one = floor.running.get(holder) or floor.line.get(holder)
    name = one.job.task_id if one is not None else "an attempt that has been told to stop and goes on"
    return {"why": f"lock {lock!r} is held by {name}", "blocked_by": "lock", "lock": lock, "held_by": name}


def _limited(floor: Floor, waiting: Waiting) -> dict[str, Any] | None:
    workflow = waiting.need.workflow
    limit = floor.limits.get(workflow)
    if limit is None:
        return None
    taken = floor.taken[workflow]
    facts: dict[str, Any] = {"blocked_by": "limit", "limit": limit, "taken": taken}
    if taken >= limit:
        holders = [one.job.task_id for one in floor.running.values() if one.job.workflow == workflow]
        holders += [one.job.task_id for one in floor.set_aside.values() if one.job.workflow == workflow]
        holders += [one.job.task_id for one in floor.line if one.reserved and one.need.workflow == workflow]
        why = f"workflow {workflow} runs {taken} of at most {limit} tasks at once"
        return {**facts, "why": why, "held_by": holders[:SHOWN]}
    ceiling = floor.succession.ceiling(workflow, limit - taken)
    if ceiling is not None and waiting.priority > ceiling:
        why = f"the free place of workflow {workflow} is kept for what follows an attempt that has just ended"
        return {**facts, "why": why, "held_by": []}
    return None


def _unfit(floor: Floor, waiting: Waiting) -> dict[str, Any] | None:
    """Nobody could run it, or nobody who may get new work."""
    needed = waiting.need.capabilities
    if floor.fleet.fitting(needed):
        return None
    drained = floor.fleet.drained_for(needed)
    if drained:
        why = f"every agent that could run it is drained: {', '.join(drained[:SHOWN])}"
        return {"why": why, "blocked_by": "drain", "agents": drained[:SHOWN]}
    wanted = sorted(needed)
    return {
        "why": f"no agent has the capabilities {', '.join(wanted)}",
        "blocked_by": "capabilities",
        "capabilities": wanted,
    }


def _busy(floor: Floor, waiting: Waiting, now: Instant) -> dict[str, Any]:
    """Agents could run it, and none is free for it."""
    suitable = _suitable(floor, waiting)
    busy = [agent.running for agent in suitable if agent.running is not None]
    shown = [{"agent": r.agent.name, "task_id": r.job.task_id, "priority": r.priority} for r in busy[:SHOWN]]
    facts: dict[str, Any] = {"blocked_by": "agents", "busy": shown, "suitable": len(suitable)}
    kept = [agent.name for agent in suitable if agent.running is None and agent.hold is not None]
    lower = [running for running in busy if running.priority > waiting.priority]
    if kept:
        why = f"{', '.join(kept[:SHOWN])} is kept for what follows a more important attempt that has just ended"
        return {**facts, "why": why, "kept": kept[:SHOWN]}
    if not busy:
        return {**facts, "why": "no agent that could run it is there just now"}
    if not lower:
        return {**facts, "why": f"all {len(busy)} suitable agents are busy with work at least as important"}
    if not waiting.need.preempts:
        return {**facts, "why": "every suitable agent is busy, and this task does not preempt"}
    freed = [running for running in lower if running.stopping is not None]
    if len(freed) == len(lower):
        why = f"every suitable agent is busy; {len(freed)} are being freed, for what goes before it"
        return {**facts, "why": why}
    why = f"every suitable agent is busy; {len(lower)} with less important work, but they may not be preempted now"
    due = [left for running in lower if running.held_back and (left := _protected_for(running, now)) is not None]
    if due:
        why += f"; the first may be in {ms(min(due))} (min_runtime_ms)"
    return {**facts, "why": why, "preemptible_in_ms": min(due) / NS_PER_MS if due else None}
