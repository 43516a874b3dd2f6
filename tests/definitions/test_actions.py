"""Actions: marked, found by reading, described, and loaded into this process."""

from __future__ import annotations

import functools
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from actors.actions import action, default_isolation, describe, load_callables, scan
from actors.definitions import load, parse, with_actions
from actors.errors import DefinitionError
from actors.model import ActionKind, ActionSpec, Isolation, WorkflowId
from tests.definitions.conftest import Faults, Write

WORKFLOW = "{id: w, tasks: [{id: t, action: collect, isolation: thread}]}"


def plain(ctx: object) -> str:
    return "plain"


def generator(ctx: object) -> Any:
    yield 1


async def coroutine(ctx: object) -> None: ...


async def async_generator(ctx: object) -> Any:
    yield 1


class Desk:
    def method(self, ctx: object) -> None: ...

    @staticmethod
    def static(ctx: object) -> None: ...

    async def __call__(self, ctx: object) -> None: ...


def found(folder: Path) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        scan(folder)
    return [str(fault).replace(f"{folder}/", "") for fault in caught.value.faults]


def callables(
    folder: Path, given: Mapping[str, Callable[..., Any]] = MappingProxyType({})
) -> Mapping[str, Callable[..., Any]]:
    return load_callables(load(folder, actions=given), given)


# --- marking -----------------------------------------------------------------------------------


def test_marking_leaves_the_function_as_it_is() -> None:
    def collect(ctx: object) -> int:
        return 7

    marked = action("collect")(collect)

    assert marked is collect
    assert marked(None) == 7


@pytest.mark.parametrize("name", ["", plain])
def test_a_mark_needs_a_name(name: Any) -> None:
    with pytest.raises(TypeError, match="needs a name"):
        action(name)


# --- reading files -----------------------------------------------------------------------------


def test_the_names_in_a_folder_are_found_without_running_it(write: Write) -> None:
    folder = write(
        {
            "acts.py": """
                import actors
                import actors as engine
                import actors.actions
                from actors import action, action as act
                from actors.actions import action as mark

                raise SystemExit("this file must be read, not run")

                @action("one")
                def one(ctx): ...

                @act("two")
                def two(ctx):
                    def inner():
                        yield 1
                    return lambda: (yield)

                @actors.action("three")
                async def three(ctx): ...

                @engine.action(name="four")
                def four(ctx):
                    if ctx:
                        yield 1

                @mark("five")
                async def five(ctx):
                    async for item in ctx:
                        yield item

                try:
                    import numpy
                except ImportError:
                    @actors.actions.action("six")
                    def six(ctx): ...

                @action("private")
                def _private(ctx): ...

                def action_of_mine(name):
                    return lambda function: function

                @action_of_mine("not one")
                def unmarked(ctx): ...

                class Desk:
                    def method(self, ctx): ...
                """,
            "pkg/__init__.py": "",
            "pkg/deep.py": "def f(ctx): yield from ()",
            "data/not_a_package.py": "def f(ctx): ...",
            "_hidden.py": "def f(ctx): ...",
            ".venv/lib.py": "def f(ctx): ...",
            "with-dash.py": "def f(ctx): ...",
        }
    )

    specs = scan(folder)

    kinds = {name: spec.kind.value for name, spec in specs.items() if ":" not in name}
    assert kinds == {
        "one": "function",
        "two": "function",
        "three": "coroutine",
        "four": "generator",
        "five": "async_generator",
        "six": "function",
        "private": "function",
    }
    assert specs["private"] == ActionSpec("private", "acts", "_private", ActionKind.FUNCTION, str(folder))
    assert specs["pkg.deep:f"] == ActionSpec("pkg.deep:f", "pkg.deep", "f", ActionKind.GENERATOR, str(folder))
    assert {name for name in specs if ":" in name} == {
        *(f"acts:{name}" for name in ("one", "two", "three", "four", "five", "six", "unmarked", "action_of_mine")),
        "pkg.deep:f",
    }


def test_a_decorator_of_the_same_name_from_elsewhere_is_none_of_ours(write: Write) -> None:
    folder = write({"a.py": "from invoke import action\n@action('x')\ndef f(ctx): ..."})

    assert "x" not in scan(folder)


