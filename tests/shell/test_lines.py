"""Where the shell's lines come from: a pipe whose reader can be woken, and a terminal."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator

import pytest

from actors.errors import RequestError
from actors.shell.lines import PipeLines, TextLines
from actors.words import MAX_LINE_CHARS

Pipe = tuple[PipeLines, io.FileIO]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    reading, writing = os.pipe()
    lines = PipeLines(reading)
    with io.FileIO(writing, "w") as file:
        yield lines, file
    lines.release()
    os.close(reading)


def test_lines_come_one_at_a_time_and_the_last_needs_no_end(pipe: Pipe) -> None:
    lines, writing = pipe
    writing.write("put 1 name=万科\n\nshow".encode())
    writing.close()

    assert [lines.read() for _ in range(5)] == ["put 1 name=万科", "", "show", None, None]


def test_a_line_that_is_no_text_is_refused_and_the_next_is_read(pipe: Pipe) -> None:
    lines, writing = pipe
    writing.write(b"put 1 name=\xcd\xf2\xbf\xc6\nshow\n")

    with pytest.raises(RequestError, match="not UTF-8"):
        lines.read()
    assert lines.read() == "show"


def test_a_line_without_end_is_refused_and_never_held(pipe: Pipe) -> None:
    lines, writing = pipe
    length = 3 * MAX_LINE_CHARS

    def write() -> None:
        rest = memoryview(b"x" * length + b"\nshow\n")
        while rest:
            rest = rest[writing.write(rest[:65_536]) or 0 :]

    writer = threading.Thread(target=write)
    writer.start()

    with pytest.raises(RequestError, match=f"the line has {length} bytes"):
        lines.read()
    writer.join(5)
    assert lines.read() == "show"


def test_closing_wakes_who_reads_and_ends_all_later_reading(pipe: Pipe) -> None:
    lines, writing = pipe
    read: list[str | None] = []
    reader = threading.Thread(target=lambda: read.append(lines.read()))
    reader.start()

    lines.close()
    reader.join(5)
    writing.write(b"show\n")

    assert read == [None]
    assert lines.read() is None


def test_a_plain_file_is_read_too(tmp_path: os.PathLike[str]) -> None:
    path = os.path.join(tmp_path, "script")
    with open(path, "w", encoding="utf-8") as file:
        file.write("show\nquit\n")
    descriptor = os.open(path, os.O_RDONLY)
    lines = PipeLines(descriptor)

    assert [lines.read() for _ in range(3)] == ["show", "quit", None]

    lines.release()
    os.close(descriptor)


def test_a_given_text_is_lines_too_and_what_is_not_utf8_is_refused() -> None:
    lines = TextLines("show\nput \udcff\nquit")

    assert lines.read() == "show"
    with pytest.raises(RequestError, match="not UTF-8"):
        lines.read()
    assert lines.read() == "quit"
    lines.close()
    assert lines.read() is None
