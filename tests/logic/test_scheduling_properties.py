"""Any story at all, from a full engine on: after every message the rules hold, and in the end all is done.

Preemption is a question only in a full engine, so every story begins with one.
"""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.effects import KEEPER, SCHEDULER
from actors.messages import (
    Cancel,
    DrainAgent,
    PauseWorkflow,
    PutEntity,
    ReadInstances,
    ResolveTask,
    RunWorkflow,
    SetPriority,
)
from actors.model import Backoff, Delivery, EntityId, EntitySeed, Isolation, OnPreempt, OutcomeKind, WorkflowId
from actors.views import InstanceView
from tests.logic.floor_rules import check_always, check_at_rest, check_inherited, check_over
from tests.logic.worlds import Action, World, chain, group, task, workflow

ASLEEP = OnPreempt.SUSPEND
WORKFLOWS = (
    workflow("study", task("study", retry=1), priority=5),
    workflow("order", priority=0, max_concurrent=2),
    chain("chain", 3, priority=1, max_concurrent=2),
    workflow("stone", task("stone", retry=1, timeout_ms=300), priority=6),  # A thread that hears nothing.
    workflow("pausing", task("pausing", isolation=Isolation.PROCESS, on_preempt=ASLEEP), priority=7),
    workflow(
        "once", task("once", delivery=Delivery.AT_MOST_ONCE, isolation=Isolation.PROCESS, on_preempt=ASLEEP),
        priority=4, max_concurrent=2,
    ),
    workflow("polite", task("polite", preempts=False), priority=1),
    workflow("wire", task("wire", preemptible=False), priority=3),
    workflow("model", task("model", capabilities=frozenset({"gpu"}), min_runtime_ms=60), priority=2),
    workflow("cheap", task("cheap", on_preempt=OnPreempt.CANCEL, max_preemptions=1), priority=8),
    workflow("fragile", task("fragile", retry=2, backoff=Backoff(initial_ms=40), isolation=Isolation.PROCESS)),
    workflow(
        "join", task("left"), task("right", priority=0), task("last", after=("left", "right"), queue_timeout_ms=90)
    ),
    workflow("locked", task("locked", lock="shared", max_preemptions=3), priority=6),
    workflow(
        "frozen", task("frozen", lock="shared", isolation=Isolation.PROCESS, on_preempt=ASLEEP), priority=5,
        max_concurrent=1,
    ),
    workflow(
        "wants", task("wants", lock="shared"), task("more", after=("wants",), lock="shared"), priority=1,
        max_concurrent=1,
    ),
    workflow("keyed", task("keyed", lock="{workflow.id}", capabilities=frozenset({"gpu"})), priority=3),
)  # fmt: skip
NAMES = tuple(str(w.id) for w in WORKFLOWS)
HELD = (None, *map(WorkflowId, NAMES))
"""What may be paused: the whole engine, or a workflow."""
GROUPS = (group("wide", 2, "all"), group("gpu", 1, "gpu"), group("plain", 1, "cpu"))
STEPS = st.sampled_from(
    ["run", "run", "run", "urgent", "end", "end", "fail", "lose", "leave", "cancel", "priority", "pause", "resume",
     "drain", "undrain", "time", "read", "read", "read_one", "read_one", "rest", "rest"]
)  # fmt: skip


