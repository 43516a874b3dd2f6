"""Queues in processes of their own, as many at a time as there are processors, two at most.

``python -m tests.scenarios.side_by_side QUEUE TASKS SEED`` is one of them; it prints what it came to.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from tests.scenarios.queueing import PUBLISHED, ClassMean, Measured, Queue, measure, together

QUEUES = {queue.name: queue for queue, _ in PUBLISHED}
ROOT = Path(__file__).resolve().parents[2]


def measure_all(queues: Sequence[Queue], *, tasks: int, parts: int = 1) -> list[Measured]:
    """Each queue with so many tasks, in so many independent runs of equal length."""
    asked = [(queue, tasks // parts, seed) for queue in queues for seed in range(1, parts + 1)]
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        runs = list(pool.map(_elsewhere, asked))
    return [together(runs[place * parts : (place + 1) * parts]) for place in range(len(queues))]


def _elsewhere(asked: tuple[Queue, int, int]) -> Measured:
    queue, tasks, seed = asked
    command = [sys.executable, "-m", "tests.scenarios.side_by_side", queue.name, str(tasks), str(seed)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{queue.name}: {done.stderr[-2000:]}")
    found = json.loads(done.stdout)
    return Measured(**{**found, "classes": tuple(ClassMean(**one) for one in found["classes"])})


if __name__ == "__main__":
    print(json.dumps(asdict(measure(QUEUES[sys.argv[1]], tasks=int(sys.argv[2]), seed=int(sys.argv[3])))))
