"""The batcher: whoever comes while it works is served together by the next round."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.batching import Batcher
from app.testing.waiting import wait_until


class Office:
    """Work that notes its batches, and waits at the door until it is opened."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.finished: list[str] = []
        self.door = threading.Event()
        self.door.set()

    def work(self, items: list[int]) -> list[int]:
        self.batches.append(items)
        self.door.wait(20)
        return [item * 10 for item in items]

    def finish(self) -> None:
        self.finished.append(threading.current_thread().name)


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def make_batcher(office: Office) -> Iterator[Callable[..., Batcher[int, Any]]]:
    made: list[Batcher[int, Any]] = []

    def make(**options: Any) -> Batcher[int, Any]:
        made.append(Batcher("office", options.pop("work", office.work), office.finish, **options))
        return made[-1]

    yield make
    office.door.set()
    for batcher in made:
        batcher.stop()


def test_it_works(make_batcher: Callable[..., Any], office: Office) -> None:
    assert make_batcher().process(4, 5) == 40
    assert office.batches == [[4]]


def test_who_comes_while_it_works_is_served_together_and_each_gets_his_own_answer(
    make_batcher: Callable[..., Any], office: Office
) -> None:
    batcher = make_batcher(limit=16)
    office.door.clear()
    with ThreadPoolExecutor(41) as pool:
        first = pool.submit(batcher.process, 0, 10)
        wait_until(lambda: office.batches == [[0]])
        others = [pool.submit(batcher.process, number, 10) for number in range(1, 41)]
        wait_until(lambda: batcher._queue.qsize() == 40)
        office.door.set()

    assert [one.result() for one in [first, *others]] == [number * 10 for number in range(41)]
    assert [len(batch) for batch in office.batches] == [1, 16, 16, 8]
    assert sorted(item for batch in office.batches for item in batch) == list(range(41))


def test_what_the_work_raises_all_of_its_batch_get_and_the_next_batch_is_served(
    make_batcher: Callable[..., Any], office: Office
) -> None:
    def work(items: list[int]) -> list[int]:
        answers = office.work(items)
        if 13 in items:
            raise KeyError("thirteen")
        return answers

    batcher = make_batcher(work=work)
    office.door.clear()
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(batcher.process, 1, 10)
        wait_until(lambda: office.batches)
        others = [pool.submit(batcher.process, number, 10) for number in (13, 14)]
        wait_until(lambda: batcher._queue.qsize() == 2)
        office.door.set()

    assert first.result() == 10
    assert [type(one.exception()) for one in others] == [KeyError, KeyError]
    assert batcher.process(15, 5) == 150


def test_too_few_answers_are_an_error_to_all_and_leave_nobody_waiting(
    make_batcher: Callable[..., Any],
) -> None:
    batcher = make_batcher(work=lambda items: [])

    with pytest.raises(ValueError, match="shorter"):
        batcher.process(1, 5)
    with pytest.raises(ValueError, match="shorter"):
        batcher.process(2, 5)


def test_who_has_waited_long_enough_gets_a_timeout_and_is_not_worked_for(
    make_batcher: Callable[..., Any], office: Office
) -> None:
    batcher = make_batcher()
    office.door.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(batcher.process, 1, 10)
        wait_until(lambda: office.batches)
        start = time.monotonic()
        with pytest.raises(TimeoutError):
            batcher.process(2, 0.2)
        assert time.monotonic() - start < 30
        office.door.set()
        assert first.result() == 10

    assert batcher.process(3, 5) == 30
    assert office.batches == [[1], [3]]


def test_stopping_works_off_what_was_asked_and_then_finishes_in_the_same_thread(
    make_batcher: Callable[..., Any], office: Office
) -> None:
    batcher = make_batcher(limit=2)
    office.door.clear()
    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(batcher.process, number, 10) for number in range(5)]
        wait_until(lambda: batcher._queue.qsize() + sum(map(len, office.batches)) == 5)
        stopping = pool.submit(batcher.stop)
        wait_until(lambda: batcher._queue.qsize() + sum(map(len, office.batches)) == 6)
        office.door.set()
        stopping.result()

    assert [one.result() for one in asked] == [0, 10, 20, 30, 40]
    assert office.finished == ["office"]
    assert "office" not in {thread.name for thread in threading.enumerate()}


def test_asked_after_a_stop_it_starts_again(
    make_batcher: Callable[..., Any], office: Office
) -> None:
    batcher = make_batcher()
    batcher.stop()
    assert batcher.process(1, 5) == 10
    batcher.stop()
    assert batcher.process(2, 5) == 20
    batcher.stop()
    assert office.finished == ["office", "office"]


def test_nobody_asks_a_thread_that_is_told_to_end(
    make_batcher: Callable[..., Any], office: Office
) -> None:
    """Threads that ask, and others that stop it all the while, changing as often as Python lets them."""
    batcher = make_batcher()
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(6) as pool:
            asked = [pool.submit(batcher.process, number, 3) for number in range(1000)]
            while not all(one.done() for one in asked):
                batcher.stop()
    finally:
        sys.setswitchinterval(before)

    batcher.stop()
    assert [one.result() for one in asked] == [number * 10 for number in range(1000)]
    assert "office" not in {thread.name for thread in threading.enumerate()}


def test_nobody_is_lost_when_many_ask_at_once(
    make_batcher: Callable[..., Any], office: Office
) -> None:
    batcher = make_batcher()
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda number: batcher.process(number, 10), range(3000)))

    assert answers == [number * 10 for number in range(3000)]
    assert max(map(len, office.batches)) <= 64


def test_it_waits_for_those_on_their_way_while_they_come_and_never_when_all_are_here(
    make_batcher: Callable[..., Any], office: Office
) -> None:
    expected = [2]
    batcher = make_batcher(count_expected=lambda: expected[0], patience=8)  # a look each 2 s

    def time_one(number: int) -> float:
        begun = time.monotonic()
        assert batcher.process(number, 20) == number * 10
        return time.monotonic() - begun

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(time_one, 1)
        wait_until(lambda: batcher._thread and batcher._queue.qsize() == 0)
        second = pool.submit(time_one, 2)
        assert max(first.result(), second.result()) < 6, "the last is here, and not waited for"
    assert [sorted(batch) for batch in office.batches] == [[1, 2]]

    expected[0] = 1
    assert time_one(3) < 1.5
    expected[0] = 2
    assert 1.5 < time_one(4) < 6, "nobody has come since the last look"
