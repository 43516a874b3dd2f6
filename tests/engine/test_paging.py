"""Instances and entities a page at a time: each once, whatever begins or ends between two pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from actors import Engine, Event, Page, RequestError
from actors.cursors import cursor
from actors.logic import listing
from actors.views import ChangeType
from tests.engine.conftest import BOUND_S, Watched, one_task


def all_pages(page: Callable[..., Page[Any]], **wanted: Any) -> list[Any]:
    found: list[Any] = []
    after: str | None = None
    while True:
        one = page(**wanted, cursor=after)
        found += one.items
        if one.next_cursor is None:
            return found
        after = one.next_cursor


def ids(items: Iterable[Any]) -> list[str]:
    return [each.id for each in items]


@pytest.fixture
def mixed(start: Callable[..., Watched], tmp_path: Path) -> Watched:
    """Ten instances have ended, one runs, and nine wait behind it; they began in turn."""
    flow = one_task("wait_for_file", params={"file": str(tmp_path / "go")}, isolation="thread")
    quick = {
        "id": "quick",
        "priority": 0,
        "trigger": "manual",
        "tasks": [{"id": "q", "action": "quick", "isolation": "thread"}],
    }
    watched = start({"workflows": [flow, quick]}, agents=2)
    engine = watched.engine
    for number in range(10):
        engine.publish(Event("DATA_READY", f"{number:06}"))
        watched.until(ChangeType.TASK_STARTED)
        assert engine.wait(engine.run("quick", f"{number:06}"), BOUND_S) is not None
    return watched


def test_pages_go_from_the_newest_to_the_oldest_over_what_runs_and_what_has_ended(
    mixed: Watched, tmp_path: Path
) -> None:
    engine = mixed.engine
    by_three = all_pages(engine.instances_page, limit=3)

    assert [(each.workflow, each.entity_id) for each in by_three] == [
        (workflow, f"{number:06}") for number in reversed(range(10)) for workflow in ("quick", "flow")
    ]
    assert ids(all_pages(engine.instances_page, limit=1000)) == ids(by_three)
    for wanted, matches in (
        ({"status": "running"}, lambda each: each.status == "running"),
        ({"status": "completed"}, lambda each: each.status == "completed"),
        ({"workflow": "quick"}, lambda each: each.workflow == "quick"),
        ({"entity": "000004"}, lambda each: each.entity_id == "000004"),
        ({"status": "failed"}, lambda _: False),
        ({"entity": "nobody"}, lambda _: False),
    ):
        assert ids(all_pages(engine.instances_page, limit=4, **wanted)) == ids(filter(matches, by_three))
    (tmp_path / "go").touch()


def test_an_instance_that_ends_and_one_that_begins_between_pages_change_nothing_of_what_follows(
    mixed: Watched, tmp_path: Path
) -> None:
    engine = mixed.engine
    before = ids(all_pages(engine.instances_page, limit=100))
    first = engine.instances_page(limit=5)

    (tmp_path / "go").touch()
    engine.wait(engine.run("quick", "new"), BOUND_S)
    engine.wait_idle(BOUND_S)
    rest = all_pages(
        lambda **wanted: engine.instances_page(**{**wanted, "cursor": wanted["cursor"] or first.next_cursor})
    )

    assert ids((*first.items, *rest)) == before
    assert {each.status for each in rest} == {"completed"}


def test_a_long_line_is_looked_through_in_parts(
    mixed: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = all_pages(mixed.engine.instances_page, limit=100)
    entities = ids(all_pages(mixed.engine.entities_page, limit=100))
    monkeypatch.setattr(listing, "LOOKED_AT", 2)

    assert ids(all_pages(mixed.engine.instances_page, limit=100)) == ids(whole)
    assert ids(all_pages(mixed.engine.instances_page, limit=3, workflow="flow", status="running")) == ids(
        each for each in whole if each.workflow == "flow"
    )
    assert ids(all_pages(mixed.engine.entities_page, limit=3)) == entities
    (tmp_path / "go").touch()


def test_entities_come_as_they_were_added_and_new_ones_at_the_end(start: Callable[..., Watched]) -> None:
    engine = start(one_task("quick", isolation="thread")).engine
    for number in range(10):
        engine.put_entity(f"SH{number}", name="招商银行" if number % 2 else "Ping An", phase=f"p{number % 3}")
    first = engine.entities_page(limit=4)
    engine.put_entity("SH10", name="late")
    engine.put_entity("SH0", name="changed")

    second = engine.entities_page(limit=100, cursor=first.next_cursor)

    assert ids((*first.items, *second.items)) == [f"SH{number}" for number in range(11)]
    assert second.next_cursor is None
    assert ids(all_pages(engine.entities_page, limit=2, search="招商")) == [
        "SH1",
        "SH3",
        "SH5",
        "SH7",
        "SH9",
    ]
    assert ids(all_pages(engine.entities_page, search="ping AN")) == ["SH2", "SH4", "SH6", "SH8"]
    assert ids(all_pages(engine.entities_page, search="sh1")) == ["SH1", "SH10"]
    assert ids(all_pages(engine.entities_page, limit=1, phase="p1")) == ["SH1", "SH4", "SH7"]
    assert all_pages(engine.entities_page, status="failed") == []


@pytest.mark.parametrize(
    "wrong",
    ["", "x", "%%%", "aW5zdGFuY2VzOjA", cursor("entities", 5), cursor("instances", 5) + "=", "é", 7, "a" * 1000],
)
def test_a_cursor_that_no_page_gave_is_refused(start: Callable[..., Watched], wrong: Any) -> None:
    engine: Engine = start(one_task("quick", isolation="thread")).engine
    if wrong == "aW5zdGFuY2VzOjA":
        assert engine.instances_page(cursor=wrong) == Page((), None)
        return
    with pytest.raises(RequestError, match="the cursor is not one that a page of instances gave"):
        engine.instances_page(cursor=wrong)


@pytest.mark.parametrize("wrong", [0, -1, 1001, True, 1.0, "7", None])
def test_a_page_has_a_bound(start: Callable[..., Watched], wrong: Any) -> None:
    engine = start(one_task("quick", isolation="thread")).engine

    for page in (engine.instances_page, engine.entities_page):
        with pytest.raises(RequestError, match="limit must be a whole number from 1 to 1,000"):
            page(limit=wrong)
