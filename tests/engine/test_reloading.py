"""Definitions are loaded into an engine that runs: what had begun goes on by its own code, what starts has the new."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actors import DefinitionError, Engine, EngineError, Event, RefusedError, RequestError
from actors.engine import Hosting
from actors.reloading import MAX_VERSIONS
from actors.views import InstanceView
from tests.engine.conftest import BOUND_S

ACTIONS = """
import neighbour
from pathlib import Path
from actors import action

@action("act")
def act(ctx):
    go = Path(ctx.params["go"])
    while not go.exists():
        ctx.sleep(0.005)
    if ctx.attempt == 1 and ctx.params.get("fails"):
        raise ValueError("the first time")
    import late
    Path(__file__).with_name("written").touch()
    return [VALUE, neighbour.VALUE, late.VALUE, ctx.attempt]
"""


class Folder:
    """A definitions folder whose author changes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.go = path.parent / "go"
        path.mkdir()

    def write(self, value: str, *, isolation: str = "process", extra: str = "", **fields: Any) -> Folder:
        task = {"isolation": isolation, "action": "act", "retry": 1, "timeout": 60_000}
        lines = [f"    {name}: {given}" for name, given in task.items()]
        more = [f"{name}: {given}" for name, given in fields.items()]
        workflow = ["id: flow", *more, "tasks:", "  - id: work", *lines, f"    params: {{go: {self.go}, fails: true}}"]
        (self.path / "flow.yaml").write_text("\n".join(workflow) + "\n" + extra)
        (self.path / "acts.py").write_text(f"VALUE = {value!r}\n{ACTIONS}")
        for name in ("neighbour", "late"):
            (self.path / f"{name}.py").write_text(f"VALUE = {value!r}\n")
        return self

    def open(self) -> None:
        """Let the actions end."""
        self.go.touch()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "flows")


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Engine]]:
    engines: list[Engine] = []

    def run_one(definitions: Any, **options: Any) -> Engine:
        engine = Engine(definitions, hosting=Hosting(tmp_path / "versions"), **{"agents": 4, **options})
        engines.append(engine)
        return engine.start()

    yield run_one
    for engine in engines:
        engine.stop(grace=0.0)
    assert not list((tmp_path / "versions").glob("*")), "copies are left"


def begun(engine: Engine, entity: str) -> str:
    """Publish for the entity; the id of its instance, which runs."""
    id = engine.publish(Event("DATA_READY", entity)).instances[0]
    running = threading.Event()
    unsubscribe = engine.subscribe(lambda _: running.set(), ["task_started"])
    if not any(attempt.started or attempt.agent for attempt in engine.instance(id).tasks[0].attempts):
        assert running.wait(BOUND_S)
    unsubscribe()
    return id


def ended(engine: Engine, id: str) -> InstanceView:
    found = engine.wait(id, BOUND_S)
    assert found is not None
    return found


def waited(path: Path, *, there: bool) -> bool:
    """Wait until the path is there, or is not."""
    pause = threading.Event()
    for _ in range(int(BOUND_S / 0.01)):
        if path.exists() is there:
            return True
        pause.wait(0.01)
    return False


def gone(path: Path) -> bool:
    return waited(path, there=False)


@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_what_had_begun_ends_by_its_own_code_retries_too_and_what_starts_has_the_new(
    folder: Folder, run: Callable[..., Engine], tmp_path: Path, isolation: str
) -> None:
    engine = run(folder.write("old", isolation=isolation).path)
    old = begun(engine, "A")
    first = engine.instance(old).version

    changed = engine.reload(folder.write("new", isolation=isolation).path)
    new = begun(engine, "B")
    folder.open()
    results = [ended(engine, id).tasks[0].result for id in (old, new)]

    assert results == [["old", "old", "old", 2], ["new", "new", "new", 2]]
    assert (folder.path / "written").exists()
    assert [engine.instance(id).version for id in (old, new)] == [first, changed.version]
    assert (changed.changed, changed.code_changed, changed.previous) == ((), True, first)
    assert gone(tmp_path / "versions" / first)
    assert (tmp_path / "versions" / changed.version).is_dir()


def test_helpers_and_runners_of_a_version_go_with_the_last_that_is_of_it(
    folder: Folder, run: Callable[..., Engine], tmp_path: Path
) -> None:
    engine = run(folder.write("old").path)
    old = begun(engine, "A")
    changed = engine.reload(folder.write("new").path)
    parts = engine._running()
    before = parts.benches.versions()

    folder.open()
    ended(engine, old)

    assert gone(tmp_path / "versions" / before[0])
    assert list(parts.benches.versions()) == [changed.version]


