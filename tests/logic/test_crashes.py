"""The stories of ``crash_histories.py``, told in a process of their own.

They trace every instruction, and what Hypothesis draws depends on the modules that are loaded:
alone, they are the same stories and take the same time in every run.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

STORIES = Path(__file__).with_name("crash_histories.py")
ROOT = STORIES.parents[2]


@pytest.mark.timeout(180)
def test_the_keeper_may_crash_at_any_instruction_of_any_history() -> None:
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(STORIES)]

    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=170, check=False)

    assert told.returncode == 0, told.stdout[-4000:] + told.stderr[-2000:]
    assert "3 passed" in told.stdout
