"""What the operating system takes by itself for what the engine does: the latency baselines.

Five forked victims; each turn stops one the bare way and then has a waiting process, or a
fresh one, write down its first line. Times are monotonic nanoseconds, which Linux shares
among processes.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import NoReturn

VICTIMS = 5
NICE = 10
"""What the engine's less important workers run at."""
SETTLE_S = 0.01


class _Stop(BaseException):
    """Raised in a victim by the signal."""


class Process:
    """A forked child and a socket to it; its body gets the other end."""

    def __init__(self, body: Callable[[socket.socket], None]) -> None:
        self.ours, theirs = socket.socketpair()
        self.pid = os.fork()
        if not self.pid:
            self.ours.close()
            try:
                body(theirs)
            finally:
                os._exit(0)
        theirs.close()

    def first_line(self) -> int:
        """Have it go, and return when its first line ran."""
        self.ours.sendall(b"g")
        return int(self.ours.recv(32))

    def end(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.ours.close()


def _victim(work: Callable[[], object], *, nice: int) -> Callable[[socket.socket], None]:
    def body(theirs: socket.socket) -> None:
        def stop(*_: object) -> NoReturn:
            raise _Stop

        os.nice(nice)
        signal.signal(signal.SIGUSR1, stop)
        while True:
            try:
                theirs.send(b"r")
                work()
            except _Stop:
                theirs.send(b"e")
                theirs.recv(1)

    return body


def _worker(theirs: socket.socket) -> None:
    while theirs.recv(1):
        theirs.sendall(b"%d" % time.monotonic_ns())


def _sleep() -> None:
    time.sleep(3600)


def _compute() -> NoReturn:
    total = 0
    while True:
        total = (total + 1) % 1_000_003


def after_an_exception(repeats: int, *, computing: bool) -> list[float]:
    """Milliseconds: a signal raises in the victim, it says so, a waiting worker begins."""
    body = _victim(_compute if computing else _sleep, nice=NICE)
    victims = [Process(body) for _ in range(VICTIMS)]
    for victim in victims:
        victim.ours.recv(1)
    worker = Process(_worker)
    found: list[float] = []
    for turn in range(repeats):
        victim = victims[turn % VICTIMS]
        time.sleep(SETTLE_S)
        began = time.monotonic_ns()
        os.kill(victim.pid, signal.SIGUSR1)
        victim.ours.recv(1)
        found.append((worker.first_line() - began) / 1e6)
        victim.ours.sendall(b"a")
        victim.ours.recv(1)
    for process in (*victims, worker):
        process.end()
    return found


def after_a_kill(repeats: int) -> list[float]:
    """Milliseconds: the computing victim is killed and reaped, a fresh fork begins."""
    body = _victim(_compute, nice=NICE)
    victims = [Process(body) for _ in range(VICTIMS)]
    found: list[float] = []
    for turn in range(repeats):
        victim = victims[turn % VICTIMS]
        time.sleep(SETTLE_S)
        began = time.monotonic_ns()
        victim.end()
        fresh = Process(_worker)
        found.append((fresh.first_line() - began) / 1e6)
        fresh.end()
        victims[turn % VICTIMS] = Process(body)
    for process in victims:
        process.end()
    return found


def after_a_standstill(repeats: int) -> list[float]:
    """Milliseconds: the computing victim is stopped where it is, a waiting worker begins.

    The stop cannot be refused and comes before the victim's next instruction, so nobody waits
    until it is *seen* to stand still: without a processor it is only when its turn comes.
    """
    victims = [Process(_victim(_compute, nice=NICE)) for _ in range(VICTIMS)]
    worker = Process(_worker)
    found: list[float] = []
    for turn in range(repeats):
        victim = victims[turn % VICTIMS]
        time.sleep(SETTLE_S)
        began = time.monotonic_ns()
        os.kill(victim.pid, signal.SIGSTOP)
        found.append((worker.first_line() - began) / 1e6)
        os.waitpid(victim.pid, os.WUNTRACED)
        os.kill(victim.pid, signal.SIGCONT)
    for process in (*victims, worker):
        process.end()
    return found


def between_threads(repeats: int) -> list[float]:
    """Milliseconds: one thread's ``Event`` is set, the other's first line."""
    found: list[float] = []
    lines: SimpleQueue[int] = SimpleQueue()

    def wait(wake: threading.Event) -> None:
        wake.wait()
        lines.put(time.monotonic_ns())

    for _ in range(repeats):
        wake = threading.Event()
        thread = threading.Thread(target=wait, args=(wake,))
        thread.start()
        time.sleep(SETTLE_S)
        began = time.monotonic_ns()
        wake.set()
        found.append((lines.get() - began) / 1e6)
        thread.join()
    return found


def into_a_loop(repeats: int) -> list[float]:
    """Milliseconds: ``call_soon_threadsafe`` to the first line in the loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    found: list[float] = []
    lines: SimpleQueue[int] = SimpleQueue()
    for _ in range(repeats):
        time.sleep(SETTLE_S)
        began = time.monotonic_ns()
        loop.call_soon_threadsafe(lambda: lines.put(time.monotonic_ns()))
        found.append((lines.get() - began) / 1e6)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
    return found
