"""The scenarios on threads, on processes and on the event loop: within 0.3 unit of what is published.

Those of one file run side by side: their work is sleep, and the test takes as long as the longest.
"""

from __future__ import annotations

import pytest

from tests.scenarios.real import each, real_complaints
from tests.scenarios.scenario import files, read


@pytest.mark.timeout(120)  # Several tries, where the machine is too busy to tell.
@pytest.mark.parametrize("file", files())
def test_the_schedule_comes_out_in_real_time_on_every_runner(file: str) -> None:
    chosen = [scenario for scenario in read(file) if scenario.unit_ms is not None and not scenario.slow]

    assert real_complaints(each(chosen)) == []


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("file", files())
def test_a_long_schedule_comes_out_in_real_time_on_every_runner(file: str) -> None:
    chosen = [scenario for scenario in read(file) if scenario.slow]

    assert not chosen or real_complaints(each(chosen)) == []
