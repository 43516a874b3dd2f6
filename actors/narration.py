"""The lines a person reads while the engine runs, in Chinese or English.

One change of state gives one line or none. Only these lines are translated: logs, metrics and
JSON never are.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import asdict
from enum import StrEnum
from typing import Any

from actors.log import json_line
from actors.model import Json
from actors.printable import one_line, utc_text
from actors.views import ChangeType, StateChanged

MAX_REASON_CHARS = 300


class Language(StrEnum):
    ZH = "zh"
    EN = "en"


def language_of(name: str) -> Language:
    """Return the language whose name, or locale (``zh_CN.UTF-8``), this is; English for any other."""
    return Language.ZH if name.lower().startswith("zh") else Language.EN


def choose_language(asked: str | None, of_folder: str | None, environment: Mapping[str, str] = os.environ) -> Language:
    """What the caller asked for, else what the definitions folder says, else the locale's."""
    locale = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    return language_of(asked or of_folder or locale)


_CHANGES: Mapping[Language, Mapping[ChangeType, str]] = {
    Language.ZH: {
        ChangeType.INSTANCE_CREATED: "创建工作流实例: {instance} 优先级: {priority}",
        ChangeType.TASK_STARTED: "执行任务: {task} 优先级: {priority}",
        ChangeType.TASK_COMPLETED: "任务完成: {task}",
        ChangeType.TASK_RETRIED: "任务重试: {task} 第{retry}次",
        ChangeType.TASK_FAILED: "任务失败: {task}{reason}",
        ChangeType.TASK_PREEMPTED: "任务被抢占: {task}{by}",
        ChangeType.TASK_SUSPENDED: "任务挂起: {task}{by}",
        ChangeType.TASK_RESUMED: "任务恢复: {task} 优先级: {priority}",
        ChangeType.TASK_CANCELLED: "任务取消: {task}{reason}",
        ChangeType.TASK_UNKNOWN: "任务结果未知: {task} (请用 resolve 处理){reason}",
        ChangeType.TASK_LOST: "任务执行进程丢失: {task}{reason}",
        ChangeType.EVENT_REJECTED: "事件被拒绝: {event}{reason}",
        ChangeType.EVENT_EXPIRED: "事件已过期: {event}",
        ChangeType.CONDITION_FAILED: "条件无法求值: {entity}{reason}",
        ChangeType.GAP: "(输出过慢, 略去 {missed} 条)",
    },
    Language.EN: {
        ChangeType.INSTANCE_CREATED: "workflow instance created: {instance} priority: {priority}",
        ChangeType.TASK_STARTED: "task started: {task} priority: {priority}",
        ChangeType.TASK_COMPLETED: "task completed: {task}",
        ChangeType.TASK_RETRIED: "task retried: {task} retry {retry}",
        ChangeType.TASK_FAILED: "task failed: {task}{reason}",
        ChangeType.TASK_PREEMPTED: "task preempted: {task}{by}",
        ChangeType.TASK_SUSPENDED: "task suspended: {task}{by}",
        ChangeType.TASK_RESUMED: "task resumed: {task} priority: {priority}",
        ChangeType.TASK_CANCELLED: "task cancelled: {task}{reason}",
        ChangeType.TASK_UNKNOWN: "task outcome unknown: {task} (use resolve){reason}",
        ChangeType.TASK_LOST: "task lost its process: {task}{reason}",
        ChangeType.EVENT_REJECTED: "event rejected: {event}{reason}",
        ChangeType.EVENT_EXPIRED: "event expired: {event}",
        ChangeType.CONDITION_FAILED: "condition could not be evaluated for {entity}{reason}",
        ChangeType.GAP: "(output too slow: {missed} lines left out)",
    },
}


