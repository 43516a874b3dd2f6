"""The design document's own definitions, as they stand there."""

from __future__ import annotations

from typing import Any

from actors.definitions import load, parse
from actors.model import Definitions, Isolation, Trigger, WorkflowId
from tests.definitions.conftest import Write

WORKFLOWS: dict[str, Any] = {
    "high_freq_trading": {
        "name": "高频交易工作流",
        "priority": 0,
        "trigger": "event",
        "trigger_event": "DATA_READY",
        "max_concurrent": 3,
        "tasks": [
            {
                "id": "collect_data",
                "name": "采集高频数据",
                "action": "collect_real_time_data",
                "depends_on": [],
                "timeout": 100,
                "retry": 2,
            },
            {
                "id": "calculate_signal",
                "name": "计算交易信号",
                "action": "calculate_trading_signal",
                "depends_on": ["collect_data"],
                "timeout": 50,
            },
            {
                "id": "execute_order",
                "name": "执行订单",
                "action": "execute_order",
                "depends_on": ["calculate_signal"],
                "timeout": 200,
            },
        ],
    },
    "trend_trading": {
        "name": "趋势交易工作流",
        "priority": 2,
        "trigger": "event",
        "trigger_event": "DATA_READY",
        "max_concurrent": 5,
        "tasks": [
            {
                "id": "collect_trend_data",
                "name": "采集趋势数据",
                "action": "collect_trend_data",
                "timeout": 1000,
                "retry": 1,
            },
            {
                "id": "calculate_trend",
                "name": "计算趋势",
                "action": "calculate_trend",
                "depends_on": ["collect_trend_data"],
                "timeout": 500,
            },
        ],
    },
}

YAML = """
workflows:
  high_freq_trading:
    name: 高频交易工作流
    priority: 0
    trigger: event
    trigger_event: DATA_READY
    max_concurrent: 3
    tasks:
      - {id: collect_data, name: 采集高频数据, action: collect_real_time_data, depends_on: [], timeout: 100, retry: 2}
      - {id: calculate_signal, name: 计算交易信号, action: calculate_trading_signal, depends_on: [collect_data], timeout: 50}
      - {id: execute_order, name: 执行订单, action: execute_order, depends_on: [calculate_signal], timeout: 200}
  trend_trading:
    name: 趋势交易工作流
    priority: 2
    trigger: event
    trigger_event: DATA_READY
    max_concurrent: 5
    tasks:
      - {id: collect_trend_data, name: 采集趋势数据, action: collect_trend_data, timeout: 1000, retry: 1}
      - {id: calculate_trend, name: 计算趋势, action: calculate_trend, depends_on: [collect_trend_data], timeout: 500}
"""  # noqa: E501 - a row of the design's table is a line

NAMES = (
    "collect_real_time_data",
    "calculate_trading_signal",
    "execute_order",
    "collect_trend_data",
    "calculate_trend",
)


def check(definitions: Definitions) -> None:
    """The facts of the design's two tables."""
    high, trend = (definitions.workflows[WorkflowId(name)] for name in ("high_freq_trading", "trend_trading"))
    assert list(definitions.workflows) == ["high_freq_trading", "trend_trading"]
    assert (high.name, high.priority, high.trigger, high.trigger_event) == (
        "高频交易工作流",
        0,
        Trigger.EVENT,
        "DATA_READY",
    )
    assert (high.max_concurrent, trend.max_concurrent, trend.priority) == (3, 5, 2)
    assert (high.when, high.phase) == (None, "data_ready")
    assert [task.id for task in high.tasks] == ["collect_data", "calculate_signal", "execute_order"]
    assert [task.depends_on for task in high.tasks] == [(), (0,), (1,)]
    assert [(task.timeout_ms, task.retry) for task in high.tasks] == [(100, 2), (50, 0), (200, 0)]
    assert [(task.timeout_ms, task.retry) for task in trend.tasks] == [(1000, 1), (500, 0)]
    assert [task.action for task in (*high.tasks, *trend.tasks)] == list(NAMES)


def test_the_designs_mapping_loads_as_it_stands(write: Write) -> None:
    actions = "".join(f"@action('{name}')\ndef {name}(ctx): ...\n" for name in NAMES)

    definitions = load(write({"w.yaml": YAML, "acts.py": f"from actors import action\n{actions}"}))

    check(definitions)
    assert all(task.isolation is Isolation.PROCESS for flow in definitions.workflows.values() for task in flow.tasks)


def test_the_designs_mapping_as_a_dict_loads_as_it_stands() -> None:
    check(parse({"workflows": WORKFLOWS}, actions=dict.fromkeys(NAMES, lambda ctx: None)))


def test_a_workflow_alone_a_list_and_a_mapping_say_the_same(write: Write) -> None:
    one = "{id: a, tasks: [{id: t, run: [x]}]}"
    ways = {
        "alone.yaml": one,
        "list.yaml": f"[{one}]",
        "mapping.yaml": "workflows: {a: {tasks: [{id: t, run: [x]}]}}",
        "repeated.yaml": f"workflows: {{a: {one}}}",
        "listed.yml": f"workflows: [{one}]",
        "alone.json": '{"id": "a", "tasks": [{"id": "t", "run": ["x"]}]}',
    }
    folder = write(ways)

    read = [load(folder / name).workflows for name in ways]

    assert all(workflows == read[0] for workflows in read)
    assert list(read[0]) == ["a"]


def test_a_folder_is_trusted_and_a_dict_is_not(write: Write) -> None:
    folder = write({"w.yaml": "{id: w, tasks: [{id: t, run: [x]}]}"})

    loaded = load(folder)
    parsed = parse([{"id": "w", "tasks": [{"id": "t", "action": "a"}]}], actions={"a": lambda ctx: None})

    assert (loaded.trusted, loaded.folder) == (True, str(folder))
    assert (parsed.trusted, parsed.folder) == (False, None)


def test_only_the_folder_itself_is_read_not_those_below_it(write: Write) -> None:
    workflow = "{id: w, tasks: [{id: t, run: [x]}]}"

    folder = write({"w.yaml": workflow, "below/v.yaml": "nonsense", ".hidden.yaml": "nonsense", "README.md": "text"})

    assert list(load(folder).workflows) == ["w"]
    assert list(load(str(folder)).workflows) == ["w"]
