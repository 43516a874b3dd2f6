"""Actions that look at the process they run in, or do what an action in a process can do wrong."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from actors.errors import AttemptStopped
from actors.runners.context import Context

NAP = ["sleep", "60"]


def place(_: Context) -> dict[str, Any]:
    """Where this process stands."""
    return {
        "pid": os.getpid(),
        "group": os.getpgid(0),
        "session": os.getsid(0),
        "nice": os.nice(0),
        "folder": os.getcwd(),
        "files": sorted(os.listdir()),
        "temporary": os.environ["TMPDIR"],
        "variables": sorted(os.environ),
        "open": sorted(int(name) for name in os.listdir("/proc/self/fd")),
        "stdin": os.readlink("/proc/self/fd/0"),
        "parent": os.getppid(),
        "drawn": random.random(),
    }


def counts_params(ctx: Context) -> int:
    return len(ctx.params["rows"])


def litters(_: Context) -> str:
    Path("file").write_text("left")
    os.makedirs("folder/below")
    Path("folder/below/file").write_text("left")
    folder = os.getcwd()
    os.chdir("/")
    return folder


def leaves_file(ctx: Context) -> None:
    Path(ctx.params["folder"], "new").write_text(str(os.getpid()))
    os.rename(Path(ctx.params["folder"], "new"), Path(ctx.params["folder"], "file"))


def waits(ctx: Context) -> None:
    ctx.log.info("here")
    ctx.sleep(60)


def has_nice(ctx: Context) -> None:
    try:
        ctx.log.info("here")
        time.sleep(60)
    finally:
        ctx.checkpoint({"pid": os.getpid(), "nice": os.nice(0)})


def naps(ctx: Context) -> None:
    ctx.log.info("here")
    time.sleep(60)


def computes(ctx: Context) -> None:
    ctx.log.info("here")
    while True:
        sum(range(100))


def refuses(ctx: Context) -> None:
    ctx.log.info("here")
    while True:
        try:
            time.sleep(60)
        except AttemptStopped:
            continue


def prints(_: Context) -> None:
    # No newline and no flush: it must come out all the same.
    sys.stdout.write("printed by an action")


# --- what it leaves ----------------------------------------------------------------------------


def leaves_child(_: Context) -> int:
    return subprocess.Popen(NAP).pid


def leaves_daemon(ctx: Context) -> int:
    """A child of a child that has ended, in a session of its own."""
    return _daemon(ctx)


def leaves_daemon_and_waits(ctx: Context) -> None:
    Path(ctx.params["folder"], "daemon").write_text(str(_daemon(ctx)))
    ctx.log.info("here")
    time.sleep(60)


def leaves_daemon_and_dies(ctx: Context) -> None:
    Path(ctx.params["folder"], "daemon").write_text(str(_daemon(ctx)))
    os.kill(os.getpid(), signal.SIGKILL)


def leaves_thread(ctx: Context) -> int:
    file = Path(ctx.params["folder"], "beats")

    def beat() -> None:
        while True:
            with file.open("a") as beats:
                beats.write(".")
            time.sleep(0.001)

    threading.Thread(target=beat, daemon=True).start()
    while not file.exists():
        time.sleep(0.001)
    return os.getpid()


def forks(ctx: Context) -> int:
    """The child goes on as if it were the action."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
    return os.getpid()


def leaves_alarm(_: Context) -> int:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGURG})
    signal.signal(signal.SIGURG, signal.SIG_IGN)
    signal.alarm(1)
    return os.getpid()


def naps_well(_: Context) -> int:
    time.sleep(1.2)
    return os.getpid()


def waits_for_children(ctx: Context) -> list[int]:
    """Three generations that end by themselves, all waited for."""
    done = subprocess.run(["sh", "-c", "sleep 0.01 & wait; echo $$"], capture_output=True, check=True)
    ctx.log.info("here")
    return [os.getpid(), int(done.stdout)]


