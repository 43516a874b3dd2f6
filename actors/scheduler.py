"""The scheduler actor: its logic is ``logic.scheduling``; every effect of it is a message."""

from __future__ import annotations

from actors.actor import LogicActor


class SchedulerActor(LogicActor):
    """Nothing beyond what every actor does."""
