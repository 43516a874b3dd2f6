"""The storms see: each of twelve faults, planted in the logic, is caught within the ordinary number of seeds."""

from __future__ import annotations

import pytest

from actors.asks import OpenAsks
from actors.simulation.ledger import AgentLedger
from tests.simulation.faults import FAULTS, planted
from tests.simulation.seeds import replay, report, run_seed, run_seeds

pytestmark = pytest.mark.timeout(300)
ORDINARY = 300


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_a_planted_fault_is_caught(name: str) -> None:
    with planted(name):
        _, caught = run_seeds(range(ORDINARY))

    assert caught is not None, f"{name} was not caught in {ORDINARY} seeds"


def test_where_a_fault_was_caught_there_is_none_without_it() -> None:
    with planted("preempted task dropped"):
        _, caught = run_seeds(range(ORDINARY))

    assert caught is not None
    assert run_seed(caught.seed).failure is None


def test_a_failing_seed_says_how_to_replay_it_and_shrinks_to_a_readable_story() -> None:
    with planted("completion loses to cancel"):
        _, caught = run_seeds(range(ORDINARY))
        assert caught is not None
        told = report(caught).splitlines()
        again, _ = replay(caught.steps)

    assert caught.failure == again
    assert told[1] == f"replay: bin/test simulation --seeds 1 --first {caught.seed}"
    assert "law 3" in told[2]
    story = told[3:]
    assert len(story) < 45
    assert any("CancelAttempt" in line for line in story)
    assert "ends completed" in "\n".join(story[-4:])
    assert "ms" in story[-1]
    assert "runner > wide_0" in story[-1]


def _forgets(*_: object) -> tuple[()]:
    return ()


@pytest.mark.parametrize(
    ("owner", "name", "patch", "rules"),
    [
        pytest.param(AgentLedger, "orphans", property(_forgets), ("S1", "S2", "L1", "L3"), id="what it had begun"),
        pytest.param(OpenAsks, "all", _forgets, ("answers", "L3"), id="what it was asked"),
    ],
)
def test_a_crashed_actor_that_forgets_is_caught(
    owner: type[object], name: str, patch: object, rules: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, patch)

    _, caught = run_seeds(range(ORDINARY))

    assert caught is not None
    assert caught.failure is not None
    assert caught.failure.kind in rules, caught.failure
