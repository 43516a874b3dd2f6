"""The control API's routes: what each takes and gives."""

from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from actors.server.shapes import answers as shapes
from tests.engine.conftest import one_task
from tests.server.conftest import Served

Serve = Callable[..., Served]


def one_of(model: type[Any], response: httpx.Response, status: int = 200) -> Any:
    """The answer, which has every field of its model and no other."""
    assert response.status_code == status, response.text
    model.model_validate_json(response.content)
    return response.json()


def refused(response: httpx.Response, status: int, code: str) -> str:
    """The sentence of a refusal."""
    shapes.Problem.model_validate_json(response.content)
    found = response.json()["error"]
    assert (response.status_code, found["code"]) == (status, code), response.text
    assert "\n" not in found["message"]
    return str(found["message"])


def test_an_event_is_published_and_its_instance_can_be_waited_for_and_read(serve: Serve) -> None:
    client = serve(one_task("quick", isolation="thread")).client()

    event = {"type": "DATA_READY", "entity_id": "000001", "priority": 0, "data": {"price": 10.9}}
    receipt = one_of(shapes.Receipt, client.post("/v1/events", json=event), 202)
    waited = one_of(shapes.Waited, client.get(f"/v1/instances/{receipt['instances'][0]}/wait"))

    assert waited["ended"]
    assert waited["instance"]["status"] == "completed"
    instance = one_of(shapes.Instance, client.get(f"/v1/instances/{receipt['instances'][0]}"))
    assert instance == waited["instance"]
    task = one_of(shapes.TaskAlone, client.get(f"/v1/tasks/{instance['tasks'][0]['id']}"))
    assert task["instance_id"] == instance["id"]
    assert task["attempts"][0]["outcome"] == "completed"
    assert one_of(shapes.Why, client.get(f"/v1/tasks/{task['id']}/why"))["status"] == "completed"
    assert client.get(f"/v1/tasks/{instance['id']}").status_code == 404, "an instance is no task"
    assert client.get(f"/v1/tasks/{instance['id']}/why").status_code == 409
    page = one_of(shapes.Instances, client.get("/v1/instances", params={"status": "completed"}))
    assert page["items"] == [instance]


def test_the_chinese_example_field_name_stock_id_is_taken(serve: Serve) -> None:
    client = serve(one_task("quick", isolation="thread")).client()

    receipt = client.post("/v1/events", json={"type": "DATA_READY", "stock_id": "600036"}).json()

    assert client.get(f"/v1/instances/{receipt['instances'][0]}").json()["entity_id"] == "600036"


def test_the_state_of_the_engine_is_read(serve: Serve) -> None:
    served = serve(one_task("quick", isolation="thread"), agents=2)
    client = served.client()

    assert one_of(shapes.Health, client.get("/v1/health")) == {"status": "ok"}
    assert one_of(shapes.Ready, client.get("/v1/ready"))["ready"] is True
    assert one_of(shapes.Version, client.get("/v1/version"))["version"]
    assert one_of(shapes.Stats, client.get("/v1/stats"))["preemptions"] == 0
    assert one_of(shapes.Queues, client.get("/v1/queues")) == {"items": []}
    assert [agent["name"] for agent in one_of(shapes.Agents, client.get("/v1/agents"))["items"]] == [
        "agent_0",
        "agent_1",
    ]
    assert [one["id"] for one in one_of(shapes.Workflows, client.get("/v1/definitions"))["items"]] == ["flow"]
    assert one_of(shapes.Workflow, client.get("/v1/definitions/flow"))["tasks"][0]["id"] == "task"


def test_an_entity_is_put_and_read_and_what_is_left_out_stays(serve: Serve) -> None:
    client = serve(
        {"id": "flow", "trigger": "manual", "tasks": one_task("quick", isolation="thread")["tasks"]}
    ).client()

    one_of(shapes.Entity, client.put("/v1/entities/600036", json={"name": "招商银行", "priority": 0}))
    entity = one_of(shapes.Entity, client.put("/v1/entities/600036", json={"phase": "closed"}))

    assert (entity["name"], entity["priority"], entity["phase"]) == ("招商银行", 0, "closed")
    assert one_of(shapes.Entity, client.get("/v1/entities/600036")) == entity
    assert one_of(shapes.Entities, client.get("/v1/entities"))["items"] == [entity]
    assert one_of(shapes.Entities, client.get("/v1/entities", params={"phase": "other"}))["items"] == []


