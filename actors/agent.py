"""An agent actor: its logic is ``logic.working``; it drives the runner that its job asks for."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from actors.actor import LogicActor, TooManyCrashes
from actors.benches import Benches
from actors.effects import Abandon, Credit, Effect, Interrupt, Kill, Probe, Resume, Send, Start, Suspend
from actors.ledger import REMEMBERED, Ledger, Remains
from actors.log import about
from actors.logic.reaping import Death
from actors.messages import ActionEnded, ActionProbed, EndTaken
from actors.model import ErrorInfo, Job, Outcome, OutcomeKind
from actors.repair import Logic
from actors.seat import Pending, Seat, Surroundings


class AgentActor(LogicActor):
    """The control plane of one agent; the action runs elsewhere, so this never blocks.

    What stops an attempt is told to every runner: those that do not know it do nothing, and so
    nothing has to be remembered here about attempts that may have moved on. Only what began here
    and was not reported ended is kept, in the ledger, for the logic that follows a crash.
    """

    def __init__(
        self,
        seat: Seat,
        build: Callable[[Remains | None], Logic],
        around: Surroundings,
        benches: Benches,
        ledger: Ledger,
    ) -> None:
        self._benches = benches
        self._ledger = ledger
        self._build_from = build
        self._report = seat.inbox.post
        self._death: Death | None = None
        super().__init__(seat, lambda _: build(None), around)
        self.noted = frozenset({EndTaken})  # What is asked of it is answered in the same batch.

    # --- crashes ---------------------------------------------------------------------------------

    def fresh(self) -> Logic:
        return self._build_from(None if self._death is None else self._ledger.remains(self._death))

    def mourn(self, error: BaseException, line: Sequence[Pending]) -> None:
        trace = "".join(traceback.format_exception(error))[-8000:]
        suspects = {type(pending.message).__name__ for pending in line if pending.tries}
        in_hand = suspects.pop() if len(suspects) == 1 else ""
        info = ErrorInfo(type(error).__name__, str(error)[:2000], trace)
        self._death = Death(info, in_hand, self.seat.taken_out)

    def too_often(self, error: BaseException) -> None:
        """It is taken out: one more logic ends what it had begun. If even that crashes, the engine stops."""
        if self.seat.taken_out:
            raise TooManyCrashes(f"it crashed while it was taken out, with {error!r}") from error
        self.seat.taken_out = True
        if self._death is not None:
            self._death = replace(self._death, final=True)

    def about(self) -> Mapping[str, Any]:
        job = self._ledger.runs
        return {"agent": self.name, **(about(job) if job is not None else {})}

    def note(self, message: EndTaken) -> None:
        self._ledger.confirmed(message)

    # --- effects ---------------------------------------------------------------------------------

    def performs(self, table: dict[type, Callable[[Any], None]]) -> None:
        table[Send] = self._tell
        table[Start] = self._start
        table[Resume] = self._resume
        table[Interrupt] = self._interrupt
        table[Kill] = self._kill
        table[Suspend] = self._suspend
        table[Credit] = self._credit
        table[Abandon] = self._abandon
        table[Probe] = self._probe

    def retry(self, effect: Effect, error: BaseException) -> None:
        """What may have begun must not be begun a second time: it is ended, and its end told as a loss."""
        if not isinstance(effect, Start | Resume):
            super().retry(effect, error)
            return
        self.passed_over(effect, error)
        super().retry(Kill(effect.job.attempt), error)
        self._report(ActionEnded(effect.job.attempt, _never_began(effect.job, error)))

    def _tell(self, effect: Send) -> None:
        message = effect.message
        if type(message) in REMEMBERED:
            self._ledger.told(message)
        self.around.inboxes[effect.to].post(message)

    def _start(self, effect: Start) -> None:
        self._ledger.began(effect.job)
        self._benches.of(effect.job).start(effect.job, self._report)

    def _resume(self, effect: Resume) -> None:
        self._ledger.began(effect.job)
        self._benches.of(effect.job).resume(effect.job.attempt, self._report)

    def _interrupt(self, effect: Interrupt) -> None:
        for runner in self._benches.all:
            runner.interrupt(effect.attempt, effect.reason)

    def _kill(self, effect: Kill) -> None:
        self._ledger.killed(effect)
        for runner in self._benches.all:
            runner.kill(effect.attempt)

    def _suspend(self, effect: Suspend) -> None:
        for runner in self._benches.all:
            runner.suspend(effect.attempt)

    def _credit(self, effect: Credit) -> None:
        for runner in self._benches.all:
            runner.credit(effect.attempt)

    def _abandon(self, effect: Abandon) -> None:
        self._ledger.abandoned(effect)
        for runner in self._benches.all:
            runner.abandon(effect.attempt)

    def _probe(self, effect: Probe) -> None:
        began = [runner.began(effect.attempt) for runner in self._benches.all]
        known = next((instant for instant in began if instant is not None), None)
        self._report(ActionProbed(effect.attempt, known))


def _never_began(job: Job, error: BaseException) -> Outcome:
    text = f"the runner could not start {job.task_id}: {error}"[:2000]
    return Outcome(OutcomeKind.LOST, error=ErrorInfo(type(error).__name__, text))
