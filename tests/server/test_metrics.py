"""Metrics: what they count, in base units, and never by an id."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from actors.views import ChangeType
from tests.server.conftest import Served

Serve = Callable[..., Served]
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
LABELS = {
    "priority",
    "outcome",
    "verdict",
    "status",
    "victim_priority",
    "preemptor_priority",
    "reason",
    "what",
    "state",
    "actor",
    "le",
}
LISTED = (
    "engine_queue_depth",
    "engine_queue_wait_seconds",
    "engine_task_seconds",
    "engine_preemptions",
    "engine_preemption_to_start_seconds",
    "engine_wasted_seconds",
    "engine_inbox_depth",
    "engine_events",
    "engine_events_shed",
    "engine_agents",
)


def two_levels(file: Path) -> dict[str, Any]:
    task = {"action": "tell_and_wait", "params": {"file": str(file)}, "timeout": 60_000, "isolation": "thread"}
    return {
        "settings": {"event_types": ["LOW", "HIGH"]},
        "workflows": [
            {"id": "low", "priority": 123_456, "trigger_event": "LOW", "tasks": [{"id": "slow", **task}]},
            {"id": "high", "priority": 0, "trigger_event": "HIGH", "tasks": [{"id": "urgent", "action": "quick"}]},
        ],
    }


def read(served: Served) -> Samples:
    answer = served.over_tcp().get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def preempted_once(serve: Serve, tmp_path: Path) -> Served:
    served = serve(two_levels(tmp_path / "go"), agents=1)
    client = served.client()
    client.post("/v1/events", json={"type": "LOW", "entity_id": "SH-600036", "id": "event-of-low"})
    served.watched.until(ChangeType.TASK_NOTED, task="slow")  # Its first line has run: there is work to stop.
    client.post("/v1/events", json={"type": "HIGH", "entity_id": "SH-600519", "id": "event-of-high"})
    served.watched.until(ChangeType.TASK_STARTED, 2, task="slow")
    (tmp_path / "go").touch()
    assert client.post("/v1/wait-idle").json() == {"idle": True}
    return served


def test_a_preemption_is_counted_by_both_priorities_and_its_seconds_are_told(serve: Serve, tmp_path: Path) -> None:
    found = read(preempted_once(serve, tmp_path))

    assert found["engine_preemptions_total", (("preemptor_priority", "0"), ("victim_priority", "10+"))] == 1
    assert found["engine_preemption_to_start_seconds_count", ()] == 1
    assert 0 < found["engine_preemption_to_start_seconds_sum", ()] < 20
    assert found["engine_task_seconds_count", (("outcome", "completed"),)] == 2
    assert found["engine_task_seconds_count", (("outcome", "stopped_preempt"),)] == 1
    assert found["engine_queue_wait_seconds_count", (("priority", "10+"),)] == 2
    assert found["engine_queue_wait_seconds_count", (("priority", "0"),)] == 1
    assert 0 < found["engine_wasted_seconds_total", (("reason", "preempt"),)] < 20
    assert found["engine_instances_total", (("status", "completed"),)] == 2
    assert found["engine_agents", (("state", "idle"),)] == 1
    assert found["engine_inbox_depth", (("actor", "agents"),)] >= 0


def test_all_that_is_promised_is_there_also_before_anything_has_happened(serve: Serve, tmp_path: Path) -> None:
    text = serve(two_levels(tmp_path / "go")).over_tcp().get("/metrics").text

    families = {family.name for family in text_string_to_metric_families(text)}
    assert set(LISTED) <= families


def test_neither_names_nor_labels_ever_hold_an_id(serve: Serve, tmp_path: Path) -> None:
    served = preempted_once(serve, tmp_path)
    lines = [json.dumps({"type": "LOW", "entity_id": f"SH-{n:06}", "priority": n}) for n in range(200)]
    served.client().post("/v1/events/batch", content="\n".join(lines).encode())
    found = read(served)

    labels = {name for _, pairs in found for name, _ in pairs}
    values = {value for _, pairs in found for name, value in pairs if name != "le"}
    assert labels <= LABELS
    assert not [value for value in values if re.search(r"SH-|event-of|low|high|slow|urgent|agent_\d|\d{3,}", value)]
    names = {name for name, _ in found}
    assert not [name for name in names if not re.fullmatch(r"engine_[a-z_]+", name)]
    assert not [name for name in names if name.endswith(("_ms", "_milliseconds", "_percent"))]
    assert len(found) < 600
