"""Which files of a definitions folder make its version, and the hash of them.

These are the definition files at its top, Python files, shared libraries and whatever may be
executed, at the top and in the folders below. All else is data: what actions read and write
there is not part of a version. A version is 16 hexadecimal digits, the first half of the
definition files, the second of the code.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from actors.reading.files import ENDINGS

CODE = (".py", ".so")
MAX_BYTES = 16 * 1024 * 1024
"""A larger file is data, whatever its name is."""
MAX_FOLDERS = 1_000
"""So many folders are looked into; what lies in the others is data."""
HALF = 8
_LEFT_OUT = frozenset({"__pycache__", "node_modules"})


class Piece(NamedTuple):
    """A file or a folder of a definitions folder."""

    path: str
    """Relative to the folder."""
    kind: str
    """``definition``, ``code`` or ``data``; a folder without any of the first two is data as a whole."""


def pieces(folder: Path) -> list[Piece]:
    """Everything in the folder, in the order of its paths. Hidden files, caches and environments are left out."""
    return list(_below(folder, "", [MAX_FOLDERS]))


def version_of(folder: Path, found: list[Piece] | None = None, *, only: str = "") -> str:
    """The hash; of one definition file if ``only`` is its name. What cannot be read counts as empty."""
    halves = {"definition": hashlib.sha256(only.encode()), "code": hashlib.sha256()}
    for path, kind in pieces(folder) if found is None else found:
        if kind in halves and not (only and kind == "definition" and path != only and not path.startswith("engine.")):
            data = _read(folder / path)
            halves[kind].update(f"{len(path)} {len(data)} {os.access(folder / path, os.X_OK)} {path}".encode())
            halves[kind].update(data)
    return "".join(half.hexdigest()[:HALF] for half in halves.values())


def version_of_value(value: object) -> str:
    """The hash of definitions that came as a dict."""
    text = json.dumps(value, sort_keys=True, default=repr, ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()[: 2 * HALF]


def _below(folder: Path, prefix: str, left: list[int]) -> Iterator[Piece]:
    left[0] -= 1
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        path = prefix + entry.name
        if entry.name.startswith(".") or entry.name in _LEFT_OUT:
            continue
        try:
            is_folder, is_file = entry.is_dir(), entry.is_file()
        except OSError:
            continue  # A link that leads to itself.
        if is_folder:
            yield from _folder(entry, path, left)
        elif is_file:
            yield Piece(path, _kind(entry, top=not prefix))


def _folder(entry: os.DirEntry[str], path: str, left: list[int]) -> Iterator[Piece]:
    if entry.is_symlink() or left[0] <= 0:
        yield Piece(path, "data")
    elif not os.path.exists(os.path.join(entry.path, "pyvenv.cfg")):
        inside = list(_below(Path(entry.path), f"{path}/", left))
        yield from inside if any(piece.kind != "data" for piece in inside) else (Piece(path, "data"),)


def _kind(entry: os.DirEntry[str], *, top: bool) -> str:
    status = entry.stat()
    if status.st_size > MAX_BYTES:
        return "data"
    if top and entry.name.endswith(ENDINGS):
        return "definition"
    return "code" if entry.name.endswith(CODE) or status.st_mode & 0o111 else "data"


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
