"""Which ids are known, and which are forgotten."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.logic.remembered import GENERATIONS, Remembered


@given(count=st.integers(1, 200), added=st.integers(0, 700))
def test_the_newest_ids_are_known_and_at_most_a_generation_more(count: int, added: int) -> None:
    remembered: Remembered[int] = Remembered(count)

    for number in range(added):
        remembered.add(str(number), number)

    for number in range(max(0, added - count), added):
        assert remembered.get(str(number)) == number
    generation = -(-count // GENERATIONS)
    assert len(remembered) <= generation * (GENERATIONS + 1)
    assert remembered.get(str(added - generation * (GENERATIONS + 1) - 1)) is None


def test_an_id_that_led_to_nothing_is_known_all_the_same() -> None:
    remembered: Remembered[tuple[str, ...]] = Remembered(10)

    remembered.add("x", ())

    assert remembered.get("x") == ()
    assert remembered.get("y") is None
