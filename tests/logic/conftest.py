"""Whatever a test of the logic does, the keeper's state is changed only after it was noted as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.logic.crashing import guard_writes


@pytest.fixture(autouse=True)
def _noted_before_changed() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        guard_writes(patch)
        yield
