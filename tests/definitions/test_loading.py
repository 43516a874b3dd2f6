"""Actions in this process: modules of a folder loaded, functions given later."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from actors.actions import load_callables
from actors.definitions import load, parse, with_actions
from actors.errors import DefinitionError
from actors.model import Isolation, WorkflowId
from tests.definitions.conftest import Write

WORKFLOW = "{id: w, tasks: [{id: t, action: collect, isolation: thread}]}"


def plain(ctx: object) -> str:
    return "plain"


def generator(ctx: object) -> Any:
    yield 1


async def coroutine(ctx: object) -> None: ...


def callables(
    folder: Path, given: Mapping[str, Callable[..., Any]] = MappingProxyType({})
) -> Mapping[str, Callable[..., Any]]:
    return load_callables(load(folder, actions=given), given)


# --- loading into this process -----------------------------------------------------------------


def test_only_modules_of_tasks_in_threads_and_the_event_loop_are_run(write: Write) -> None:
    folder = write(
        {
            "w.yaml": """
                id: w
                tasks:
                  - {id: a, action: "here:f", isolation: thread}
                  - {id: b, action: "loop:f"}
                  - {id: c, action: "elsewhere:f"}
                """,
            "here.py": "def f(ctx): return 'here'",
            "loop.py": "async def f(ctx): ...",
            "elsewhere.py": "raise RuntimeError('run in another process')\ndef f(ctx): ...",
        }
    )

    loaded = callables(folder)

    assert set(loaded) == {"here:f", "loop:f"}
    assert loaded["here:f"](None) == "here"


def test_files_of_a_folder_import_each_other_as_they_do_in_their_own_process(write: Write) -> None:
    folder = write(
        {
            "w.yaml": WORKFLOW,
            "acts.py": """
                import json
                import indicators
                import pkg.inner as inner
                from dataclasses import dataclass
                from pkg import deep, VALUE
                from pkg.inner import NAME as name
                from actors import action

                @dataclass
                class Tick:
                    price: "float"

                @action("collect")
                def collect(ctx):
                    import late
                    return [indicators.F, inner.NAME, name, deep.ABOVE, VALUE, late.L, json.loads("1"), Tick(2.0).price]
                """,
            "indicators.py": "import acts\nF = 'indicators'",
            "late.py": "from indicators import *\nL = F + ', late'",
            "pkg/__init__.py": "VALUE = 'package'",
            "pkg/inner.py": "NAME = 'inner'",
            "pkg/deep.py": "from . import inner\nfrom .inner import NAME\nABOVE = inner.NAME + NAME",
        }
    )
    before, path = set(sys.modules), list(sys.path)

    loaded = callables(folder)

    assert loaded["collect"](None) == [
        *("indicators", "inner", "inner", "innerinner", "package", "indicators, late", 1, 2.0)
    ]
    assert sys.path == path
    new = set(sys.modules) - before
    assert new
    assert all(name.startswith("definitions_") for name in new)
    del loaded
    assert not {name for name in sys.modules if name in new}


def test_folders_with_files_of_the_same_names_do_not_meet(write: Write, tmp_path: Path) -> None:
    def folder(name: str) -> Path:
        source = "import helper\nfrom actors import action\n@action('collect')\ndef f(ctx): return helper.W"
        written = {"w.yaml": WORKFLOW, "acts.py": source, "helper.py": f"W = {name!r}"}
        return write({f"{name}/{file}": text for file, text in written.items()}) / name

    one, other = callables(folder("one")), callables(folder("other"))

    assert (one["collect"](None), other["collect"](None)) == ("one", "other")


def test_engines_with_the_same_folder_do_not_share_its_variables(write: Write) -> None:
    source = """
        from actors import action
        calls = []
        @action("collect")
        def f(ctx):
            calls.append(ctx)
            return len(calls)
        """
    folder = write({"w.yaml": WORKFLOW, "acts.py": source})
    one, other = callables(folder), callables(folder)

    assert [one["collect"](1), one["collect"](2), other["collect"](3)] == [1, 2, 1]


def test_a_changed_file_is_run_as_it_is_now(write: Write) -> None:
    source = "from actors import action\n@action('collect')\ndef f(ctx): return {}\n"
    folder = write({"w.yaml": WORKFLOW, "acts.py": source.format(1)})
    assert callables(folder)["collect"](None) == 1

    (folder / "acts.py").write_text(source.format(2))

    assert callables(folder)["collect"](None) == 2
    assert not (folder / "__pycache__").exists()


@pytest.mark.parametrize(
    ("source", "line", "said"),
    [
        ("import nothing_of_this_name", 1, "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("x = 1\n1 / 0", 2, "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", 1, "SystemExit: 3"),
        ("import helper", 2, "KeyError: 'x'"),
        ("from . import helper", 1, "ImportError: attempted relative import with no known parent package"),
    ],
)
def test_a_module_that_fails_when_it_is_run_is_a_fault_at_its_line(
    write: Write, source: str, line: int, said: str
) -> None:
    actions = f"{source}\nfrom actors import action\n@action('collect')\ndef f(ctx): ..."
    folder = write({"w.yaml": WORKFLOW, "acts.py": actions, "helper.py": "x = 1\n{}['x']"})

    with pytest.raises(DefinitionError) as caught:
        callables(folder)

    file = "helper.py" if source == "import helper" else "acts.py"
    assert str(caught.value) == f"{folder}/{file}:{line}:1: cannot be loaded for action 'collect': {said}"


def test_a_module_that_failed_is_not_left_half_loaded(write: Write) -> None:
    actions = "from actors import action\n@action('collect')\ndef f(ctx): ...\nimport helper"
    folder = write({"w.yaml": WORKFLOW, "acts.py": actions, "helper.py": "raise OSError"})
    before = set(sys.modules)

    for _ in range(2):
        with pytest.raises(DefinitionError, match="OSError"):
            callables(folder)

    assert set(sys.modules) == before


def test_given_functions_win_and_need_no_folder() -> None:
    def local(ctx: object) -> str:
        return "local"

    given = {"a": local, "b": coroutine}
    definitions = parse({"id": "w", "tasks": [{"id": "t", "action": "a"}, {"id": "u", "action": "b"}]}, actions=given)

    assert load_callables(definitions, given) == given
    with pytest.raises(DefinitionError, match="no function was given for action 'a'; pass it in actions="):
        load_callables(definitions, {})


# --- functions given later ---------------------------------------------------------------------


def test_functions_given_later_replace_those_found_and_move_the_task_with_them() -> None:
    source = {"id": "w", "tasks": [{"id": "a", "action": "x"}, {"id": "b", "action": "y", "isolation": "thread"}]}
    before = parse(source, actions={"x": plain, "y": plain})

    after = with_actions(before, {"x": coroutine, "y": generator, "unused": plain})

    tasks = after.workflows[WorkflowId("w")].tasks
    assert [task.isolation for task in tasks] == [Isolation.ASYNC, Isolation.THREAD]
    assert (after.actions["x"].qualname, after.actions["y"].qualname) == ("coroutine", "generator")
    assert set(after.actions) == {"x", "y"}
    assert before.workflows[WorkflowId("w")].tasks[0].isolation is Isolation.PROCESS
    assert with_actions(before, {}) is before


def test_functions_given_later_must_suit_what_the_tasks_say() -> None:
    task = {"id": "a", "action": "x", "isolation": "process"}
    limited = {"id": "b", "action": "y", "limits": {"cpu_s": 1}, "on_preempt": "suspend"}
    before = parse({"id": "w", "tasks": [task, limited]}, actions={"x": plain, "y": plain})

    with pytest.raises(DefinitionError) as caught:
        with_actions(before, {"x": lambda ctx: None, "y": coroutine})

    assert [str(fault) for fault in caught.value.faults] == [
        "workflows.w.tasks[0].isolation: another process cannot import action 'x'; move it to a module, "
        "or use isolation thread",
        "workflows.w.tasks[1].on_preempt: suspend is for processes and commands; this task runs with isolation async",
        "workflows.w.tasks[1].limits: limits are for processes and commands; this task runs with isolation async",
    ]


def test_definitions_are_plain_values_that_can_be_sent_elsewhere(write: Write) -> None:
    definitions = load(write({"w.yaml": "{id: w, tasks: [{id: t, run: [x]}]}"}))

    assert pickle.loads(pickle.dumps(definitions)) == definitions
