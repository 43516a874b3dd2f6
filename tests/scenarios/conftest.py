"""Judging what real time came to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from tests.scenarios.real import MachineTooBusy, Run, real_complaints


@pytest.fixture(scope="session")
def judged() -> Callable[[Sequence[Run]], list[str]]:
    """``judged(runs)``: what is not as expected; skips where the machine is too busy to tell."""

    def judge(runs: Sequence[Run]) -> list[str]:
        try:
            return real_complaints(runs)
        except MachineTooBusy as busy:
            pytest.skip(str(busy))

    return judge
