"""State changes for those who follow: one bounded ring for all, and a place in it for each.

A follower is told from its place on when it has taken what it was told before, so that one who
reads slowly, or never, keeps nothing in memory but the ring that is there anyway. Who is far
behind is told only the newest change of each task, instance, entity and agent; who is so far
behind that the ring has moved on gets a ``gap`` with the number of changes that it missed. The
ring is also what ``Last-Event-ID`` goes on from.

The engine is subscribed to while anybody follows, and a while longer: telling everything costs
its keeper something. All but ``_take`` is used in the event loop's thread alone.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import NamedTuple

from actors.engine import Engine
from actors.errors import RequestError
from actors.record import line_of
from actors.server.problems import Refusal
from actors.views import ChangeType, Moment, StateChanged

RING = 8_192
"""Changes that are kept: what a follower may be behind, and how far back ``Last-Event-ID`` reaches."""
MAX_FOLLOWERS = 64
BEHIND = 1_024
"""From so many changes on a follower is told only the newest of each thing."""
BLOCK = 128
"""Changes told at once; the most that waits in a connection's own buffer."""
PACE_S = 0.05
"""Followers are woken at most so often: a busy engine tells thousands of changes a second."""
TURNS = 8
"""Followers woken before others may run: writing to all at once would hold up the engine's threads."""
LINGER_S = 60.0
HEARTBEAT_S = 15.0
LOOK_S = 1.0
"""How often it is looked whether the engine is still there."""
HEARTBEAT = b": still here\n\n"
ENDED = ("stopped", "failed")


class Wanted(NamedTuple):
    """What a follower wants to be told; what is None or empty does not matter."""

    types: frozenset[ChangeType] = frozenset()
    of: str | None = None
    """An entity's, an instance's or a task's id."""
    workflow: str | None = None

    def takes(self, change: StateChanged) -> bool:
        if change.type is ChangeType.GAP:
            return True
        return (
            (not self.types or change.type in self.types)
            and (self.of is None or self.of in (change.entity_id, change.instance_id, change.task_id))
            and (self.workflow is None or change.workflow == self.workflow)
        )


class Entry:
    """A change at its place in the ring, and its text once anybody needs it."""

    __slots__ = ("_text", "change", "place", "subject")

    def __init__(self, place: int, change: StateChanged) -> None:
        self.place = place
        self.change = change
        self.subject = _subject(change)
        self._text = b""

    def text(self, run: str) -> bytes:
        if not self._text:
            self._text = event_text(f"{run}-{self.place}", self.change)
        return self._text


