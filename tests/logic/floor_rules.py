"""What must hold of the scheduler's floor: at every moment, at rest, and when all is over.

The rules are RELIABILITY.md's S1 to S8 as far as one look at the floor can tell; that an action
starts only where it may is asserted by the world itself whenever one starts.
"""

from __future__ import annotations

from collections import Counter

from actors.effects import KEEPER
from actors.logic.fleet import Running
from actors.logic.floor import Floor
from actors.logic.ready import Waiting
from actors.logic.scheduling import Scheduling
from actors.messages import AttemptAssigned, AttemptClosed, AttemptParked
from actors.model import AttemptId, OutcomeKind, StopReason, TaskKey
from actors.views import InstanceView, TaskView
from tests.logic.worlds import World


def check_always(floor: Floor) -> None:
    """Between any two messages."""
    places = [*(w.job.attempt.task for w in floor.line), *floor.running, *(a.task for a in floor.set_aside)]
    places += [attempt.task for attempt in floor.ending]
    assert max(Counter(places).values(), default=0) <= 1, "S1: a task is in two places"
    agents = list(floor.fleet)
    for agent in agents:
        assert agent.running is None or floor.running.get(agent.running.attempt.task) is agent.running, "S6"
        if agent.reserved_for is not None:
            assert agent.reserved_for.alive, f"{agent.name} is reserved for a task that waits no more"
            assert agent.reserved_for.reserved == agent.name
    assert {a.running for a in agents if a.running is not None} == set(floor.running.values())
    for waiting in floor.line:
        if waiting.reserved is not None:
            assert floor.fleet.agents[waiting.reserved].reserved_for is waiting, "S7: reserved, and nobody comes"
    _check_counts(floor)
    _check_locks(floor)


def _check_locks(floor: Floor) -> None:
    """A lock is held by who runs, is freed an agent for, stands still, is set aside or being ended; by one."""
    wanted = {r.attempt.task: r.waiting.lock for r in [*floor.running.values(), *floor.set_aside.values()]}
    inside = [w for w in floor.line if w.reserved is not None or w.home is not None]
    wanted |= {w.job.attempt.task: w.lock for w in inside}
    holders = dict(floor.line.locks.holders)
    held = {task: lock for task, lock in wanted.items() if lock is not None}
    assert len(set(held.values())) == len(held), f"a lock has two holders: {held}"
    ending = {attempt.task for attempt in floor.ending}
    assert {task: lock for lock, task in holders.items() if task not in ending} == held


def check_inherited(scheduling: Scheduling) -> None:
    """Law 8 by the plainest reckoning: look at everybody, again and again, until nothing changes any more."""
    floor = scheduling.floor
    assert not floor.line.changed
    one: dict[TaskKey, Waiting | Running] = {w.job.attempt.task: w for w in floor.line} | dict(floor.running)
    counts = {task: each.own for task, each in one.items()}
    heirs = {("lock", lock): task for lock, task in floor.line.locks.holders.items()}
    for workflow, limit in floor.limits.items():
        inside = [task for place, task in floor.inside[workflow] if floor.is_inside(place, task)]
        if inside and floor.taken[workflow] >= limit:
            heirs["limit", workflow] = inside[0]
    while True:
        before = dict(counts)
        for waiting in floor.line:
            over = _waits_for(floor, waiting, counts[waiting.job.attempt.task])
            heir = None if over is None else heirs.get(over)
            if heir in counts:
                counts[heir] = min(counts[heir], counts[waiting.job.attempt.task])
        if counts == before:
            break
    assert {task: each.priority for task, each in one.items()} == counts, "law 8"


def _waits_for(floor: Floor, waiting: Waiting, priority: int) -> tuple[str, str] | None:
    """What somebody else has that it needs to start."""
    workflow, lock = waiting.need.workflow, waiting.lock
    if workflow in floor.held or waiting.reserved is not None:
        return None
    if lock is not None and not floor.line.locks.open_to(lock, waiting.job.attempt.task, priority):
        return ("lock", lock) if floor.fleet.fitting(waiting.need.capabilities) else None
    fit = floor.fleet.fitting(waiting.need.capabilities)
    return ("limit", str(workflow)) if workflow in floor.limits and fit else None


def _check_counts(floor: Floor) -> None:
    taken = Counter(running.job.workflow for running in [*floor.running.values(), *floor.set_aside.values()])
    taken.update(waiting.need.workflow for waiting in floor.line if waiting.reserved is not None)
    assert +floor.taken == +taken, "places below the limits"
    assert min(floor.taken.values(), default=0) >= 0
    for workflow, limit in floor.limits.items():
        assert taken[workflow] <= max(limit, floor.over.get(workflow, 0)), (
            f"{workflow} has {taken[workflow]} of {limit}"
        )
    asleep = sum(w.home is not None for w in floor.line) + sum(r.suspending for r in floor.running.values())
    assert floor.suspended == asleep <= len(floor.fleet.agents)
    assert len(floor.set_aside) <= len(floor.fleet.agents)


