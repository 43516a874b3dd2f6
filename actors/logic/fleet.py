"""The agents as the scheduler knows them: who is free, for whom, and who could give way.

Agents with the same capabilities are one *kind* and interchangeable; every question is
answered per kind from heaps, so it costs O(kinds · log agents), however many agents there are.
Entries of the heaps go stale instead of being removed; a token tells.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any

from actors.logic.ready import Need, Waiting
from actors.model import ALL, AgentName, AttemptId, Instant, Job, Priority, StopReason


class Running:
    """One attempt that has an agent."""

    __slots__ = (
        "agent",
        "assigned_at",
        "given_up_for",
        "held_back",
        "job",
        "own",
        "preempted_by",
        "priority",
        "protected",
        "reserved_at",
        "resumed",
        "ripe_at",
        "sent",
        "serial",
        "stopping",
        "stuck",
        "suspending",
        "waiting",
    )

    def __init__(self, waiting: Waiting, agent: Agent, *, serial: int, now: Instant) -> None:
        self.waiting = waiting
        self.job: Job = waiting.job
        self.own = waiting.own
        self.priority = waiting.priority
        """What it counts as: its own, or what it inherits if that is more important."""
        self.agent = agent
        self.serial = serial
        self.assigned_at = now
        self.reserved_at = waiting.reserved_at
        self.sent = False
        """Whether the agent has been told to run it."""
        self.resumed = False
        """It was suspended before; if the agent never heard that it goes on, it still is."""
        self.held_back = False
        """It may not be preempted just now: it has not run long enough, or there is no room to suspend it."""
        self.ripe_at: Instant = 0
        """When it has run long enough to be preempted."""
        self.protected = False
        """It may never be preempted."""
        self.stopping: StopReason | None = None
        self.suspending = False
        self.given_up_for = StopReason.TIMEOUT
        """Why it should have stopped, if it would not and nobody here had asked it to."""
        self.stuck = False
        """It does not stop, and too many are set aside already to go on without it."""
        self.preempted_by: Waiting | None = None

    @property
    def attempt(self) -> AttemptId:
        return self.job.attempt


class Agent:
    __slots__ = (
        "drained", "hold", "incarnation", "index", "kind", "name", "present", "reserved_for", "reserved_in", "running",
        "token",
    )  # fmt: skip

    def __init__(self, name: AgentName, index: int, kind: Kind) -> None:
        self.name = name
        self.index = index
        self.kind = kind
        self.incarnation = 0
        self.present = False
        self.drained = False
        """It gets no new work, and nobody gives way on it; what it runs goes on."""
        self.running: Running | None = None
        self.hold: tuple[AttemptId, Priority] | None = None
        """Idle, but kept for work at least this important until that attempt's end is recorded (law 7)."""
        self.reserved_for: Waiting | None = None
        self.reserved_in = 0
        """The round in which that was decided."""
        self.token = 0
        """Changes whenever a heap entry about this agent goes stale."""


class Kind:
    """All agents of one set of capabilities."""

    def __init__(self, capabilities: frozenset[str]) -> None:
        self.capabilities = capabilities
        self.free: list[tuple[int, int, Agent]] = []
        self.held: list[tuple[Priority, int, int, Agent]] = []
        self.victims: list[tuple[Priority, int, int, Running]] = []
        self.reservations: list[tuple[Priority, int, int, int, Agent]] = []
        self.unclaimed: list[tuple[Priority, int, int, Agent]] = []
        """Agents being freed for a task that no longer needs them."""

        self.size = 0
        self.undrained = 0

    def prune(self) -> None:
        """Drop stale entries: those that never come to the front must not pile up."""
        bound = 64 + 4 * self.size
        if len(self.free) > bound:
            self.free = _heap([e for e in self.free if e[2].token == e[1]])
        if len(self.held) > bound:
            self.held = _heap([e for e in self.held if e[3].token == e[2]])
        if len(self.victims) > bound:
            self.victims = _heap([e for e in self.victims if e[3].agent.running is e[3] and e[3].priority == -e[0]])
        if len(self.reservations) > bound:
            self.reservations = _heap([e for e in self.reservations if e[4].token == e[2] and e[4].reserved_for])
        if len(self.unclaimed) > bound:
            self.unclaimed = _heap([e for e in self.unclaimed if e[3].token == e[1] and not e[3].reserved_for])

    def fits(self, needed: frozenset[str]) -> bool:
        return ALL in self.capabilities or needed <= self.capabilities

    def first_free(self) -> Agent | None:
        heap = self.free
        while heap:
            _, token, agent = heap[0]
            if agent.token == token:
                return agent
            heapq.heappop(heap)
        return None

    def first_held(self) -> Agent | None:
        """The held agent that takes the least important work."""
        heap = self.held
        while heap:
            _, _, token, agent = heap[0]
            if agent.token == token:
                return agent
            heapq.heappop(heap)
        return None

    def idle(self) -> list[Agent]:
        """All that have nothing to do, in no order."""
        entries = [(token, agent) for _, token, agent in self.free]
        entries += [(token, agent) for _, _, token, agent in self.held]
        return [agent for token, agent in entries if agent.token == token]

    def first_victim(self) -> Running | None:
        """The least important attempt that may be preempted; of equals, the latest started."""
        heap = self.victims
        while heap:
            priority, _, _, running = heap[0]
            current = running.agent.running is running and running.priority == -priority and not running.agent.drained
            if current and running.stopping is None and not running.held_back:
                return running
            heapq.heappop(heap)
        return None

    def first_reservation(self) -> Agent | None:
        """The agent being freed for the least important task."""
        heap = self.reservations
        while heap:
            priority, order, token, _, agent = heap[0]
            waiting = agent.reserved_for
            if agent.token == token and waiting is not None and waiting.key == (-priority, -order):
                return agent
            heapq.heappop(heap)
        return None

    def first_unclaimed(self) -> Agent | None:
        """The agent being freed for nobody in particular; that of the least important work."""
        heap = self.unclaimed
        while heap:
            priority, token, _, agent = heap[0]
            running = agent.running
            current = agent.token == token and agent.reserved_for is None and not agent.drained
            if current and running is not None and running.priority == -priority and not running.stuck:
                return agent
            heapq.heappop(heap)
        return None


