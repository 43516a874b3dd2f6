"""Copies of definitions folders, one for each loaded version, that code is run from.

A file that is saved while the engine runs changes nothing of a version. Definitions and code are
copied; data are linked to where they are, so that actions read and write the same as ever.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from actors.errors import RequestError
from actors.reading.fingerprint import pieces, version_of

_NEW = ".new-"


class Copy(NamedTuple):
    version: str
    folder: Path


class Copies:
    """The copies of one engine. ``root`` None: a temporary folder, made with the first copy."""

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._own = root is None

    def clear(self) -> None:
        """Remove what an engine left that has ended."""
        if self._root is not None and self._root.is_dir():
            for left in self._root.iterdir():
                shutil.rmtree(left, ignore_errors=True)

    def take(self, folder: Path, *, only: str = "") -> Copy:
        """Copy the folder as it is now. Raises ``RequestError`` if that cannot be done.

        ``only``: the one definition file that is meant.
        """
        try:
            if self._root is None:
                self._root = Path(tempfile.mkdtemp(prefix="actors-versions-"))
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = Path(tempfile.mkdtemp(prefix=_NEW, dir=self._root))
            try:
                version = _fill(new, folder.resolve(), only)
                final = self._root / version
                if final.exists():
                    shutil.rmtree(new)
                else:
                    new.rename(final)
            except BaseException:
                shutil.rmtree(new, ignore_errors=True)
                raise
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise RequestError(f"{folder} cannot be copied to {self._root}: {why}") from error
        return Copy(version, final)

    def drop(self, version: str) -> None:
        """Remove a copy, if there is one."""
        if self._root is not None and version:
            shutil.rmtree(self._root / version, ignore_errors=True)

    def close(self) -> None:
        """Remove them all."""
        if self._root is not None:
            shutil.rmtree(self._root, ignore_errors=True)
        if self._own:
            self._root = None


def _fill(new: Path, folder: Path, only: str) -> str:
    """Copy and link; the version of what was copied."""
    found = pieces(folder)
    for path, kind in found:
        source, target = folder / path, new / path
        target.parent.mkdir(parents=True, exist_ok=True)
        real = source.resolve()
        # What a link outside stands for is not the folder's, and must not become so.
        if kind == "data" or not real.is_relative_to(folder):
            target.symlink_to(real, target_is_directory=real.is_dir())
        else:
            shutil.copy2(real, target)
            os.chmod(target, 0o700 if os.access(real, os.X_OK) else 0o600)
    return version_of(new, found, only=only)
