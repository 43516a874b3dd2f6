"""Queues with known answers: what is measured in virtual time agrees with what was published.

The preemptive table is that of J. P. Buzen and A. B. Bondi, The Response Times of Priority Classes under
Preemptive Resume in M/M/m Queues, Operations Research 31 (1983), 456-465; the others follow from Erlang's
formula (Cobham 1954 for priorities without preemption).
"""

from __future__ import annotations

import pytest

from tests.scenarios.queueing import FIFO, PUBLISHED, Measured, Queue, Trial, arrivals, class_mean, gauges
from tests.scenarios.reference import responses
from tests.scenarios.side_by_side import measure_all

TASKS, LONG, MANY = 200_000, 300_000, 2_000_000
ROUNDING_MS = 0.05
ERRORS = 3.0
"""Standard errors that a short run may be off: beyond is one run of 370, and the seed is the same in every one."""


def compared(queue: Queue, published: tuple[float, ...], measured: Measured) -> list[tuple[float, float, float]]:
    """Published mean, measured mean and its standard error: by class, of one line for all together."""
    if queue is FIFO:
        return [(published[0], measured.mean_ms, measured.error_ms)]
    return [(wanted, one.mean_ms, one.error_ms) for wanted, one in zip(published, measured.classes, strict=True)]


@pytest.mark.timeout(600)  # Fifty seconds of two processors that have nothing else to do.
def test_mean_responses_agree_with_theory_within_what_a_short_run_can_tell() -> None:
    measured = measure_all([queue for queue, _ in PUBLISHED], tasks=TASKS)

    for (queue, published), came_to in zip(PUBLISHED, measured, strict=True):
        assert (came_to.jobs, came_to.integral_ns) == (TASKS, came_to.total_ns)
        for wanted, mean, error in compared(queue, published, came_to):
            assert abs(mean - wanted) <= ERRORS * error + ROUNDING_MS, f"{queue.name}: {mean:.1f}, not {wanted}"
            assert error < 0.03 * wanted, f"{queue.name}: a run that tells nothing"


@pytest.mark.slow
@pytest.mark.timeout(3600)  # Six minutes of two processors that have nothing else to do.
def test_mean_responses_agree_with_theory_within_two_percent() -> None:
    measured = measure_all([queue for queue, _ in PUBLISHED], tasks=MANY, parts=4)

    for (queue, published), came_to in zip(PUBLISHED, measured, strict=True):
        assert came_to.jobs == MANY
        assert came_to.integral_ns == came_to.total_ns
        for wanted, mean, error in compared(queue, published, came_to):
            assert abs(mean - wanted) <= 0.02 * wanted, f"{queue.name}: {mean:.2f} ± {error:.2f}, not {wanted}"


@pytest.mark.parametrize("queue", [queue for queue, _ in PUBLISHED], ids=lambda queue: queue.name)
def test_littles_law_is_an_identity_on_the_engines_own_gauges(queue: Queue) -> None:
    """Over a whole run, the time that jobs spend somewhere is the integral of how many are there."""
    found = gauges(queue, tasks=3_000, seed=5)

    assert found["waiting"] == found["waits"] > 0
    assert found["running"] == found["works"]


@pytest.mark.parametrize("queue", [queue for queue, _ in PUBLISHED], ids=lambda queue: queue.name)
def test_every_single_response_is_that_of_the_textbook_to_the_nanosecond(queue: Queue) -> None:
    jobs = list(arrivals(queue, 10_000, seed=3))
    trial = Trial(queue, iter(jobs))

    trial.run()

    assert [sorted(by_class) for by_class in trial.responses] == [
        sorted(by_class) for by_class in responses(queue, jobs)
    ]


@pytest.mark.parametrize(("queue", "published"), PUBLISHED, ids=[queue.name for queue, _ in PUBLISHED])
def test_the_textbook_comes_to_what_was_published(queue: Queue, published: tuple[float, ...]) -> None:
    """So what the engine does to the nanosecond is the published discipline, and not just near it."""
    found = [class_mean(by_class) for by_class in responses(queue, list(arrivals(queue, LONG, seed=1)))]

    for wanted, one in zip(published, found, strict=True):
        assert abs(one.mean_ms - wanted) <= ERRORS * one.error_ms + ROUNDING_MS, f"{one.mean_ms:.1f}, not {wanted}"
        assert one.error_ms < 0.02 * wanted
