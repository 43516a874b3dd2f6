"""What every test stands on: nothing may be left behind, and what a machine lacks is said.

``--all`` runs what is marked slow too; ``--shuffle SEED`` puts the tests in a random order.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pykka
import pytest
from hypothesis import settings

# The same examples in every run: what lands is what was seen to pass. To look further, run with
# --hypothesis-profile=default, and pin what it finds as an example.
settings.register_profile("same", derandomize=True)
settings.load_profile("same")

AnyReport = TypeVar("AnyReport", pytest.TestReport, pytest.CollectReport)

ROOT = Path(__file__).resolve().parent.parent
LEFT_SECONDS = 3.0
"""How long what a test has ended may take to be gone."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run the tests marked slow too")
    parser.addoption("--shuffle", metavar="SEED", help="random order, by modules and within them; 'yes' draws a seed")


def pytest_report_header(config: pytest.Config) -> str | None:
    if config.getoption("shuffle") is None:
        return None
    if config.getoption("shuffle") == "yes":
        config.option.shuffle = str(random.SystemRandom().randrange(1_000_000))
    return f"order: --shuffle {config.getoption('shuffle')}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("shuffle") is not None:
        chance = random.Random(config.getoption("shuffle"))
        modules = sorted({item.path for item in items})
        chance.shuffle(modules)
        chance.shuffle(items)
        items.sort(key=lambda item: modules.index(item.path))
    named = any("::" in argument for argument in config.args)
    if config.getoption("all") or config.getoption("markexpr") or named:
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


# --- what a machine lacks ----------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return refuse_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return refuse_skip((yield))


def refuse_skip(report: AnyReport) -> AnyReport:
    """Where everything must be there (ENGINE_REQUIRE_ALL=1, as .ci/run sets it), a skip is a failure."""
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("ENGINE_REQUIRE_ALL") == "1":
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"ENGINE_REQUIRE_ALL is set, so this may not be skipped: {reason}"
    return report


@pytest.fixture(scope="session")
def require() -> Callable[[object, str], None]:
    """``require(condition, reason)`` skips the test for that reason unless the condition holds."""

    def check(condition: object, reason: str) -> None:
        if not condition:
            pytest.skip(reason)

    return check


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real inputs beside the checkout."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real inputs, ../shared/data, are not there")
    return folder


# --- what a test leaves behind -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """What is alive in this process at one moment, each in words."""

    actors: frozenset[str]
    threads: frozenset[str]
    children: frozenset[str]
    files: frozenset[str]

    @classmethod
    def now(cls) -> Standing:
        return cls(
            actors=frozenset(str(actor) for actor in pykka.ActorRegistry.get_all()),
            threads=frozenset(f"{thread.name} ({thread.ident})" for thread in threading.enumerate()),
            children=frozenset(child_processes()),
            files=frozenset(open_files()),
        )

    def since(self, before: Standing) -> dict[str, list[str]]:
        """Return by kind what is there now and was not before."""
        kinds = ("actors", "threads", "children", "files")
        new = {kind: sorted(getattr(self, kind) - getattr(before, kind)) for kind in kinds}
        return {kind: names for kind, names in new.items() if names}


def child_processes() -> Iterator[str]:
    for children in Path("/proc/self/task").glob("*/children"):
        for pid in read(children).split():
            yield f"{pid} {read(Path('/proc', pid, 'cmdline')).replace(chr(0), ' ').strip() or '(ended, not reaped)'}"


def open_files() -> Iterator[str]:
    for link in Path("/proc/self/fd").glob("*"):
        try:
            target = os.readlink(link)
        except OSError:
            continue  # the one that lists the folder
        yield f"{link.name} -> {target}"


def read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""  # it ended meanwhile


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """Fail a test that leaves an actor, a thread, a child process or an open file."""
    before = Standing.now()
    yield
    deadline = time.monotonic() + LEFT_SECONDS
    while (left := Standing.now().since(before)) and time.monotonic() < deadline:
        time.sleep(0.005)
    if left:
        pytest.fail("left behind: " + "; ".join(f"{kind}: {', '.join(names)}" for kind, names in left.items()))
