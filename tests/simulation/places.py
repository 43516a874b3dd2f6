"""Who holds which lock and which place, who may start, and how important everybody counts: by plain reckoning.

The scheduler keeps heaps and rows for this; here everybody is looked at, again and again,
until nothing changes any more.
"""

from __future__ import annotations

from typing import TypeAlias

from actors.model import NS_PER_MS, Instant, Priority, TaskKey
from tests.simulation.told import Runs, Told, Waits, rule

Over: TypeAlias = tuple[str, str]
"""``lock`` and its key, or ``limit`` and a workflow."""


def holders(told: Told) -> dict[str, TaskKey]:
    """Who has which lock: at most one, over all that run, stand still, are set aside or being ended."""
    has = [(r.job.attempt.task, r.waited.lock) for r in [*told.runs.values(), *told.aside.values()]]
    has += [(w.task, w.lock) for w in told.line.values() if w.home is not None or w.task in told.reserved]
    has += [(attempt.task, lock) for attempt, lock in told.ending.items()]
    found: dict[str, TaskKey] = {}
    for task, lock in has:
        if lock is not None:
            rule("lock", lock not in found, lambda: f"{lock} is held by {found[lock]} and by {task}")  # noqa: B023
            found[lock] = task
    return found


def open_to(told: Told, waits: Waits, held: dict[str, TaskKey], rank: Priority) -> bool:
    """Whether its lock could be had by it."""
    if waits.lock is None:
        return True
    if waits.lock in held:
        return held[waits.lock] == waits.task
    kept = told.kept_locks.get(waits.lock)
    return kept is None or rank <= kept[1]


def startable(told: Told, waits: Waits, *, idle: bool = True) -> bool:
    """Its workflow is not held and may start one more, of this importance; and its lock is to be had.

    ``idle``: on an agent that is idle already; only for that aging counts.
    """
    workflow, rank = waits.workflow, waits.rank if idle else waits.priority
    if told.all_held or workflow in told.held:
        return False
    if waits.task in told.reserved:
        return True
    limit = told.definitions.workflows[workflow].max_concurrent
    if limit is not None:
        better = sum(w == workflow and p < rank for w, p in told.kept_places.values())
        if told.taken(workflow) + better >= limit:
            return False
    return open_to(told, waits, holders(told), rank)


def age(told: Told, now: Instant) -> None:
    """Who has been in line for half of ``starvation_ms`` has aged."""
    bound = told.definitions.settings.starvation_ms
    if bound is not None:
        for waits in sorted(told.line.values(), key=lambda waits: (waits.since, waits.order)):
            if not waits.aged and now >= waits.since + bound * NS_PER_MS // 2:
                told.serial += 1
                waits.aged = told.serial


def enter(told: Told) -> None:
    """Keep account of who has had its place for how long."""
    inside = [task for task, runs in told.runs.items() if runs.stopping is None]
    inside += [task for task in told.reserved if task in told.line]
    told.entered = {task: since for task, since in told.entered.items() if task in inside}
    for task in inside:
        if task not in told.entered:
            told.serial += 1
            told.entered[task] = told.serial


def weigh(told: Told) -> None:
    """Law 8: everybody counts as what it is, or as the most important of those who wait for it."""
    enter(told)
    everybody: dict[TaskKey, Waits | Runs] = {**told.line, **told.runs}
    for one in everybody.values():
        one.priority = one.own
    held = holders(told)
    heirs: dict[Over, TaskKey] = {("lock", lock): task for lock, task in held.items()}
    for name, workflow in told.definitions.workflows.items():
        if workflow.max_concurrent is None or name in told.held or told.taken(name) < workflow.max_concurrent:
            continue
        inside = [task for task in told.entered if everybody[task].job.workflow == name]
        if inside:
            heirs["limit", name] = min(inside, key=told.entered.__getitem__)
    changed = True
    while changed:
        changed = False
        for waits in told.line.values():
            heir = everybody.get(heirs.get(_waits_for(told, waits, held), TaskKey(-1)))
            if heir is not None and waits.priority < heir.priority:
                heir.priority, changed = waits.priority, True


def _waits_for(told: Told, waits: Waits, held: dict[str, TaskKey]) -> Over:
    """What it waits for in earnest; of what no agent could run, nobody need hurry."""
    fit = any(agent.open_to(waits.job) for agent in told.agents.values())
    if waits.workflow in told.held or waits.task in told.reserved or not fit:
        return ("", "")
    if not open_to(told, waits, held, waits.priority):
        return ("lock", waits.lock or "")
    return ("limit", waits.workflow)
