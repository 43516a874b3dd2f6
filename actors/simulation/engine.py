"""An engine in virtual time: events in, spans and finished instances out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from actors.bootstrap import first_batch
from actors.effects import KEEPER, ROUTER, SCHEDULER
from actors.errors import EngineError
from actors.logic.history import view
from actors.messages import Publish, TasksReady
from actors.model import (
    AttemptId,
    Definitions,
    Event,
    Instant,
    Outcome,
    OutcomeKind,
    ReplyId,
)
from actors.simulation.calm import CalmMail
from actors.simulation.parts import BEGINNING, Parts
from actors.simulation.plans import Plan, Planner, Span
from actors.simulation.runner import Action
from actors.simulation.shuffled import ShuffledMail
from actors.views import InstanceView, Record

OUTSIDE = "outside"
_AT_ONCE = 256
"""Events that are published together at most, so that the router's line, which is bounded, takes any number."""


class Simulation:
    """One engine's logic under a virtual clock. Instants are nanoseconds from 0, its beginning."""

    def __init__(self, definitions: Definitions, *, plan: Planner | None = None, seed: int | None = None) -> None:
        """``plan`` says what each attempt will do; without it everything takes no time and completes.

        ``seed`` None: calm, messages take no time, and all that happens at one instant is applied
        before anything is decided. A number: they take no time either, but they overtake one
        another, and what is decided when is chosen by the seed. (``storm`` has actors that crash.)
        """
        self._mail: CalmMail | ShuffledMail = CalmMail() if seed is None else ShuffledMail(seed)
        self._parts = Parts(definitions, plan or (lambda _job, _restored: Plan(0)), self._mail.post)
        self._arrivals: deque[tuple[Event, ...]] = deque()
        self._numbers = 0
        self._ready: dict[AttemptId, Instant] = {}
        self._on_span: Callable[[Span], None] | None = None
        self.on_refusal: Callable[[object], None] | None = None
        self._parts.begin()
        settings = definitions.settings
        self._mail.post(OUTSIDE, KEEPER, first_batch(settings, self._parts.now, "simulation"))
        for timed in settings.events:
            if timed.after_ms:
                self.publish(timed.event, at=timed.after_ms * 1_000_000)
        self._settle()

    # --- the outside -----------------------------------------------------------------------------

    @property
    def now(self) -> Instant:
        """Nanoseconds since the beginning."""
        return self._parts.now - BEGINNING

    @property
    def messages(self) -> int:
        """Messages delivered so far."""
        return self._mail.delivered

    def publish(self, *events: Event, at: Instant | None = None) -> None:
        """Publish these together at that instant, which must not have passed; None: now."""
        instant = self._parts.now if at is None else at + BEGINNING
        if instant < self._parts.now:
            raise ValueError(f"{at} ns has passed; it is {self.now} ns")
        for place in range(0, len(events), _AT_ONCE):
            self._numbers += 1
            self._parts.agenda.set((OUTSIDE, self._numbers), instant, (OUTSIDE, events[place : place + _AT_ONCE]))

    def tell(self, actor: str, message: object) -> None:
        """Send a message from outside; all that follows from it at this instant has happened on return."""
        self._mail.post(OUTSIDE, actor, message)
        self._settle()

    def ask(self, actor: str, message: Any) -> Any:
        """Send a message that expects an answer and return it; raises it if it is an error.

        Raises ``EngineError`` if there is no answer at this instant.
        """
        self._numbers += 1
        number = ReplyId(self._numbers)
        self.tell(actor, replace(message, reply=number))
        if number not in self._parts.answers:
            raise EngineError(f"{type(message).__name__} has no answer at {self.now} ns")
        answer = self._parts.answers.pop(number)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    # --- who wants to know -----------------------------------------------------------------------

    @property
    def on_done(self) -> Callable[[Record], None] | None:
        """Called with the record of each finished instance; see ``view``."""
        return self._parts.finished

    @on_done.setter
    def on_done(self, call: Callable[[Record], None] | None) -> None:
        self._parts.finished = call

    def view(self, record: Record) -> InstanceView:
        """What users read of a record. Its moments count from the logic's own beginning: use differences."""
        return view(record, self._parts.calendar)

    @property
    def on_span(self) -> Callable[[Span], None] | None:
        """Called with each attempt that has ended. Set it before anything is published."""
        return self._on_span

    @on_span.setter
    def on_span(self, call: Callable[[Span], None] | None) -> None:
        self._on_span = call
        self._parts.runner.ended = None if call is None else self._ended
        self._parts.post = self._mail.post if call is None else self._post_and_note

    def _post_and_note(self, sender: str, to: str, message: Any) -> None:
        if to == SCHEDULER and type(message) is TasksReady:
            for ready in message.tasks:
                self._ready[ready.job.attempt] = self.now
        self._mail.post(sender, to, message)

    def _ended(self, action: Action, outcome: Outcome) -> None:
        job, work = action.job, action.work(self._parts.now)
        assert self._on_span is not None
        completed = outcome.kind is OutcomeKind.COMPLETED
        span = Span(
            job.task_id, job.task.id, job.workflow, job.entity.id, job.priority, job.attempt.number, action.agent,
            self._ready.pop(job.attempt, 0), None if outcome.began is None else outcome.began - BEGINNING, self.now,
            outcome.kind, action.told, action.stood_still, work - action.restored,
            completed or outcome.checkpoint is not None,
        )  # fmt: skip
        self._on_span(span)

    # --- time ------------------------------------------------------------------------------------

    def run(self, until: Instant | None = None) -> None:
        """Let time pass until nothing is queued, running or timed any more, or until that instant."""
        parts, agenda = self._parts, self._parts.agenda
        limit = None if until is None else until + BEGINNING
        self._settle()
        while agenda.matters or limit is not None:
            at = agenda.next_at()
            if at is None or (limit is not None and at > limit):
                break
            parts.advance(max(parts.now, at))
            self._ring(at)
            self._settle()
        if limit is not None:
            parts.advance(max(parts.now, limit))

    def _ring(self, at: Instant) -> None:
        """Take everything that is due at this instant."""
        parts, agenda = self._parts, self._parts.agenda
        while agenda.next_at() == at:
            if not agenda.rings_for(OUTSIDE):
                parts.ring()
                continue
            self._arrivals.append(agenda.pop()[1])  # type: ignore[arg-type]

    def _settle(self) -> None:
        """All that follows at this instant."""
        mail, parts = self._mail, self._parts
        while True:
            undecided = mail.deliver(parts)
            if self._arrivals:
                mail.post(OUTSIDE, ROUTER, Publish(self._arrivals.popleft()))
            elif undecided:
                mail.decide(parts)
            else:
                return
