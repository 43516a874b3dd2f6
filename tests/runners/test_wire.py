"""Frames arrive whole and in order, whatever pieces they come in; nonsense is refused."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.runners.wire import FdLink, Garbled, Link, Pipe, frame

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@given(st.lists(JSON, max_size=5), st.lists(st.integers(1, 50), max_size=30))
def test_frames_arrive_in_whatever_pieces(values: list[Any], cuts: list[int]) -> None:
    data = b"".join(frame(value) for value in values)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        link = Link(ours, 1 << 20)
        found: list[Any] = []
        for cut in cuts:
            theirs.sendall(data[:cut])
            data = data[cut:]
            found += link.receive()
        theirs.sendall(data)
        found += link.receive()

    assert found == values


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("=I", 101) + b"1" * 101,
        struct.pack("=I", 2) + b"{]",
        struct.pack("=I", 3) + b"NaN",
        struct.pack("=I", 2) + b"\xff\xfe",
        struct.pack("=I", 0),
    ],
)
def test_nonsense_is_refused(ends: tuple[socket.socket, socket.socket], data: bytes) -> None:
    link = Link(ends[0], 100)
    ends[1].sendall(data)

    with pytest.raises(Garbled):
        link.receive()


def test_what_the_socket_does_not_take_waits_in_order(ends: tuple[socket.socket, socket.socket]) -> None:
    link, other = Link(ends[0], 1 << 24), Link(ends[1], 1 << 24)
    values = ["x" * 300_000, 1, "y" * 500_000, 2]
    for value in values:
        link.send(value)
    assert link.blocked

    found: list[Any] = []
    while len(found) < 4:
        found += other.receive()
        link.flush()

    assert found == values
    assert not link.blocked


def test_the_end_is_seen_after_what_was_said(ends: tuple[socket.socket, socket.socket]) -> None:
    link = Link(ends[0], 100)
    ends[1].sendall(frame("last words") + frame("cut off")[:5])
    ends[1].close()

    assert link.receive() == ["last words"]
    assert link.ended
    assert link.receive() == []


def test_sending_to_who_has_gone_loses_nothing_that_had_come(ends: tuple[socket.socket, socket.socket]) -> None:
    link = Link(ends[0], 100)
    ends[1].sendall(frame("before"))
    ends[1].close()
    link.send("nobody hears it")

    assert not link.blocked
    assert link.receive() == ["before"]


def test_descriptors_come_with_their_frames(ends: tuple[socket.socket, socket.socket]) -> None:
    link, other = Link(ends[0], 1000), FdLink(ends[1], 1000)
    pipes = [os.pipe() for _ in range(3)]
    for number, (_, writes) in enumerate(pipes):
        link.send(number, [writes])
        os.close(writes)

    assert other.receive() == [0, 1, 2]
    for number, (reads, _) in enumerate(pipes):
        (writes,) = other.take_fds(1)
        os.write(writes, bytes([number]))
        os.close(writes)
        assert os.read(reads, 1) == bytes([number])
        os.close(reads)
    with pytest.raises(Garbled):
        other.take_fds(1)


def test_descriptors_nobody_took_are_closed_with_the_link(ends: tuple[socket.socket, socket.socket]) -> None:
    link, other = Link(ends[0], 1000), FdLink(ends[1], 1000)
    reads, writes = os.pipe()
    link.send("both", [writes, writes])
    os.close(writes)
    other.receive()
    other.close()

    # The end of the pipe: no copy of its other end is open.
    assert os.read(reads, 1) == b""
    os.close(reads)


def test_a_pipe_reads_what_a_link_sends(ends: tuple[socket.socket, socket.socket]) -> None:
    pipe = Pipe(ends[1])
    link = Link(ends[0], 1000)
    link.send(["job", "价格"])
    assert pipe.receive() == ["job", "价格"]
    pipe.send("done")
    assert link.receive() == ["done"]
    ends[0].close()
    with pytest.raises(EOFError):
        pipe.receive()
