"""Which task gets which agent next: the laws of scheduling 1, 2, 6 and 7 as one function."""

from __future__ import annotations

from typing import TypeAlias

from actors.frozen import frozen
from actors.logic.fleet import Agent, Fleet, Running
from actors.logic.ready import ReadyLine, Waiting


@frozen
class Assign:
    """Start the task on this idle agent."""

    waiting: Waiting
    agent: Agent


@frozen
class TakeOver:
    """This agent is being freed for a less important task; it goes to this one instead."""

    waiting: Waiting
    agent: Agent


@frozen
class Preempt:
    """Stop this attempt; its agent is reserved for the task."""

    waiting: Waiting
    victim: Running


Move: TypeAlias = Assign | TakeOver | Preempt


def next_move(line: ReadyLine, fleet: Fleet) -> Move | None:
    """Match startable tasks, most important first, to agents; one match a call.

    A task takes an idle agent it is fit for; failing that, an agent already being freed for a
    less important task; failing that, the agent running the least important attempt that may
    be preempted, if that is strictly less important. An agent whose attempt has just ended
    takes only work at least as important until what follows is known. A task whose workflow
    is at its limit, or whose lock another task has, is not looked at and does not hold up
    those behind it. An aged task goes before all but priority 0, but to an idle agent only,
    and to none that was freed for somebody: that one goes by importance. None: nothing more can
    be done in this round.

    What may bend the bound of preemption, each by its definition: an attempt is no victim
    before its ``min_runtime_ms`` (counted anew when a suspended one goes on) nor after its
    ``max_preemptions``. An urgent task then takes the least important attempt that may be
    preempted now, and otherwise the first whose time is over, so it waits at most the rest of
    the shortest; where all are protected it waits for an end. What an attempt inherits makes
    it more important and never less protected. ``preempts: never`` takes idle agents alone.
    """
    while (front := line.front()) is not None:
        waiting, need = front
        if not need.aged and not fleet.can_serve(waiting.priority):
            return None  # Who comes after it is no more important, and the aged have had their turn.
        idle = fleet.idle_for(need.capabilities, waiting.rank(need))
        if need.aged and idle is not None:
            idle = fleet.idle_for_aged(waiting, need, idle)
        if idle is not None:
            due = idle.reserved_for
            return Assign(due if due is not None and due.key < waiting.key else waiting, idle)
        if need.preempts and not need.reserved and not need.aged:
            freed = fleet.being_freed_for(need.capabilities, waiting.key)
            if freed is not None:
                return TakeOver(waiting, freed)
            victim = fleet.victim_for(need.capabilities, waiting.priority)
            if victim is not None:
                return Preempt(waiting, victim)
        line.pass_over(need)
    return None
