"""An embeddable workflow engine that preempts. These are its public names.

They are resolved when first used (PEP 562): importing the package costs next to nothing and
loads no optional dependency, and a worker process that needs ``action`` alone loads that alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actors.actions import action
    from actors.definitions import load
    from actors.engine import Engine
    from actors.errors import (
        AttemptStopped,
        ConditionError,
        DefinitionError,
        EngineError,
        EngineFailed,
        EngineStopped,
        EngineUnreachable,
        Error,
        Fault,
        MissingExtra,
        NonRetryable,
        NotFoundError,
        Overloaded,
        RefusedError,
        RequestError,
    )
    from actors.model import Definitions, Entity, Event
    from actors.runners.context import Context
    from actors.views import AttemptView, ChangeType, InstanceView, Page, Receipt, StateChanged, TaskView

__version__ = "0.1.0"

__all__ = [
    "AttemptStopped",
    "AttemptView",
    "ChangeType",
    "ConditionError",
    "Context",
    "DefinitionError",
    "Definitions",
    "Engine",
    "EngineError",
    "EngineFailed",
    "EngineStopped",
    "EngineUnreachable",
    "Entity",
    "Error",
    "Event",
    "Fault",
    "InstanceView",
    "MissingExtra",
    "NonRetryable",
    "NotFoundError",
    "Overloaded",
    "Page",
    "Receipt",
    "RefusedError",
    "RequestError",
    "StateChanged",
    "TaskView",
    "action",
    "load",
]

_ELSEWHERE = {
    "Context": "actors.runners.context",
    "Definitions": "actors.model",
    "Engine": "actors.engine",
    "Entity": "actors.model",
    "Event": "actors.model",
    "action": "actors.actions",
    "load": "actors.definitions",
    **dict.fromkeys(
        ("AttemptView", "ChangeType", "InstanceView", "Page", "Receipt", "StateChanged", "TaskView"), "actors.views"
    ),
}
"""Where a name lives; those that are not here are errors."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'actors' has no attribute '{name}'")
    value = getattr(import_module(_ELSEWHERE.get(name, "actors.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
