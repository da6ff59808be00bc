"""The circuit breaker and the concurrency limit, each by itself; test_destinations has them together."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.reporting.circuit_breaker import FAILURES, PAUSES, Circuit, CircuitBreaker
from app.reporting.concurrency_limit import ConcurrencyLimit
from app.testing.clock import Clock


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(clock)


def fail(breaker: CircuitBreaker, times: int = FAILURES) -> list[float | None]:
    return [breaker.note_failure() for _ in range(times)]


def test_it_works(breaker: CircuitBreaker, clock: Clock) -> None:
    assert breaker.circuit is Circuit.CLOSED
    assert fail(breaker) == [None] * (FAILURES - 1) + [PAUSES[0]]
    assert breaker.circuit is Circuit.OPEN
    clock.advance(PAUSES[0])
    assert breaker.circuit is Circuit.HALF_OPEN

    assert breaker.note_success() is True  # which closes it

    assert breaker.circuit is Circuit.CLOSED
    assert breaker.note_success() is False


def test_it_stays_open_for_ever_longer_and_forgets_that_once_somebody_is_there(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    fail(breaker)
    for pause in [*PAUSES[1:], PAUSES[-1]]:
        clock.advance(PAUSES[-1])
        assert breaker.note_failure() == pause
    clock.advance(PAUSES[-1])
    breaker.note_success()

    assert fail(breaker)[-1] == PAUSES[0]


def test_failures_while_it_is_open_change_nothing(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker)
    clock.advance(PAUSES[0] - 1)
    assert fail(breaker) == [None] * FAILURES
    clock.advance(1)
    assert breaker.circuit is Circuit.HALF_OPEN


def test_one_that_is_certain_opens_it_at_once_and_for_long(breaker: CircuitBreaker) -> None:
    assert breaker.note_failure(is_certain=True) == PAUSES[-1]
    assert breaker.circuit is Circuit.OPEN


def test_a_limit_follows_what_is_allowed_just_then() -> None:
    allowed = [4]
    limit = ConcurrencyLimit(lambda: allowed[0])

    assert limit.reserve(9) == 4
    allowed[0] = 1
    limit.give_back(3)
    assert limit.reserve(9) == 0
    limit.give_back(1)
    assert limit.reserve(9) == 1


def test_who_waits_for_room_goes_on_when_there_is_some_or_when_it_is_pointless() -> None:
    limit, is_pointless = ConcurrencyLimit(lambda: 1), threading.Event()
    limit.reserve(1)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(limit.wait_for_room, 20, is_pointless.is_set)
        is_pointless.set()
        limit.wake()
        waiting.result(10)
        is_pointless.clear()
        waiting = threads.submit(limit.wait_for_room, 20, is_pointless.is_set)
        limit.give_back(1)
        waiting.result(10)
