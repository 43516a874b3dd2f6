"""The shell: lines from a person, a pipe or ``-c``, each run as the command line would run it.

It is a client of the control API, whether the engine is its own or another process's; whatever
is typed, the engine is unharmed.
"""
