"""The engine's logic in storms: scenarios, what must hold, and how a failing seed becomes a story."""
