"""When all is over: nothing is left, every account agrees with every other, everybody was answered."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from actors.effects import KEEPER, ROUTER, SCHEDULER
from actors.logic.history import view
from actors.messages import AwaitIdle, ReadStats
from actors.model import Coalesce, OutcomeKind, ReplyId, StopReason
from actors.views import AttemptView, InstanceView, TaskView
from tests.simulation.told import rule

if TYPE_CHECKING:
    from tests.simulation.story import Story


def reckon(story: Story) -> None:
    observer, storm = story.observer, story.storm
    assert observer.laws is not None
    told = observer.laws.told
    rule("L1", not storm.parts.runner.actions, lambda: f"still live: {[*storm.parts.runner.actions]}")
    for name in ("line", "runs", "aside", "ending"):
        rule("L1", not getattr(told, name), lambda name=name: f"{name}: {getattr(told, name)}")
    rule("S6", all(agent.present for agent in told.agents.values()), "an agent has not come back")
    left = [id_ for id_ in observer.instances if id_ not in observer.records]
    rule("L1", not left, lambda: f"unfinished: {left}")
    numbers = {actor: story.ask(actor, ReadStats()) for actor in (KEEPER, SCHEDULER, ROUTER)}
    idle = story.ask(ROUTER, AwaitIdle(ReplyId(0)))
    while storm.deliver():
        pass
    rule("L3", idle in observer.answers, "it does not say that nothing is left to do")
    silent = [number for number in observer.asked if number not in observer.answers]
    rule("answers", not silent, lambda: f"never answered: {silent}")
    stats = {actor: observer.answers[number] for actor, number in numbers.items()}
    _counts(story, stats)
    for record in observer.records.values():
        _account(story, view(record, storm.parts.calendar))


def _counts(story: Story, stats: dict[str, Any]) -> None:
    observer, keeper, router = story.observer, stats[KEEPER], stats[ROUTER]
    assert observer.laws is not None
    observer.laws.slots(stats[SCHEDULER], crashed=observer.crashes[SCHEDULER] > 0)
    rule("counts", stats[SCHEDULER]["queues"] == {}, stats[SCHEDULER]["queues"])
    rule("counts", router["waiting"] == router["unanswered"] == 0, router)
    records = Counter(record[4] for record in observer.records.values())
    shown = {name: count for name, count in keeper["instances"].items() if count}
    rule("counts", shown == dict(records), f"the keeper counts {shown}, there are {dict(records)}")
    done = sum(task[3] == "completed" for record in observer.records.values() for task in record[11])
    completed = keeper["tasks"]["completed"]
    rule("counts", completed <= done == observer.seen["task_completed"], f"{completed}, {done} tasks are completed")
    events = keeper["events"]
    taken = events["accepted"] + events["duplicates"] + events["rejected"]
    batches = f"{taken} of {observer.forwarded} events"
    rule("counts", observer.forwarded_batches <= taken <= observer.forwarded, batches)
    published = router["published"] + router["refused"]
    rule("counts", observer.crashes[ROUTER] > 0 or published == story.published, router)
    _events(story)
    _work(story)


def _work(story: Story) -> None:
    """What ran was of use or wasted, and each attempt's end counts once, by why it was cut short."""
    observer, accounts = story.observer, story.storm.parts.logics[KEEPER].state.accounts
    kept = accounts.useful_ns + accounts.wasted_ns.total()
    rule("accounts", kept == accounts.ran_ns, lambda: f"{kept} ns of {accounts.ran_ns} ns")
    ended: Counter[str] = Counter()
    ran = 0
    for end in [end for attempt, end in observer.closed.items() if attempt not in observer.uncounted]:
        kind, reason, began = end.outcome.kind, end.reason, end.outcome.began
        stopped = kind is OutcomeKind.STOPPED and reason is not None
        if kind is OutcomeKind.LOST or stopped:
            ended[str(reason) if stopped else "lost"] += 1
        ran += 0 if began is None else end.outcome.ended - began
    rule("accounts", accounts.ended == ended, lambda: f"{dict(accounts.ended)} is counted, there were {dict(ended)}")
    if not observer.seen["suspended"]:  # Standing still is not running.
        rule("accounts", accounts.ran_ns == ran, lambda: f"{accounts.ran_ns} ns ran, by the ends {ran} ns")
        rule("accounts", accounts.preemptions == ended["preempt"], "preemptions")
    rule("accounts", accounts.ran_ns <= ran, lambda: f"{accounts.ran_ns} ns ran, in {ran} ns")


def _events(story: Story) -> None:
    """Every accepted event was acted on, merged into a newer one, or expired."""
    accepted = 0
    for answer in story.observer.answers.values():
        if not isinstance(answer, tuple):
            continue
        for one in answer:
            receipt = getattr(one, "receipt", None)
            if receipt is None or receipt.duplicate:
                continue
            accepted += 1
            missing = [i for i in receipt.instances if i not in story.observer.records]
            rule("events", not missing, lambda: f"{receipt.event_id} led to {missing}")  # noqa: B023
    story.observer.seen["events accepted"] += accepted


def _account(story: Story, instance: InstanceView) -> None:
    limited = story.given.definitions.workflows[instance.workflow]
    rule("events", instance.merged <= 1 or limited.coalesce in Coalesce, instance.id)
    for task in instance.tasks:
        _task_account(task)


def _task_account(task: TaskView) -> None:
    """S5 and S8: finished work is not redone, each attempt that came back did for one counted reason."""
    attempts = task.attempts
    given_up = task.status in ("cancelled", "failed", "unknown", "completed") and bool(attempts)
    open_ones = [a for a in (attempts[:-1] if given_up else attempts) if a.outcome is None]
    rule("L2", not open_ones, lambda: f"{task.id}: an attempt has no end")
    done = [a for a in attempts[:-1] if a.outcome is OutcomeKind.COMPLETED and a.error is None]
    rule("S5", not done, lambda: f"{task.id} was redone")  # With an error, its report was quarantined.
    failures = [_own_failure(a) for a in attempts]
    rule("S8", task.retries <= min(sum(failures), task.max_retry), lambda: f"{task.id}: {task.retries} {attempts}")
    losses = sum(a.outcome is OutcomeKind.LOST for a in attempts)
    rule("S8", task.infra_losses <= losses, lambda: f"{task.id}: {task.infra_losses} losses of {losses}")


def _own_failure(attempt: AttemptView) -> bool:
    if attempt.outcome is OutcomeKind.COMPLETED:
        return False
    if attempt.reason is StopReason.TIMEOUT:
        return True
    stopped_itself = attempt.outcome is OutcomeKind.STOPPED and attempt.reason is None
    return attempt.outcome is OutcomeKind.FAILED or stopped_itself
