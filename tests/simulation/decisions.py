"""The laws that say who goes first, who gives way, and that nobody waits who need not."""

from __future__ import annotations

from actors.model import AgentName, StopReason
from tests.simulation.places import startable
from tests.simulation.told import Agent, Runs, Told, Waits, rule


def taken_over(told: Told, waits: Waits, agent: Agent) -> None:
    id_ = waits.job.task_id
    before = [told.line[task] for task, name in told.reserved.items() if name == agent.name]
    rule("law 2", all(waits.key < other.key for other in before), lambda: f"{id_} takes over from {before}")
    runs = agent.runs
    rule("S7", runs is None or runs.stopping is not None, lambda: f"{agent.name} is not being freed")
    told.not_freed(agent.name)
    told.reserved[waits.task] = agent.name


def nobody_first(told: Told, chosen: Waits, agent: Agent) -> None:
    """Law 1: no more important startable task could have used that agent.

    Law 5: neither could one that has aged, except an agent that was freed for somebody.
    """
    due = [told.line[task] for task, name in told.reserved.items() if name == agent.name]
    sooner = all(chosen is other or chosen.key < other.key for other in due)
    rule("law 2", sooner, lambda: f"{chosen.job.task_id} starts on {agent.name}, which was freed for {due}")
    for other in told.line.values():
        if _plainly(told, other, agent):
            first = other.key < chosen.key and (other.key < chosen.turn or _was_freed(told, agent))
        else:
            first = False
        first = first or (other.turn < chosen.turn and _by_age(told, other, agent))
        rule("law 1", not first, lambda other=other: f"{chosen.job.task_id} {chosen.key} starts on {agent.name} "
            f"before {other.job.task_id} {other.key}")  # fmt: skip


def free_for(told: Told, waits: Waits) -> list[AgentName]:
    """Idle agents that it may have now, by its importance or by its age."""
    idle = [agent for agent in told.agents.values() if agent.present and agent.runs is None]
    return [agent.name for agent in idle if _plainly(told, waits, agent) or _by_age(told, waits, agent)]


def _plainly(told: Told, waits: Waits, agent: Agent) -> bool:
    """Whether its own importance gives it this idle agent."""
    return agent.admits_plainly(waits) and startable(told, waits, idle=False)


def _by_age(told: Told, waits: Waits, agent: Agent) -> bool:
    """Whether its age does. Who has an agent on its way waits for that one."""
    able = waits.aged and waits.task not in told.reserved and not _was_freed(told, agent)
    return bool(able) and agent.admits(waits) and startable(told, waits)


def _was_freed(told: Told, agent: Agent) -> bool:
    """Whether somebody was to have it, who may need it no more."""
    return agent.name in told.reserved.values() or agent.name in told.freed_for


def worst_victim(told: Told, urgent: Waits, victim: Runs) -> None:
    """Law 2: strictly lower, the lowest, of equals the latest started; and only beside no free agent."""
    names = f"{victim.job.task_id} ({victim.priority}) for {urgent.job.task_id} ({urgent.priority})"
    rule("law 2", victim.priority > urgent.priority, names)
    for runs in told.runs.values():
        if not told.agents[runs.agent].fits(urgent.job) or not told.may_give_way(runs):
            continue
        worse = (runs.priority, runs.serial) > (victim.priority, victim.serial)
        rule("law 2", not worse, lambda runs=runs: f"{names}, and {runs.job.task_id} ({runs.priority}) is spared")
    for other in told.line.values():
        if other.key < urgent.key and other.task not in told.reserved and other.job.task.preempts:
            sooner = told.agents[victim.agent].fits(other.job) and startable(told, other, idle=False)
            rule("law 2", not sooner, lambda other=other: f"{names}, and {other.job.task_id} {other.key} waits")


def check_reservations(told: Told) -> None:
    """S7: one agent on its way for one task, and only an agent that is being freed and fits."""
    names = list(told.reserved.values())
    rule("S7", len(names) == len(set(names)), f"one agent is on its way to two tasks: {names}")
    for task, name in told.reserved.items():
        waits, runs = told.line.get(task), told.agents[name].runs
        rule("S7", waits is not None, f"{name} is on its way to {task}, which does not wait")
        assert waits is not None
        rule("law 1", told.agents[name].fits(waits.job), lambda: f"{name} is freed for {waits.job.task_id}")  # noqa: B023
        rule("drain", not told.agents[name].drained, lambda: f"{name} is freed and drained")  # noqa: B023
        rule("S7", runs is None or runs.stopping is not None, f"{name} is not being freed")
        limit = told.definitions.workflows[waits.workflow].max_concurrent
        rule("limit", limit is None or told.taken(waits.workflow) <= limit, f"{waits.workflow}: places")


def check_complete(told: Told) -> None:
    """Laws 1 and 2: nobody waits beside an idle agent, or for an attempt that could give way."""
    for waits in told.line.values():
        id_ = waits.job.task_id
        free = free_for(told, waits)
        rule("law 1", not free, lambda: f"{id_} waits beside {free}")  # noqa: B023
        urgent = waits.job.task.preempts and startable(told, waits, idle=False)
        if urgent and waits.job.attempt.task not in told.reserved:
            _check_urgent(told, waits)


def _check_urgent(told: Told, waits: Waits) -> None:
    for runs in told.runs.values():
        agent = told.agents[runs.agent]
        if not agent.open_to(waits.job) or runs.priority <= waits.priority:
            continue
        names = f"{waits.job.task_id} {waits.key} waits for {runs.job.task_id} ({runs.priority})"
        rule("law 2", not told.may_give_way(runs), names)
        if runs.stopping is StopReason.PREEMPT and not runs.stuck:
            claimed = [t for t, name in told.reserved.items() if name == runs.agent]
            rule("law 2", bool(claimed), f"{names}, which is being freed for nobody")
            first = told.line[claimed[0]]
            rule("law 2", first.key < waits.key, f"{names}, which is freed for less")
