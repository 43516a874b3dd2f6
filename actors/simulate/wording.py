"""A report as text, in the reader's language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from actors.narration import Language
from actors.printable import one_line
from actors.tables import table

MAX_AGENTS = 16
"""Agents whose use is shown one by one."""

_WORDS: Mapping[Language, Mapping[str, str]] = {
    Language.ZH: {
        "title": "模拟 {folder}: 智能体 {agents} 个, 虚拟时间 {seconds} 秒",
        "compared": "模拟 {folder}: 智能体数量的比较, 时间单位毫秒",
        "instances": "工作流实例: 完成 {completed}, 失败 {failed}, 取消 {cancelled}, 过期 {expired}, 未完成 {running}",
        "tasks": "任务: 完成 {completed}, 执行 {attempts} 次; 吞吐 {tasks_per_s} 任务/秒, {instances_per_s} 实例/秒",
        "preemptions": "抢占 {preemptions} 次, 浪费 {wasted} 毫秒",
        "response": "响应时间 (实例从创建到完成, 毫秒)",
        "waiting": "等待时间 (任务从就绪到首次执行, 毫秒)",
        "busy": "智能体忙碌比例: {groups}",
        "priority": "优先级", "count": "数量", "mean": "平均", "median": "中位数", "p95": "p95", "p99": "p99",
        "max": "最大", "agents": "智能体", "virtual": "虚拟秒", "done": "完成实例", "rate": "任务/秒", "use": "忙碌",
        "preempted": "抢占", "wasted": "浪费", "response_of": "优先级{priority} {name}",
        "of": "{agents} 个智能体",
        "progress": "模拟中: 虚拟时间 {seconds} 秒, 执行 {attempts} 次",
        "over": "模拟结束: 智能体 {agents} 个, 虚拟时间 {seconds} 秒, 用时 {took} 秒",
        "lost": "记录 {file} 有缺口: 丢失 {lost} 条状态变化, 结果因此不完整",
        "cut": "记录 {file} 的最后一行不完整, 已略去",
        "unfinished": "{count} 个实例没有结束: 剩下的任务没有合适的智能体, 或结果未知",
        "refused": "{count} 个事件被拒绝或放不下",
        "skipped": "{count} 行无法使用",
        "traced": "时间线 {file} (用 ui.perfetto.dev 或 chrome://tracing 打开)",
    },
    Language.EN: {
        "title": "simulation of {folder}: {agents} agents, {seconds} s of virtual time",
        "compared": "simulation of {folder}: numbers of agents compared, times in ms",
        "instances": "instances: completed {completed}, failed {failed}, cancelled {cancelled}, expired {expired}, "
        "unfinished {running}",
        "tasks": "tasks: completed {completed}, attempts {attempts}; throughput {tasks_per_s} tasks/s, "
        "{instances_per_s} instances/s",
        "preemptions": "preemptions {preemptions}, wasted {wasted} ms",
        "response": "response (an instance from its creation to its completion, ms)",
        "waiting": "waiting (a task from ready to its first line, ms)",
        "busy": "share of time that agents were busy: {groups}",
        "priority": "priority", "count": "count", "mean": "mean", "median": "median", "p95": "p95", "p99": "p99",
        "max": "max", "agents": "agents", "virtual": "virtual s", "done": "instances", "rate": "tasks/s", "use": "busy",
        "preempted": "preempted", "wasted": "wasted", "response_of": "p{priority} {name}",
        "of": "{agents} agents",
        "progress": "simulating: {seconds} s of virtual time, {attempts} attempts",
        "over": "simulation over: {agents} agents, {seconds} s of virtual time, took {took} s",
        "lost": "the record {file} has gaps: {lost} changes are missing, and so the result is not whole",
        "cut": "the last line of the record {file} is not whole, and was left out",
        "unfinished": "{count} instances did not end: no agent is fit for what is left, or an outcome is unknown",
        "refused": "{count} events were rejected or did not fit",
        "skipped": "{count} lines could not be used",
        "traced": "timeline {file} (open it with ui.perfetto.dev or chrome://tracing)",
    },
}  # fmt: skip
_COLUMNS = ("count", "mean", "median", "p95", "p99", "max")


class Wording:
    """What is said of simulations of one folder."""

    def __init__(self, language: Language, folder: str) -> None:
        self._words = _WORDS[language]
        self._folder = folder

    def say(self, word: str, **fields: Any) -> str:
        return one_line(self._words[word].format_map(fields))

    def report(self, report: Mapping[str, Any]) -> Iterator[str]:
        """One simulation in full."""
        throughput = {name: _number(value) for name, value in report["throughput"].items()}
        yield self.say("title", folder=self._folder, agents=report["agents"], seconds=_number(report["virtual_s"]))
        yield self.say("instances", **report["instances"])
        yield self.say("tasks", **report["tasks"], **throughput)
        yield self.say("preemptions", preemptions=report["preemptions"], wasted=_number(report["wasted_ms"]))
        for kind in ("response", "waiting"):
            if report[f"{kind}_ms"]:
                yield ""
                yield self.say(kind)
                yield from self._times(report[f"{kind}_ms"])
        yield ""
        yield self.say("busy", groups=_shares(report["groups"]))
        if len(report["busy"]) <= MAX_AGENTS:
            yield _shares(report["busy"])

    def _times(self, tables: Mapping[str, Mapping[str, float]]) -> list[str]:
        return table([
            {self._words["priority"]: priority}
            | {self._words[name]: _number(times[name]) for name in _COLUMNS}
            for priority, times in tables.items()
        ])  # fmt: skip

    def compare(self, reports: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """Several simulations, a line each."""
        yield self.say("compared", folder=self._folder)
        priorities = sorted({int(priority) for report in reports for priority in report["response_ms"]})
        yield from table([self._row(report, priorities) for report in reports])

    def _row(self, report: Mapping[str, Any], priorities: Sequence[int]) -> dict[str, str]:
        words = self._words
        busy = list(report["busy"].values())
        row = {
            words["agents"]: str(report["agents"]),
            words["virtual"]: _number(report["virtual_s"]),
            words["done"]: str(report["instances"]["completed"]),
            words["rate"]: _number(report["throughput"]["tasks_per_s"]),
            words["use"]: f"{100 * sum(busy) / len(busy):.1f}%",
            words["preempted"]: str(report["preemptions"]),
            words["wasted"]: _number(report["wasted_ms"]),
        }
        for priority in priorities:
            times = report["response_ms"].get(str(priority), {})
            for name in ("mean", "p99"):
                title = self.say("response_of", priority=priority, name=words[name])
                row[title] = _number(times[name]) if times else ""
        return row


def _number(value: float) -> str:
    """A count as it is; a time to a tenth."""
    return str(value) if isinstance(value, int) else f"{value:.1f}"


def _shares(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {100 * share:.1f}%" for name, share in shares.items())
