"""One change of state, one line: in Chinese as the design document has it, or in English."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping

import pytest

from actors.model import Json
from actors.narration import (
    NARRATED,
    NOTABLE,
    Language,
    Notice,
    change_as_json,
    choose_language,
    narrate,
    notice,
)
from actors.views import ChangeType, Moment, StateChanged


def change(type_: ChangeType, detail: Mapping[str, Json] | None = None, *, priority: int | None = 0) -> StateChanged:
    return StateChanged(
        7, type_, Moment(1, 1_630_000_000.5), "000001", "w_000001_1", "t_000001_1", "w", "t", "pending", priority,
        attempt=2, detail=detail or {},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("type_", "detail", "zh", "en"),
    [
        (
            ChangeType.INSTANCE_CREATED,
            {},
            "创建工作流实例: w_000001_1 优先级: 0",
            "workflow instance created: w_000001_1 priority: 0",
        ),
        (ChangeType.TASK_STARTED, {}, "执行任务: t_000001_1 优先级: 0", "task started: t_000001_1 priority: 0"),
        (ChangeType.TASK_COMPLETED, {}, "任务完成: t_000001_1", "task completed: t_000001_1"),
        (
            ChangeType.TASK_RETRIED,
            {"retry": 1, "max_retry": 2, "error": "E: x"},
            "任务重试: t_000001_1 第1次",
            "task retried: t_000001_1 retry 1",
        ),
        (ChangeType.TASK_FAILED, {"error": "E: x"}, "任务失败: t_000001_1 (E: x)", "task failed: t_000001_1 (E: x)"),
        (ChangeType.TASK_FAILED, {}, "任务失败: t_000001_1", "task failed: t_000001_1"),
        (
            ChangeType.TASK_PREEMPTED,
            {"by": "u_000003_1"},
            "任务被抢占: t_000001_1 抢占者: u_000003_1",
            "task preempted: t_000001_1 by u_000003_1",
        ),
        (ChangeType.TASK_PREEMPTED, {}, "任务被抢占: t_000001_1", "task preempted: t_000001_1"),
        (
            ChangeType.EVENT_REJECTED,
            {"event": "e1", "type": "TICK", "why": "full"},
            "事件被拒绝: TICK e1 000001 (full)",
            "event rejected: TICK e1 000001 (full)",
        ),
        (ChangeType.GAP, {"lost": 12}, "(输出过慢, 略去 12 条)", "(output too slow: 12 lines left out)"),
        (
            ChangeType.GAP,
            {"lost": 0, "unwatched": True},
            "(一段时间无人跟随, 其间的变化未知)",
            "(nobody followed for a while: what changed meanwhile is not known)",
        ),
        (
            ChangeType.GAP,
            {"lost": 0, "restarted": True},
            "(引擎已重新启动, 此前的变化未知)",
            "(the engine was started anew: what changed before is not known)",
        ),
    ],
)
def test_a_change_reads_as_it_should(type_: ChangeType, detail: dict[str, Json], zh: str, en: str) -> None:
    assert narrate(change(type_, detail), Language.ZH) == zh
    assert narrate(change(type_, detail), Language.EN) == en


def test_both_languages_have_a_line_for_the_same_changes() -> None:
    for type_ in ChangeType:
        lines = [narrate(change(type_), language) for language in Language]
        assert all(lines) if type_ in NARRATED else not any(lines)
    assert NOTABLE < NARRATED


def test_both_languages_have_every_notice_with_the_same_fields() -> None:
    for kind in Notice:
        figures: defaultdict[str, str] = defaultdict(lambda: "<x>")
        chinese, english = (notice(kind, language, figures) for language in Language)
        assert chinese.count("<x>") == english.count("<x>")
        assert chinese != english


def test_what_an_action_says_cannot_forge_a_line() -> None:
    forged = change(ChangeType.TASK_FAILED, {"error": "E: x\n任务完成: other\x1b[2J"})

    line = narrate(forged, Language.ZH)

    assert line is not None
    assert line == "任务失败: t_000001_1 (E: x 任务完成: other\N{REPLACEMENT CHARACTER}[2J)"


def test_a_long_reason_is_cut() -> None:
    line = narrate(change(ChangeType.TASK_FAILED, {"error": "x" * 100_000}), Language.EN)

    assert line is not None
    assert len(line) < 400


def test_json_has_what_is_known_and_nothing_empty() -> None:
    told = json.loads(change_as_json(change(ChangeType.TASK_FAILED, {"error": "坏"})))

    assert told == {
        "time": "2021-08-26T17:46:40.500Z",
        "change": "task_failed",
        "seq": 7,
        "entity_id": "000001",
        "instance_id": "w_000001_1",
        "task_id": "t_000001_1",
        "workflow": "w",
        "task": "t",
        "status": "pending",
        "priority": 0,
        "attempt": 2,
        "detail": {"error": "坏"},
    }
    assert "坏" in change_as_json(change(ChangeType.TASK_FAILED, {"error": "坏"}))


@pytest.mark.parametrize(
    ("asked", "of_folder", "environment", "chosen"),
    [
        ("en", "zh", {"LC_ALL": "zh_CN.UTF-8"}, "en"),
        (None, "zh", {"LC_ALL": "en_US.UTF-8"}, "zh"),
        (None, None, {"LC_ALL": "zh_TW.UTF-8", "LANG": "en_US"}, "zh"),
        (None, None, {"LC_ALL": "", "LC_MESSAGES": "zh_CN", "LANG": "de_DE"}, "zh"),
        (None, None, {"LANG": "de_DE.UTF-8"}, "en"),
        (None, None, {}, "en"),
    ],
)
def test_the_language_comes_from_the_nearest_who_says_one(
    asked: str | None, of_folder: str | None, environment: dict[str, str], chosen: str
) -> None:
    assert choose_language(asked, of_folder, environment) == chosen
