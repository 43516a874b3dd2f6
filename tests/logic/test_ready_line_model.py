"""The line against the plainest thing that could be right: look at every task, take the smallest."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from actors.logic.ready import BLOCKED, Need, ReadyLine, Waiting
from actors.logic.waiting import AGED
from actors.messages import ReadyTask
from actors.model import AgentName, AttemptId, Entity, EntityId, Job, Origin, Task, TaskKey, WorkflowId

WORKFLOWS = ("a", "b", "c")
PRIORITIES = st.integers(1, 5)
CEILINGS = st.one_of(st.none(), st.integers(-1, 5))
LOCKS = (None, None, "k", "l")
CAPABILITIES = (frozenset[str](), frozenset({"gpu"}))


def waiting(
    key: int,
    workflow: str,
    priority: int,
    *,
    order: int,
    wants: frozenset[str],
    preempts: bool = True,
    lock: str | None = None,
) -> Waiting:
    origin = Origin("s", WorkflowId(workflow), EntityId("e"), 0)
    job = Job(
        AttemptId(TaskKey(key), 1), origin, Task("t", 0, capabilities=wants, preempts=preempts), priority,
        Entity(EntityId("e")), None, {}, {}, None, 1,
    )  # fmt: skip
    return Waiting(ReadyTask(job, order, lock=lock), 0)


class LineMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.line = ReadyLine()
        self.tasks: list[Waiting] = []
        self.ceilings: dict[str, int | None] = {}
        self.passed: set[Need] = set()
        self.holders: dict[str, TaskKey] = {}
        self.kept: dict[str, tuple[AttemptId, int]] = {}
        self.running: dict[TaskKey, Waiting] = {}
        self.keys = 0

    def startable(self) -> list[tuple[float, int, Waiting, Need]]:
        """Every place of every task that could start, by looking at all of them."""
        found = []
        for task in self.tasks:
            places = [(float(task.priority), task.order, task.need, task.priority)]
            if task.aged is not None:
                places.append((AGED, task.aged_turn, task.aged, 1))
            for level, sequence, need, rank in places:
                ceiling = None if need.reserved else self.ceilings.get(need.workflow)
                below = ceiling is None or rank <= ceiling
                if below and need not in self.passed and self.may_have_its_lock(task, rank):
                    found.append((level, sequence, task, need))
        return found

    def may_have_its_lock(self, task: Waiting, rank: int) -> bool:
        if task.lock is None:
            return True
        if task.lock in self.holders:
            return self.holders[task.lock] == task.job.attempt.task
        return task.lock not in self.kept or rank <= self.kept[task.lock][1]

    def take_lock(self, task: Waiting) -> None:
        self.line.take_lock(task)
        if task.lock is not None:
            self.holders[task.lock] = task.job.attempt.task

    def pick(self, number: int) -> Waiting:
        return self.tasks[number % len(self.tasks)]

    @rule(
        workflow=st.sampled_from(WORKFLOWS), priority=PRIORITIES, place=st.integers(0, 40),
        wants=st.sampled_from(CAPABILITIES), lock=st.sampled_from(LOCKS),
    )  # fmt: skip
    def add(self, workflow: str, priority: int, place: int, wants: frozenset[str], lock: str | None) -> None:
        """Somewhere in the order: what was preempted comes back before what came later."""
        self.keys += 1
        order, preempts = place * 10_000 + self.keys, self.keys % 3 > 0
        task = waiting(self.keys, workflow, priority, order=order, wants=wants, preempts=preempts, lock=lock)
        self.line.add(task)
        self.tasks.append(task)

    @precondition(lambda self: self.tasks)
    @rule(number=st.integers(0, 1000))
    def remove(self, number: int) -> None:
        task = self.pick(number)
        if task.reserved is not None:
            self.give_back(task)
        self.tasks.remove(task)
        self.line.remove(task)

    @precondition(lambda self: self.tasks)
    @rule(number=st.integers(0, 1000), priority=PRIORITIES)
    def reprioritise(self, number: int, priority: int) -> None:
        self.line.reprioritise(self.pick(number), priority)

    @precondition(lambda self: self.tasks)
    @rule(number=st.integers(0, 1000))
    def age(self, number: int) -> None:
        task = self.pick(number)
        if task.aged is None:
            self.line.age(task)

    @precondition(lambda self: self.tasks)
    @rule(number=st.integers(0, 1000))
    def reserve_or_give_back(self, number: int) -> None:
        task = self.pick(number)
        if task.reserved is not None:
            self.give_back(task)
        elif self.may_have_its_lock(task, task.priority):
            self.take_lock(task)
            self.line.reserve(task, AgentName("x"))

    def give_back(self, task: Waiting) -> None:
        self.line.reserve(task, None)
        self.line.leave_lock(task.job.attempt.task)
        if task.lock is not None:
            del self.holders[task.lock]

    @rule(workflow=st.sampled_from(WORKFLOWS), ceiling=CEILINGS)
    def narrow(self, workflow: str, ceiling: int | None) -> None:
        self.line.narrow(WorkflowId(workflow), ceiling)
        self.ceilings[workflow] = ceiling

    @rule(workflow=st.sampled_from(WORKFLOWS))
    def block(self, workflow: str) -> None:
        self.line.block(WorkflowId(workflow))
        self.ceilings[workflow] = BLOCKED

    @rule(workflow=st.sampled_from(WORKFLOWS))
    def unblock(self, workflow: str) -> None:
        self.line.unblock(WorkflowId(workflow))
        self.ceilings[workflow] = None

    @precondition(lambda self: self.startable())
    @rule()
    def take_the_best(self) -> None:
        """It runs, and has its lock until it ends."""
        best = self.line.best()
        assert best is not None
        self.take_lock(best)
        self.tasks.remove(best)
        self.line.remove(best)
        self.running[best.job.attempt.task] = best

    @precondition(lambda self: self.running)
    @rule(number=st.integers(0, 1000), priority=st.integers(0, 5))
    def end_what_runs(self, number: int, priority: int) -> None:
        task = self.running.pop(list(self.running)[number % len(self.running)])
        self.line.keep_lock(task, task.job.attempt, priority)
        if task.lock is not None:
            del self.holders[task.lock]
            self.kept[task.lock] = (task.job.attempt, priority)

    @precondition(lambda self: self.kept)
    @rule(lock=st.sampled_from(["k", "l"]))
    def record_an_end(self, lock: str) -> None:
        if lock in self.kept:
            self.line.recorded(self.kept.pop(lock)[0])

    @precondition(lambda self: self.startable())
    @rule()
    def pass_over_the_best(self) -> None:
        front = self.line.front()
        assert front is not None
        self.line.pass_over(front.need)
        self.passed.add(front.need)

    @rule()
    def end_the_round(self) -> None:
        self.line.end_round()
        self.passed.clear()

    @invariant()
    def the_first_is_the_smallest_that_could_start(self) -> None:
        front = self.line.front()
        first = min(self.startable(), key=lambda place: place[:2], default=None)
        assert (front and front.waiting) is (first and first[2])
        assert (front and front.need) == (first and first[3])

    @invariant()
    def who_waits_for_a_lock_is_known_by_its_most_important(self) -> None:
        for lock in ("k", "l"):
            rows: dict[Need, list[Waiting]] = {}
            for task in self.tasks:
                if task.lock == lock and task.job.attempt.task != self.holders.get(lock):
                    rows.setdefault(task.need, []).append(task)
            firsts = {id(min(row, key=lambda task: task.key)) for row in rows.values()}
            assert {id(task) for task in self.line.waiters(lock)} == firsts

    @invariant()
    def it_holds_what_was_added_and_counts_it_by_priority(self) -> None:
        assert set(self.line) == set(self.tasks)
        assert len(self.line) == len(self.tasks)
        assert all(self.line.get(task.job.attempt.task) is task for task in self.tasks)
        levels = [task.priority for task in self.tasks]
        assert dict(self.line.depth) == {level: levels.count(level) for level in levels}


class OftenReadMachine(LineMachine):
    """Read after every step, as in ``LineMachine``."""


class SeldomReadMachine(LineMachine):
    """Read only now and then, so that stale entries gather."""

    @invariant()
    def the_first_is_the_smallest_that_could_start(self) -> None:
        if self.keys % 7 == 0:
            super().the_first_is_the_smallest_that_could_start()

    def teardown(self) -> None:
        super().the_first_is_the_smallest_that_could_start()


MANY = settings(max_examples=60, stateful_step_count=60, deadline=None, database=None)
TestReadAfterEveryStep = OftenReadMachine.TestCase
TestReadAfterEveryStep.settings = MANY
TestReadNowAndThen = SeldomReadMachine.TestCase
TestReadNowAndThen.settings = MANY


def test_many_changes_that_nobody_reads_leave_the_order_as_it_is() -> None:
    line = ReadyLine()
    tasks = [waiting(n, "abc"[n % 3], n % 5, order=n, wants=frozenset()) for n in range(30)]
    for task in tasks:
        line.add(task)

    for turn in range(300):
        line.reprioritise(tasks[turn * 7 % 30], turn % 5)

    taken = []
    while (best := line.best()) is not None:
        taken.append(best)
        line.remove(best)
    assert taken == sorted(tasks, key=lambda task: task.key)


@pytest.mark.parametrize("changes", range(1, 200, 3))
def test_a_task_is_found_at_once_after_any_number_of_changes(changes: int) -> None:
    line = ReadyLine()
    other = waiting(1, "a", 4, order=1, wants=frozenset())
    restless = waiting(2, "b", 9, order=2, wants=frozenset())
    line.add(other)
    line.add(restless)

    for turn in range(changes):
        line.reprioritise(restless, 9 if (changes - turn) % 2 else 5)
    line.reprioritise(restless, 3)

    assert line.best() is restless


def test_when_the_first_that_may_have_a_lock_goes_the_next_one_is_found() -> None:
    line = ReadyLine()
    tasks = [waiting(n, "a", 3, order=n, wants=frozenset(), lock="k") for n in range(4)]
    for task in tasks:
        line.add(task)

    line.remove(tasks[0])
    assert line.best() is tasks[1]
    line.reprioritise(tasks[1], 5)
    assert line.best() is tasks[2]
    line.take_lock(tasks[2])
    line.reserve(tasks[2], AgentName("x"))
    assert [task for task in (line.best(),) if task is not tasks[2]] == []
    line.remove(tasks[2])
    assert line.best() is None
    line.leave_lock(tasks[2].job.attempt.task)

    assert line.best() is tasks[3]
