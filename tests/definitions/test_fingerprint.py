"""A version is a hash of a folder's definitions and code, and of nothing else there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from actors.copies import Copies
from actors.errors import RequestError
from actors.reading.fingerprint import HALF, MAX_BYTES, pieces, version_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    flows = tmp_path / "flows"
    (flows / "package" / "below").mkdir(parents=True)
    (flows / "out" / "deep").mkdir(parents=True)
    (flows / ".engine").mkdir()
    (flows / "venv").mkdir()
    texts = {
        "flow.yaml": "id: f",
        "acts.py": "x = 1",
        "data.csv": "1,2",
        "package/__init__.py": "",
        "package/below/m.py": "",
        "package/weights.json": "{}",
        "out/deep/result.txt": "",
        ".engine/token": "",
        "venv/pyvenv.cfg": "",
        "venv/site.py": "",
    }
    for name, text in texts.items():
        (flows / name).write_text(text)
    (flows / "run.sh").write_text("#!/bin/sh")
    (flows / "run.sh").chmod(0o755)
    (flows / "loop").symlink_to("loop")
    os.mkfifo(flows / "pipe.py")
    return flows


def test_pieces_are_definitions_code_and_data_and_what_has_no_code_is_data_as_a_whole(folder: Path) -> None:
    assert dict(pieces(folder)) == {
        "acts.py": "code", "data.csv": "data", "flow.yaml": "definition", "out": "data", "package/__init__.py": "code",
        "package/below/m.py": "code", "package/weights.json": "data", "run.sh": "code",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "definitions", "code"),
    [
        (lambda folder: (folder / "flow.yaml").write_text("id: g"), True, False),
        (lambda folder: (folder / "acts.py").write_text("x = 2"), False, True),
        (lambda folder: (folder / "package" / "below" / "new.py").touch(), False, True),
        (lambda folder: (folder / "run.sh").chmod(0o644), False, True),
        (lambda folder: (folder / "acts.py").rename(folder / "bcts.py"), False, True),
        (lambda folder: (folder / "data.csv").write_text("3,4"), False, False),
        (lambda folder: (folder / "out" / "more").touch(), False, False),
        (lambda folder: (folder / ".engine" / "token").write_text("new"), False, False),
        (lambda folder: os.utime(folder / "acts.py", (1, 1)), False, False),
    ],
)  # fmt: skip
def test_each_half_of_a_version_changes_with_what_it_is_of(
    folder: Path, change: Callable[[Path], object], definitions: bool, code: bool
) -> None:
    before = version_of(folder)
    change(folder)
    after = version_of(folder)

    assert (before[:HALF] != after[:HALF], before[HALF:] != after[HALF:]) == (definitions, code)


def test_a_copy_has_the_code_and_links_to_the_data(folder: Path, tmp_path: Path) -> None:
    copies = Copies(tmp_path / "versions")

    version, copy = copies.take(folder)

    assert version == version_of(folder) == version_of(copy)
    assert [path.name for path in sorted(copy.rglob("*")) if path.is_symlink()] == ["data.csv", "out", "weights.json"]
    assert (copy / "out").resolve() == folder / "out"
    assert os.access(copy / "run.sh", os.X_OK)
    assert not os.access(copy / "acts.py", os.X_OK)
    assert copies.take(folder) == (version, copy)
    copies.close()
    assert not (tmp_path / "versions").exists()
    assert (folder / "out" / "deep" / "result.txt").exists()


def test_what_a_link_outside_stands_for_is_not_copied_and_what_is_large_is_data(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text("y = 1")
    (folder / "linked.py").symlink_to(tmp_path / "outside.py")
    with (folder / "large.py").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    copies = Copies(tmp_path / "versions")

    copy = copies.take(folder).folder

    assert (copy / "linked.py").is_symlink()
    assert (copy / "large.py").is_symlink()
    copies.close()


def test_a_copy_that_cannot_be_made_is_one_sentence_and_leaves_nothing(folder: Path) -> None:
    copies = Copies(Path("/proc/versions"))

    with pytest.raises(RequestError, match="cannot be copied to /proc/versions"):
        copies.take(folder)
