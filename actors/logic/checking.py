"""What must be true of the scheduler's floor after every batch, asserted: for tests and the simulation."""

from __future__ import annotations

from collections import Counter

from actors.logic.floor import Floor
from actors.model import TaskKey, WorkflowId


def check(floor: Floor) -> None:
    """O(tasks in line + agents)."""
    places: Counter[TaskKey] = Counter()
    for attempt in floor.set_aside:
        places[attempt.task] += 1
    places.update(attempt.task for attempt in floor.ending)
    places.update(list(floor.running))
    places.update(waiting.job.attempt.task for waiting in floor.line)
    twice = [task for task, count in places.items() if count > 1]
    assert not twice, f"S1: in two places: {twice[:3]}"
    _agents(floor)
    _counts(floor)


def _agents(floor: Floor) -> None:
    for task, running in floor.running.items():
        assert running.attempt.task == task
        assert running.agent.running is running, f"S6: {running.attempt} has an agent that has another"
    busy = [agent for agent in floor.fleet if agent.running is not None]
    assert len(busy) == len(floor.running), f"S6: {len(busy)} agents for {len(floor.running)} attempts"
    reserved = {}
    for agent in floor.fleet:
        assert agent.running is None or (agent.present and agent.hold is None), f"S2: {agent.name} is not there"
        if agent.hold is not None:
            assert floor.unrecorded.get(agent.hold[0]) is agent, f"law 7: {agent.name} is held for what is recorded"
        if agent.reserved_for is not None:
            task = agent.reserved_for.job.attempt.task
            assert task not in reserved, f"S7: two agents are freed for {task}"
            reserved[task] = agent.name
            assert floor.line.get(task) is agent.reserved_for, f"{agent.name} is reserved for what has gone"
    wanted = {w.job.attempt.task: w.reserved for w in floor.line if w.reserved is not None}
    assert reserved == wanted, f"reservations: {reserved} by agent, {wanted} by task"


def _counts(floor: Floor) -> None:
    taken: Counter[WorkflowId] = Counter()
    taken.update(running.job.workflow for running in floor.running.values())
    taken.update(running.job.workflow for running in floor.set_aside.values())
    taken.update(waiting.need.workflow for waiting in floor.line if waiting.reserved is not None)
    counted = +floor.taken
    assert counted == taken, f"S6: {counted} counted, {taken} taken"
    for workflow, limit in floor.limits.items():
        most = max(limit, floor.over.get(workflow, 0))
        assert taken[workflow] <= most, f"{workflow} takes {taken[workflow]} of {limit}"
    suspended = sum(waiting.home is not None for waiting in floor.line)
    suspended += sum(running.suspending for running in floor.running.values())
    assert suspended == floor.suspended, f"{floor.suspended} suspended counted, {suspended} there are"
    depth = Counter(waiting.priority for waiting in floor.line)
    assert depth == floor.line.depth, f"{floor.line.depth} by priority counted, {depth} in line"
