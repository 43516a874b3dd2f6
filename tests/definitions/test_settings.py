"""``engine.yaml``: agents, entities, timed events, bounds."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from textwrap import dedent

import pytest

from actors.definitions import load, parse
from actors.errors import DefinitionError
from actors.model import (
    AgentGroup,
    EntityId,
    EntitySeed,
    EntityStatus,
    Event,
    OnUnknownEntity,
    Settings,
    TimedEvent,
    WorkflowId,
)
from actors.reading.engine_shapes import SettingsShape
from tests.definitions.conftest import Faults, Write

WORKFLOW = "{id: w, tasks: [{id: t, run: [x]}]}"


@pytest.fixture
def settings(write: Write) -> object:
    """``settings("agents: 5")`` is what an ``engine.yaml`` of that text says."""
    return lambda text: load(write({"engine.yaml": text, "w.yaml": WORKFLOW})).settings


def said(faults: Faults, text: str) -> list[str]:
    """What is wrong with an ``engine.yaml``."""
    return [line.removeprefix("engine.yaml:") for line in faults({"engine.yaml": text, "w.yaml": WORKFLOW})]


def read(write: Write, text: str) -> Settings:
    return load(write({"engine.yaml": text, "w.yaml": WORKFLOW})).settings


def test_settings_that_say_nothing_are_the_defaults(write: Write) -> None:
    assert read(write, "{}") == load(write({"w.yaml": WORKFLOW})).settings == Settings()


def test_every_setting_of_the_model_can_be_written() -> None:
    written = set(SettingsShape.model_fields)

    assert written == {field.name for field in dataclasses.fields(Settings)}


def test_a_number_of_agents_is_one_group_of_agents_for_everything(write: Write) -> None:
    assert read(write, "agents: 7").agents == (AgentGroup("agent", 7, frozenset({"all"})),)


def test_groups_of_agents_have_their_keys_as_names(write: Write) -> None:
    text = """
    agents:
      local: {count: 3}
      gpu: {count: 1, capabilities: [gpu, 5]}
    """

    assert read(write, text).agents == (
        AgentGroup("local", 3, frozenset({"all"})),
        AgentGroup("gpu", 1, frozenset({"gpu", "5"})),
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("agents: 0", "1:9: agents: must be a number from 1 to 10000, or groups by name"),
        ("agents: -1", "1:9: agents: must be a number from 1 to 10000, or groups by name"),
        ("agents: 2.5", "1:9: agents: must be a number from 1 to 10000, or groups by name"),
        ("agents: true", "1:9: agents: must be a number from 1 to 10000, or groups by name"),
        ("agents: 10001", "1:9: agents: must be a number from 1 to 10000, or groups by name"),
        ("agents: {}", "1:9: agents: must name at least one group"),
        ("agents: {a: {}}", "1:13: agents.a: needs 'count'"),
        ("agents: {a: 5}", "1:13: agents.a: must be a mapping of names to values, not 5"),
        ("agents: {a: {count: 0}}", "1:21: agents.a.count: must be 1 or more, not 0"),
        ("agents: {a: {count: 6000}, b: {count: 6000}}", "1:9: agents: more than 10000 agents in all"),
        ("agents: {a: {count: 1, capabilities: []}}", "1:38: agents.a.capabilities: must not be empty"),
        (
            "agents: {a: {count: 1, capability: [x]}}",
            "1:24: agents.a.capability: unknown field 'capability'; did you mean 'capabilities'?",
        ),
        (
            "agents: {gpu: {runner: ray, count: 2}}",
            "1:16: agents.gpu.runner: agents on other machines are not available; leave 'runner' out",
        ),
        (
            "agents: {a b: {count: 1}}",
            "1:10: agents.a b: 'a b' names agents, a b_0 and so on: letters, digits and '_' alone",
        ),
    ],
)
def test_agents_that_cannot_be_are_one_clear_fault(faults: Faults, text: str, fault: str) -> None:
    assert said(faults, text) == [fault]


def test_entities_are_a_list_or_a_mapping_by_id(write: Write) -> None:
    listed = """
    entities:
      - {id: 000001, name: 平安银行, phase: data_ready, status: pending, priority: 0, last_processed: , data: {n: 007}}
      - {id: 600000}
    """
    mapped = """
    entities:
      000001: {name: 平安银行, phase: data_ready, status: pending, priority: 0, data: {n: "007"}}
      600000: {}
    """
    expected = (
        EntitySeed(EntityId("000001"), "平安银行", "data_ready", EntityStatus.PENDING, 0, {"n": "007"}),
        EntitySeed(EntityId("600000")),
    )

    assert read(write, listed).entities == read(write, mapped).entities == expected


def test_timed_events_say_when_what_and_about_whom(write: Write) -> None:
    text = """
    event_types: [TICK]
    events:
      - {type: DATA_READY, stock_id: 000001, priority: 0}
      - {after_ms: 500, type: TICK, entity_id: 000003, data: {code: 000003}, valid_for_ms: 50, id: first}
    """

    read_ = read(write, text)

    assert read_.event_types == {"TICK"}
    assert read_.events == (
        TimedEvent(0, Event("DATA_READY", "000001", 0)),
        TimedEvent(500, Event("TICK", "000003", None, {"code": "000003"}, valid_for_ms=50, id="first")),
    )


def test_types_of_ones_own_may_trigger_workflows(write: Write, faults: Faults) -> None:
    workflow = "{id: w, trigger_event: TICK, tasks: [{id: t, run: [x]}]}"

    read_ = load(write({"engine.yaml": "event_types: [TICK]", "w.yaml": workflow})).workflows[WorkflowId("w")]

    assert (read_.trigger_event, read_.phase) == ("TICK", None)
    assert faults({"engine.yaml": "event_types: [TICKS]", "w.yaml": workflow}) == [
        "w.yaml:1:24: trigger_event: no event type 'TICK'; did you mean 'TICKS'?"
    ]


def test_bounds_go_by_their_names_in_the_model(write: Write) -> None:
    text = """
    language: en
    store: sqlite:///engine.db
    on_unknown_entity: reject
    max_infra_losses: 0
    starvation_ms: 5000
    reconcile_ms: 50
    max_waiting_events: 10
    max_remembered_ids: 0
    max_lined_up: 2
    max_entities: 3
    max_finished: 0
    max_dead_letters: 0
    max_data_bytes: 100
    """

    assert read(write, text) == Settings(
        language="en",
        store="sqlite:///engine.db",
        on_unknown_entity=OnUnknownEntity.REJECT,
        max_infra_losses=0,
        starvation_ms=5000,
        reconcile_ms=50,
        max_waiting_events=10,
        max_remembered_ids=0,
        max_lined_up=2,
        max_entities=3,
        max_finished=0,
        max_dead_letters=0,
        max_data_bytes=100,
    )


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("language: fr", "1:11: language: must be one of zh, en, not 'fr'"),
        ("store: ''", "1:8: store: must not be empty"),
        ("store: 5", "1:8: store: must be text; put it in quotes"),
        ("max_entites: 5", "1:1: max_entites: unknown field 'max_entites'; did you mean 'max_entities'?"),
        ("max_entities: 0", "1:15: max_entities: must be 1 or more, not 0"),
        ("reconcile_ms: 0", "1:15: reconcile_ms: must be 1 or more, not 0"),
        ("on_unknown_entity: ad", "1:20: on_unknown_entity: must be one of add, reject, not 'ad'; did you mean 'add'?"),
        ("event_types: TICK", "1:14: event_types: must be a list, not 'TICK'"),
        ("[1]", "1:1: must be a mapping of names to values, not a list"),
        ("workflows: {}", "1:1: workflows: unknown field 'workflows'; workflows stand in files of their own"),
        ("entities: 5", "1:11: entities: must be a list, or a mapping by id"),
        ("entities: [5]", "1:12: entities[0]: must be a mapping of names to values, not 5"),
        ("entities: [{name: x}]", "1:12: entities[0]: needs 'id'"),
        ("entities: [{id: a}, {id: a}]", "1:26: entities[1].id: a second entity 'a'"),
        ("entities: {a/b: {}}", "1:17: entities.a/b.id: must not contain spaces, slashes or control characters"),
        ("entities: {a: {id: b}}", "1:20: entities.a.id: differs from its key 'a'; leave it out"),
        ("entities: [{id: a, priority: -1}]", "1:30: entities[0].priority: must be 0 or more, not -1"),
        ("entities: [{id: a, prio: 1}]", "1:20: entities[0].prio: unknown field 'prio'"),
        (
            "entities: [{id: a, last_processed: 5}]",
            "1:36: entities[0].last_processed: is set by the engine; leave it empty",
        ),
        (
            "entities: [{id: a, status: processing}]",
            "1:28: entities[0].status: processing is what the engine sets while work runs; use pending",
        ),
        ("events: {a: 1}", "1:9: events: must be a list"),
        ("events: [5]", "1:10: events[0]: must be a mapping of names to values, not 5"),
        ("events: [{type: DATA_READY}]", "1:10: events[0]: needs 'entity_id'"),
        ("events: [{entity_id: a}]", "1:10: events[0]: needs 'type'"),
        (
            "events: [{type: DATA_READY, entity_id: a, stock_id: a}]",
            "1:43: events[0].stock_id: stands for entity_id; give one of them",
        ),
        (
            "events: [{type: TASK_COMPLETED, entity_id: a}]",
            "1:17: events[0].type: TASK_COMPLETED is published by the engine alone",
        ),
        (
            "events: [{type: DATA_REDY, entity_id: a}]",
            "1:17: events[0].type: no event type 'DATA_REDY'; did you mean 'DATA_READY'?",
        ),
        ("events: [{type: X, entity_id: a}]", "1:17: events[0].type: no event type 'X'; name it in event_types"),
        (
            "events: [{type: DATA_READY, entity_id: a, after_ms: -1}]",
            "1:53: events[0].after_ms: must be 0 or more, not -1",
        ),
        (
            "events: [{type: DATA_READY, entity_id: a, at_ms: 1}]",
            "1:43: events[0].at_ms: unknown field 'at_ms'; did you mean 'after_ms'?",
        ),
    ],
)
def test_a_setting_that_cannot_be_is_one_clear_fault(faults: Faults, text: str, fault: str) -> None:
    assert said(faults, text) == [fault]


def test_an_event_id_given_twice_would_be_taken_for_one(faults: Faults) -> None:
    event = "{type: DATA_READY, entity_id: a, id: e}"

    assert said(faults, f"events:\n- {event}\n- {event}") == [
        "3:40: events[1].id: a second event 'e', which would be taken for the first"
    ]


def test_settings_stand_in_one_file(faults: Faults) -> None:
    assert faults({"engine.yaml": "agents: 1", "engine.json": "{}", "w.yaml": WORKFLOW}) == [
        "engine.json:1:1: a second file of settings beside engine.yaml"
    ]


def test_a_workflow_file_holds_no_settings(faults: Faults) -> None:
    assert faults("{id: w, settings: {agents: 5}, tasks: [{id: t, run: [x]}]}") == [
        "w.yaml:1:9: settings: unknown field 'settings'; settings stand in engine.yaml"
    ]


def test_a_dict_says_settings_beside_its_workflows() -> None:
    def act(ctx: object) -> None: ...

    workflow = {"tasks": [{"id": "t", "action": "act"}]}
    settings = {"agents": 2, "entities": [{"id": "000001"}]}

    for source in ({"id": "w", **workflow, "settings": settings}, {"workflows": {"w": workflow}, "settings": settings}):
        read_ = parse(source, actions={"act": act})
        assert (read_.settings.agents[0].count, read_.settings.entities[0].id) == (2, "000001")
        assert list(read_.workflows) == ["w"]


def test_what_is_wrong_with_settings_in_a_dict_is_named_by_its_path() -> None:
    with pytest.raises(DefinitionError) as caught:
        parse({"id": "w", "tasks": [], "settings": {"agents": {"a": {"count": 0}}}})

    assert [fault.path for fault in caught.value.faults] == ["settings.agents.a.count", "tasks"]


def test_the_example_in_the_module_is_read(write: Write) -> None:
    from actors import settings

    text = dedent(str(settings.__doc__).partition("::\n\n")[2].partition("\n\nand every")[0])
    text = "\n".join(line for line in text.splitlines() if not line.startswith("agents: 5"))

    read_ = read(write, text)

    assert [group.name for group in read_.agents] == ["local", "gpu"]
    assert read_.entities[0].id == "000001"
    assert read_.events[0].event.entity_id == "000003"


def test_a_file_of_a_folder_is_read_with_the_folders_settings(write: Write) -> None:
    folder = write({"engine.yaml": "agents: 3", "w.yaml": WORKFLOW, "v.yaml": "not a workflow"})

    assert load(folder / "w.yaml").settings.agents[0].count == 3
    assert Path(str(load(folder / "w.yaml").folder)) == folder