def _heap(entries: list[Any]) -> list[Any]:
    heapq.heapify(entries)
    return entries


class Fleet:
    def __init__(self) -> None:
        self.agents: dict[AgentName, Agent] = {}
        self._kinds: dict[frozenset[str], Kind] = {}
        self._fitting: dict[frozenset[str], tuple[Kind, ...]] = {}
        self._ticket = 0
        self._round = 0
        self._freed: set[AgentName] = set()
        """Agents that were being freed when this round began, for somebody who needs them no more."""

    def enlist(self, name: AgentName, capabilities: frozenset[str]) -> None:
        """An agent that is to come; it is free when ``arrived`` says so."""
        kind = self._kinds.setdefault(capabilities, Kind(capabilities))
        kind.size += 1
        kind.undrained += 1
        self.agents[name] = Agent(name, len(self.agents), kind)
        self._fitting.clear()

    def __iter__(self) -> Iterator[Agent]:
        return iter(self.agents.values())

    def fitting(self, needed: frozenset[str]) -> tuple[Kind, ...]:
        """Kinds fit for a task, the specialists first, so that generalists stay free for others.

        Not those whose agents are all drained: nobody of them takes anything.
        """
        kinds = self._fitting.get(needed)
        if kinds is None:
            fit = [kind for kind in self._kinds.values() if kind.undrained and kind.fits(needed)]
            fit.sort(key=lambda kind: (ALL in kind.capabilities, len(kind.capabilities)))
            kinds = self._fitting[needed] = tuple(fit)
        return kinds

    # --- changes -------------------------------------------------------------------------------

    def begin_round(self) -> None:
        self._round += 1
        self._freed.clear()

    def claim(self, agent: Agent, waiting: Waiting) -> None:
        """It is being freed for this task from now on."""
        agent.reserved_in = self._round
        self.reserve(agent, waiting)

    def disclaim(self, agent: Agent) -> None:
        """Not for its task any more; that it was counts until the round ends."""
        if agent.reserved_in != self._round:
            self._freed.add(agent.name)
        self.reserve(agent, None)

    def set_free(self, agent: Agent, hold: tuple[AttemptId, Priority] | None) -> None:
        """It is idle now; with ``hold``, for work at least that important only."""
        agent.running = None
        agent.token += 1
        agent.hold = hold
        agent.kind.prune()
        if agent.drained:
            return
        if hold is None:
            heapq.heappush(agent.kind.free, (agent.index, agent.token, agent))
        else:
            heapq.heappush(agent.kind.held, (-hold[1], agent.index, agent.token, agent))

    def drain(self, agent: Agent) -> None:
        """From now on it gets nothing; it must not be on its way to anybody."""
        assert not agent.drained
        assert agent.reserved_for is None
        agent.drained = True
        agent.kind.undrained -= 1
        self._fitting.clear()
        if agent.running is None:
            agent.token += 1  # It stands in no line of idle agents any more.

    def undrain(self, agent: Agent) -> None:
        """It is as any other again."""
        agent.drained = False
        agent.kind.undrained += 1
        self._fitting.clear()
        running = agent.running
        if running is None:
            if agent.present:
                self.set_free(agent, agent.hold)
        elif running.stopping is not None:
            self.reserve(agent, None)
        elif not (running.protected or running.held_back):
            self.offer_victim(running)

    def leave(self, agent: Agent) -> None:
        """It is not there any more, until it arrives again."""
        agent.present = False
        agent.running = agent.hold = None
        agent.token += 1

    def release_hold(self, agent: Agent, attempt: AttemptId) -> None:
        if agent.hold is not None and agent.hold[0] == attempt and agent.running is None:
            self.set_free(agent, None)

    def occupy(self, agent: Agent, running: Running) -> None:
        agent.running = running
        agent.hold = None
        agent.token += 1

    def offer_victim(self, running: Running) -> None:
        """From now on it may be preempted, at its present priority."""
        self._ticket += 1  # Offered again at a priority it had before, it must not be compared with itself.
        heapq.heappush(running.agent.kind.victims, (-running.priority, -running.serial, self._ticket, running))

    def reprioritised(self, running: Running) -> None:
        """What it counts as has changed: it stands anew in the line in which it stood."""
        if running.stopping is None:
            if not (running.protected or running.held_back):
                self.offer_victim(running)
        elif running.agent.running is running and running.agent.reserved_for is None:
            self.reserve(running.agent, None)

    def reserve(self, agent: Agent, waiting: Waiting | None) -> None:
        agent.reserved_for = waiting
        self._ticket += 1
        if waiting is not None:
            entry = (-waiting.priority, -waiting.order, agent.token, self._ticket, agent)
            heapq.heappush(agent.kind.reservations, entry)
        elif agent.running is not None:
            heapq.heappush(agent.kind.unclaimed, (-agent.running.priority, agent.token, self._ticket, agent))

    def drained_for(self, needed: frozenset[str]) -> list[AgentName]:
        """Drained agents that are fit for a task; looks at all agents."""
        return [agent.name for agent in self if agent.drained and agent.kind.fits(needed)]

    # --- questions -----------------------------------------------------------------------------

    def idle_for(self, needed: frozenset[str], priority: Priority) -> Agent | None:
        kinds = self.fitting(needed)
        for kind in kinds:
            agent = kind.first_free()
            if agent is not None:
                return agent
        for kind in kinds:
            agent = kind.first_held()
            if agent is not None and agent.hold is not None and priority <= agent.hold[1]:
                return agent
        return None

    def idle_for_aged(self, waiting: Waiting, need: Need, found: Agent) -> Agent | None:
        """An idle agent that was freed for nobody; rarely is the one found not such a one.

        So it is for all of one shelf alike: whom the first of it may not have, none behind it may.
        """
        if not self._was_freed(found):
            return found
        for kind in self.fitting(need.capabilities):
            for agent in kind.idle():
                held = agent.hold is not None and waiting.rank(need) > agent.hold[1]
                if not held and not self._was_freed(agent):
                    return agent
        return None

    def _was_freed(self, agent: Agent) -> bool:
        """Whether it comes free by a preemption, and goes by importance therefore."""
        return agent.reserved_for is not None or agent.name in self._freed

    def being_freed_for(self, needed: frozenset[str], key: tuple[Priority, int]) -> Agent | None:
        """An agent on its way to nobody, or to a less important task; the least important of those."""
        for kind in self.fitting(needed):
            agent = kind.first_unclaimed()
            if agent is not None and agent.running is not None and agent.running.priority > key[0]:
                return agent
        best: Agent | None = None
        worst = key
        for kind in self.fitting(needed):
            agent = kind.first_reservation()
            if agent is not None and agent.reserved_for is not None and agent.reserved_for.key > worst:
                best, worst = agent, agent.reserved_for.key
        return best

    def victim_for(self, needed: frozenset[str], priority: Priority) -> Running | None:
        """The least important attempt of strictly lower priority, of equals the latest started."""
        best: Running | None = None
        for kind in self.fitting(needed):
            running = kind.first_victim()
            if running is None or running.priority <= priority:
                continue
            if best is None or (running.priority, running.serial) > (best.priority, best.serial):
                best = running
        return best

    def can_serve(self, priority: Priority) -> bool:
        """Whether any agent at all could be had for some task of this priority; cheap, may say yes in vain."""
        for kind in self._kinds.values():
            if kind.first_free() or kind.first_reservation() or kind.first_unclaimed():
                return True
            held = kind.first_held()
            if held is not None and held.hold is not None and priority <= held.hold[1]:
                return True
            victim = kind.first_victim()
            if victim is not None and victim.priority > priority:
                return True
        return False