def check_at_rest(floor: Floor) -> None:
    """When every message has arrived: who could start has started, or has an agent on its way."""
    for waiting in floor.line:
        if floor.all_held or waiting.reserved is not None or _blocked(floor, waiting):
            continue
        for agent in floor.fleet:
            if agent.drained or not agent.kind.fits(waiting.need.capabilities):
                continue
            running = agent.running
            assert running is not None or not agent.present, f"{waiting.job.task_id} waits beside a free agent"
            if not waiting.need.preempts or running is None:
                continue
            assert not _could_give_way(running, waiting), f"{waiting.job.task_id} waits for {running.job.task_id}"
            freed = running.stopping is StopReason.PREEMPT and not running.stuck and running.priority > waiting.priority
            assert not freed or agent.reserved_for, f"{agent.name} is freed for nobody, {waiting.job.task_id} waits"
            later = agent.reserved_for
            assert later is None or later.key < waiting.key, f"{waiting.job.task_id} waits behind {later.job.task_id}"


def _blocked(floor: Floor, waiting: Waiting) -> bool:
    limit = floor.limits.get(waiting.need.workflow)
    lock = waiting.lock
    if lock is not None and not floor.line.locks.open_to(lock, waiting.job.attempt.task, waiting.priority):
        return True
    return waiting.need.workflow in floor.held or (limit is not None and floor.taken[waiting.need.workflow] >= limit)


def _could_give_way(running: Running, waiting: Waiting) -> bool:
    exempt = running.protected or running.held_back or running.stopping is not None
    return not exempt and running.priority > waiting.priority


def check_over(world: World) -> None:
    """When everything has ended: nothing is left, and the accounts agree."""
    floor = world.scheduling.floor
    assert not world.actions
    assert not len(floor.line)
    left = (floor.running, floor.set_aside, floor.ending, floor.unrecorded, +floor.taken, floor.suspended)
    assert not any(left), left
    kept = (floor.line.locks, floor.line.rows, floor.succession, world.scheduling.inheritance)
    assert not [len(each) for each in kept if len(each)], "locks, places and gifts of nobody"
    check_work(world)
    assert all(agent.present and agent.reserved_for is None for agent in floor.fleet)
    assert not [key for key in world.timers if key[1] != "timeout"]
    for instance in world.instances():
        check_account(instance)
    ended = Counter((c.task_id, c.attempt) for c in world.changes if c.type in ("task_completed", "task_failed"))
    assert max(ended.values(), default=0) <= 1, "S4: counted twice"


def check_account(instance: InstanceView) -> None:
    for task in instance.tasks:
        outcomes = [attempt.outcome for attempt in task.attempts]
        # Of what was given up because it does not stop, the last end came too late for the account.
        given_up = task.status in ("cancelled", "failed") and task.attempts and task.attempts[-1].reason is not None
        assert None not in (outcomes[:-1] if given_up else outcomes), f"{task.id}: an attempt has no end"
        assert "completed" not in outcomes[:-1], f"S5: {task.id} was redone"
        assert len({attempt.number for attempt in task.attempts}) == len(outcomes)
        if task.task != "once":  # A person may have had it run again.
            _check_counters(task)


def _check_counters(task: TaskView) -> None:
    """Every attempt but the last came back for one reason, and each reason has its own counter (S8).

    The last one did too, if the task was cancelled while it waited for the next.
    """
    ends = [(str(a.outcome), str(a.reason)) for a in task.attempts]
    failed = [outcome == "failed" or (reason == "timeout" and outcome != "completed") for outcome, reason in ends]
    lost = [outcome == "lost" and reason != "timeout" for outcome, reason in ends]
    assert sum(failed[:-1]) <= task.retries <= min(sum(failed), task.max_retry), f"S8: {task.id}: {ends}"
    assert sum(lost[:-1]) <= task.infra_losses <= sum(lost), f"{task.id}: {ends}"
    assert ends[:-1].count(("stopped", "preempt")) <= task.preemptions, f"{task.id}: {ends}"


def check_work(world: World) -> None:
    """The account of what attempts did, against the log of what was reported about them."""
    stood: Counter[AttemptId] = Counter()
    since: dict[AttemptId, int] = {}
    ran, wasted, made_way = 0, 0, 0
    given_up = {id(message) for message in getattr(world, "given_up", ())}
    for _, to, message in world.sent:
        if to != KEEPER or id(message) in given_up:
            continue
        if isinstance(message, AttemptParked):
            since[message.attempt] = message.at
            made_way += 1
        elif isinstance(message, AttemptAssigned) and message.resumed:
            stood[message.attempt] += message.at - since.pop(message.attempt)
        elif isinstance(message, AttemptClosed):
            outcome, attempt = message.outcome, message.attempt
            stopped = outcome.kind is OutcomeKind.STOPPED and message.reason is not None
            made_way += stopped and message.reason is StopReason.PREEMPT
            if outcome.began is not None:
                still = stood[attempt] + (outcome.ended - since.pop(attempt) if attempt in since else 0)
                ran += outcome.ended - outcome.began - still
                if stopped or outcome.kind is OutcomeKind.LOST:  # No story here saves a checkpoint and is suspended.
                    wasted += outcome.ended - (outcome.saved or outcome.began) - still
    accounts = world.keeping._attempts.accounts
    ours = (accounts.ran_ns, accounts.wasted_ns.total(), accounts.preemptions)
    assert ours == (ran, wasted, made_way), f"{ours} and not {(ran, wasted, made_way)}"
    assert accounts.useful_ns + accounts.wasted_ns.total() == accounts.ran_ns
