"""The contract's behaviours as a program: ``run: [python, this file, behaviour]``.

It needs nothing of ours, as any command.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

POLL_S = 0.002


def main(behaviour: str) -> int:
    given = json.load(sys.stdin)
    params = given["params"]
    folder = Path(params["folder"])

    def write(line: str) -> None:
        with Path(folder, "ledger").open("a") as ledger:
            ledger.write(f"{given['task_id']}#{given['attempt']} {line}\n")

    def here() -> None:
        print("here", file=sys.stderr, flush=True)

    match behaviour:
        case "gives":
            print(json.dumps(params.get("value")))
        case "tells":
            print(json.dumps(given))
        case "fails":
            print(params.get("text", "it is broken"), file=sys.stderr)
            return 3
        case "waits" | "computes":
            here()
            time.sleep(60)
        case "finishes_anyway":
            signal.signal(signal.SIGTERM, lambda *_: _finish("finished all the same"))
            here()
            time.sleep(60)
        case "stays" | "blocks_all_signals":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            here()
            while not Path(folder, "release").exists():
                time.sleep(POLL_S)
            print(json.dumps("released"))
        case "crashes":
            # A program that dies by a signal has failed; only the loss of its supervisor is a loss.
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        case "has_children":
            for detached in (False, True):
                child = subprocess.Popen(["sleep", "60"], start_new_session=detached, stdin=subprocess.DEVNULL)
                write(f"child {child.pid}")
            here()
            time.sleep(60)
        case "counts":
            here()
            number = 0
            while not Path(folder, "release").exists():
                number += 1
                write(f"at {number}")
            print(number)
    return 0


def _finish(value: Any) -> None:
    print(json.dumps(value), flush=True)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
