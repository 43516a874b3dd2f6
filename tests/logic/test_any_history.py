"""The whole engine's logic under any history: messages cross, actions end or do not hear, people interfere.

After every step nothing that must never happen has happened (S1 to S8 of the reliability page;
``worlds`` asserts S1, S2, S4 and the limits where they arise); in the end everything is done.
Agents are full from the start, since preemption is a question only there.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from actors.effects import KEEPER, ROUTER, SCHEDULER
from actors.messages import (
    AttemptClosed,
    Cancel,
    CancelAttempt,
    DrainAgent,
    PauseWorkflow,
    Publish,
    ResolveTask,
    SetPriority,
    SuspendAttempt,
)
from actors.model import (
    Backoff,
    Coalesce,
    Delivery,
    Event,
    Isolation,
    OnPreempt,
    OutcomeKind,
    StopReason,
    Workflow,
)
from tests.logic.floor_rules import check_always, check_inherited, check_work
from tests.logic.worlds import Action, World, group, on_data, task, workflow

PROCESS = Isolation.PROCESS
TERMINAL = frozenset({"completed", "failed", "cancelled", "expired"})
ENTITIES = ("a", "b", "c", "d")


def workflows() -> list[Workflow]:
    return [
        workflow("study", task("study"), priority=5),
        on_data("quotes", task("q1", retry=1), task("q2", after=("q1",)), priority=2, max_concurrent=2),
        on_data("each", task("e1", priority=1), coalesce=Coalesce.ALL, valid_for_ms=40),
        workflow(
            "frozen", task("frozen", isolation=PROCESS, on_preempt=OnPreempt.SUSPEND, lock="{entity.id}"), priority=4
        ),
        workflow(
            "wire",
            task("wire", isolation=PROCESS, on_preempt=OnPreempt.SUSPEND, delivery=Delivery.AT_MOST_ONCE),
            priority=3,
        ),
        workflow("cheap", task("cheap", on_preempt=OnPreempt.CANCEL, queue_timeout_ms=30), priority=6),
        workflow(
            "slow",
            task("slow", timeout_ms=50, retry=1, backoff=Backoff(initial_ms=5), min_runtime_ms=7, lock="{entity.id}"),
            priority=5,
        ),
        workflow(
            "order",
            task("o1", capabilities=frozenset({"gpu"}), max_preemptions=1),
            task("o2", preempts=False, lock="{entity.id}"),
            task("o3", after=("o1", "o2"), preemptible=False),
            priority=0,
        ),
    ]


class Audit:
    """Two independent records, compared: what the scheduler ordered, what the keeper recorded."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.read = 0
        self.cancels: Counter[Any] = Counter()
        self.closed: set[Any] = set()
        self.open: set[Any] = set()

    def check(self) -> None:
        for sender, to, message in self.world.sent[self.read :]:
            if isinstance(message, CancelAttempt) and message.reason is StopReason.PREEMPT:
                self.cancels[message.attempt] += 1
                self.open.add(message.attempt)
                assert self.cancels[message.attempt] == 1, f"S7: {message.attempt} is cancelled twice"
            elif isinstance(message, SuspendAttempt):
                self.open.add(message.attempt)
            elif isinstance(message, AttemptClosed) and sender == SCHEDULER and to == KEEPER:
                assert message.attempt not in self.closed, f"S4: {message.attempt} ended twice"
                self.closed.add(message.attempt)
        self.read = len(self.world.sent)
        check_always(self.world.scheduling.floor)
        check_inherited(self.world.scheduling)
        agents = len(self.world.working)
        holding = [a for a in self.world.actions.values() if not (a.suspended or a.abandoned)]
        assert len(holding) <= agents, f"S6: {len(holding)} of {agents}"
        assert sum(a.suspended for a in self.world.actions.values()) <= agents
        assert sum(a.abandoned for a in self.world.actions.values()) <= agents

    def at_rest(self) -> None:
        """Every inbox is empty: no capable agent is idle beside a startable task, no victim spared in vain."""
        shown = self.world.stats()
        counted = shown["agents"]
        live = [a for a in self.world.actions.values() if not (a.suspended or a.abandoned)]
        assert counted["running"] + counted["stopping"] == len(live), "S6"
        assert counted["idle"] + counted["drained"] == len(self.world.working) - len(live)
        for one in self.world.instances():
            assert all(t.preemptions >= 0 and t.retries <= t.max_retry for t in one.tasks), "S8"