def _daemon(ctx: Context) -> int:
    file = Path(ctx.params["folder"], "pid")
    line = f"setsid sh -c 'echo $$ > {file}.new; mv {file}.new {file}; exec sleep 60' &"
    subprocess.run(["sh", "-c", line], check=True)
    while not file.exists():
        time.sleep(0.001)
    return int(file.read_text())


# --- the stop ----------------------------------------------------------------------------------


class Swallowing:
    """Spends its last moments in code that cannot let an exception out."""

    def __del__(self) -> None:
        until = time.monotonic() + 0.003
        while time.monotonic() < until:
            pass


def swallows_in_del(ctx: Context) -> None:
    """All its time is spent where the stop cannot be raised."""
    ctx.log.info("here")
    while True:
        Swallowing()


def swallows_unseen(ctx: Context) -> None:
    """Most of its time is, and that it is swallowed is not seen."""
    sys.unraisablehook = lambda _: None
    ctx.log.info("here")
    while True:
        Swallowing()
        until = time.monotonic() + 0.001
        while time.monotonic() < until:
            pass


def saves_fast(ctx: Context) -> None:
    """Checkpoints without end; says in a file what it last saved for sure."""
    number = 0
    file = os.open(Path(ctx.params["folder"], "saved"), os.O_WRONLY | os.O_CREAT)
    while True:
        number += 1
        ctx.checkpoint({"number": number, "ballast": "x" * ctx.params.get("ballast", 0)})
        os.pwrite(file, b"%20d" % number, 0)
        if number == 1:
            ctx.log.info("here")


def saves_and_crashes(ctx: Context) -> None:
    ctx.log.info("the last words")
    ctx.checkpoint({"rows": 1})
    ctx.checkpoint({"rows": 2})
    os.kill(os.getpid(), signal.SIGSEGV)


def says_much(ctx: Context) -> None:
    for number in range(ctx.params["lines"]):
        ctx.log.info("line", number=number)
        ctx.progress(number / ctx.params["lines"], "on its way")


def time_left(ctx: Context) -> list[float | None]:
    before = ctx.time_left
    ctx.log.info("here")
    while not Path(ctx.params["folder"], "release").exists():
        time.sleep(0.002)
    return [before, ctx.time_left]


# --- limits ------------------------------------------------------------------------------------


def takes_memory(ctx: Context) -> int:
    return len(bytearray(ctx.params["mb"] << 20))


def takes_files(ctx: Context) -> int:
    return len([open(os.devnull) for _ in range(ctx.params["files"])])


# --- what no worker of ours sends ---------------------------------------------------------------


def sends(ctx: Context) -> None:
    """Write these bytes where the worker talks to the engine."""
    data = bytes.fromhex(ctx.params["data"])
    for name in os.listdir("/proc/self/fd"):
        try:
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            socket.socket(fileno=os.dup(int(name))).sendall(data)
        except OSError:
            continue
    time.sleep(60)


def scribbles(ctx: Context) -> None:
    """Write over the memory shared with the engine, as a wild pointer does."""
    ctx.checkpoint({"rows": 1})
    ctx.log.info("here")
    for line in Path("/proc/self/maps").read_text().splitlines():
        if "actors-board" in line:
            begin, end = (int(number, 16) for number in line.split()[0].split("-"))
            with open("/proc/self/mem", "wb", buffering=0) as memory:
                memory.seek(begin)
                memory.write(random.randbytes(end - begin))
    time.sleep(60)


def shortens_board(_: Context) -> str:
    """Try to cut the shared memory short, which would end who reads it."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        if "actors-board" in line:
            name = line.split()[0]
            try:
                fd = os.open(f"/proc/self/map_files/{name}", os.O_RDWR)
            except OSError as error:
                return f"not even opened: {error}"
            try:
                os.ftruncate(fd, 0)
            except OSError as error:
                return f"refused: {error}"
            finally:
                os.close(fd)
    return json.dumps("cut")
