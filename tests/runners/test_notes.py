"""The mailbox of notes: one under way, the newest kept, the rest counted."""

from __future__ import annotations

import threading

from actors.messages import Note
from actors.model import Level
from actors.runners.notes import MAX_LINE_CHARS, MAX_LINES, Mailbox


def test_the_first_thing_said_goes_at_once_and_the_next_waits_for_credit() -> None:
    sent: list[Note] = []
    mailbox = Mailbox(sent.append)
    mailbox.checkpoint(1)
    mailbox.checkpoint(2)
    mailbox.progress(0.5, "half")
    mailbox.checkpoint(3)
    assert sent == [Note(checkpoint=1)]

    mailbox.credit()

    assert sent[1:] == [Note(checkpoint=3, progress=(0.5, "half"))]


def test_credit_with_nothing_to_say_lets_the_next_thing_go_at_once() -> None:
    sent: list[Note] = []
    mailbox = Mailbox(sent.append)
    mailbox.checkpoint(1)
    mailbox.credit()
    assert len(sent) == 1

    mailbox.checkpoint(2)

    assert sent[-1] == Note(checkpoint=2)


def test_credit_twice_is_credit_once() -> None:
    sent: list[Note] = []
    mailbox = Mailbox(sent.append)
    mailbox.credit()
    mailbox.credit()
    mailbox.checkpoint(1)
    mailbox.checkpoint(2)

    assert sent == [Note(checkpoint=1)]


def test_lines_beyond_the_bound_are_counted_and_the_newest_kept() -> None:
    sent: list[Note] = []
    mailbox = Mailbox(sent.append)
    mailbox.line(Level.INFO, "first")
    for number in range(MAX_LINES + 5):
        mailbox.line(Level.DEBUG, str(number))
    mailbox.credit()

    assert sent[1].lost_lines == 5
    assert [text for _, text in sent[1].lines] == [str(number) for number in range(5, MAX_LINES + 5)]
    mailbox.line(Level.INFO, "later")
    mailbox.credit()
    assert sent[2] == Note(lines=((Level.INFO, "later"),))


def test_a_line_is_cut_to_its_bound() -> None:
    sent: list[Note] = []
    Mailbox(sent.append).line(Level.INFO, "x" * 10_000)

    assert sent[0].lines[0][1] == "x" * MAX_LINE_CHARS


def test_closing_sends_what_is_left_and_nothing_is_sent_afterwards() -> None:
    sent: list[Note] = []
    mailbox = Mailbox(sent.append)
    mailbox.line(Level.INFO, "first")
    mailbox.line(Level.INFO, "last")
    mailbox.checkpoint(9)
    mailbox.close()
    mailbox.line(Level.INFO, "too late")
    mailbox.checkpoint(10)
    mailbox.credit()
    mailbox.close()

    assert sent[1:] == [Note(checkpoint=9, lines=((Level.INFO, "last"),))]
    assert mailbox.newest == 9


def test_a_checkpoint_alone_is_left_to_the_outcome() -> None:
    sent: list[Note] = []
    mailbox = Mailbox(sent.append)
    mailbox.checkpoint(1)
    mailbox.checkpoint(2)
    mailbox.close()

    assert sent == [Note(checkpoint=1)]
    assert mailbox.newest == 2


def test_credit_may_come_from_inside_the_report() -> None:
    sent: list[Note] = []

    def take(note: Note) -> None:
        sent.append(note)
        mailbox.credit()

    mailbox = Mailbox(take)
    for number in range(1, 4):
        mailbox.checkpoint(number)

    assert [note.checkpoint for note in sent] == [1, 2, 3]


def test_notes_of_many_threads_come_one_at_a_time_and_the_last_one_wins() -> None:
    sent: list[Note] = []
    inside = threading.Lock()

    def take(note: Note) -> None:
        assert inside.acquire(blocking=False), "two notes at the same time"
        sent.append(note)
        inside.release()
        mailbox.credit()

    def talk() -> None:
        for _ in range(500):
            mailbox.line(Level.INFO, "x")

    mailbox = Mailbox(take)
    threads = [threading.Thread(target=talk) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(len(note.lines) + note.lost_lines for note in sent) == 2000
