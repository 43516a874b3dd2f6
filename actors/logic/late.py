"""Attempts that outlive their instance: given up, and still to be heard of.

A rebuilt scheduler has to know of them: what stands still is with no agent, and nobody else
would ever have it ended.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from actors.frozen import frozen
from actors.logic.accounts import Stood
from actors.logic.workflows import Attempt
from actors.messages import AttemptParked, HeldTask, ReadyTask, Standing
from actors.model import AttemptId, TaskKey

if TYPE_CHECKING:
    from actors.logic.state import State


@frozen
class Late:
    held: HeldTask
    """As a rebuilt scheduler is told of it."""
    stood: Stood
    """From when until when it stood still."""


def given_up(ready: ReadyTask, attempt: Attempt) -> HeldTask:
    """A task whose outcome is recorded, and whose attempt has not ended yet."""
    stood = attempt.stood
    if stood and stood[-1][1] is None:
        return HeldTask(ready, Standing.PARKED, stood[-1][0], attempt.home, parked=True)
    return HeldTask(ready, Standing.GIVEN_UP, attempt.ready, attempt.agent)


def remember(state: State, ready: ReadyTask, attempt: Attempt) -> None:
    """Its instance is over."""
    if ready.job.attempt not in state.late:
        state.uses(ready.job.version, 1)
    state.note(state.late, ready.job.attempt)
    state.late[ready.job.attempt] = Late(given_up(ready, attempt), attempt.stood)


def parked(state: State, message: AttemptParked) -> None:
    """It stands still since, so it has to be ended where it does."""
    one = state.late.get(message.attempt)
    if one is not None and message.agent is not None:
        state.note(state.late, message.attempt)
        held = replace(one.held, standing=Standing.PARKED, since=message.at, agent=message.agent, parked=True)
        state.late[message.attempt] = Late(held, (*one.stood, (message.at, None)))


def heard_of(state: State, attempt: AttemptId) -> Late | None:
    """It has ended; None if that is known already."""
    if attempt not in state.late:
        return None
    state.note(state.late, attempt)
    known = state.late.pop(attempt)
    state.uses(known.held.ready.job.version, -1)
    return known


def withdrawn(state: State, task: TaskKey) -> None:
    """It was never assigned."""
    for attempt in [attempt for attempt in state.late if attempt.task == task]:
        heard_of(state, attempt)