def test_what_is_wrong_in_action_files_is_said_with_its_place(write: Write) -> None:
    folder = write(
        {
            "a.py": """
                from actors import action
                NAME = "x"
                @action(NAME)
                def f(ctx): ...
                @action
                def g(ctx): ...
                @action("same")
                def h(ctx): ...
                class Desk:
                    @action("inside")
                    def method(self, ctx): ...
                """,
            "b.py": "import actors\n@actors.action('same')\ndef k(ctx): ...\n",
            "c.py": "def f(\n",
            "d.py": "x = 1\n\0",
            "e.py": "x = " + "(" * 500 + ")" * 500,
        }
    )

    assert found(folder) == [
        "a.py:3:2: @action needs a name in quotes, such as @action('collect'); files are read, not run",
        "a.py:5:2: @action needs a name in quotes, such as @action('collect'); files are read, not run",
        "a.py:10:6: action 'inside' must be a function at the top of its module",
        "b.py:2:2: a second action 'same'; the first is at a.py:7",
        "c.py:1:6: not Python: '(' was never closed",
        *[fault for fault in found(folder) if fault.startswith(("d.py", "e.py"))],
    ]
    assert sum(fault.startswith(("d.py:1:", "e.py:1:")) for fault in found(folder)) == 2


def test_a_link_that_leads_out_of_the_folder_is_not_followed(write: Write, tmp_path: Path) -> None:
    folder = write({"a.py": "def f(ctx): ..."})
    (tmp_path / "outside.py").write_text("def g(ctx): ...")
    (folder / "b.py").symlink_to(tmp_path / "outside.py")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("def h(ctx): ...")
    (folder / "c").symlink_to(tmp_path / "package")

    assert set(scan(folder)) == {"a:f"}


