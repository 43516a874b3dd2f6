"""The engine's logic in one thread under a virtual clock: no actors, no runners, no waiting.

``Simulation`` drives router, keeper, scheduler and agents; what actions do is a ``Plan`` each.
Calm, it is a model of the engine whose messages take no time; with a seed, messages overtake one
another wherever two senders or receivers let them. ``Storm`` has everything chosen: batches,
ends, time, crashes.
"""

from __future__ import annotations

from actors.simulation.engine import Simulation
from actors.simulation.plans import Plan, Span

__all__ = ["Plan", "Simulation", "Span"]