def test_work_is_run_reprioritised_and_cancelled(serve: Serve, tmp_path: Any) -> None:
    served = serve(one_task("wait_for_file", params={"file": str(tmp_path / "never")}, preemptible=False), agents=1)
    client = served.client()

    wanted = {"workflow": "flow", "entity_id": "000001"}
    running = one_of(shapes.Receipt, client.post("/v1/instances", json=wanted), 201)["instances"][0]
    tasks = one_of(shapes.Tasks, client.get("/v1/tasks"))["items"]
    assert [task["instance_id"] for task in tasks] == [running]
    assert one_of(shapes.Done, client.post("/v1/priority", json={"id": running, "priority": 0})) == {"ok": True}
    assert client.get(f"/v1/instances/{running}").json()["tasks"][0]["priority"] == 0
    one_of(shapes.Done, client.post("/v1/cancel", json={"id": running}))
    waited = one_of(shapes.Waited, client.get(f"/v1/instances/{running}/wait", params={"timeout_s": 20}))

    assert waited["instance"]["status"] == "cancelled"


def test_a_paused_workflow_starts_nothing_until_it_is_resumed(serve: Serve) -> None:
    client = serve(one_task("quick", isolation="thread")).client()

    one_of(shapes.Done, client.post("/v1/pause", json={"workflow": "flow"}))
    receipt = client.post("/v1/events", json={"type": "DATA_READY", "entity_id": "000001"}).json()
    id = receipt["instances"][0]
    waited = one_of(shapes.Waited, client.get(f"/v1/instances/{id}/wait", params={"timeout_s": 0.05}))
    assert (waited["ended"], waited["instance"]["status"]) == (False, "running")
    one_of(shapes.Done, client.post("/v1/resume", json={"workflow": "flow"}))

    assert one_of(shapes.Waited, client.get(f"/v1/instances/{id}/wait"))["ended"]
    assert one_of(shapes.WaitedIdle, client.post("/v1/wait-idle")) == {"idle": True}


def test_lines_of_a_batch_are_published_in_order_and_the_bad_ones_are_told(serve: Serve) -> None:
    client = serve(one_task("quick", isolation="thread")).client()
    lines = [
        b'{"type": "DATA_READY", "entity_id": "000001", "id": "one"}',
        b"",
        b"not JSON",
        b'{"type": "DATA_READY", "entity_id": "000001", "id": "one"}',
        b'{"type": "DATA_READI", "entity_id": "000001"}',
        b'{"type": "DATA_READY", "entity_id": "000001", "pric": 1}',
        b"\xff\xfe",
        b'{"type": "DATA_READY", "entity_id": "000002"}',
    ]

    one_of(shapes.BatchSummary, client.post("/v1/events/batch", content=lines[0]))
    summary = one_of(shapes.BatchSummary, client.post("/v1/events/batch", content=b"\n".join(lines)))

    assert (summary["accepted"], summary["duplicates"], summary["rejected"]) == (3, 2, 4)
    assert [fault["line"] for fault in summary["errors"]] == [3, 5, 6, 7]
    assert "did you mean 'DATA_READY'" in summary["errors"][1]["error"]["message"]


def test_a_batch_gives_each_receipt_in_order_when_asked(serve: Serve) -> None:
    client = serve(one_task("quick", isolation="thread")).client()
    lines = [json.dumps({"type": "DATA_READY", "entity_id": f"{n:06}", "id": f"e{n}"}) for n in range(3_000)]
    lines[17] = "{}"

    answer = client.post("/v1/events/batch", params={"receipts": True}, content="\n".join(lines).encode())

    told = [json.loads(line) for line in answer.text.splitlines()]
    assert [one.get("event_id") for one in told] == [None if n == 17 else f"e{n}" for n in range(3_000)]
    assert told[17]["line"] == 18


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/v1/instances/nothing", None, 404, "not_found"),
        ("GET", "/v1/instances/nothing/wait", None, 404, "not_found"),
        ("GET", "/v1/tasks/nothing", None, 404, "not_found"),
        ("GET", "/v1/tasks/nothing/why", None, 404, "not_found"),
        ("GET", "/v1/entities/nothing", None, 404, "not_found"),
        ("GET", "/v1/definitions/flaw", None, 404, "not_found"),
        ("GET", "/v1/nothing", None, 404, "not_found"),
        ("DELETE", "/v1/events", None, 405, "method"),
        ("POST", "/v1/events", {"type": "DATA_READY"}, 400, "request"),
        ("POST", "/v1/events", {"type": "TASK_COMPLETED", "entity_id": "1"}, 400, "request"),
        ("POST", "/v1/events", {"type": "DATA_READY", "entity_id": "a/b"}, 400, "request"),
        ("POST", "/v1/events", {"type": "DATA_READY", "entity_id": "1", "more": 1}, 400, "request"),
        ("POST", "/v1/events", [], 400, "request"),
        ("POST", "/v1/cancel", {"id": "nothing"}, 404, "not_found"),
        ("POST", "/v1/priority", {"id": "nothing", "priority": -1}, 400, "request"),
        ("POST", "/v1/instances", {"workflow": "flaw", "entity_id": "1"}, 404, "not_found"),
        ("PUT", "/v1/entities/1", {"status": "odd"}, 400, "request"),
        ("GET", "/v1/instances?limit=0", None, 400, "request"),
        ("GET", "/v1/instances?status=odd", None, 400, "request"),
        ("POST", "/v1/tasks/nothing/resolve", {"outcome": "fine"}, 400, "request"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_sentence_and_its_status(
    serve: Serve, method: str, path: str, body: Any, status: int, code: str
) -> None:
    client = serve(one_task("quick", isolation="thread")).client()

    assert refused(client.request(method, path, json=body), status, code)


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000, b'{"a": NaN}', b"null", b""])
def test_a_body_that_is_no_json_is_refused_in_one_sentence(serve: Serve, body: bytes) -> None:
    client = serve(one_task("quick", isolation="thread")).client()

    answer = client.post("/v1/events", content=body, headers={"content-type": "application/json"})

    assert refused(answer, 400, "request")


