"""What the control API says of itself is true: answers to thousands of generated requests are as it says."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from actors import Event
from tests.engine.conftest import one_task
from tests.server.conftest import TOKEN, Served

Serve = Callable[..., Served]


@schemathesis.serializer("application/x-ndjson")
def as_lines(_: object, value: object) -> bytes:
    """What is no text of lines is sent as JSON on one line."""
    return value.encode(errors="surrogatepass") if isinstance(value, str) else json.dumps(value, default=str).encode()


WITHOUT_END = ("/v1/changes", "/v1/actors/{name}/tap")
"""Their answers never end; the tests of streams read them."""
CASES = 2_000
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def answers_to(served: Served, cases: int, known: Mapping[tuple[str, str], str]) -> Counter[int]:
    """Ask so many generated requests, a third of them wrong on purpose; return how often each status came.

    Every answer must be as OpenAPI says. Half ask for what is there: ``known`` by parameter and kind.
    """
    base = f"http://127.0.0.1:{served.port}"
    found: Counter[int] = Counter()
    with requests.Session() as session:
        session.trust_env = False
        session.headers["authorization"] = f"Bearer {TOKEN}"
        schema = schemathesis.openapi.from_dict(session.get(f"{base}/openapi.json").json())
        operations = [one.ok() for one in schema.get_all_operations() if isinstance(one, Ok)]
        asked = [operation for operation in operations if operation.path not in WITHOUT_END]
        assert len(operations) - len(asked) == len(WITHOUT_END)
        for operation in asked:
            modes = [operation.as_strategy(GenerationMode.POSITIVE)] * 2
            if operation.body or operation.query or operation.path_parameters:
                modes.append(operation.as_strategy(GenerationMode.NEGATIVE))

            @settings(
                max_examples=2 * cases // len(asked),  # What has no parameters is asked a few times only.
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(st.one_of(modes), st.booleans())
            def ask(case: Case[Any], real: bool) -> None:
                soon(case)
                if real:
                    case.path_parameters.update({n: known[n, kind] for n, kind in known if is_of(case, n, kind)})
                answer = case.call(base_url=base, session=session, timeout=30, allow_redirects=False)
                found[answer.status_code] += 1
                assert answer.status_code < 500, answer.text
                case.validate_response(answer, checks=CHECKS)

            ask()
    return found


def is_of(case: Case[Any], name: str, kind: str) -> bool:
    return name in case.path_parameters and case.operation.path.startswith(f"/v1/{kind}/")


def soon(case: Case[Any]) -> None:
    """Nobody waits long for what will never be: the engine may be paused by now."""
    query: Any = case.query
    if isinstance(query, dict) and isinstance(query.get("timeout_s"), int | float):
        query["timeout_s"] = min(query["timeout_s"], 0.01)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_thousand_generated_requests_are_answered_as_openapi_says_and_none_by_a_fault_of_ours(serve: Serve) -> None:
    served = serve(one_task("quick", isolation="thread"))
    served.engine.put_entity("000001", name="平安银行", phase="none")

    instance = served.engine.publish(Event("DATA_READY", "000002")).instances[0]
    view = served.engine.wait(instance, 20)
    assert view is not None
    known = {
        ("id", "entities"): "000001",
        ("id", "instances"): instance,
        ("id", "tasks"): view.tasks[0].id,
        ("name", "actors"): "keeper",
        ("name", "agents"): "agent_0",
        ("workflow", "definitions"): "flow",
    }

    found = answers_to(served, CASES, known)

    assert found.total() >= CASES
    assert found[200] > 100
    assert found[400] > 100
    assert served.client().get("/v1/health").json() == {"status": "ok"}
    assert served.client().post("/v1/resume", json={}).status_code == 200