class Story:
    """A world in which anything may come next; ``number`` says what it comes to."""

    def __init__(self, starvation_ms: int | None = None) -> None:
        self.world = World(*WORKFLOWS, groups=GROUPS, starvation_ms=starvation_ms)
        self.world.deaf.add("stone")
        self.entities: Counter[str] = Counter()
        self.begun = 0
        for name in ("study", "pausing", "stone", "once"):
            self.run(name)
            self.world.settle()
        assert len(self.world.running()) == 4, "the engine is full"

    def run(self, name: str) -> None:
        entity = f"{name}{self.entities[name]}"
        self.entities[name] += 1
        self.begun += 1
        self.world.post(KEEPER, PutEntity(EntitySeed(EntityId(entity), phase="by_hand")))
        self.world.post(KEEPER, RunWorkflow(WorkflowId(name), EntityId(entity)))

    def step(self, what: str, number: int) -> None:
        world = self.world
        match what:
            case "run":
                self.run(NAMES[number % len(NAMES)])
            case "urgent":
                self.run("order")
            case "cancel" | "priority":
                ids = [c.instance_id for c in world.changes if c.type == "instance_created"]
                message = Cancel(ids[number % len(ids)])
                world.post(KEEPER, message if what == "cancel" else SetPriority(message.id, number % 9))
            case "pause" | "resume":
                world.post(KEEPER, PauseWorkflow(HELD[number % len(HELD)], what == "pause"))
            case "drain" | "undrain":
                agents = world.agent_names
                world.post(KEEPER, DrainAgent(agents[number % len(agents)][0], what == "drain"))
            case "time":
                world.pass_ms(number % 130)
            case "read" | "read_one":
                names = [name for name, inbox in world.inbox.items() if inbox]
                if names:
                    world.deliver(names[number % len(names)], most=1 if what == "read_one" else None)
            case "rest":
                world.settle()
            case _:
                self.act(what, number)

    def act(self, what: str, number: int) -> None:
        """Something of an action's own."""
        actions = [a for a in self.world.actions.values() if not a.suspended]
        if what == "leave":  # Who would not hear does in the end.
            actions = [a for a in actions if a.told is not None]
        elif what == "lose":
            actions = [a for a in actions if a.job.task.isolation is Isolation.PROCESS]
        if actions:
            kind = {"end": OutcomeKind.COMPLETED, "fail": OutcomeKind.FAILED, "lose": OutcomeKind.LOST}
            self.finish(actions[number % len(actions)], kind.get(what, OutcomeKind.STOPPED))

    def finish(self, action: Action, kind: OutcomeKind) -> None:
        self.world._end(action, kind)

    def drain(self) -> None:
        """Let everything come to its end: pauses are lifted, actions return, a person resolves."""
        for name in HELD:
            self.world.post(KEEPER, PauseWorkflow(name, paused=False))
        for agent, _ in self.world.agent_names:
            self.world.post(KEEPER, DrainAgent(agent, drained=False))
        for _ in range(1 + self.begun):
            self.world.finish_all()
            live: tuple[InstanceView, ...] = self.world.ask(KEEPER, ReadInstances(limit=10_000))
            unknown = [t.id for instance in live for t in instance.tasks if t.status == "unknown"]
            if not live:
                return
            assert unknown, f"stuck: {[instance.id for instance in live]}"
            for id in unknown:
                self.world.ask(KEEPER, ResolveTask(id, "retry" if self.begun % 2 else "completed"))
        raise AssertionError("it never ends")


@settings(max_examples=200, deadline=None, database=None)
@given(
    steps=st.lists(st.tuples(STEPS, st.integers(0, 999)), min_size=30, max_size=150),
    starvation_ms=st.sampled_from([None, 80]),
)
def test_whatever_happens_the_rules_hold_and_everything_ends(
    steps: list[tuple[str, int]], starvation_ms: int | None
) -> None:
    story = Story(starvation_ms)
    floor = story.world.scheduling.floor

    for what, number in steps:
        story.step(what, number)
        check_always(floor)
        check_inherited(story.world.scheduling)
        if not any(story.world.inbox.values()):
            check_at_rest(floor)
    story.drain()

    check_over(story.world)
    assert len(story.world.instances()) == story.begun, "every one that was started has ended, once"
    assert story.world.idle()


def test_the_same_messages_have_the_same_effects() -> None:
    def trace() -> list[tuple[str, str, object]]:
        story = Story()
        for number, what in enumerate(["urgent", "rest", "run", "lose", "time", "rest", "end", "cancel", "rest"] * 9):
            story.step(what, number * 37)
        story.drain()
        return [*story.world.sent]

    first = trace()

    assert first == trace()
    assert sum(to == SCHEDULER for _, to, _ in first) > 50