def test_a_command_runs_as_it_was_loaded(tmp_path: Path, run: Callable[..., Engine]) -> None:
    flows = tmp_path / "flows"
    flows.mkdir()
    go, program = tmp_path / "go", flows / "say.sh"
    (flows / "data.txt").write_text("data are shared")
    (flows / "flow.yaml").write_text(
        "id: flow\ntasks:\n"
        f"  - {{id: wait, run: [sh, -c, 'while [ ! -e {go} ]; do sleep 0.01; done'], timeout: 60000}}\n"
        "  - {id: say, run: [./say.sh], depends_on: [wait]}\n"
    )

    def write(word: str) -> None:
        program.write_text(f'#!/bin/sh\necho "{word}: $(cat "$(dirname "$0")/data.txt")"\n')
        program.chmod(0o755)

    write("old")
    engine = run(flows)
    old = begun(engine, "A")
    write("new")
    engine.reload()
    (flows / "data.txt").write_text("data are the newest")
    new = begun(engine, "B")
    go.touch()

    assert ended(engine, old).tasks[1].result == "old: data are the newest"
    assert ended(engine, new).tasks[1].result == "new: data are the newest"


def test_faults_are_all_told_and_the_old_definitions_stay(
    folder: Folder, run: Callable[..., Engine], tmp_path: Path
) -> None:
    engine = run(folder.write("old").path)
    before = engine.definitions

    with pytest.raises(DefinitionError) as refused:
        engine.reload(folder.write("new", extra="  - {id: two, action: nowhere}\n", max_concurrent="many").path)
    folder.write("new")
    folder.open()

    files = {fault.file for fault in refused.value.faults}
    assert len(refused.value.faults) == 2
    assert files == {str(folder.path / "flow.yaml")}
    assert engine.definitions == before
    assert len(list((tmp_path / "versions").iterdir())) == 1
    assert ended(engine, begun(engine, "A")).tasks[0].result[0] == "old"


@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_code_that_cannot_be_loaded_is_refused_and_named_where_its_author_has_it(
    folder: Folder, run: Callable[..., Engine], isolation: str
) -> None:
    engine = run(folder.write("old", isolation=isolation).path)
    folder.write("new", isolation=isolation)
    (folder.path / "neighbour.py").write_text("VALUE = 1 / 0\n")

    with pytest.raises(DefinitionError, match="ZeroDivisionError"):
        engine.reload()
    folder.open()

    assert list(engine._running().benches.versions()) == [engine.definitions.version]
    assert ended(engine, begun(engine, "A")).tasks[0].result[0] == "old"


def test_a_reload_of_what_is_loaded_changes_nothing(folder: Folder, run: Callable[..., Engine]) -> None:
    engine = run(folder.write("old").path)

    changed = engine.reload()

    assert changed.version == changed.previous == engine.definitions.version
    assert (changed.added, changed.changed, changed.removed, changed.code_changed) == ((), (), (), False)


def test_what_was_before_can_be_loaded_again_while_it_is_in_use(folder: Folder, run: Callable[..., Engine]) -> None:
    engine = run(folder.write("old").path)
    first = begun(engine, "A")
    engine.reload(folder.write("new").path)
    again = engine.reload(folder.write("old").path)
    second = begun(engine, "B")
    folder.open()

    assert [ended(engine, id).tasks[0].result[0] for id in (first, second)] == ["old", "old"]
    assert engine.instance(first).version == engine.instance(second).version == again.version


def test_the_summary_names_workflows_and_settings(tmp_path: Path, run: Callable[..., Engine]) -> None:
    flows = tmp_path / "flows"
    flows.mkdir()
    engine_file = flows / "engine.yaml"
    for name in ("kept", "changed", "removed"):
        (flows / f"{name}.yaml").write_text(f"id: {name}\ntasks: [{{id: t, run: ['true']}}]\n")
    engine_file.write_text("max_lined_up: 7\n")
    engine = run(flows, agents=None)

    (flows / "removed.yaml").rename(flows / "added.yaml")
    (flows / "added.yaml").write_text("id: added\ntasks: [{id: t, run: ['true']}]\n")
    (flows / "changed.yaml").write_text("id: changed\nmax_concurrent: 1\ntasks: [{id: t, run: ['true']}]\n")
    engine_file.write_text("max_lined_up: 8\nevent_types: [TICK]\nagents: 9\nstore: memory\n")
    changed = engine.reload()

    assert (changed.added, changed.changed, changed.removed) == (("added",), ("changed",), ("removed",))
    assert (changed.code_changed, changed.settings) == (False, ("event_types", "max_lined_up"))
    assert changed.at_next_start == ("agents", "store")
    assert len(engine.agents()) == 5
    assert engine.publish(Event("TICK", "A")).instances == ()
    assert engine.reload().at_next_start == ("agents", "store")