class Story:
    """Draws what happens next."""

    kind: type[World] = World

    def __init__(self, data: st.DataObject) -> None:
        self.draw = data.draw
        self.world = self.kind(
            *workflows(),
            groups=(group("wide", 2, "all"), group("gpu", 1, "gpu")),
            max_lined_up=3,
            max_infra_losses=1,
            starvation_ms=data.draw(st.sampled_from([None, 40])),
        )
        self.audit = Audit(self.world)
        self.published = 0
        for number in range(3):
            self.world.run("study", f"low{number}")

    def step(self) -> None:
        kinds = ["deliver"] * 6 + ["act"] * 4 + ["start"] * 3 + ["publish"] * 2 + ["steer", "time", "settle"]
        getattr(self, self.draw(st.sampled_from(kinds)))()
        self.audit.check()

    def deliver(self) -> None:
        """One actor reads some of its inbox; messages of different senders may overtake each other."""
        world = self.world
        waiting = [name for name, inbox in world.inbox.items() if inbox]
        if not waiting:
            return
        name = self.draw(st.sampled_from(waiting))
        inbox = world.inbox[name]
        sender = self.draw(st.sampled_from(sorted({who for who, _ in inbox})))
        most = self.draw(st.integers(1, 3))
        mine = [message for who, message in inbox if who == sender][:most]
        for message in mine:
            inbox.remove((sender, message))
        world.feed(name, mine)

    def settle(self) -> None:
        self.world.settle()
        self.audit.at_rest()

    def time(self) -> None:
        world = self.world
        world.now += self.draw(st.sampled_from([1, 10, 60, 200])) * 1_000_000
        world.ring()

    def act(self) -> None:
        """An action ends, in one of the ways it can, or stops hearing."""
        live = sorted((a for a in self.world.actions.values() if not a.suspended), key=lambda a: a.job.attempt)
        if not live:
            return
        action: Action = self.draw(st.sampled_from(live))
        kind = self.draw(st.sampled_from(["completed"] * 3 + ["failed", "lost", "deaf", "stop", "checkpoint"]))
        if kind == "deaf":
            self.world.deaf.add(action.job.task.id)
        elif kind == "checkpoint":
            action.checkpoint = self.audit.read
        elif kind == "stop":
            if action.told is not None:
                self.world._end(action, OutcomeKind.STOPPED)
        else:
            self.world._end(action, OutcomeKind(kind))

    def start(self) -> None:
        name = self.draw(st.sampled_from(["study", "frozen", "wire", "cheap", "slow", "order", "order"]))
        self.world.run(name, self.draw(st.sampled_from(ENTITIES)), settle=False)

    def publish(self) -> None:
        self.published += 1
        kind = self.draw(st.sampled_from(["DATA_READY", "DATA_READY", "HIGH_PRIORITY_ARRIVED"]))
        entity = self.draw(st.sampled_from(ENTITIES))
        event = Event(kind, entity, self.draw(st.sampled_from([None, 0, 3])), data=self.published)
        self.world.promise(ROUTER, Publish((event,)))

    def steer(self) -> None:
        world = self.world
        names = list(world.definitions.workflows)
        live = [i for i in world.keeping_view() if i.status == "running"]
        kind = self.draw(st.sampled_from(["pause", "resume", "drain", "cancel", "priority", "priority", "resolve"]))
        if kind in ("pause", "resume"):
            whom = self.draw(st.sampled_from([None, *names]))
            world.promise(KEEPER, PauseWorkflow(whom, kind == "pause"))
        elif kind == "drain":
            agent = self.draw(st.sampled_from([name for name, _ in world.agent_names]))
            world.promise(KEEPER, DrainAgent(agent, self.draw(st.booleans())))
        elif live:
            one = self.draw(st.sampled_from(live))
            if kind == "cancel":
                world.promise(KEEPER, Cancel(one.id))
            elif kind == "priority":
                world.promise(KEEPER, SetPriority(one.id, self.draw(st.integers(0, 7))))
            else:
                outcome = self.draw(st.sampled_from(["completed", "failed", "retry", "cancelled"]))
                for shown in one.tasks:
                    world.promise(KEEPER, ResolveTask(shown.id, outcome))

    def end_everything(self) -> None:
        """People let go of what they hold, actions hear again: then all that was accepted gets done."""
        world = self.world
        world.deaf.clear()
        for name in (None, *world.definitions.workflows):
            world.promise(KEEPER, PauseWorkflow(name, paused=False))
        for agent, _ in world.agent_names:
            world.promise(KEEPER, DrainAgent(agent, drained=False))
        for _ in range(50):
            world.finish_all()
            unknown = [t.id for i in world.instances() for t in i.tasks if t.status == "unknown"]
            if not unknown:
                break
            for id in unknown:
                world.promise(KEEPER, ResolveTask(id, "completed"))
        self.audit.check()
        self.audit.at_rest()
        left = [(one.id, str(one.status)) for one in world.instances() if one.status not in TERMINAL]
        assert not left, f"L1: {left}"
        assert world.idle()
        queued = world.stats()
        assert queued["queues"] == {}
        assert {state: count for state, count in queued["agents"].items() if count} == {"idle": 3}
        assert {str(world.entity(e.id).status) for e in world.all_entities()} <= {"pending", "completed", "failed"}
        assert not world.unanswered(), "somebody was never answered"
        self._events_are_accounted_for()
        check_work(world)

    def _events_are_accounted_for(self) -> None:
        """Every accepted event was acted on, merged into a newer one, or expired."""
        counts = self.world.stats(KEEPER)["events"]
        assert counts["accepted"] + counts["duplicates"] + counts["rejected"] == self.published
        stood_for = sum(i.merged for i in self.world.instances() if i.workflow == "quotes")
        assert stood_for >= counts["accepted"]


@pytest.mark.timeout(120)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
)
@given(st.data())
def test_whatever_happens_nothing_forbidden_does_and_everything_ends(data: st.DataObject) -> None:
    story = Story(data)
    for _ in range(data.draw(st.integers(20, 120))):
        story.step()
    story.end_everything()
