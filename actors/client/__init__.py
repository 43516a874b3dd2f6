"""A program's way to an engine that runs in another process: the control API over its Unix socket.

Command line, shell and ``top`` are made of it, and know nothing of the engine but what it tells.
"""