_GAPS: Mapping[Language, Mapping[str, str]] = {
    Language.ZH: {
        "unwatched": "(一段时间无人跟随, 其间的变化未知)",
        "restarted": "(引擎已重新启动, 此前的变化未知)",
    },
    Language.EN: {
        "unwatched": "(nobody followed for a while: what changed meanwhile is not known)",
        "restarted": "(the engine was started anew: what changed before is not known)",
    },
}
"""Gaps of which nobody counted what is missing."""


class Notice(StrEnum):
    """What the command line itself has to say."""

    STARTING = "starting"
    TRUSTED = "trusted"
    COMMAND = "command"
    ISOLATION = "isolation"
    SOCKET = "socket"
    HTTP = "http"
    REPLAYING = "replaying"
    REPLAYED = "replayed"
    STOPPING = "stopping"
    WAITING = "waiting"
    HARDER = "harder"
    LEFT = "left"
    UNKNOWN = "unknown"
    STOPPED = "stopped"
    RELOADED = "reloaded"
    RELOAD_REFUSED = "reload_refused"
    RELOAD_FAILED = "reload_failed"
    AT_NEXT_START = "at_next_start"
    RECORDED = "recorded"
    RECORD_LOST = "record_lost"


_NOTICES: Mapping[Language, Mapping[Notice, str]] = {
    Language.ZH: {
        Notice.STARTING: "工作流引擎启动...",
        Notice.TRUSTED: "定义目录 {folder}: 其中的 Python 文件以你的权限执行",
        Notice.COMMAND: "定义会执行命令 {program}",
        Notice.ISOLATION: "动作 {action} 的隔离方式: {isolation} (默认)",
        Notice.SOCKET: "控制接口: {socket}",
        Notice.HTTP: "控制接口 HTTP (此链接可登录一次): {url}",
        Notice.REPLAYING: "回放 {percent}% {market_time} 已发布 {published} 落后 {behind} 秒",
        Notice.REPLAYED: "回放结束: 已发布 {published}, 重复 {duplicates}, 无法使用 {skipped}, "
        "用时 {elapsed} 秒, 最多落后 {most_behind} 秒",
        Notice.STOPPING: "工作流引擎停止...",
        Notice.WAITING: "停止中: 等待 {count} 个任务, 最多 {seconds} 秒: {tasks} (再按一次 Ctrl-C 立即停止任务)",
        Notice.HARDER: "停止中: 立即停止任务 (再按一次 Ctrl-C 直接退出)",
        Notice.LEFT: "未能停止: {names}",
        Notice.UNKNOWN: "结果未知的任务, 需用 resolve 处理: {tasks}",
        Notice.STOPPED: "工作流引擎已停止: 完成 {completed}, 失败 {failed}, 取消 {cancelled}, 过期 {expired}, "
        "未完成 {running}, 抢占 {preemptions} 次",
        Notice.RELOADED: "定义已重新加载, 版本 {version}: {what} (运行中的实例继续用原来的版本)",
        Notice.RELOAD_REFUSED: "定义未重新加载: {faults} 处错误, 原来的定义继续有效",
        Notice.RELOAD_FAILED: "定义未重新加载: {why}",
        Notice.AT_NEXT_START: "下次启动时生效的设置: {settings}",
        Notice.RECORDED: "记录 {file}: {written} 条状态变化",
        Notice.RECORD_LOST: "记录有缺口: 丢失 {lost} 条 (文件中类型为 gap 的行)",
    },
    Language.EN: {
        Notice.STARTING: "workflow engine starting...",
        Notice.TRUSTED: "definitions {folder}: its Python files run with your rights",
        Notice.COMMAND: "the definitions run the command {program}",
        Notice.ISOLATION: "action {action} runs isolated by: {isolation} (the default)",
        Notice.SOCKET: "control API: {socket}",
        Notice.HTTP: "control API over HTTP (this link logs a browser in, once): {url}",
        Notice.REPLAYING: "replay {percent}% {market_time} published {published} behind {behind} s",
        Notice.REPLAYED: "replay over: published {published}, duplicates {duplicates}, unusable {skipped}, "
        "took {elapsed} s, at most {most_behind} s behind",
        Notice.STOPPING: "workflow engine stopping...",
        Notice.WAITING: "stopping: waiting for {count} tasks, at most {seconds} s: {tasks} "
        "(Ctrl-C once more stops them now)",
        Notice.HARDER: "stopping: tasks are stopped now (Ctrl-C once more ends the process)",
        Notice.LEFT: "could not be stopped: {names}",
        Notice.UNKNOWN: "tasks with an unknown outcome, to be settled with resolve: {tasks}",
        Notice.STOPPED: "workflow engine stopped: completed {completed}, failed {failed}, cancelled {cancelled}, "
        "expired {expired}, unfinished {running}, preemptions {preemptions}",
        Notice.RELOADED: "definitions reloaded, version {version}: {what} (what runs keeps its own)",
        Notice.RELOAD_REFUSED: "definitions not reloaded: {faults} faults; those of before stay in force",
        Notice.RELOAD_FAILED: "definitions not reloaded: {why}",
        Notice.AT_NEXT_START: "settings that are taken at the next start: {settings}",
        Notice.RECORDED: "record {file}: {written} state changes",
        Notice.RECORD_LOST: "the record has gaps: {lost} changes were lost (its lines of type gap)",
    },
}


