"""Every field of a workflow and a task: what it becomes, and what it is when it is not given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from actors.definitions import load, parse
from actors.errors import DefinitionError
from actors.model import (
    Backoff,
    Coalesce,
    Definitions,
    Delivery,
    Isolation,
    Limits,
    OnPreempt,
    Task,
    Trigger,
    Workflow,
    WorkflowId,
)
from tests.definitions.conftest import Write


def act(ctx: object) -> None:
    """Nothing to do."""


async def act_async(ctx: object) -> None:
    """Nothing to wait for."""


ACTIONS = {"act": act, "act_async": act_async, "local": lambda ctx: None}


def workflow(**fields: Any) -> Workflow:
    source = {"id": "w", "tasks": [{"id": "t", "action": "act"}], **fields}
    return parse(source, actions=ACTIONS).workflows[WorkflowId("w")]


def task(**fields: Any) -> Task:
    return workflow(tasks=[{"id": "t", "action": "act", **fields}]).tasks[0]


def refused(source: Mapping[str, Any]) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        parse(source, actions=ACTIONS)
    return [str(fault) for fault in caught.value.faults]


def test_a_task_that_says_no_more_than_it_must_has_the_documented_defaults() -> None:
    assert task() == Task(
        id="t",
        index=0,
        action="act",
        timeout_ms=1000,
        retry=0,
        grace_ms=100,
        min_runtime_ms=0,
        max_preemptions=None,
        lock=None,
        on_preempt=OnPreempt.REQUEUE,
        delivery=Delivery.AT_LEAST_ONCE,
        isolation=Isolation.PROCESS,
        priority=None,
    )


def test_a_workflow_that_says_no_more_than_it_must_has_the_documented_defaults() -> None:
    assert workflow() == Workflow(
        id=WorkflowId("w"),
        tasks=(task(),),
        dependants=((),),
        priority=2,
        trigger=Trigger.EVENT,
        trigger_event="DATA_READY",
        max_concurrent=None,
        phase="data_ready",
        coalesce=Coalesce.LATEST,
    )


def test_a_definition_says_the_engine_settings_have_their_defaults() -> None:
    settings = parse({"id": "w", "tasks": [{"id": "t", "action": "act"}]}, actions=ACTIONS).settings

    assert (settings.agents[0].count, settings.agents[0].capabilities) == (5, frozenset({"all"}))
    assert (settings.store, settings.language, settings.max_infra_losses) == (None, None, 3)


@pytest.mark.parametrize(
    ("field", "written", "name", "value"),
    [
        ("name", "采集", "name", "采集"),
        ("timeout", 50, "timeout_ms", 50),
        ("retry", 2, "retry", 2),
        ("priority", 0, "priority", 0),
        ("params", {"stock": "000001", "n": [1]}, "params", {"stock": "000001", "n": [1]}),
        ("capabilities", ["gpu", "fast"], "capabilities", frozenset({"gpu", "fast"})),
        ("isolation", "thread", "isolation", Isolation.THREAD),
        ("preemptible", False, "preemptible", False),
        ("preempts", "never", "preempts", False),
        ("preempts", "always", "preempts", True),
        ("on_preempt", "suspend", "on_preempt", OnPreempt.SUSPEND),
        ("on_preempt", "cancel", "on_preempt", OnPreempt.CANCEL),
        ("grace_ms", 0, "grace_ms", 0),
        ("min_runtime_ms", 20, "min_runtime_ms", 20),
        ("max_preemptions", 0, "max_preemptions", 0),
        ("lock", "{entity.id}", "lock", "{entity.id}"),
        ("queue_timeout_ms", 900, "queue_timeout_ms", 900),
        ("limits", {"memory_mb": 64, "cpu_s": 2}, "limits", Limits(memory_mb=64, cpu_s=2)),
        ("limits", {"files": 8, "processes": 1}, "limits", Limits(files=8, processes=1)),
        ("backoff", {"initial_ms": 10, "factor": 3, "jitter": 0.5}, "backoff", Backoff(10, 3.0, 60_000, 0.5)),
        ("backoff", {"max_ms": 7}, "backoff", Backoff(max_ms=7)),
    ],
)
def test_a_field_of_a_task_becomes_what_the_model_calls_it(field: str, written: Any, name: str, value: Any) -> None:
    assert getattr(task(**{field: written}), name) == value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "高频交易工作流"),
        ("priority", 0),
        ("max_concurrent", 3),
        ("phase", "cleaned"),
        ("next_phase", "done"),
        ("coalesce", Coalesce.ALL),
        ("valid_for_ms", 5),
        ("trigger_event", "TASK_FAILED"),
    ],
)
def test_a_field_of_a_workflow_becomes_what_the_model_calls_it(field: str, value: Any) -> None:
    assert getattr(workflow(**{field: value}), field) == value


@pytest.mark.parametrize(
    ("fields", "phase"),
    [
        ({}, "data_ready"),
        ({"trigger": "state"}, "data_ready"),
        ({"trigger_event": "HIGH_PRIORITY_ARRIVED"}, "data_ready"),
        ({"trigger_event": "TASK_COMPLETED"}, None),
        ({"trigger": "manual"}, None),
        ({"phase": None}, None),
        ({"trigger": "state", "phase": None}, None),
        ({"trigger_event": "TASK_FAILED", "phase": "late"}, "late"),
    ],
)
def test_the_phase_is_data_ready_for_the_table_and_the_events_that_stand_for_it(
    fields: dict[str, Any], phase: str | None
) -> None:
    assert workflow(**fields).phase == phase


def test_a_field_without_a_value_is_a_field_not_given() -> None:
    assert task(timeout=None, depends_on=None, params=None, limits=None, priority=None) == task()


def test_tasks_know_their_places_and_who_waits_for_them() -> None:
    tasks = [
        {"id": "c", "action": "act", "depends_on": ["a", "b"]},
        {"id": "a", "action": "act"},
        {"id": "b", "action": "act", "depends_on": ["a"]},
    ]

    read = workflow(tasks=tasks)

    assert [task.index for task in read.tasks] == [0, 1, 2]
    assert [task.depends_on for task in read.tasks] == [(1, 2), (), (1,)]
    assert read.dependants == ((), (0, 2), (0,))


def test_an_isolation_suits_the_action_unless_its_author_says_otherwise() -> None:
    chosen = {name: task(action=name) for name in ACTIONS}
    written = task(isolation="thread")

    assert chosen["act"].isolation is Isolation.PROCESS
    assert chosen["act_async"].isolation is Isolation.ASYNC
    assert chosen["local"].isolation is Isolation.THREAD
    assert not any(task.isolation_chosen for task in chosen.values())
    assert (written.isolation, written.isolation_chosen) == (Isolation.THREAD, True)


def test_a_command_is_a_program_with_its_arguments_as_text(write: Write) -> None:
    text = "{id: w, tasks: [{id: t, run: [python, -c, 000001, 5], on_preempt: suspend, limits: {cpu_s: 1}}]}"

    read = load(write({"w.yaml": text})).workflows[WorkflowId("w")].tasks[0]

    assert read.run == ("python", "-c", "000001", "5")
    assert (read.action, read.isolation) == (None, Isolation.COMMAND)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"id": ""}, "tasks[0].id: must not be empty"),
        ({"id": "a b"}, "tasks[0].id: must not contain spaces, slashes or control characters"),
        ({"id": "a/b"}, "tasks[0].id: must not contain spaces, slashes or control characters"),
        ({"id": "a\x07"}, "tasks[0].id: must not contain spaces, slashes or control characters"),
        ({"id": "x" * 201}, "tasks[0].id: is longer than 200 characters"),
        ({"id": True}, "tasks[0].id: must be text; put it in quotes"),
        ({"id": 1.5}, "tasks[0].id: must be text; put it in quotes"),
        ({"id": None}, "tasks[0].id: has no value"),
        ({"name": "a\nb"}, "tasks[0].name: must be one line without control characters"),
        ({"timeout": 0}, "tasks[0].timeout: must be 1 or more, not 0"),
        ({"timeout": -5}, "tasks[0].timeout: must be 1 or more, not -5"),
        ({"timeout": 1.5}, "tasks[0].timeout: must be a whole number, not 1.5"),
        ({"timeout": 10**12}, "tasks[0].timeout: must be at most 31622400000, not 1000000000000"),
        ({"timeout": "soon"}, "tasks[0].timeout: must be a whole number, not 'soon'"),
        ({"timeout": True}, "tasks[0].timeout: must be a whole number, not true"),
        ({"timeout_ms": 5}, "tasks[0].timeout_ms: unknown field 'timeout_ms'; did you mean 'timeout'?"),
        ({"retry": -1}, "tasks[0].retry: must be 0 or more, not -1"),
        ({"priority": -1}, "tasks[0].priority: must be 0 or more, not -1"),
        ({"priority": 1.0}, "tasks[0].priority: must be a whole number, not 1.0"),
        ({"priority": "high"}, "tasks[0].priority: must be a whole number, not 'high'"),
        ({"params": [1]}, "tasks[0].params: must be a mapping of names to values, not a list"),
        ({"capabilities": "gpu"}, "tasks[0].capabilities: must be a list, not 'gpu'"),
        ({"depends_on": "a"}, "tasks[0].depends_on: must be a list, not 'a'"),
        ({"depends_on": [["a"]]}, "tasks[0].depends_on: must be text; put it in quotes"),
        ({"preemptible": "no"}, "tasks[0].preemptible: must be true or false, not 'no'"),
        ({"preempts": False}, "tasks[0].preempts: must be one of always, never, not false"),
        ({"preempts": "nevr"}, "tasks[0].preempts: must be one of always, never, not 'nevr'; did you mean 'never'?"),
        (
            {"on_preempt": "requeu"},
            "tasks[0].on_preempt: must be one of requeue, suspend, cancel, not 'requeu'; did you mean 'requeue'?",
        ),
        ({"delivery": 1}, "tasks[0].delivery: must be one of at_least_once, at_most_once, not 1"),
        ({"grace_ms": -1}, "tasks[0].grace_ms: must be 0 or more, not -1"),
        ({"limits": {"memory_mb": 0}}, "tasks[0].limits.memory_mb: must be 1 or more, not 0"),
        ({"limits": {"memory": 1}}, "tasks[0].limits.memory: unknown field 'memory'; did you mean 'memory_mb'?"),
        ({"limits": 5}, "tasks[0].limits: must be a mapping of names to values, not 5"),
        ({"backoff": {"factor": 0.5}}, "tasks[0].backoff.factor: must be 1 or more, not 0.5"),
        ({"backoff": {"jitter": 2}}, "tasks[0].backoff.jitter: must be at most 1, not 2"),
        ({"backoff": {"factor": "x"}}, "tasks[0].backoff.factor: must be a number, not 'x'"),
        ({"action": ""}, "tasks[0].action: must not be empty"),
        ({"action": "ac"}, "tasks[0].action: no action 'ac'; did you mean 'act'?"),
        ({"action": 5}, "tasks[0].action: must be text; put it in quotes"),
        ({"action": None}, "tasks[0]: needs 'action' or 'run'"),
        ({"isolation": "ray"}, "tasks[0].isolation: isolation ray is not available; use process, thread or async"),
        ({"isolation": "command"}, "tasks[0].isolation: isolation command is for 'run', not for an action"),
    ],
)
def test_what_a_field_of_a_task_cannot_be_is_said_in_one_sentence(fields: dict[str, Any], said: str) -> None:
    source = {"id": "w", "tasks": [{"id": "t", "action": "act", **fields}]}

    assert refused(source) == [said]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"id": None}, "id: has no value"),
        ({"priority": -1}, "priority: must be 0 or more, not -1"),
        ({"trigger": "evnt"}, "trigger: must be one of event, state, manual, not 'evnt'; did you mean 'event'?"),
        ({"trigger_event": "DATA_REDY"}, "trigger_event: no event type 'DATA_REDY'; did you mean 'DATA_READY'?"),
        (
            {"trigger_event": "TICK"},
            "trigger_event: no event type 'TICK'; types of your own stand in event_types of engine.yaml",
        ),
        (
            {"trigger": "state", "trigger_event": "DATA_READY"},
            "trigger_event: has no use with trigger state; leave it out",
        ),
        ({"max_concurrent": 0}, "max_concurrent: must be 1 or more, not 0"),
        ({"coalesce": "first"}, "coalesce: must be one of latest, all, not 'first'"),
        ({"valid_for_ms": 0}, "valid_for_ms: must be 1 or more, not 0"),
        ({"when": True}, "when: must be a condition in CEL, as text, such as entity.priority <= 0"),
        ({"phase": "a b"}, "phase: must not contain spaces, slashes or control characters"),
        ({"tasks": []}, "tasks: must not be empty"),
        ({"tasks": {}}, "tasks: must be a list, not a mapping"),
        ({"tasks": None}, "tasks: has no value"),
        ({"tasks": [5]}, "tasks[0]: must be a mapping of names to values, not 5"),
        ({"tasks": [None]}, "tasks[0]: must be a mapping of names to values, not empty"),
        ({"max_concurent": 1}, "max_concurent: unknown field 'max_concurent'; did you mean 'max_concurrent'?"),
        ({"zzz": 1}, "zzz: unknown field 'zzz'"),
    ],
)
def test_what_a_field_of_a_workflow_cannot_be_is_said_in_one_sentence(fields: dict[str, Any], said: str) -> None:
    source = {"id": "w", "tasks": [{"id": "t", "action": "act"}], **fields}

    assert refused(source) == [said]


@pytest.mark.parametrize("missing", ["id", "tasks"])
def test_a_workflow_needs_an_id_and_tasks(missing: str) -> None:
    source = {"id": "w", "tasks": [{"id": "t", "action": "act"}]}
    del source[missing]

    assert refused(source) == [f"needs '{missing}'"]


def test_a_task_has_either_an_action_or_a_command(write: Write) -> None:
    folder = write(
        {
            "w.yaml": "{id: w, tasks: [{id: a}, {id: b, run: []}, {id: c, action: m:f, run: [x]}]}",
            "m.py": "def f(ctx): ...",
        }
    )

    with pytest.raises(DefinitionError) as caught:
        load(folder)

    assert [f"{fault.path}: {fault.message}" for fault in caught.value.faults] == [
        "tasks[0]: needs 'action' or 'run'",
        "tasks[1].run: must not be empty",
        "tasks[2].run: 'action' and 'run' exclude each other; give one",
    ]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, ["tasks[0].delivery: at_most_once needs preemptible: false, or on_preempt: suspend"]),
        ({"preemptible": False, "retry": 1}, ["tasks[0].retry: delivery at_most_once needs retry 0"]),
        (
            {"on_preempt": "cancel"},
            ["tasks[0].delivery: at_most_once needs preemptible: false, or on_preempt: suspend"],
        ),
        ({"preemptible": False}, []),
        ({"on_preempt": "suspend"}, []),
    ],
)
def test_at_most_once_leaves_no_room_for_what_runs_a_task_again(fields: dict[str, Any], said: list[str]) -> None:
    source = {"id": "w", "tasks": [{"id": "t", "action": "act", "delivery": "at_most_once", **fields}]}

    if said:
        assert refused(source) == said
    else:
        assert parse(source, actions=ACTIONS).workflows[WorkflowId("w")].tasks[0].delivery is Delivery.AT_MOST_ONCE


@pytest.mark.parametrize(("action", "isolation"), [("act", "thread"), ("act_async", "async"), ("local", None)])
def test_suspending_and_limits_need_a_process_of_their_own(action: str, isolation: str | None) -> None:
    fields = {"on_preempt": "suspend", "limits": {"cpu_s": 1}, "isolation": isolation}
    where = f"this task runs with isolation {isolation or 'thread'}"

    said = refused({"id": "w", "tasks": [{"id": "t", "action": action, **fields}]})

    assert said == [
        f"tasks[0].on_preempt: suspend is for processes and commands; {where}",
        f"tasks[0].limits: limits are for processes and commands; {where}",
    ]


def test_an_isolation_that_the_action_cannot_have_is_refused() -> None:
    tasks = [
        {"id": "a", "action": "local", "isolation": "process"},
        {"id": "b", "action": "act", "isolation": "async"},
    ]

    assert refused({"id": "w", "tasks": tasks}) == [
        "tasks[0].isolation: another process cannot import action 'local'; move it to a module, "
        "or use isolation thread",
        "tasks[1].isolation: action 'act' would block the event loop; make it an async function, "
        "or use isolation thread",
    ]


def test_one_field_that_is_wrong_does_not_hide_what_else_is() -> None:
    tasks = [
        {"id": "a", "action": "ac", "timeout": -1, "depends_on": ["b", "z"], "retry": "x"},
        {"id": "b", "action": "act", "depends_on": ["a"], "prio": 1},
    ]

    assert refused({"id": "w", "when": "entity.prio > 0", "tasks": tasks}) == [
        "tasks[0].timeout: must be 1 or more, not -1",
        "tasks[0].retry: must be a whole number, not 'x'",
        "tasks[0].action: no action 'ac'; did you mean 'act'?",
        "tasks[1].prio: unknown field 'prio'",
        "tasks[0].depends_on: no task 'z'",
        "tasks[0].depends_on: waits for itself: a → b → a",
        "when: no field of entity 'prio'; did you mean 'priority'? (at character 8)",
    ]


def test_a_workflow_of_as_many_tasks_as_may_be_is_read_and_one_more_is_refused() -> None:
    tasks = [{"id": f"t{number}", "action": "act"} for number in range(4096)]

    assert len(workflow(tasks=tasks).tasks) == 4096
    assert refused({"id": "w", "tasks": [*tasks, {"id": "last", "action": "act"}]}) == [
        "tasks: has more than 4096 items"
    ]


def test_what_is_read_shares_nothing_with_what_was_given() -> None:
    params = {"codes": ["000001"]}
    source = {"id": "w", "tasks": [{"id": "t", "action": "act", "params": params}]}
    read: Definitions = parse(source, actions=ACTIONS)

    params["codes"].append("000002")

    assert read.workflows[WorkflowId("w")].tasks[0].params == {"codes": ["000001"]}
