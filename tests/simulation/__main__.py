"""Many seeds: ``bin/test simulation --seeds N [--first K]``.

They run in two processes. What fails is told with its story, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.seeds import report, run_seed

PROCESSES = 2
AT_ONCE = 25
INTERESTING = {
    "preemptions": ("task_preempted", "task_suspended"),
    "ends that crossed a cancel": ("ends that crossed a cancel",),
    "completions that crossed a stop": ("completions that crossed a stop",),
    "kills": ("kills",),
    "set aside": ("late ends of what was set aside",),
    "redeliveries": ("redeliveries",),
    "crashes": ("crashes",),
    "deaths": ("deaths",),
    "agents taken out": ("agents taken out",),
    "engines stopped": ("engines stopped",),
    "quarantined messages": ("quarantined",),
    "inboxes lost": ("inboxes lost",),
    "events doubled or lost": ("events doubled", "events lost"),
}


def _some(first: int, count: int) -> tuple[Counter[str], list[str]]:
    seen: Counter[str] = Counter()
    failures: list[str] = []
    for seed in range(first, first + count):
        ran = run_seed(seed)
        seen["seeds"] += 1
        seen.update(ran.seen)
        if ran.failure is not None:
            seen["failed"] += 1
            failures.append(report(ran) if not failures else f"seed {seed}: {ran.failure.text}")
    return seen, failures


def main() -> int:
    parser = argparse.ArgumentParser(prog="bin/test simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=300, help="how many (default: 300)")
    parser.add_argument("--first", type=int, default=0, help="the first one (default: 0)")
    wanted = parser.parse_args()
    end = wanted.first + wanted.seeds
    starts = range(wanted.first, end, AT_ONCE)
    began, seen, shown = time.monotonic(), Counter[str](), 0
    with ProcessPoolExecutor(PROCESSES) as pool:
        for some, failures in pool.map(_some, starts, [min(AT_ONCE, end - start) for start in starts]):
            seen.update(some)
            for text in failures:
                shown += 1
                print(text if shown <= 3 else text.splitlines()[0], flush=True)
    took = time.monotonic() - began
    coverage = ", ".join(f"{sum(seen[key] for key in keys):,} {name}" for name, keys in INTERESTING.items())
    print(f"{seen['seeds']:,} seeds in {took:.1f} s ({seen['seeds'] / took:.0f} a second), {seen['failed']} failed")
    print(f"seen: {coverage}")
    return 1 if seen["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
