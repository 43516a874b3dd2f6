"""Actions: marked, found by reading, described."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from actors.actions import action, default_isolation, describe, scan
from actors.definitions import load, parse
from actors.errors import DefinitionError
from actors.model import ActionKind, ActionSpec, Isolation
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
