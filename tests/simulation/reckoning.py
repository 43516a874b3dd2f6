"""When all is over: nothing is left, every account agrees with every other, everybody was answered."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from actors.effects import KEEPER, ROUTER, SCHEDULER
from actors.logic.history import view
from actors.messages import AwaitIdle, ReadInstances, ReadStats
from actors.model import Coalesce, OutcomeKind, ReplyId, StopReason
from actors.views import AttemptView, InstanceView, TaskView
from tests.simulation.told import rule

if TYPE_CHECKING:
    from tests.simulation.story import Story


def reckon(story: Story) -> None:
    """All that was accepted is done."""
    observer, storm = story.observer, story.storm
    _nothing_lives(story, "line", "runs", "aside", "ending")
    left = [id_ for id_ in observer.instances if id_ not in observer.records]
    rule("L1", not left, lambda: f"unfinished: {left}")
    idle = story.ask(ROUTER, AwaitIdle(ReplyId(0)))
    stats = _asked(story)
    rule("L3", idle in observer.answers, "it does not say that nothing is left to do")
    silent = [number for number in observer.asked if number not in observer.answers]
    rule("answers", not silent, lambda: f"never answered: {silent}")
    assert observer.laws is not None
    observer.laws.slots(stats[SCHEDULER], crashed=observer.crashes[SCHEDULER] > 0)
    rule("counts", stats[SCHEDULER]["queues"] == {}, stats[SCHEDULER]["queues"])
    _counts(story, stats)
    _events(story)
    _work(story)
    for record in observer.records.values():
        _account(story, view(record, storm.parts.calendar))


def reckon_stopped(story: Story) -> None:
    """The engine was stopped: nothing lives, each end has reached the keeper, and whoever asked for it was told."""
    observer, storm = story.observer, story.storm
    _nothing_lives(story, "runs", "aside", "ending")
    assert observer.laws is not None
    still = [waits.job.task_id for waits in observer.laws.told.line.values() if waits.home is not None]
    rule("stop", not still, lambda: f"{still} stand still for ever")
    shown = story.ask(KEEPER, ReadInstances(limit=1_000_000))
    stats = _asked(story)
    silent = {number for number in observer.asked if number not in observer.answers} - story.waiters
    rule("answers", not silent, lambda: f"never answered: {silent}")
    left = [task for instance in observer.answers[shown] for task in instance.tasks]
    runs = [task.id for task in left if task.status == "running"]
    rule("stop", not runs, lambda: f"{runs} run, by what the keeper knows")
    ends = [(task.id, a.number) for task in left for a in task.attempts if a.started is not None and a.outcome is None]
    rule("L2", not ends, lambda: f"{ends} have begun, and have no end")
    observer.laws.slots(stats[SCHEDULER], crashed=observer.crashes[SCHEDULER] > 0)
    _counts(story, stats, sum(task.status == "completed" for task in left))
    _work(story)
    observer.seen["engines stopped"] += 1
    observer.seen["engines stopped with work left"] += bool(left)
    for record in observer.records.values():
        _account(story, view(record, storm.parts.calendar))


def _nothing_lives(story: Story, *empty: str) -> None:
    assert story.observer.laws is not None
    actions, told = story.storm.parts.runner.actions, story.observer.laws.told
    rule("L1", not actions, lambda: f"still live: {[*actions]}")
    for name in empty:
        rule("L1", not getattr(told, name), lambda name=name: f"{name}: {getattr(told, name)}")
    absent = {agent.name for agent in told.agents.values() if not agent.present}
    rule("S6", absent == story.storm.taken_out, lambda: f"{absent} are not there")


def _asked(story: Story) -> dict[str, Any]:
    """What each says of itself when all has been delivered."""
    numbers = {actor: story.ask(actor, ReadStats()) for actor in (KEEPER, SCHEDULER, ROUTER)}
    while story.storm.deliver():
        pass
    return {actor: story.observer.answers[number] for actor, number in numbers.items()}


def _counts(story: Story, stats: dict[str, Any], more: int = 0) -> None:
    """``more`` tasks are completed whose instances are not over."""
    observer, keeper, router = story.observer, stats[KEEPER], stats[ROUTER]
    rule("counts", router["waiting"] == router["unanswered"] == 0, router)
    records = Counter(record[4] for record in observer.records.values())
    shown = {name: count for name, count in keeper["instances"].items() if count}
    if story.storm.stop is not None:
        shown.pop("running", None)
    rule("counts", shown == dict(records), f"the keeper counts {shown}, there are {dict(records)}")
    done = more + sum(task[3] == "completed" for record in observer.records.values() for task in record[11])
    completed = keeper["tasks"]["completed"]
    rule("counts", completed <= done == observer.seen["task_completed"], f"{completed}, {done} tasks are completed")
    events = keeper["events"]
    taken = events["accepted"] + events["duplicates"] + events["rejected"]
    batches = f"{taken} of {observer.forwarded} events"
    rule("counts", observer.forwarded_batches <= taken <= observer.forwarded, batches)
    published = router["published"] + router["refused"]
    rule("counts", observer.crashes[ROUTER] > 0 or published == story.published, router)


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