# --- names that tasks may use ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("os:system", "'os:system' is refused: 'os' is no Python file of the definitions folder"),
        ("builtins:eval", "'builtins:eval' is refused: 'builtins' is no Python file of the definitions folder"),
        (
            "act:collect",
            "'act:collect' is refused: 'act' is no Python file of the definitions folder; did you mean 'acts'?",
        ),
        ("acts:colect", "no function 'colect' at the top of module 'acts'; did you mean 'collect'?"),
        ("acts:_secret", "'acts:_secret' is refused: names that begin with an underscore are private"),
        ("_hidden:f", "'_hidden:f' is refused: names that begin with an underscore are private"),
        ("acts.__class__:f", "'acts.__class__:f' is refused: names that begin with an underscore are private"),
        ("acts:collect.__globals__", "'acts:collect.__globals__' is refused: names that begin with an underscore"),
        ("acts:Desk.method", "no function 'Desk.method' at the top of module 'acts'"),
        ("acts:os", "no function 'os' at the top of module 'acts'"),
        ("..acts:f", "'..acts:f' is refused: '..acts' is no Python file of the definitions folder"),
        ("../acts:f", "'../acts:f' is refused: '../acts' is no Python file of the definitions folder"),
        ("colect", "no action 'colect'; did you mean 'collect'?"),
        ("zzz", "no action 'zzz'; mark a function with @action, or name it as module:function"),
    ],
)
def test_a_name_that_leads_nowhere_or_out_of_the_folder_is_refused(faults: Faults, name: str, said: str) -> None:
    files = {
        "w.yaml": f"{{id: w, tasks: [{{id: t, action: '{name}'}}]}}",
        "acts.py": """
            import os
            from actors import action
            @action("collect")
            def collect(ctx): ...
            def _secret(ctx): ...
            class Desk:
                def method(self, ctx): ...
            """,
        "_hidden.py": "def f(ctx): ...",
    }

    lines = faults(files)

    assert len(lines) == 1
    assert lines[0].startswith(f"w.yaml:1:33: tasks[0].action: {said}")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("os:system", "'os:system' is not registered; module:function is read from a definitions folder alone"),
        ("tests.definitions.test_actions:plain", "'tests.definitions.test_actions:plain' is not registered;"),
        ("doubl", "no action 'doubl'; did you mean 'double'?"),
        ("zzz", "no action 'zzz'; pass it in actions="),
    ],
)
def test_a_dict_may_name_only_what_is_given_beside_it(name: str, said: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse({"id": "w", "tasks": [{"id": "t", "action": name}]}, actions={"double": plain})

    assert [fault.path for fault in caught.value.faults] == ["tasks[0].action"]
    assert caught.value.faults[0].message.startswith(said)


def test_a_dict_may_not_run_commands() -> None:
    with pytest.raises(DefinitionError, match="commands are run from a definitions folder alone; use an action"):
        parse({"id": "w", "tasks": [{"id": "t", "run": ["rm"]}]})


def test_a_given_function_is_found_by_any_name_and_wins_over_the_folder(write: Write) -> None:
    folder = write({"w.yaml": WORKFLOW, "acts.py": "from actors import action\n@action('collect')\ndef f(ctx): ..."})

    given = load(folder, actions={"collect": plain, "unused": generator})

    assert given.actions["collect"].module == plain.__module__
    assert set(given.actions) == {"collect"}
    assert load(folder).actions["collect"].module == "acts"
    parse({"id": "w", "tasks": [{"id": "t", "action": "os:system"}]}, actions={"os:system": plain})


# --- describing --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "kind", "isolation"),
    [
        (plain, ActionKind.FUNCTION, Isolation.PROCESS),
        (generator, ActionKind.GENERATOR, Isolation.PROCESS),
        (coroutine, ActionKind.COROUTINE, Isolation.ASYNC),
        (async_generator, ActionKind.ASYNC_GENERATOR, Isolation.ASYNC),
        (Desk.static, ActionKind.FUNCTION, Isolation.PROCESS),
        (Desk().method, ActionKind.FUNCTION, Isolation.THREAD),
        (Desk(), ActionKind.COROUTINE, Isolation.ASYNC),
        (lambda ctx: None, ActionKind.FUNCTION, Isolation.THREAD),
        (functools.partial(plain, 1), ActionKind.FUNCTION, Isolation.THREAD),
        (functools.partial(coroutine, 1), ActionKind.COROUTINE, Isolation.ASYNC),
        (functools.partial(functools.partial(generator), 1), ActionKind.GENERATOR, Isolation.THREAD),
        (print, ActionKind.FUNCTION, Isolation.THREAD),
        (dict, ActionKind.FUNCTION, Isolation.THREAD),
    ],
)
def test_a_callable_is_described_and_put_where_it_can_run(
    function: Callable[..., Any], kind: ActionKind, isolation: Isolation
) -> None:
    spec = describe("a", function)

    assert (spec.name, spec.kind, spec.folder) == ("a", kind, None)
    assert default_isolation(spec) is isolation
    assert spec.importable is (function in (plain, generator, coroutine, async_generator, Desk.static))


def test_a_closure_and_a_function_whose_name_now_means_another_are_not_importable() -> None:
    def closure(ctx: object) -> None: ...

    @functools.wraps(plain)
    def disguised(ctx: object) -> None: ...

    assert not describe("a", closure).importable
    assert not describe("a", disguised).importable


@pytest.mark.parametrize("how", ["-c", "stdin", "file", "folder"])
def test_a_function_of_a_script_is_not_importable(tmp_path: Path, root: Path, how: str) -> None:
    code = "from actors.actions import describe\ndef f(ctx): ...\nprint(describe('a', f).importable)"
    (tmp_path / "script.py").write_text(code)
    (tmp_path / "__main__.py").write_text(code)
    arguments = {"-c": ["-c", code], "stdin": ["-"], "file": [str(tmp_path / "script.py")], "folder": [str(tmp_path)]}[
        how
    ]

    ran = subprocess.run(
        [sys.executable, *arguments],
        input=code,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )

    assert ran.stdout.strip() == "False"


def test_what_cannot_be_called_is_no_action() -> None:
    with pytest.raises(DefinitionError, match=r"actions\.a: must be a function"):
        parse({"id": "w", "tasks": [{"id": "t", "action": "a"}]}, actions={"a": 5})  # type: ignore[dict-item]


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
