"""``engine start``: what it prints, in which language, and how it ends."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.engine.command_line import COMMAND, ROOT, engine, environment, folder, without_seconds

HIGH_FREQUENCY = [
    "创建工作流实例: high_freq_trading_{stock} 优先级: 0",
    "执行任务: collect_data_{stock} 优先级: 0",
    "任务完成: collect_data_{stock}",
    "执行任务: calculate_signal_{stock} 优先级: 0",
    "任务完成: calculate_signal_{stock}",
    "执行任务: execute_order_{stock} 优先级: 0",
    "任务完成: execute_order_{stock}",
]
TREND = [
    "创建工作流实例: trend_trading_{stock} 优先级: 2",
    "执行任务: collect_trend_data_{stock} 优先级: 2",
    "任务完成: collect_trend_data_{stock}",
    "执行任务: calculate_trend_{stock} 优先级: 2",
    "任务完成: calculate_trend_{stock}",
]


def of(stock: str, lines: list[str]) -> list[str]:
    return [line for line in lines if f"_{stock}" in line]


@pytest.fixture(scope="module")
def unhurried(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped demo, its timeouts of 50 ms long enough for a busy machine."""
    copy = tmp_path_factory.mktemp("demo") / "trading"
    shutil.copytree(ROOT / "definitions" / "trading", copy)
    for path in copy.glob("*.yaml"):
        path.write_text(re.sub(r"timeout: (\d+)", r"timeout: \g<1>00", path.read_text()))
    return copy


def test_without_any_option_the_shipped_demo_runs_in_chinese() -> None:
    ended = engine("start", "--until-idle", env={"LC_ALL": "de_DE.UTF-8"})

    lines = without_seconds(ended.stdout.splitlines())
    assert ended.returncode == 0
    assert lines[0] == "工作流引擎启动..."
    assert [line for line in lines if line.startswith("创建工作流实例")] == [
        "创建工作流实例: high_freq_trading_000001 优先级: 0",
        "创建工作流实例: trend_trading_000002 优先级: 2",
        "创建工作流实例: high_freq_trading_000003 优先级: 0",
    ]


def test_the_demo_reads_as_in_the_design_document(unhurried: Path) -> None:
    ended = engine("start", "--until-idle", "--definitions", unhurried)

    lines = without_seconds(ended.stdout.splitlines())
    assert ended.returncode == 0
    assert lines[0] == "工作流引擎启动..."
    assert lines[1:3] == [HIGH_FREQUENCY[0].format(stock="000001"), TREND[0].format(stock="000002")]
    assert of("000001", lines) == [line.format(stock="000001") for line in HIGH_FREQUENCY]
    assert of("000002", lines) == [line.format(stock="000002") for line in TREND]
    assert of("000003", lines) == [line.format(stock="000003") for line in HIGH_FREQUENCY]
    assert lines[-1] == "工作流引擎已停止: 完成 3, 失败 0, 取消 0, 过期 0, 未完成 0, 抢占 0 次"
    assert len(lines) == 1 + 7 + 5 + 7 + 1


def test_the_preemption_demo_cuts_one_task_and_continues_it() -> None:
    ended = engine("start", "--until-idle", "--definitions", "definitions/preemption", "--lang", "en")

    assert ended.returncode == 0
    assert ended.stdout.count("task preempted: ") == 1
    cut = next(line.split()[2] for line in ended.stdout.splitlines() if line.startswith("task preempted: "))
    assert ended.stdout.count(f"task started: {cut} ") == 2
    assert f"task completed: {cut}\n" in ended.stdout
    assert ended.stdout.endswith("unfinished 0, preemptions 1\n")


