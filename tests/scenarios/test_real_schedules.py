"""The scenarios on threads, on processes and on the event loop: within 0.3 unit of what is published.

Those of one file run side by side: their work is sleep, and the test takes as long as the longest.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.scenarios.real import Run, each
from tests.scenarios.scenario import files, read

IN_REAL_TIME = {file: [scenario for scenario in read(file) if scenario.unit_ms is not None] for file in files()}


@pytest.mark.timeout(120)  # Several tries, where the machine is too busy to tell.
@pytest.mark.parametrize("file", IN_REAL_TIME)
def test_the_schedule_comes_out_in_real_time_on_every_runner(
    file: str, judged: Callable[[list[Run]], list[str]]
) -> None:
    chosen = [scenario for scenario in IN_REAL_TIME[file] if not scenario.slow]

    assert judged(each(chosen)) == []


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_long_schedules_come_out_in_real_time_on_every_runner(judged: Callable[[list[Run]], list[str]]) -> None:
    chosen = [scenario for scenarios in IN_REAL_TIME.values() for scenario in scenarios if scenario.slow]

    assert chosen
    assert judged(each(chosen)) == []
