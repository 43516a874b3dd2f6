"""The control API's routes for who operates an engine: retry, drain, dead letters, actors, definitions, pages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from actors.server.shapes import answers as shapes
from tests.engine.conftest import one_task
from tests.server.conftest import Served
from tests.server.test_routes import one_of, refused

Serve = Callable[..., Served]
EVENT = {"type": "DATA_READY", "entity_id": "000001"}


def ended_instance(client: httpx.Client, event: dict[str, Any]) -> str:
    id = str(client.post("/v1/events", json=event).json()["instances"][0])
    assert client.get(f"/v1/instances/{id}/wait").json()["ended"]
    return id


def test_an_ended_instance_is_retried_and_both_know_of_each_other(serve: Serve) -> None:
    client = serve(one_task("quick", isolation="thread")).client()
    first = ended_instance(client, {**EVENT, "data": {"price": 1}})

    second = one_of(shapes.Receipt, client.post(f"/v1/instances/{first}/retry"), 201)["instances"][0]

    waited = one_of(shapes.Waited, client.get(f"/v1/instances/{second}/wait"))["instance"]
    assert waited["retry_of"] == first
    assert waited["event"]["data"] == {"price": 1}
    assert client.get(f"/v1/instances/{first}").json()["retried_by"] == second
    refused(client.post("/v1/instances/nothing/retry"), 404, "not_found")


def test_a_drained_agent_gets_no_work_and_the_whole_engine_can_be_paused(serve: Serve) -> None:
    client = serve(one_task("quick", isolation="thread"), agents=1).client()

    one_of(shapes.Done, client.post("/v1/agents/agent_0/drain"))
    assert one_of(shapes.Agents, client.get("/v1/agents"))["items"][0]["state"] == "drained"
    id = client.post("/v1/events", json=EVENT).json()["instances"][0]
    task = one_of(shapes.Tasks, client.get("/v1/tasks"))["items"][0]
    assert one_of(shapes.Why, client.get(f"/v1/tasks/{task['id']}/why"))["status"] == "pending"
    one_of(shapes.Done, client.post("/v1/pause", json={}))
    one_of(shapes.Done, client.post("/v1/agents/agent_0/undrain"))
    assert not client.get(f"/v1/instances/{id}/wait", params={"timeout_s": 0.05}).json()["ended"]
    one_of(shapes.Done, client.post("/v1/resume", json={"workflow": None}))

    assert client.get(f"/v1/instances/{id}/wait").json()["ended"]
    refused(client.post("/v1/agents/nobody/drain"), 404, "not_found")


def test_a_dead_letter_is_listed_retried_and_dropped(serve: Serve) -> None:
    client = serve(
        {"settings": {"on_unknown_entity": "reject"}, "workflows": [one_task("quick", isolation="thread")]}
    ).client()
    refused(client.post("/v1/events", json=EVENT), 409, "refused")
    letter = one_of(shapes.DeadLetters, client.get("/v1/dead-letters"))["items"][0]

    refused(client.post(f"/v1/dead-letters/{letter['id']}/retry"), 409, "refused")
    client.put("/v1/entities/000001", json={"phase": "none"})
    one_of(shapes.Receipt, client.post(f"/v1/dead-letters/{letter['id']}/retry"), 202)
    refused(client.post(f"/v1/dead-letters/{letter['id']}/retry"), 404, "not_found")

    refused(client.post("/v1/events", json={**EVENT, "entity_id": "000002"}), 409, "refused")
    last = client.get("/v1/dead-letters").json()["items"][-1]["id"]
    one_of(shapes.Done, client.delete(f"/v1/dead-letters/{last}"))
    refused(client.delete(f"/v1/dead-letters/{last}"), 404, "not_found")


def test_actors_are_shown_inspected_and_sent_what_their_protocol_says(serve: Serve) -> None:
    client = serve(one_task("quick", isolation="thread"), agents=1).client()

    actors = one_of(shapes.Actors, client.get("/v1/actors"))["items"]
    assert {actor["name"] for actor in actors} == {"router", "keeper", "scheduler", "agent_0"}
    assert client.get("/v1/actors/scheduler/inspect").json()
    messages = {one["name"]: one for one in one_of(shapes.Protocol, client.get("/v1/actors/keeper/protocol"))["items"]}
    assert (messages["Cancel"]["unsafe"], messages["AttemptClosed"]["unsafe"]) == (False, True)

    sent = one_of(shapes.Sent, client.post("/v1/actors/keeper/send", json={"message": "ReadStats"}))
    assert sent["answer"]["entities"] == 0
    wrong = client.post("/v1/actors/keeper/send", json={"message": "Cancel", "fields": {"id": 7}})
    refused(wrong, 400, "request")
    refused(client.post("/v1/actors/keeper/send", json={"message": "ReconcileDue"}), 409, "refused")
    refused(client.post("/v1/actors/nobody/send", json={"message": "ReadStats"}), 404, "not_found")
    refused(client.get("/v1/actors/nobody/inspect"), 404, "not_found")


def test_a_tap_shows_messages_as_they_come_and_leaves_nothing_when_it_goes(serve: Serve) -> None:
    served = serve(one_task("quick", isolation="thread"))
    with served.client().stream("GET", "/v1/actors/router/tap") as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith(":")
        served.client().post("/v1/events", json=EVENT)
        shown = next(json.loads(line[6:]) for line in lines if line.startswith("data: ") and "Publish" in line)

    assert shown["actor"] == "router"
    assert shown["message"] == "Publish"
    with served.client().stream("GET", "/v1/actors/nobody/tap") as answer:
        assert answer.status_code == 404
    served.watched.soon(lambda: served.control.taps.open == 0)


def test_pages_give_each_instance_once_and_tasks_by_themselves(serve: Serve) -> None:
    client = serve(one_task("quick", isolation="thread")).client()
    lines = [json.dumps({"type": "DATA_READY", "entity_id": f"{n:06}"}) for n in range(45)]
    client.post("/v1/events/batch", content="\n".join(lines).encode())
    assert client.post("/v1/wait-idle").json() == {"idle": True}

    found: list[str] = []
    cursor: str | None = None
    while True:
        page = one_of(
            shapes.Instances,
            client.get("/v1/instances", params={"limit": 20, **({"cursor": cursor} if cursor else {})}),
        )
        found += [item["entity_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(found) == [f"{n:06}" for n in range(45)]
    one = one_of(shapes.Instances, client.get("/v1/instances", params={"entity": "000007"}))["items"]
    assert [item["entity_id"] for item in one] == ["000007"]
    rows = one_of(shapes.Entities, client.get("/v1/entities", params={"search": "00004", "limit": 3}))
    assert [row["id"] for row in rows["items"]] == ["000004", "000040", "000041"]
    refused(client.get("/v1/instances", params={"cursor": "nonsense"}), 400, "request")
    assert one_of(shapes.Tasks, client.get("/v1/tasks")) == {"items": [], "next_cursor": None}


def test_every_setting_says_where_it_comes_from(serve: Serve) -> None:
    client = serve(one_task("quick", isolation="thread"), agents=2).client()

    sources = {one["name"]: one["source"] for one in one_of(shapes.Settings, client.get("/v1/settings"))["items"]}

    assert sources["agents"] == "argument"
    assert sources["max_entities"] == "default"


def test_definitions_are_validated_without_being_run_or_written_elsewhere(serve: Serve, tmp_path: Path) -> None:
    client = serve(one_task("quick", isolation="thread")).client()
    traces = tmp_path / "ran"
    files = {
        "flow.yaml": "id: flow\ntasks: [{id: a, action: 'acts:one'}, {id: b, action: 'acts:one', depends_on: [c]}]\n",
        "acts.py": f"open({str(traces)!r}, 'w')\ndef one(ctx): pass\n",
    }

    found = one_of(shapes.Validated, client.post("/v1/definitions/validate", json={"files": files}))

    assert [(fault["file"], fault["line"]) for fault in found["faults"]] == [("flow.yaml", 2)]
    assert not traces.exists()
    files["flow.yaml"] = files["flow.yaml"].replace("[c]", "[a]")
    good = one_of(shapes.Validated, client.post("/v1/definitions/validate", json={"files": files}))
    assert good == {"valid": True, "faults": []}
    refused(client.post("/v1/definitions/validate", json={"files": {"a.yaml": "#" * 600_000}}), 400, "request")
    for name in ("../x.yaml", "/etc/x.yaml", "a/b.yaml", "x.sh", ".yaml", "x.yaml\n", ""):
        refused(client.post("/v1/definitions/validate", json={"files": {name: ""}}), 400, "request")


def test_definitions_are_loaded_anew_and_with_faults_refused_whole(serve: Serve, tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    flow = "id: flow\ntrigger: manual\ntasks: [{id: task, run: ['true']}]\n"
    (folder / "flow.yaml").write_text(flow)
    client = serve(folder).client()
    before = one_of(shapes.Version, client.get("/v1/version"))["definitions_version"]

    (folder / "more.yaml").write_text(flow.replace("flow", "more"))
    changed = one_of(shapes.Reloaded, client.post("/v1/definitions/reload"))
    assert (changed["added"], changed["previous"]) == (["more"], before)
    assert client.get("/v1/version").json()["definitions_version"] == changed["version"]

    (folder / "more.yaml").write_text("id: more\ntasks: []\n")
    fault = refused(client.post("/v1/definitions/reload"), 400, "definitions")
    assert "more.yaml:2" in fault
    assert [one["id"] for one in client.get("/v1/definitions").json()["items"]] == ["flow", "more"]
