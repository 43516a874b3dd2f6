"""Who waits for an answer gets one: the answer, or why there will be none."""

from __future__ import annotations

import pytest

from actors.desk import Desk
from actors.errors import EngineStopped
from actors.model import ReplyId
from tests.actors.conftest import BOUND_S


def test_an_answer_goes_to_who_asked_and_a_second_one_to_nobody() -> None:
    desk = Desk()
    number, answer = desk.open()

    desk.answer(number, "first")
    desk.answer(number, "second")
    desk.answer(ReplyId(10**9), "for nobody")

    assert answer.get(timeout=BOUND_S) == "first"
    assert answer.empty()


def test_closing_answers_who_waits_and_who_comes_later() -> None:
    desk = Desk()
    _, before = desk.open()

    desk.close(EngineStopped("over"))
    number, after = desk.open()

    assert isinstance(before.get(timeout=BOUND_S), EngineStopped)
    assert isinstance(after.get(timeout=BOUND_S), EngineStopped)
    assert not desk.waits(number)


@pytest.mark.parametrize("gave_up", [True, False])
def test_who_gave_up_does_not_wait(gave_up: bool) -> None:
    desk = Desk()
    number, answer = desk.open()
    if gave_up:
        desk.forget(number)

    desk.answer(number, "late")

    assert answer.empty() is gave_up
