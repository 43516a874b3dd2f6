"""Ids that the engine gives to events which come without one."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import replace
from typing import Any

from actors.messages import DueEvent, Publish, ScheduleEvents
from actors.model import Event


def short_unique() -> str:
    """35 random bits in seven characters: with a sequence number they stay a small text."""
    number, text = uuid.uuid4().int >> 93, ""
    for _ in range(7):
        number, digit = divmod(number, 32)
        text += "0123456789abcdefghijklmnopqrstuv"[digit]
    return text


class Ids:
    """Unique among engines and runs. Any number of threads may ask for one."""

    def __init__(self) -> None:
        self._run = short_unique()
        self._numbers = itertools.count(1)

    def new(self) -> str:
        return f"{self._run}-{next(self._numbers)}"

    def given(self, message: Any) -> Any:
        """The message; if it brings events, each with an id: without one it could be taken in twice."""
        match message:
            case Publish(events, reply):
                return Publish(tuple([self._given(event) for event in events]), reply)
            case ScheduleEvents(timed, reply):
                return ScheduleEvents(tuple([DueEvent(item.at, self._given(item.event)) for item in timed]), reply)
            case _:
                return message

    def _given(self, event: Event) -> Event:
        return event if event.id is not None else replace(event, id=self.new())
