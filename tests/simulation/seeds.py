"""Seeds: run one, say how to run it again, and make a story of it that a person can read.

Shrinking takes out whole steps, then makes what is left calmer, as long as the same rule breaks.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from actors.simulation.choices import Replayed, Seeded
from tests.simulation.story import STEPS, Story
from tests.simulation.told import Broken

SIMPLE_ONES = 40
MOST_RUNS = 1_000
"""Runs that shrinking may take."""
Steps = list[list[int]]


@dataclass(frozen=True)
class Failure:
    """What went wrong; two are the same fault if their ``kind`` is."""

    kind: str
    text: str


@dataclass
class Ran:
    seed: int
    digest: str
    failure: Failure | None
    steps: Steps
    seen: Counter[str] = field(default_factory=Counter)


def run_seed(seed: int) -> Ran:
    return run_choices(seed, Seeded(seed))


def run_choices(seed: int, choices: Seeded) -> Ran:
    story: Story | None = None
    try:
        story = Story(choices)
        story.play()
    except Exception as error:  # noqa: BLE001 - whatever the logic raises is a find
        digest = story.observer.digest.hexdigest() if story is not None else ""
        return Ran(seed, digest, _failure(error), choices.steps)
    return Ran(seed, story.observer.digest.hexdigest(), None, choices.steps, story.observer.seen)


def replay(steps: Steps, *, told: bool = False) -> tuple[Failure | None, list[str]]:
    """Run these choices; what broke, if anything, and the story's lines if they are wanted."""
    story: Story | None = None
    try:
        story = Story(Replayed(steps), told=told)
        story.play(len(steps) - 1)
    except Exception as error:  # noqa: BLE001 - as above
        return _failure(error), (story.observer.lines or []) if story is not None else []
    return None, story.observer.lines or []


def _failure(error: Exception) -> Failure:
    text = str(error)
    if isinstance(error, Broken):
        return Failure(text.split(":", maxsplit=1)[0], text)
    last = traceback.extract_tb(error.__traceback__)[-1]
    name = type(error).__name__
    return Failure(f"{name} in {last.name}", f"{name} in {last.filename}:{last.lineno} {last.name}: {text}")


def shrink(steps: Steps, kind: str) -> Steps:
    """The shortest and calmest choices found that break the same rule."""
    budget = Counter({"runs": MOST_RUNS})

    def breaks(tried: Steps) -> bool:
        if budget["runs"] <= 0:
            return False
        budget["runs"] -= 1
        failure, _ = replay(tried)
        return failure is not None and failure.kind == kind

    before: Steps = []
    while steps != before and budget["runs"] > 0:
        before = steps
        steps = _calmer(_simpler(_fewer(steps, breaks), breaks), breaks)
    return steps


def _simpler(steps: Steps, breaks: Callable[[Steps], bool]) -> Steps:
    """With whole stretches of the scenario at zero."""
    size = len(steps[0])
    while size > 1:
        size = (size + 1) // 2
        for place in range(0, len(steps[0]), size):
            stretch = steps[0][place : place + size]
            if any(stretch):
                tried = [[*steps[0][:place], *[0] * len(stretch), *steps[0][place + size :]], *steps[1:]]
                steps = tried if breaks(tried) else steps
    return steps


def _fewer(steps: Steps, breaks: Callable[[Steps], bool]) -> Steps:
    """Without the steps that do not matter; the first entry is the scenario."""
    size = max(1, (len(steps) - 1) // 2)
    while True:
        place = len(steps) - size
        while place >= 1:
            tried = steps[:place] + steps[place + size :]
            if breaks(tried):
                steps = tried
            place -= size
        if size == 1:
            return steps
        size //= 2


def _calmer(steps: Steps, breaks: Callable[[Steps], bool]) -> Steps:
    """With as many choices as possible at zero, the scenario's first."""
    for number in range(len(steps)):
        if any(steps[number]) and breaks([*steps[:number], [], *steps[number + 1 :]]):
            steps = [*steps[:number], [], *steps[number + 1 :]]
            continue
        for place in range(len(steps[number])):
            if place < len(steps[number]) and steps[number][place]:
                front, back = steps[number][:place], steps[number][place + 1 :]
                for calm in ([*front, 0, *back], [*front, *back]):
                    tried = [*steps[:number], calm, *steps[number + 1 :]]
                    if breaks(tried):
                        steps = tried
                        break
    return steps


class Sparse(Seeded):
    """Choices whose scenario is a simple one."""

    def pick(self, count: int) -> int:
        chosen = super().pick(count)
        if len(self.steps) == 1 and (chosen * 7 + len(self.steps[0])) % 4:
            chosen = self.steps[0][-1] = 0
        return chosen


def report(ran: Ran) -> str:
    """How to replay a failing seed, and its story: its own, or a simpler one that breaks the same rule."""
    assert ran.failure is not None
    kind = ran.failure.kind
    stories = [shrink(steps, kind) for steps in (ran.steps, *_simple_ones(kind))]
    told = [(replay(steps, told=True), len(steps) - 1) for steps in stories]
    (failure, lines), length = min(told, key=lambda one: len(one[0][1]))
    return "\n".join(
        [
            f"seed {ran.seed}: {ran.failure.text}",
            f"replay: bin/test simulation --seeds 1 --first {ran.seed}",
            f"the same rule broken in {length} steps instead of {STEPS}: {(failure or ran.failure).text}",
            *lines[-200:],
        ]
    )


def _simple_ones(kind: str) -> list[Steps]:
    """The first few choices of simple scenarios that break this rule, if they are easily found."""
    found: list[Steps] = []
    for seed in range(SIMPLE_ONES):
        choices = Sparse(seed)
        ran = run_choices(seed, choices)
        if ran.failure is not None and ran.failure.kind == kind:
            found.append(ran.steps)
        if len(found) == 2:
            break
    return found


def run_seeds(seeds: Iterable[int]) -> tuple[Counter[str], Ran | None]:
    """Run these until one fails; what was seen in all, and the one that failed."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        ran = run_seed(seed)
        if ran.failure is not None:
            return seen, ran
        seen["seeds"] += 1
        seen.update(ran.seen)
    return seen, None
