"""A workflow's tasks as a graph: in Mermaid's words, in Graphviz's, or as lines of text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

from actors.model import Task, Workflow


class Drawing(StrEnum):
    MERMAID = "mermaid"
    DOT = "dot"
    TEXT = "text"


def draw(workflow: Workflow, form: Drawing) -> str:
    """The graph, without a line end at its end."""
    return _FORMS[form](workflow)


def mermaid(workflow: Workflow) -> str:
    """A flowchart; ids of tasks may hold what Mermaid's names may not, so tasks are numbered."""
    lines = ["flowchart LR"]
    for task in workflow.tasks:
        label = "<br/>".join(_mermaid_text(line) for line in _label(task))
        lines.append(f'    t{task.index}["{label}"]')
    lines += [f"    t{before} --> t{task.index}" for task in workflow.tasks for before in task.depends_on]
    return "\n".join(lines)


def dot(workflow: Workflow) -> str:
    lines = [f"digraph {_quoted(workflow.id)} {{", "    rankdir=LR;", '    node [shape=box, style="rounded"];']
    for task in workflow.tasks:
        label = "\\n".join(_quoted(line)[1:-1] for line in _label(task))
        lines.append(f'    {_quoted(task.id)} [label="{label}"];')
    by_place = workflow.tasks
    lines += [
        f"    {_quoted(by_place[before].id)} -> {_quoted(task.id)};"
        for task in workflow.tasks
        for before in task.depends_on
    ]
    return "\n".join([*lines, "}"])


def text(workflow: Workflow) -> str:
    """A line a task, in an order in which they could run: those that may run side by side at the same depth."""
    depths = _depths(workflow)
    order = sorted(workflow.tasks, key=lambda task: (depths[task.index], task.index))
    width = max(len("  " * depths[task.index] + task.id) for task in order)
    lines = [f"{workflow.id}: {workflow.name}" if workflow.name else str(workflow.id)]
    for task in order:
        head = "  " * depths[task.index] + task.id
        after = ", ".join(workflow.tasks[before].id for before in task.depends_on)
        lines.append(f"  {head:<{width}}  {_label(task)[-1]}{f'  after {after}' if after else ''}".rstrip())
    return "\n".join(lines)


def _label(task: Task) -> list[str]:
    """Its id, its name if it has one, and what it does."""
    does = task.action if task.action is not None else " ".join(task.run or ())
    facts = [f"priority {task.priority}"] if task.priority is not None else []
    facts += ["not preemptible"] if not task.preemptible else []
    what = ", ".join([does, *facts])
    return [task.id, *([task.name] if task.name and task.name != task.id else []), what]


def _depths(workflow: Workflow) -> dict[int, int]:
    """By place: how many tasks at least come before it. Definitions have no cycles."""
    depths: dict[int, int] = {}
    left = list(workflow.tasks)
    while left:
        ready = [task for task in left if all(before in depths for before in task.depends_on)]
        for task in ready:
            depths[task.index] = 1 + max((depths[before] for before in task.depends_on), default=-1)
        left = [task for task in left if task.index not in depths]
    return depths


def _mermaid_text(line: str) -> str:
    marks = {"&": "#amp;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "#": "#35;", "`": "#96;"}
    return "".join(marks.get(character, character) if character.isprintable() else " " for character in line)


def _quoted(line: str) -> str:
    kept = "".join(character if character.isprintable() else " " for character in line)
    return '"' + kept.replace("\\", "\\\\").replace('"', '\\"') + '"'


_FORMS: Mapping[Drawing, Callable[[Workflow], str]] = {
    Drawing.MERMAID: mermaid,
    Drawing.DOT: dot,
    Drawing.TEXT: text,
}
