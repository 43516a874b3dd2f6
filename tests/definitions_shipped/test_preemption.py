"""Five studies hold all agents; an urgent order cuts one, which goes on where it was."""

from __future__ import annotations

from pathlib import Path

from actors import Engine, StateChanged

WAIT_S = 30


def test_one_study_is_cut_for_the_urgent_order_and_goes_on_from_its_checkpoint(root: Path) -> None:
    told: list[StateChanged] = []
    engine = Engine(root / "definitions" / "preemption")
    engine.subscribe(told.append)
    with engine:
        engine.wait_idle(WAIT_S)
        ended = {str(instance.entity_id): instance for instance in engine.instances()}

    studies = [one.tasks[0] for one in ended.values() if one.workflow == "long_trend_study"]
    urgent = ended["000003"]
    assert len(studies) == 5
    assert {one.status for one in ended.values()} == {"completed"}
    (cut,) = [study for study in studies if study.preemptions]
    # One preemption for a chain of two tasks, and it is no failure.
    assert (cut.preemptions, cut.retries, len(cut.attempts)) == (1, 0, 2)
    # It did not begin again: both attempts together did its steps, and each of them but the one cut only once.
    assert 1 <= cut.result["continued_from"] < 20
    assert cut.result["continued_from"] + cut.result["done_here"] == cut.result["steps"] == 20
    for study in studies:
        if study is not cut:
            assert (study.result["continued_from"], len(study.attempts)) == (0, 1)
    # The urgent work did not wait for a study to end, which was a second and a half away.
    first = urgent.tasks[0].attempts[0]
    assert first.started is not None
    assert (first.started.ns - first.ready.ns) / 1e6 < 1_000
    preempted = [change for change in told if change.type == "task_preempted"]
    assert [change.task_id for change in preempted] == [cut.id]
    seconds = (max(change.at.ns for change in told) - min(change.at.ns for change in told)) / 1e9
    assert 2.0 <= seconds < 15
