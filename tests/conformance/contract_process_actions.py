"""Actions for the runner contract that only a process can bear. See ``contract_actions.py``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from actors.runners.context import Context
from tests.conformance.contract_actions import released, stays, write


def crashes(ctx: Context) -> None:
    ctx.checkpoint({"rows": 5})
    os.kill(os.getpid(), signal.SIGKILL)


def exits_hard(ctx: Context) -> None:
    os._exit(3)


def blocks_all_signals(ctx: Context) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    stays(ctx)


def has_children(ctx: Context) -> None:
    """Starts a process of its own, and one that has left its group and session."""
    for detached in (False, True):
        code = "import time; time.sleep(60)"
        child = subprocess.Popen([sys.executable, "-c", code], start_new_session=detached, stdin=subprocess.DEVNULL)
        write(ctx, f"child {child.pid}")
    ctx.log.info("here")
    while True:
        time.sleep(60)


def counts(ctx: Context) -> int:
    """Appends to the ledger without end, or until it is released."""
    ctx.log.info("here")
    number = 0
    while not released(ctx):
        number += 1
        write(ctx, f"at {number}")
    return number


def waits_in_c(ctx: Context) -> None:
    ctx.log.info("here")
    time.sleep(60)


def has_pid(ctx: Context) -> None:
    write(ctx, str(os.getpid()))
    ctx.log.info("here")
    ctx.sleep(60)
