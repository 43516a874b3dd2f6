"""The design document's demo: its instances, its order of events, its results."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml

from actors import Engine, Entity, InstanceView, StateChanged
from actors.definitions import load, parse
from actors.model import Definitions

WAIT_S = 30
HIGH_FREQ = ["collect_data", "calculate_signal", "execute_order"]
TREND = ["collect_trend_data", "calculate_trend"]


@pytest.fixture
def shipped(root: Path) -> Definitions:
    return load(root / "definitions" / "trading")


@pytest.fixture
def trading(shipped: Definitions) -> Definitions:
    """The demo with more time: the design leaves 20 ms beside 30 of sleep, too few on a busy machine."""
    patient = {
        id: dataclasses.replace(
            workflow, tasks=tuple(dataclasses.replace(task, timeout_ms=20 * task.timeout_ms) for task in workflow.tasks)
        )
        for id, workflow in shipped.workflows.items()
    }
    return dataclasses.replace(shipped, workflows=patient)


@dataclasses.dataclass(frozen=True)
class Run:
    """What one run of the folder came to."""

    told: list[StateChanged]
    ended: dict[str, InstanceView]
    """By entity."""
    table: dict[str, Entity]


def run(definitions: Definitions) -> Run:
    """Run it until nothing is left to do."""
    told: list[StateChanged] = []
    engine = Engine(definitions)
    engine.subscribe(told.append)
    with engine:
        engine.wait_idle(WAIT_S)
        ended = {str(instance.entity_id): instance for instance in engine.instances()}
        table = {str(entity.id): entity for entity in engine.entities()}
    return Run(told, ended, table)


def steps(told: list[StateChanged], entity: str) -> list[tuple[str, str]]:
    shown = ("instance_created", "task_started", "task_completed")
    return [(change.type, change.task) for change in told if change.entity_id == entity and change.type in shown]


def chain(tasks: list[str]) -> list[tuple[str, str]]:
    each = [step for task in tasks for step in (("task_started", task), ("task_completed", task))]
    return [("instance_created", ""), *each]


def test_the_shipped_definitions_are_the_designs_tables(shipped: Definitions) -> None:
    workflows = [
        (one.id, one.name, one.priority, one.trigger, one.trigger_event, one.max_concurrent)
        for one in shipped.workflows.values()
    ]
    tasks = [
        (task.id, task.name, task.depends_on, task.action, task.timeout_ms, task.retry)
        for one in shipped.workflows.values()
        for task in one.tasks
    ]

    assert workflows == [
        ("high_freq_trading", "高频交易工作流", 0, "event", "DATA_READY", 3),
        ("trend_trading", "趋势交易工作流", 2, "event", "DATA_READY", 5),
    ]
    assert tasks == [
        ("collect_data", "采集高频数据", (), "collect_real_time_data", 100, 2),
        ("calculate_signal", "计算交易信号", (0,), "calculate_trading_signal", 50, 0),
        ("execute_order", "执行订单", (1,), "execute_order", 200, 0),
        ("collect_trend_data", "采集趋势数据", (), "collect_trend_data", 1000, 1),
        ("calculate_trend", "计算趋势", (0,), "calculate_trend", 500, 0),
    ]
    settings = shipped.settings
    assert [(group.name, group.count, group.capabilities) for group in settings.agents] == [
        ("agent", 5, frozenset({"all"}))
    ]
    assert (settings.language, settings.store) == ("zh", "memory")
    assert [(one.after_ms, one.event.type, one.event.entity_id, one.event.priority) for one in settings.events] == [
        (0, "DATA_READY", "000001", 0),
        (0, "DATA_READY", "000002", 2),
        (500, "HIGH_PRIORITY_ARRIVED", "000003", 0),
    ]


def test_the_demo_runs_each_stock_once_in_the_designs_order_with_the_designs_results(trading: Definitions) -> None:
    ran = run(trading)

    assert {entity: one.workflow for entity, one in ran.ended.items()} == {
        "000001": "high_freq_trading",
        "000002": "trend_trading",
        "000003": "high_freq_trading",
    }
    assert [change.entity_id for change in ran.told if change.type == "instance_created"] == [
        "000001",
        "000002",
        "000003",
    ]
    assert steps(ran.told, "000001") == steps(ran.told, "000003") == chain(HIGH_FREQ)
    assert steps(ran.told, "000002") == chain(TREND)
    assert [task.result for task in ran.ended["000001"].tasks] == [
        {"price": 100.0, "volume": 10000},
        {"signal": "BUY", "price": 100.0},
        {"order_id": "ORDER_123", "status": "FILLED"},
    ]
    assert [task.result for task in ran.ended["000002"].tasks] == [
        {"trend": "UP", "strength": 0.8},
        {"action": "HOLD", "confidence": 0.7},
    ]
    table = ran.table
    assert {entity: (row.status, row.priority) for entity, row in table.items()} == {
        "000001": ("completed", 0),
        "000002": ("completed", 2),
        "000003": ("completed", 0),
    }
    assert all(row.last_processed is not None for row in table.values())
    assert (table["000001"].name, table["000002"].name) == ("平安银行", "万科A")


def test_the_simulated_actions_take_as_long_as_the_design_says(trading: Definitions) -> None:
    ran = run(trading)

    took: dict[str, float] = {}
    for task in (task for one in ran.ended.values() for task in one.tasks):
        last = task.attempts[-1]
        assert last.started is not None
        assert last.ended is not None
        took[task.task] = (last.ended.ns - last.started.ns) / 1e6
    for name, least in (
        ("collect_data", 50),
        ("calculate_signal", 30),
        ("execute_order", 100),
        ("collect_trend_data", 200),
        ("calculate_trend", 100),
    ):
        assert least <= took[name] < least + 1_000, name


def test_the_state_table_alone_runs_both_stocks(trading: Definitions) -> None:
    ran = run(dataclasses.replace(trading, settings=dataclasses.replace(trading.settings, events=())))

    assert steps(ran.told, "000001") == chain(HIGH_FREQ)
    assert steps(ran.told, "000002") == chain(TREND)
    assert set(ran.ended) == {"000001", "000002"}


def test_events_alone_run_all_three(trading: Definitions) -> None:
    ran = run(dataclasses.replace(trading, settings=dataclasses.replace(trading.settings, entities=())))

    assert steps(ran.told, "000001") == chain(HIGH_FREQ)
    assert steps(ran.told, "000002") == chain(TREND)
    assert set(ran.ended) == {"000001", "000002", "000003"}


def test_without_its_conditions_every_stock_would_start_both_workflows(trading: Definitions) -> None:
    bare = {id: dataclasses.replace(workflow, when=None) for id, workflow in trading.workflows.items()}

    engine = Engine(dataclasses.replace(trading, workflows=bare))
    with engine:
        engine.wait_idle(WAIT_S)
        started = sorted((one.entity_id, str(one.workflow)) for one in engine.instances())

    assert started == [(stock, workflow) for stock in ("000001", "000002", "000003") for workflow in sorted(bare)]


def test_the_designs_own_mapping_of_workflows_loads_as_it_stands(root: Path) -> None:
    folder = root / "definitions" / "trading"
    by_id = {}
    for name in ("high_freq_trading", "trend_trading"):
        fields = yaml.safe_load((folder / f"{name}.yaml").read_text(encoding="utf-8"))
        by_id[fields["id"]] = fields
    names = {task["action"] for fields in by_id.values() for task in fields["tasks"]}

    found = parse({"workflows": by_id}, actions=dict.fromkeys(names, lambda ctx: None))

    assert set(found.workflows) == {"high_freq_trading", "trend_trading"}


@pytest.mark.parametrize("folder", ["trading", "ashare", "preemption"])
def test_an_order_is_neither_cut_nor_sent_twice(root: Path, folder: str) -> None:
    workflows = load(root / "definitions" / folder).workflows.values()

    (order,) = [task for workflow in workflows for task in workflow.tasks if task.id == "execute_order"]

    assert (order.preemptible, order.delivery, order.retry) == (False, "at_most_once", 0)


@pytest.mark.parametrize("folder", ["trading", "ashare", "preemption"])
def test_every_shipped_file_tells_editors_its_schema(root: Path, folder: str) -> None:
    files = list((root / "definitions" / folder).glob("*.yaml"))

    assert files
    for file in files:
        first = file.read_text(encoding="utf-8").splitlines()[0]
        assert first == "# yaml-language-server: $schema=../schema.json", file
