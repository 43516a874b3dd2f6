"""What is shown of a message: enough to know it by, whatever it carries."""

from __future__ import annotations

from actors import Event
from actors.brief import brief, parts
from actors.messages import Cancel, EndTaken, EventBatch, ForwardedEvent, ReadStats
from actors.model import AttemptId, TaskKey

PAYLOAD = "x" * 1_000_000


def test_a_line_is_short_whatever_the_payload() -> None:
    event = ForwardedEvent(Event("DATA_READY", "X", data=PAYLOAD), 2, 0, ("id",))
    batch = EventBatch(7, (event,) * 100)

    assert brief(batch) == "EventBatch(batch=7, events=a tuple of 100)"
    assert len(brief(Cancel(PAYLOAD))) < 150
    assert len(brief(event)) < 200


def test_what_is_short_is_shown() -> None:
    assert brief(EndTaken(AttemptId(TaskKey(5), 2))) == "EndTaken(attempt=AttemptId(5, 2))"
    assert brief(Cancel("an-id")) == "Cancel(id='an-id', reply=0)"
    assert brief(None) == "NoneType"


def test_parts_are_counted() -> None:
    assert parts(ReadStats()) == 0
    assert parts(EventBatch(1, ())) == 0
    assert parts(EventBatch(1, (ForwardedEvent(Event("DATA_READY", "X"), 2, 0, ("id",)),) * 3)) == 3
