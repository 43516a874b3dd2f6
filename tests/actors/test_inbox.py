"""The inbox: in order, exactly accounted for, closed to what is foreign and to what comes too late."""

from __future__ import annotations

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pykka
import pytest

from actors.errors import EngineError, EngineStopped, RequestError
from actors.inbox import Inbox
from actors.messages import AwaitIdle, ReadStats
from actors.model import NOBODY
from tests.actors.conftest import BOUND_S, FAILURES, Add, Company

Start = Callable[..., Company]


def ref(works: Company, name: str) -> pykka.ActorRef[Any]:
    return works.actor(name).actor_ref


def test_what_is_sent_is_dealt_with_in_the_order_of_its_sender(company: Start) -> None:
    works = company("a")

    def send(sender: int) -> None:
        for place in range(500):
            works.tell("a", Add(sender * 1000 + place))

    run_together([partial(send, sender) for sender in range(1, 5)])

    book = works.book("a")
    assert len(book) == 2000
    for sender in range(1, 5):
        assert [number for number in book if number // 1000 == sender] == [sender * 1000 + n for n in range(500)]


@pytest.mark.parametrize("foreign", ["text", None, object(), ("tuple",), pykka.messages.ProxyGetAttr(("name",))])
def test_what_is_no_message_of_the_protocol_is_refused_in_its_sender(company: Start, foreign: object) -> None:
    works = company("a")

    with pytest.raises(RequestError):
        ref(works, "a").tell(foreign)
    with pytest.raises(RequestError):
        ref(works, "a").ask(foreign, timeout=BOUND_S)

    works.tell("a", Add(1))
    assert works.book("a") == [1]
    assert works.seats["a"].inbox.account() == {"processed": 2, "refused": 2, "dead": 0, "waiting": 0}


def test_a_proxy_reaches_nothing_of_the_actor(company: Start) -> None:
    works = company("a")
    proxy = ref(works, "a").proxy()

    with pytest.raises(RequestError):
        proxy.name.get(timeout=BOUND_S)
    with pytest.raises(RequestError):
        proxy.retire()
    with pytest.raises(RequestError):
        proxy.book = []

    works.tell("a", Add(1))
    assert works.book("a") == [1]


def test_a_protocol_message_by_a_raw_ref_is_taken_and_its_answer_comes_back(company: Start) -> None:
    works = company("a")

    ref(works, "a").tell(Add(1))

    assert ref(works, "a").ask(ReadStats(), timeout=BOUND_S) == 0
    assert works.book("a") == [1]


def test_a_raw_ask_for_what_has_no_answer_is_refused_rather_than_left_waiting(company: Start) -> None:
    works = company("a")

    with pytest.raises(RequestError, match="tell it instead"):
        ref(works, "a").ask(Add(1), timeout=BOUND_S)

    assert works.book("a") == []


def test_an_actor_that_ends_answers_what_is_still_asked_and_counts_what_is_told(company: Start) -> None:
    works = company("a")
    gate = threading.Event()
    works.plans["a"].hang[Add(1)] = gate
    works.tell("a", Add(1))
    assert works.plans["a"].hanging.wait(BOUND_S)
    works.tell("a", Add(2))
    works.actor("a").retire()
    number, answer = works.desk.open()
    works.tell("a", Add(3), ReadStats(number))
    gate.set()

    assert works.actor("a").gone(BOUND_S)

    assert isinstance(answer.get(timeout=BOUND_S), EngineStopped)
    assert works.books["a"] == [1, 2], "what follows the stop is not dealt with any more"
    assert works.seats["a"].inbox.account() == {"processed": 2, "refused": 0, "dead": 2, "waiting": 0}
    with pytest.raises(pykka.ActorDeadError):
        ref(works, "a").tell(Add(4))
    works.tell("a", Add(5))
    assert works.seats["a"].inbox.dead == 3


def test_what_is_put_while_the_inbox_closes_is_not_missed() -> None:
    buried: list[object] = []
    for _ in range(200):
        inbox = Inbox(lambda envelope: envelope.message, buried.append)
        run_together([partial(post_all, inbox), inbox.close])
        assert inbox.dead == 20, inbox.account()
        assert inbox.empty()
    assert len(buried) == 200 * 20


def post_all(inbox: Inbox) -> None:
    for number in range(20):
        inbox.post(number)


def test_under_racing_senders_and_crashes_every_ask_is_answered_and_every_tell_accounted_for(
    company: Start, caplog: pytest.LogCaptureFixture
) -> None:
    hammer(company, caplog, deaths=400, senders=4)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_20_000_deaths_under_racing_senders_leave_no_ask_unanswered(
    company: Start, caplog: pytest.LogCaptureFixture
) -> None:
    hammer(company, caplog, deaths=20_000, senders=4)


def hammer(company: Start, caplog: pytest.LogCaptureFixture, *, deaths: int, senders: int) -> None:
    """Let senders tell and ask while the logic crashes at every third message, and stop in the midst of it."""
    caplog.set_level(logging.CRITICAL, logger="actors")
    works = company("a")
    plan, seat = works.plans["a"], works.seats["a"]
    sent: Counter[str] = Counter()
    answers: list[Any] = []
    enough = threading.Event()

    def send(sender: int) -> None:
        chance = random.Random(sender)
        told = asked = refused = 0
        waiting = []
        for place in range(1, 1_000_000):
            number = sender * 1_000_000 + place
            if chance.random() < 0.3:
                plan.crash[Add(number)] = [chance.choice(FAILURES)] * chance.choice((1, 1, 1, 2))
            works.tell("a", Add(number))
            told += 1
            if place % 10 == 0:
                kind = chance.choice((ReadStats, AwaitIdle))
                reply, answer = works.desk.open()
                works.tell("a", kind(reply))
                waiting.append(answer)
                asked += 1
            if place % 50 == 0:
                try:
                    ref(works, "a").tell("foreign")
                except RequestError:
                    refused += 1
                except pykka.ActorDeadError:
                    pass
                works.tell("a", Add(0))
                told += 1
                works.ask("a", timeout=60.0)  # Not so far ahead of it that memory is all that is tested.
                asked += 1
            if enough.is_set():
                break
        sent.update({"told": told, "asked": asked, "refused": refused})
        answers.extend(waiting)

    def stop() -> None:
        while seat.restarts < deaths:
            works.ask("a", timeout=60.0)
            sent["asked"] += 1
        works.actor("a").retire()
        enough.set()

    threads: list[Callable[[], object]] = [partial(send, sender) for sender in range(1, senders + 1)]
    run_together([*threads, stop], timeout=280.0)
    works.stop()

    for answer in answers:
        assert isinstance(answer.get(timeout=BOUND_S), int | EngineError)
    account = seat.inbox.account()
    assert account["processed"] + account["dead"] == sent["told"] + sent["asked"], (account, sent)
    assert account["refused"] == sent["refused"]
    assert seat.restarts >= deaths
    book = [number for number in works.books["a"] if number]
    assert len(book) == len(set(book)), "nothing was done twice"


def run_together(work: list[Callable[[], object]], timeout: float = BOUND_S) -> None:
    """Run these in threads of their own; raise what one of them raised."""
    failed: list[BaseException] = []

    def guarded(each: Callable[[], object]) -> None:
        try:
            each()
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            failed.append(error)

    threads = [threading.Thread(target=guarded, args=(each,)) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout)
        assert not thread.is_alive()
    if failed:
        raise failed[0]


def test_nobody_is_a_correlation_that_nobody_has(company: Start) -> None:
    works = company("a")

    works.tell("a", ReadStats(NOBODY))

    assert works.book("a") == []
    assert len(works.seats["a"].asks) == 0