def notice(kind: Notice, language: Language, fields: Mapping[str, Any]) -> str:
    """Return the line for what the command line has to say."""
    return one_line(_NOTICES[language][kind].format_map(fields))


def notice_as_json(kind: Notice, fields: Mapping[str, Any]) -> str:
    return json_line({"time": utc_text(time.time()), "notice": kind.value, **fields})


NARRATED = frozenset(_CHANGES[Language.EN])
"""The changes that have a line."""
NOTABLE = NARRATED - {
    ChangeType.INSTANCE_CREATED,
    ChangeType.TASK_STARTED,
    ChangeType.TASK_COMPLETED,
    ChangeType.TASK_PREEMPTED,
    ChangeType.TASK_SUSPENDED,
    ChangeType.TASK_RESUMED,
}
"""Those that say something went wrong: what a replay of thousands of events shows."""


def narrate(change: StateChanged, language: Language) -> str | None:
    """Return the line for this change of state, None if it has none."""
    template = _CHANGES[language].get(change.type)
    if template is None:
        return None
    detail = change.detail
    if change.type is ChangeType.GAP and not detail.get("lost"):
        known = next((line for what, line in _GAPS[language].items() if detail.get(what)), None)
        if known is not None:
            return known
    by = detail.get("by")
    return one_line(
        template.format(
            instance=change.instance_id,
            task=change.task_id,
            priority=change.priority,
            retry=detail.get("retry", ""),
            event=" ".join(str(part) for part in (detail.get("type"), detail.get("event"), change.entity_id) if part),
            entity=change.entity_id,
            missed=detail.get("lost", ""),
            reason=_reason(detail),
            by="" if not by else f" 抢占者: {by}" if language is Language.ZH else f" by {by}",
        )
    )


def change_as_json(change: StateChanged) -> str:
    """Return the change as one line of JSON, its empty fields left out."""
    fields: dict[str, Any] = {"time": utc_text(change.at.utc), "change": change.type.value}
    given = asdict(change) | {"attempt": change.attempt or None}
    fields |= {
        name: value for name, value in given.items() if name not in ("type", "at") and value not in ("", None, {})
    }
    return json_line(fields)


def _reason(detail: Mapping[str, Json]) -> str:
    """`` (ValueError: bad price)``; empty where no reason is known."""
    text = " ".join(str(detail.get("error") or detail.get("why") or "").split())
    if len(text) > MAX_REASON_CHARS:
        text = text[: MAX_REASON_CHARS - 1] + "…"
    return f" ({text})" if text else ""
