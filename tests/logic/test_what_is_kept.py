"""What the scheduler keeps about work that is over: nothing that grows."""

from __future__ import annotations

import gc

from actors.logic.fleet import Running
from actors.logic.ready import Waiting
from tests.logic.worlds import World, full_world, task, workflow


def kept(kind: type[object]) -> int:
    gc.collect()
    return sum(type(thing) is kind for thing in gc.get_objects())


def test_attempts_that_have_ended_are_let_go_of_however_long_one_runs_beside_them() -> None:
    world = World(workflow("study"), workflow("quote", priority=1), agents=2)
    world.run("study", "long")
    before = kept(Running), kept(Waiting)

    for number in range(400):
        world.run("quote", f"e{number % 7}")
        world.end(f"quote@e{number % 7}")

    assert kept(Running) - before[0] < 150
    assert kept(Waiting) - before[1] < 150


def test_attempts_that_were_preempted_are_let_go_of() -> None:
    world = full_world(workflow("order", priority=0), agents=2)
    before = kept(Running)

    for _ in range(300):
        world.run("order", "now")
        world.end("order@now")

    assert world.preemptions == 300
    assert kept(Running) - before < 150


def test_a_task_whose_priority_changes_all_the_time_stands_in_line_once() -> None:
    wire = workflow("wire", task("wire", preemptible=False), priority=0)
    world = World(wire, workflow("study"), agents=1)
    world.run("wire", "now", "next")  # An urgent one waits first in line, all the time.
    world.run("study", "a")
    line = world.scheduling.floor.line

    for number in range(500):
        world.set_priority("a", 3 + number % 5)

    assert len(line) == 2
    assert len(line._order) + sum(len(shelf.heap) for shelf in line._shelves.values()) < 250
    world.finish_all()
    assert world.told.started == ["wire@now", "wire@next", "study@a"]


def test_what_is_put_in_line_and_cancelled_again_leaves_nothing_behind() -> None:
    world = World(workflow("wire", task("wire", preemptible=False), priority=0), workflow("study"), agents=1)
    world.run("wire", "now", "next")
    before = kept(Waiting)

    for _ in range(400):
        world.run("study", "a")
        world.cancel("a")

    assert kept(Waiting) - before < 150
