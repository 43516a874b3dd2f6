"""A client in a process of its own that publishes JSON lines to the batch route as fast as they are taken, or paced.

``python -m tests.benchmarks.loading SOCKET EVENTS RATE TYPE ENTITIES``: a rate of 0 is as fast as can be. Prints
how many were accepted, and in how many seconds.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Iterator

BLOCK = 512
"""Events in one piece of the body."""


def main(argv: list[str]) -> int:
    path, events, rate, type_, entities = argv[0], int(argv[1]), float(argv[2]), argv[3], int(argv[4])
    blocks = list(bodies(events, type_, entities))
    with socket.socket(socket.AF_UNIX) as opened:
        opened.connect(path)
        began = time.perf_counter()
        opened.sendall(b"POST /v1/events/batch HTTP/1.1\r\nHost: engine\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number, block in enumerate(blocks):
            opened.sendall(b"%x\r\n%b\r\n" % (len(block), block))
            if rate:
                time.sleep(max(0.0, began + (number + 1) * BLOCK / rate - time.perf_counter()))
        opened.sendall(b"0\r\n\r\n")
        answer = b""
        while b"}" not in answer:
            part = opened.recv(65_536)
            if not part:
                break
            answer += part
        took = time.perf_counter() - began
    summary = json.loads(answer[answer.index(b"{") : answer.rindex(b"}") + 1])
    print(json.dumps({"accepted": summary["accepted"], "rejected": summary["rejected"], "seconds": took}), flush=True)
    return 0


def bodies(events: int, type_: str, entities: int) -> Iterator[bytes]:
    """Ticks, as a market sends them."""
    for first in range(0, events, BLOCK):
        lines = [
            f'{{"type":"{type_}","entity_id":"{number % entities:06}","priority":2,'
            f'"data":{{"price":{10 + number % 500 / 100},"volume":{number}}}}}\n'
            for number in range(first, min(first + BLOCK, events))
        ]
        yield "".join(lines).encode()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
