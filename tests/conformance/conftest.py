"""The world of one runner, ended and audited after each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.runners_under_test import SUBJECTS, Subject, World


@pytest.fixture(params=SUBJECTS, ids=lambda subject: subject.name)
def subject(request: pytest.FixtureRequest) -> Subject:
    chosen: Subject = request.param
    return chosen


@pytest.fixture
def world(subject: Subject, tmp_path: Path) -> Iterator[World]:
    world = World(subject, tmp_path)
    yield world
    world.release()
    assert world.close() == []
    world.check()
