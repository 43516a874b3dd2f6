"""A file to nodes: bounded bytes, UTF-8, then YAML or JSON by the file's ending."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from actors.errors import Fault
from actors.reading.nodes import MAX_BYTES, Mark, Node, Unreadable, place

ENDINGS = (".yaml", ".yml", ".json")


def read_file(path: Path, shown: str, faults: list[Fault]) -> Node | None:
    """The value in the file; None, and a fault, if there is none."""
    from actors.reading.json_text import read_json
    from actors.reading.yaml_text import read_yaml

    read = read_json if path.suffix == ".json" else read_yaml
    try:
        text = _decode(read_bytes(path))
        root = read(text, shown, faults)
        if root is None or root.value is None:
            raise Unreadable(Mark(1, 1), "the file is empty")
        return root
    except Unreadable as error:
        faults.append(place(shown, error.mark, (), error.message))
        return None


def read_bytes(path: Path) -> bytes:
    """A regular file of at most ``MAX_BYTES``. Raises ``Unreadable``."""
    start = Mark(1, 1)
    try:
        # Not blocking: the name may be that of a pipe, which is refused below.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Unreadable(start, "not a regular file")
            with open(descriptor, "rb", closefd=False) as file:
                content = file.read(MAX_BYTES + 1)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Unreadable(start, f"cannot be read: {(error.strerror or 'input/output error').lower()}") from error
    if len(content) > MAX_BYTES:
        raise Unreadable(start, f"larger than {MAX_BYTES} bytes")
    return content


def _decode(content: bytes) -> str:
    if content.startswith(b"\xef\xbb\xbf"):
        raise Unreadable(Mark(1, 1), "begins with a byte order mark; save it as UTF-8 without one")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line_start = before.rfind(b"\n") + 1
        where = Mark(before.count(b"\n") + 1, len(before[line_start:].decode()) + 1)
        raise Unreadable(where, "not UTF-8; save the file as UTF-8") from error