@pytest.mark.parametrize(
    ("kind", "body", "cure"),
    [
        ("text/plain", b'{"type": "DATA_READY", "entity_id": "1"}', "send JSON, with the header 'Content-Type: app"),
        (None, b'{"type": "DATA_READY", "entity_id": "1"}', "send JSON, with the header 'Content-Type: app"),
        ("application/json", b'{"type": "\xff"}', "send JSON in UTF-8"),
    ],
)
def test_a_body_that_is_not_sent_as_json_is_told_how(serve: Serve, kind: str | None, body: bytes, cure: str) -> None:
    client = serve(one_task("quick", isolation="thread")).client()

    answer = client.post("/v1/events", content=body, headers={} if kind is None else {"content-type": kind})

    assert cure in refused(answer, 400, "request")


def test_a_misspelt_filter_is_refused_and_told_what_there_is(serve: Serve) -> None:
    client = serve(one_task("quick", isolation="thread")).client()

    told = refused(client.get("/v1/entities", params={"statsu": "failed"}), 400, "request")

    assert "'statsu'" in told
    assert "status, phase, search, limit, cursor" in told
    assert "none" in refused(client.post("/v1/resume?workflow=flow", json={}), 400, "request")


def test_a_wrong_method_is_told_where_the_right_one_stands(serve: Serve) -> None:
    client = serve(one_task("quick", isolation="thread")).client()

    assert "/openapi.json" in refused(client.delete("/v1/stats"), 405, "method")


def test_a_stopped_engine_is_told_and_not_ready(serve: Serve) -> None:
    served = serve(one_task("quick", isolation="thread"))
    client = served.client()

    served.engine.stop(grace=0.0)

    assert client.get("/v1/ready").status_code == 503
    assert client.get("/v1/health").status_code == 200
    assert refused(client.get("/v1/stats"), 503, "stopped")
    assert refused(client.post("/v1/events", json={"type": "DATA_READY", "entity_id": "1"}), 503, "stopped")


def test_openapi_says_everything_and_never_422(serve: Serve) -> None:
    schema = serve(one_task("quick", isolation="thread")).client().get("/openapi.json").json()

    operations = [operation for path in schema["paths"].values() for operation in path.values()]
    assert all(operation.get("description") for operation in operations)
    assert not [operation for operation in operations if "422" in operation["responses"]]
    writes = [path[method] for path in schema["paths"].values() for method in path if method != "get"]
    assert all(operation["security"] for operation in writes)


def test_each_route_says_its_limits_and_times(serve: Serve) -> None:
    schema = serve(one_task("quick", isolation="thread")).client().get("/openapi.json").json()

    for path in schema["paths"].values():
        for operation in path.values():
            said = {status: answer["description"] for status, answer in operation["responses"].items()}
            assert "8,388,608 bytes" in said["413"]
            assert "20 s" in said["408"]
            assert "1,000 requests a second" in said["429"]


def test_a_page_of_large_data_is_made_as_it_is_taken(serve: Serve) -> None:
    served = serve(one_task("quick", isolation="thread"))
    for n in range(40):
        served.engine.put_entity(f"{n:06}", data=f"{n:06}" * 100_000, phase="none")
    gc.collect()
    tracemalloc.start()
    try:
        with served.client().stream("GET", "/v1/entities") as answer:
            parts = answer.iter_bytes()
            first = next(parts)
            _, most = tracemalloc.get_traced_memory()
            body = first + b"".join(parts)
    finally:
        tracemalloc.stop()

    page = shapes.Entities.model_validate_json(body)
    assert [row.data[:6] for row in page.items] == [f"{n:06}" for n in range(40)]
    assert most < 8_000_000


def test_a_path_that_is_not_utf_8_names_nothing(serve: Serve) -> None:
    """It would be read as one with other characters, and so be another entity's."""
    client = serve(one_task("quick", isolation="thread")).client()
    before = client.get("/v1/entities").json()

    said = refused(client.put("/v1/entities/a%FFb", json={"phase": "idle"}), 400, "request")

    assert said == "a name in the path is not UTF-8; write it in UTF-8"
    assert client.get("/v1/entities").json() == before
