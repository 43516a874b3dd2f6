"""Every message that an actor takes, described, and which of them may come from outside.

The table is closed: a message is open to whoever may use the engine, or it is what the actors,
the runners and the timers tell each other. Of the second kind any could forge an outcome or a
report; it takes ``unsafe`` to send one, and then the engine does what it says.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Mapping
from typing import Any

from actors import messages
from actors.codec import decode, described
from actors.effects import KEEPER, ROUTER, SCHEDULER
from actors.errors import NotFoundError, RefusedError, RequestError
from actors.model import Json
from actors.shapes import meant, shape_of, shown

AGENT = "agent"
"""Any of the agents: their protocol is one."""
_UNIONS: Mapping[str, Any] = {
    ROUTER: messages.ToRouter,
    KEEPER: messages.ToKeeper,
    SCHEDULER: messages.ToScheduler,
    AGENT: messages.ToAgent,
}
OPEN: Mapping[str, frozenset[type]] = {
    ROUTER: frozenset({messages.Publish, messages.AwaitIdle, messages.ReadStats, messages.Inspect}),
    KEEPER: frozenset(
        {
            messages.PutEntity,
            messages.RunWorkflow,
            messages.Cancel,
            messages.SetPriority,
            messages.PauseWorkflow,
            messages.DrainAgent,
            messages.RetryDeadLetter,
            messages.DropDeadLetter,
            messages.ResolveTask,
            messages.AwaitReceipt,
            messages.AwaitInstance,
            messages.AwaitIdle,
            messages.AwaitUnused,
            messages.ReadEntities,
            messages.ReadInstance,
            messages.ReadInstances,
            messages.ListInstances,
            messages.ListEntities,
            messages.ReadDeadLetters,
            messages.ExplainTask,
            messages.ReadStats,
            messages.Inspect,
        }
    ),
    SCHEDULER: frozenset({messages.ReadQueues, messages.ReadStats, messages.Inspect}),
    AGENT: frozenset({messages.ReadStats, messages.Inspect}),
}
"""By actor, the messages that need no ``unsafe``."""
CLOSED: Mapping[str, frozenset[type]] = {
    ROUTER: frozenset(
        {
            messages.EventsAnswered,
            messages.EventsDerived,
            messages.PrioritiesChanged,
            messages.ChangesMade,
            messages.ScheduleEvents,  # Its times are of this machine's monotonic clock.
            messages.TimedEventDue,
            messages.RouterRestored,
            messages.IntakeChanged,
        }
    ),
    KEEPER: frozenset(
        {
            messages.EventBatch,
            messages.Bootstrap,
            messages.AttemptAssigned,
            messages.AttemptClosed,
            messages.AttemptParked,
            messages.AttemptSetAside,
            messages.NoteReceived,
            messages.TasksRevised,
            messages.TaskWithdrawn,
            messages.AdoptDefinitions,  # What is checked by is to change with it.
            messages.RetryInstance,  # It says of itself what had ended; ``Engine.retry`` reads that from the store.
            messages.Watch,  # It says what all subscribers together want.
            messages.ReconcileDue,
            messages.BackoffOver,
            messages.QueueTimeoutDue,
            messages.ValidityOver,
            messages.SchedulerRestarted,
            messages.RouterRestarted,
        }
    ),
    SCHEDULER: frozenset(
        {
            messages.TasksReady,
            messages.ReviseTasks,
            messages.ReleaseAttempt,
            messages.WithdrawTask,
            messages.CancelTask,
            messages.ChangePriority,
            messages.HoldWorkflow,
            messages.LimitsChanged,
            messages.HoldAgent,
            messages.AgentReady,
            messages.AttemptEnded,
            messages.AttemptSuspended,
            messages.AttemptStuck,
            messages.AttemptNoted,
            messages.NoteTaken,
            messages.MinRuntimeOver,
            messages.AgingDue,
            messages.ExplainWaiting,
            messages.StopAgents,
            messages.StopGraceOver,
            messages.SchedulerRestored,
            messages.WorkReport,
            messages.AgentDied,
        }
    ),
    AGENT: frozenset(
        {
            messages.RunAttempt,
            messages.CancelAttempt,
            messages.SuspendAttempt,
            messages.ResumeAttempt,
            messages.EndSuspended,
            messages.SetAside,
            messages.NoteTaken,
            messages.ActionEnded,
            messages.ActionSuspended,
            messages.ActionNoted,
            messages.ActionProbed,
            messages.TimeoutDue,
            messages.GraceOver,
            messages.ReportWork,
            messages.EndTaken,
        }
    ),
}
"""By actor, what its neighbours, the runners and its timers tell it."""
_REPLY = "reply"
"""Says who waits for the answer; the engine's own to fill in."""


