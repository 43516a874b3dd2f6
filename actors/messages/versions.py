"""Messages about the version of the definitions that is in force: to the keeper, and from it to its neighbours."""

from __future__ import annotations

from collections.abc import Mapping

from actors.frozen import frozen
from actors.model import NOBODY, ReplyId, WorkflowId


@frozen
class AdoptDefinitions:
    """From now on this version of the definitions, which has been loaded, says what starts; answer when it does.

    Instances that there are go on by the version that they began with.
    """

    version: str
    reply: ReplyId = NOBODY


@frozen
class AwaitUnused:
    """Answer True when no unfinished instance and no attempt is of this version any more, False if it is in force."""

    version: str
    reply: ReplyId


@frozen
class LimitsChanged:
    """``max_concurrent`` by workflow, from now on; a workflow that is not named has none. What runs goes on."""

    limits: Mapping[WorkflowId, int]


@frozen
class IntakeChanged:
    """To the router: how it takes events in from now on."""

    mergeable: frozenset[str]
    """Types whose events merge into the newest of their entity."""
    max_waiting: int
    """So many events may wait at the router."""