def test_what_runs_in_this_process_and_came_as_a_dict_is_reloaded_as_a_dict() -> None:
    flow = {"id": "flow", "tasks": [{"id": "t", "action": "act"}]}
    with Engine(flow, agents=1, actions={"act": lambda ctx: "done", "other": lambda ctx: "other"}) as engine:
        with pytest.raises(RequestError, match="say which to load"):
            engine.reload()
        engine.reload({"id": "flow", "tasks": [{"id": "t", "action": "other"}]})

        assert ended(engine, engine.run("flow", "A").instances[0]).tasks[0].result == "other"


def test_without_a_folder_for_copies_the_first_version_is_the_folder_and_later_ones_are_copies_that_go(
    folder: Folder,
) -> None:
    with Engine(folder.write("old").path, agents=2) as engine:
        first = engine._running().generations.library[engine.definitions.version]
        old = begun(engine, "A")
        engine.reload(folder.write("new").path)
        newest = engine._running().generations.library[engine.definitions.version]
        folder.open()
        result = ended(engine, old).tasks[0].result

    assert (first.copy, first.folder) == (None, os.path.realpath(folder.path))
    assert result[:2] == ["old", "old"]  # What it imports late is what the file says by then.
    assert newest.copy is not None
    assert not Path(newest.copy).exists()


def test_versions_in_use_are_bounded(folder: Folder, run: Callable[..., Engine]) -> None:
    engine = run(folder.write("0", isolation="thread").path)
    for number in range(1, MAX_VERSIONS):
        engine.run("flow", f"E{number}")
        engine.reload(folder.write(str(number), isolation="thread").path)
    engine.run("flow", "last")

    with pytest.raises(RefusedError, match=f"{MAX_VERSIONS} versions"):
        engine.reload(folder.write("more", isolation="thread").path)
    folder.open()
    engine.wait_idle(BOUND_S)

    assert engine.stats()["instances"]["completed"] == MAX_VERSIONS


def test_two_that_reload_at_once_take_turns(folder: Folder, run: Callable[..., Engine]) -> None:
    engine = run(folder.write("0", isolation="thread").path)
    folder.write("1", isolation="thread")
    seen: list[str] = []
    threads = [threading.Thread(target=lambda: seen.append(engine.reload().version)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND_S)

    assert seen == [engine.definitions.version] * 4


def test_a_stop_ends_a_reload_whose_code_is_still_being_imported(
    folder: Folder, run: Callable[..., Engine], tmp_path: Path
) -> None:
    engine = run(folder.write("old").path)
    begins, errors = tmp_path / "begins", list[BaseException]()
    folder.write("new")
    (folder.path / "neighbour.py").write_text(
        f"import pathlib, time\npathlib.Path({str(begins)!r}).touch()\nwhile True:\n    time.sleep(0.01)\n"
    )

    def reload() -> None:
        try:
            engine.reload()
        except BaseException as error:  # noqa: BLE001 - looked at below
            errors.append(error)

    thread = threading.Thread(target=reload)
    thread.start()
    assert waited(begins, there=True)
    left = engine.stop(grace=0.0)
    thread.join(BOUND_S)

    assert left == []
    assert [isinstance(error, EngineError) for error in errors] == [True]


def test_what_the_keeper_does_not_adopt_is_as_if_it_had_not_been_loaded(
    folder: Folder, run: Callable[..., Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = run(folder.write("old").path)
    before = engine.version

    def crash(*_: Any) -> None:
        raise ValueError("planned")

    monkeypatch.setattr("actors.logic.keeping.Keeping._adopt", crash)
    with pytest.raises(EngineError, match="could not handle AdoptDefinitions"):
        engine.reload(folder.write("new").path)
    folder.open()

    assert list(engine._running().benches.versions()) == [before]
    assert engine.version == before
    assert ended(engine, begun(engine, "A")).tasks[0].result[0] == "old"