@functools.cache
def takes(actor: str) -> Mapping[str, type]:
    """The messages that an actor takes, by name, in the order of its protocol."""
    return {kind.__name__: kind for kind in typing.get_args(_UNIONS.get(actor, messages.ToAgent))}


def is_unsafe(actor: str, kind: type) -> bool:
    """Whether it could forge what only the engine may say. What is not in the table is."""
    return kind not in OPEN[actor if actor in OPEN else AGENT]


def answers(kind: type) -> bool:
    """Whether there is an answer to it."""
    return any(field.name == _REPLY for field in shape_of(kind).fields)


def protocol_of(actor: str) -> list[dict[str, Json]]:
    """Every message of the actor's: ``name``, ``doc``, ``unsafe``, ``answers``, and its ``fields`` as ``described``."""
    return [
        {
            "name": name,
            "doc": _first_line(kind),
            "unsafe": is_unsafe(actor, kind),
            "answers": answers(kind),
            "fields": [described(field) for field in shape_of(kind).fields if field.name != _REPLY],
        }
        for name, kind in takes(actor).items()
    ]


def message_from(actor: str, name: object, fields: object, *, may_be_unsafe: bool) -> Any:
    """The message that these words and fields mean, of the right types; ``reply`` is left open.

    Raises ``NotFoundError`` for a message that the actor does not take, ``RefusedError`` for one
    that is unsafe, ``RequestError`` for wrong fields.
    """
    known = takes(actor)
    if not isinstance(name, str) or name not in known:
        cure = meant(name, known) or _whose(name) or f"; it takes: {_open_to(actor)}"
        raise NotFoundError(f"the {actor} takes no message {shown(name)}{cure}")
    kind = known[name]
    if is_unsafe(actor, kind) and not may_be_unsafe:
        raise RefusedError(
            f"{name} is told by the engine's own parts, and sent from outside it may forge what happened; "
            "say unsafe to send it all the same"
        )
    given = {} if fields is None else fields
    if isinstance(given, Mapping) and _REPLY in given and answers(kind):
        raise RequestError(f"{name}: '{_REPLY}' says who waits for the answer, which the engine fills in; leave it out")
    if isinstance(given, dict) and answers(kind):
        given = {**given, _REPLY: 0}
    return decode(kind, given)


def _whose(name: object) -> str:
    """Who takes it, if it is another actor's."""
    whose = [actor for actor in _UNIONS if isinstance(name, str) and name in takes(actor)]
    if not whose:
        return ""
    return f", which is the {' and the '.join(whose)}'s" if whose != [AGENT] else ", which is for an agent"


def _open_to(actor: str) -> str:
    """What may be sent to it without more ado, in the order of its protocol."""
    return ", ".join(name for name, kind in takes(actor).items() if not is_unsafe(actor, kind))


def _first_line(kind: type) -> str:
    """What its docstring begins with; of a dataclass without one, Python's own is not shown."""
    text = (kind.__doc__ or "").strip()
    return "" if text.startswith(f"{kind.__name__}(") else text.split("\n", 1)[0]