class Changes:
    """The ring of one engine, and who follows it."""

    def __init__(self, engine: Engine, *, ring: int = RING, max_followers: int = MAX_FOLLOWERS) -> None:
        self.run = secrets.token_hex(4)
        """Of which life of the engine an id speaks."""
        self._engine = engine
        self._size = ring
        self._max = max_followers
        self._ring: list[Entry | None] = [None] * ring
        self.last = 0
        """The newest place; places begin at 1."""
        self._followers: set[Follower] = set()
        self._unsubscribe: Callable[[], None] | None = None
        self._taken: deque[StateChanged] = deque()
        self._lost = 0
        """Changes that found no room in what is taken; written by the engine's thread alone."""
        self._told_lost = 0
        self._woken = False
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._next_turn = 0.0
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._block: tuple[int, int, bytes] = (0, 0, b"")

    @property
    def first(self) -> int:
        """The oldest place that is still there."""
        return max(1, self.last - self._size + 1)

    @property
    def followers(self) -> int:
        return len(self._followers)

    @property
    def listens(self) -> bool:
        """Whether the engine is subscribed to."""
        return self._unsubscribe is not None

    def follow(self, wanted: Wanted, after: str | None = None) -> Follower:
        """A new follower, told from now on or from after the id ``after``.

        Raises ``Refusal`` when there are too many, ``RequestError`` for an id that is none,
        ``EngineStopped``.
        """
        if len(self._followers) >= self._max:
            text = f"{self._max} streams are open already; close some, or try again later"
            raise Refusal(429, "too_many", text, retry_after_s=5.0)
        place, restarted = self._place_after(after)
        self._subscribe()
        if after is None:
            place = self.last  # Behind the gap that was perhaps just told: it is before "from now on".
        follower = Follower(self, wanted, place, restarted=restarted)
        self._followers.add(follower)
        return follower

    def leave(self, follower: Follower) -> None:
        self._followers.discard(follower)
        if not self._followers and not self._closed:
            self._set_timer("linger", LINGER_S, self._let_go)

    def close(self) -> None:
        """Tell what there is, and end all streams."""
        self._closed = True
        self._absorb()
        self._let_go()
        for follower in list(self._followers):
            follower.close()

    def _place_after(self, after: str | None) -> tuple[int, bool]:
        if after is None:
            return self.last, False
        run, _, place = after.partition("-")
        if not (place.isascii() and place.isdigit()) or len(place) > 18:
            raise RequestError(f"'{after[:80]}' is no id of this stream; leave it out to be told from now on")
        if run != self.run:
            return 0, True
        return min(int(place), self.last), False

    # --- from the engine -------------------------------------------------------------------------

    def _subscribe(self) -> None:
        self._clear_timer("linger")
        if self._unsubscribe is not None:
            return
        self._loop = asyncio.get_running_loop()
        if self.last:
            # What happened while nobody followed is not there, and nobody counted it.
            now = Moment(self._entry(self.last).change.at.ns, time.time())
            self._append(StateChanged(0, ChangeType.GAP, now, detail={"lost": 0, "unwatched": True}))
        self._unsubscribe = self._engine.subscribe(self._take, room=self._size)
        self._set_timer("look", LOOK_S, self._look)

    def _let_go(self) -> None:
        for name in list(self._timers):
            self._clear_timer(name)
        unsubscribe, self._unsubscribe = self._unsubscribe, None
        if unsubscribe is not None and self._engine.state not in ENDED:
            unsubscribe()

    def _take(self, change: StateChanged) -> None:
        """Called by the engine's thread for each change."""
        if len(self._taken) >= self._size:
            self._lost += 1  # The event loop does not come to it.
            return
        self._taken.append(change)
        if not self._woken:
            self._woken = True
            try:
                assert self._loop is not None
                self._loop.call_soon_threadsafe(self._turn)
            except RuntimeError:
                return  # It has ended; nobody follows.

    def _turn(self) -> None:
        """Tell now, unless that was a moment ago."""
        wait = self._next_turn - time.monotonic()
        if wait > 0:
            self._set_timer("turn", wait, self._absorb)
        else:
            self._absorb()

    def _absorb(self) -> None:
        """Bring what was taken into the ring, and wake who follows."""
        self._next_turn = time.monotonic() + PACE_S
        self._woken = False
        before = self.last
        for _ in range(len(self._taken)):
            self._append(self._taken.popleft())
        lost = self._lost - self._told_lost
        if lost and self.last:
            self._told_lost += lost
            self._append(_gap(self._entry(self.last).change, lost))
        if self.last > before:
            self._wake(iter(list(self._followers)))

    def _wake(self, waiting: Iterator[Follower]) -> None:
        some = list(itertools.islice(waiting, TURNS))
        for follower in some:
            follower.wake.set()
        if len(some) == TURNS and self._loop is not None:
            self._loop.call_soon(self._wake, waiting)

    def _append(self, change: StateChanged) -> None:
        self.last += 1
        self._ring[self.last % self._size] = Entry(self.last, change)

    def _look(self) -> None:
        if self._engine.state in ENDED:
            self._absorb()
            self._unsubscribe = None
            for follower in list(self._followers):
                follower.close()
            return
        self._set_timer("look", LOOK_S, self._look)

    def _set_timer(self, name: str, seconds: float, then: Callable[[], None]) -> None:
        self._clear_timer(name)
        self._timers[name] = asyncio.get_running_loop().call_later(seconds, then)

    def _clear_timer(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    # --- to the followers ------------------------------------------------------------------------

    def _entry(self, place: int) -> Entry:
        entry = self._ring[place % self._size]
        assert entry is not None
        assert entry.place == place
        return entry

    def after(self, place: int, wanted: Wanted) -> tuple[bytes, int]:
        """What to tell one who has been told up to this place, and up to where that goes.

        At most ``BLOCK`` changes; empty if there is none, though the place may have moved on.
        """
        text = b""
        if place + 1 < self.first:
            lost, place = self.first - 1 - place, self.first - 1
            text = event_text(f"{self.run}-{place}", _gap(self._entry(self.first).change, lost))
        if wanted == Wanted() and self.last - place <= BLOCK:
            return text + self._all_after(place), self.last
        entries = [self._entry(at) for at in range(place + 1, self.last + 1)]
        if len(entries) > BEHIND:
            entries = newest_of_each(entries)
        found = [entry for entry in entries if wanted.takes(entry.change)]
        upto = found[BLOCK - 1].place if len(found) > BLOCK else self.last
        return text + b"".join(entry.text(self.run) for entry in found[:BLOCK]), upto

    def _all_after(self, place: int) -> bytes:
        """Everything; made once for all who are at this place, which most are."""
        first, last, block = self._block
        if (first, last) != (place, self.last):
            block = b"".join(self._entry(at).text(self.run) for at in range(place + 1, self.last + 1))
            self._block = (place, self.last, block)
        return block


class Follower:
    """One who follows. ``blocks`` gives what to send next, when it is asked for it."""

    def __init__(self, changes: Changes, wanted: Wanted, place: int, *, restarted: bool) -> None:
        self.wake = asyncio.Event()
        self._changes = changes
        self._wanted = wanted
        self._place = place
        self._restarted = restarted
        self._closed = False

    def close(self) -> None:
        """Tell what there is, then end. Nothing the second time."""
        self._closed = True
        self.wake.set()

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        """Until ``close``; a comment when there is nothing for a while, so that a dead other end shows."""
        try:
            yield b": follows\n\n"
            if self._restarted:
                at = Moment(0, time.time())
                gap = StateChanged(0, ChangeType.GAP, at, detail={"lost": 0, "restarted": True})
                yield event_text(f"{self._changes.run}-0", gap)
            while True:
                self.wake.clear()
                closed = self._closed
                before = self._place
                block, self._place = self._changes.after(before, self._wanted)
                if block:
                    yield block
                elif closed and self._place == before:
                    return
                elif self._place == before:
                    try:
                        async with asyncio.timeout(HEARTBEAT_S):
                            await self.wake.wait()
                    except TimeoutError:
                        yield HEARTBEAT
        finally:
            self._changes.leave(self)


def newest_of_each(entries: list[Entry]) -> list[Entry]:
    """Of each task, instance, entity and agent the newest, in the order of their places."""
    newest: dict[object, Entry] = {}
    for entry in entries:
        newest.pop(entry.subject, None)  # So that it comes to stand at the end.
        newest[entry.subject] = entry
    return list(newest.values())


def event_text(id_: str, change: StateChanged) -> bytes:
    return b"id: %b\ndata: %b\n" % (id_.encode(), line_of(change))


def _subject(change: StateChanged) -> object:
    """What it speaks of; changes that cannot stand for each other speak of nothing but themselves."""
    if change.task_id:
        return change.task_id
    if change.instance_id:
        return ("instance", change.instance_id)
    if change.type is ChangeType.ENTITY_CHANGED:
        return ("entity", change.entity_id)
    if change.type is ChangeType.AGENT_CHANGED:
        return ("agent", change.agent)
    return change.seq, change.type, id(change)


def _gap(beside: StateChanged, lost: int) -> StateChanged:
    return StateChanged(beside.seq, ChangeType.GAP, beside.at, detail={"lost": lost})