def test_json_lines_are_never_translated(unhurried: Path) -> None:
    ended = engine("start", "--until-idle", "--definitions", unhurried, "--lang", "zh", "--log-format", "json")

    told = [json.loads(line) for line in ended.stdout.splitlines()]
    assert told[0]["notice"] == "starting"
    assert told[-1] | {"time": ""} == {
        "time": "", "notice": "stopped", "completed": 3, "failed": 0, "cancelled": 0, "expired": 0, "running": 0,
        "preemptions": 0,
    }  # fmt: skip
    started = next(each for each in told if each.get("change") == "task_started")
    assert (started["task"], started["entity_id"], started["priority"]) == ("collect_data", "000001", 0)
    # Of Chinese there is only what the user wrote: the stocks' names, as they are.
    assert "平安银行" in ended.stdout
    assert "任务" not in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("encoding", "first"),
    [("ascii", r"\u5de5\u4f5c\u6d41\u5f15\u64ce\u542f\u52a8..."), ("gbk", "工作流引擎启动...")],
)
def test_output_survives_any_encoding(encoding: str, first: str, tmp_path: Path) -> None:
    workflow = "{id: w, trigger: manual, tasks: [{id: t, run: ['true']}]}"
    definitions = folder(tmp_path / "d", engine_yaml="language: zh\n", workflows=workflow)

    ended = subprocess.run(
        [*COMMAND, "start", "--until-idle", "--definitions", definitions],
        capture_output=True,
        env=environment({"PYTHONIOENCODING": encoding}),
        timeout=30,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.decode(encoding).splitlines()[0] == first


BOTH = """
workflows:
  fails: {tasks: [{id: broken, action: "actions:broken", retry: 1, isolation: thread}]}
  works: {tasks: [{id: fine, action: "actions:fine"}]}
"""
BOTH_ACTIONS = """
def broken(ctx):
    raise ValueError("bad\\nprice " + "x" * 1000)
def fine(ctx):
    return 1
"""


def test_a_failed_workflow_is_told_with_its_reason_on_one_line_and_is_no_failure_of_the_engine(tmp_path: Path) -> None:
    entities = "entities: [{id: 000001}]\nlanguage: zh\n"
    definitions = folder(tmp_path / "d", engine_yaml=entities, workflows=BOTH, actions=BOTH_ACTIONS)

    ended = engine("start", "--until-idle", "--definitions", definitions)

    lines = without_seconds(ended.stdout.splitlines())
    assert ended.returncode == 0
    assert "任务重试: broken_000001 第1次" in lines
    failed = next(line for line in lines if line.startswith("任务失败: "))
    assert failed.startswith("任务失败: broken_000001 (ValueError: bad price xxx")
    assert failed.endswith("…)")
    assert lines[-1].startswith("工作流引擎已停止: 完成 1, 失败 1, ")


SAID = """
workflows:
  fails: {tasks: [{id: broken, action: "actions:broken", isolation: thread}]}
  works: {tasks: [{id: fine, action: "actions:fine"}, {id: listed, run: [ls, -l]}]}
"""


def test_whose_code_runs_and_the_isolation_that_nobody_chose_are_told(tmp_path: Path) -> None:
    definitions = folder(tmp_path / "d", workflows=SAID, actions=BOTH_ACTIONS)

    ended = engine("start", "--until-idle", "--definitions", definitions)

    assert ended.stderr.splitlines()[:3] == [
        f"definitions {definitions}: its Python files run with your rights",
        "the definitions run the command ls",
        "action actions:fine runs isolated by: process (the default)",
    ]


TALKS = """
def t(ctx):
    ctx.log.debug("too fine")
    ctx.log.info("看到", price=10.9)
    ctx.log.warning("odd")
"""


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_what_an_action_logs_is_told_with_who_said_it(tmp_path: Path, isolation: str) -> None:
    workflow = f'id: w\ntasks: [{{id: t, action: "actions:t", isolation: {isolation}}}]\n'
    definitions = folder(tmp_path / "d", engine_yaml="entities: [{id: A}]\n", workflows=workflow, actions=TALKS)

    ended = engine("start", "--until-idle", "--definitions", definitions)

    said = [line.split() for line in ended.stderr.splitlines() if "attempt=1" in line]
    assert [line[1:4] for line in said] == [["[info", "]", "看到"], ["[warning", "]", "odd"]]
    assert all(f"task=t_A_{line[-1].rsplit('_')[-1]}" in line[-1] for line in said)


UNKNOWN = """
id: order
tasks:
  - {id: send, action: "actions:send", delivery: at_most_once, preemptible: false, timeout: 50, isolation: process}
"""


def test_an_unknown_outcome_is_named_and_exits_1(tmp_path: Path) -> None:
    actions = "import time\ndef send(ctx):\n    time.sleep(30)\n"
    definitions = folder(tmp_path / "d", engine_yaml="entities: [{id: A}]\n", workflows=UNKNOWN, actions=actions)

    ended = engine("start", "--until-idle", "--definitions", definitions, "--lang", "en")

    assert ended.returncode == 1
    assert without_seconds([ended.stdout.splitlines()[-2]]) == [
        "tasks with an unknown outcome, to be settled with resolve: send_A"
    ]


def test_the_language_is_the_callers_then_the_folders_then_the_locales(tmp_path: Path) -> None:
    workflow = "{id: w, trigger: manual, tasks: [{id: t, run: ['true']}]}"
    english = folder(tmp_path / "en", engine_yaml="language: en\n", workflows=workflow)
    unsaid = folder(tmp_path / "unsaid", workflows=workflow)
    chinese = {"LC_ALL": "zh_CN.UTF-8"}

    def first_line(definitions: Path, *options: str) -> str:
        return engine("start", "--until-idle", "--definitions", definitions, *options, env=chinese).stdout.split("\n")[
            0
        ]

    assert first_line(english, "--lang", "zh") == "工作流引擎启动..."
    assert first_line(english) == "workflow engine starting..."
    assert first_line(unsaid) == "工作流引擎启动..."


def test_a_reader_that_goes_away_ends_the_run_without_a_traceback(tmp_path: Path) -> None:
    with (
        (tmp_path / "errors").open("w") as errors,
        subprocess.Popen(
            [*COMMAND, "start", "--definitions", "definitions/trading"], stdout=subprocess.PIPE, stderr=errors,
            stdin=subprocess.DEVNULL, env=environment(),
        ) as process,
    ):  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        # Nobody stops it: the next line it prints finds nobody there.
        status = process.wait(20)

    assert status == 1
    told = (tmp_path / "errors").read_text()
    assert "隔离方式" in told
    assert "Traceback" not in told
    assert "BrokenPipe" not in told


# --- replay ------------------------------------------------------------------------------------

TICKS = "time,symbol,price\n09:30:00,000001,10.9\n09:30:03,000001,oops\n09:30:06,000001,11.0\n"
COLUMNS = "data: {price: {column: price, type: number}}\n"
WATCH = 'id: watch\ntasks: [{id: look, action: "actions:look", isolation: thread}]\n'
LOOK = "def look(ctx):\n    return ctx.event.data['price']\n"


def test_a_replay_runs_to_the_end_of_its_file_and_of_its_work(tmp_path: Path) -> None:
    definitions = folder(tmp_path / "d", workflows=WATCH, actions=LOOK)
    (tmp_path / "ticks.csv").write_text(TICKS.replace("oops", "10.8"))

    ended = engine("start", "--definitions", definitions, "--replay", tmp_path / "ticks.csv", "--speed", "60", "-v")

    assert ended.returncode == 0
    assert "replay over: published 3, duplicates 0, unusable 0, " in ended.stderr
    assert "task completed: look_000001" in ended.stdout
    assert ended.stdout.splitlines()[-1].startswith("workflow engine stopped: completed ")


def test_a_malformed_line_is_named_by_its_number_and_the_rest_goes_on(tmp_path: Path) -> None:
    definitions = folder(tmp_path / "d", workflows=WATCH, actions=LOOK)
    (definitions / "replay.yaml").write_text(COLUMNS)
    (tmp_path / "ticks.csv").write_text(TICKS)

    ended = engine("start", "--definitions", definitions, "--replay", tmp_path / "ticks.csv", "--speed", "60")

    assert ended.returncode == 1
    assert f"{tmp_path / 'ticks.csv'}:3: " in ended.stderr
    assert "oops" in ended.stderr
    assert "replay over: published 2, duplicates 0, unusable 1, " in ended.stderr


def test_a_replay_shows_what_went_wrong_and_not_every_task(tmp_path: Path) -> None:
    definitions = folder(tmp_path / "d", workflows=WATCH, actions="def look(ctx):\n    raise ValueError('no')\n")
    (tmp_path / "ticks.csv").write_text(TICKS)

    ended = engine("start", "--definitions", definitions, "--replay", tmp_path / "ticks.csv", "--speed", "60")

    kinds = {line.split(":")[0] for line in ended.stdout.splitlines()}
    assert kinds == {"workflow engine starting...", "task failed", "workflow engine stopped"}
