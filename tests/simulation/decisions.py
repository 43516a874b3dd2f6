"""The laws that say who goes first, who gives way, and that nobody waits who need not."""

from __future__ import annotations

from actors.model import StopReason
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

    Law 5: neither could one that has aged, except an agent that was freed for more important work.
    """
    due = [told.line[task] for task, name in told.reserved.items() if name == agent.name]
    sooner = all(chosen is other or chosen.key < other.key for other in due)
    rule("law 2", sooner, lambda: f"{chosen.job.task_id} starts on {agent.name}, which was freed for {due}")
    for other in told.line.values():
        freed_for = [waits.key for waits in due] + [told.freed_for.get(agent.name, other.key)]
        if other.key > chosen.key and min(freed_for) < other.key:
            continue  # Its turn comes only because it has aged, and so it takes no such agent.
        if other.turn < chosen.turn and agent.admits(other) and startable(told, other):
            if other.key > chosen.turn and (other.task in told.reserved or _hidden(told, other, agent, due)):
                continue  # Aged, but it has an agent on its way; or the longest of its like is held up.
            rule("law 1", False, lambda other=other: f"{chosen.job.task_id} {chosen.key} starts on {agent.name} "
                f"before {other.job.task_id} {other.key}")  # fmt: skip


def _hidden(told: Told, aged: Waits, agent: Agent, due: list[Waits]) -> bool:
    """Whether one of its workflow and needs has waited longer and is not important enough for that agent."""
    task = aged.job.task
    for other in told.line.values():
        like = 0 < other.aged < aged.aged and other.workflow == aged.workflow
        like = like and other.job.task.capabilities == task.capabilities
        freed = bool(due) and due[0].key < other.key
        like = like and other.job.task.preempts == task.preempts and other.priority > aged.priority
        if like and (freed or not startable(told, other) or not agent.admits(other)):
            return True
    return False


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
        if not startable(told, waits):
            continue
        id_ = waits.job.task_id
        free = [agent for agent in told.agents.values() if agent.takes(waits)]
        if free and waits.priority > waits.rank:  # Until it is recorded, only its age gives it what is kept.
            better = {name for task, name in told.reserved.items() if told.line[task].key < waits.key}
            better |= {name for name, key in told.freed_for.items() if key < waits.key}
            free = [agent for agent in free if agent.name not in better]
            late = waits.task in told.reserved or all(_hidden(told, waits, agent, []) for agent in free)
            plain = startable(told, waits, idle=False) and any(agent.admits_plainly(waits) for agent in free)
            free = [] if late and not plain else free
        rule("law 1", not free, lambda: f"{id_} waits beside {[agent.name for agent in free]}")  # noqa: B023
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
