"""The scheduler actor: its logic is ``logic.scheduling``; every effect of it is a message."""

from __future__ import annotations

from actors.actor import LogicActor, Surroundings
from actors.effects import SCHEDULER
from actors.logic.scheduling import Scheduling


class SchedulerActor(LogicActor):
    def __init__(self, logic: Scheduling, around: Surroundings) -> None:
        super().__init__(SCHEDULER, logic, around)
