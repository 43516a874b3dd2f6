"""The line against the plainest thing that could be right: look at every task, take the smallest."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from actors.logic.ready import Need, ReadyLine, Waiting
from actors.messages import ReadyTask
from actors.model import AgentName, AttemptId, Entity, EntityId, Job, Origin, Task, TaskKey, WorkflowId

WORKFLOWS = ("a", "b", "c")
PRIORITIES = st.integers(0, 4)
CAPABILITIES = (frozenset[str](), frozenset({"gpu"}))


def waiting(key: int, workflow: str, priority: int, *, order: int, wants: frozenset[str], preempts: bool) -> Waiting:
    origin = Origin("s", WorkflowId(workflow), EntityId("e"), 0)
    job = Job(
        AttemptId(TaskKey(key), 1), origin, Task("t", 0, capabilities=wants, preempts=preempts), priority,
        Entity(EntityId("e")), None, {}, {}, None, 1,
    )  # fmt: skip
    return Waiting(ReadyTask(job, order), 0)


class LineMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.line = ReadyLine()
        self.tasks: list[Waiting] = []
        self.blocked: set[str] = set()
        self.passed: set[Need] = set()
        self.keys = 0

    def startable(self) -> list[Waiting]:
        return [
            task
            for task in self.tasks
            if (task.need.workflow not in self.blocked or task.reserved is not None) and task.need not in self.passed
        ]

    def pick(self, number: int) -> Waiting:
        return self.tasks[number % len(self.tasks)]

    @rule(
        workflow=st.sampled_from(WORKFLOWS), priority=PRIORITIES, place=st.integers(0, 40),
        wants=st.sampled_from(CAPABILITIES), preempts=st.booleans(),
    )  # fmt: skip
    def add(self, workflow: str, priority: int, place: int, wants: frozenset[str], preempts: bool) -> None:
        """Somewhere in the order: what was preempted comes back before what came later."""
        self.keys += 1
        task = waiting(self.keys, workflow, priority, order=place * 10_000 + self.keys, wants=wants, preempts=preempts)
        self.line.add(task)
        self.tasks.append(task)

    @precondition(lambda self: self.tasks)
    @rule(number=st.integers(0, 1000))
    def remove(self, number: int) -> None:
        task = self.pick(number)
        self.tasks.remove(task)
        self.line.remove(task)

    @precondition(lambda self: self.tasks)
    @rule(number=st.integers(0, 1000), priority=PRIORITIES)
    def reprioritise(self, number: int, priority: int) -> None:
        self.line.reprioritise(self.pick(number), priority)

    @precondition(lambda self: self.tasks)
    @rule(number=st.integers(0, 1000))
    def reserve_or_give_back(self, number: int) -> None:
        task = self.pick(number)
        self.line.reserve(task, AgentName("x") if task.reserved is None else None)

    @rule(workflow=st.sampled_from(WORKFLOWS))
    def block(self, workflow: str) -> None:
        self.line.block(WorkflowId(workflow))
        self.blocked.add(workflow)

    @rule(workflow=st.sampled_from(WORKFLOWS))
    def unblock(self, workflow: str) -> None:
        self.line.unblock(WorkflowId(workflow))
        self.blocked.discard(workflow)

    @precondition(lambda self: self.startable())
    @rule()
    def take_the_best(self) -> None:
        best = self.line.best()
        assert best is not None
        self.tasks.remove(best)
        self.line.remove(best)

    @precondition(lambda self: self.startable())
    @rule()
    def pass_over_the_best(self) -> None:
        best = self.line.best()
        assert best is not None
        self.line.pass_over(best.need)
        self.passed.add(best.need)

    @rule()
    def end_the_round(self) -> None:
        self.line.end_round()
        self.passed.clear()

    @invariant()
    def the_first_is_the_smallest_that_could_start(self) -> None:
        assert self.line.best() is min(self.startable(), key=lambda task: task.key, default=None)

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
    tasks = [waiting(n, "abc"[n % 3], n % 5, order=n, wants=frozenset(), preempts=True) for n in range(30)]
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
    other = waiting(1, "a", 4, order=1, wants=frozenset(), preempts=True)
    restless = waiting(2, "b", 9, order=2, wants=frozenset(), preempts=True)
    line.add(other)
    line.add(restless)

    for turn in range(changes):
        line.reprioritise(restless, 9 if (changes - turn) % 2 else 5)
    line.reprioritise(restless, 3)

    assert line.best() is restless
