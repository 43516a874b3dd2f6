"""What waits and who does what: the scheduler's answer to who asks for the queues and the agents."""

from __future__ import annotations

from typing import Any

from actors.logic.fleet import Agent
from actors.logic.floor import Floor
from actors.logic.inheritance import Inheritance
from actors.model import NS_PER_MS, Instant


def _state(floor: Floor, agent: Agent) -> str:
    running = agent.running
    if agent.drained:
        left = running is not None or any(aside.agent is agent for aside in floor.set_aside.values())
        return "draining" if left else "drained"
    if running is not None:
        return "running" if running.stopping is None else "stopping"
    return "idle" if agent.present else "set aside"


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
        state = _state(floor, agent)
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
