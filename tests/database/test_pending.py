"""An answer that is still to come, waited for by any number of threads."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from app.pending import Pending
from app.testing.waiting import wait_until


def test_it_works() -> None:
    pending: Pending[int] = Pending()
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(pending.wait, 10) for _ in range(8)]
        wait_until(lambda: len(pending._waiters) == 8)
        pending.give(7)

        assert [one.result() for one in asked] == [7] * 8


def test_what_is_there_already_is_not_waited_for() -> None:
    pending: Pending[None] = Pending()
    pending.give(None)

    assert pending.wait(0) is None
    assert pending._waiters == []


def test_an_error_in_its_place_is_raised_by_everybody() -> None:
    pending: Pending[int] = Pending()
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(pending.wait, 10) for _ in range(2)]
        wait_until(lambda: len(pending._waiters) == 2)
        pending.fail(KeyError("gone"))

        assert [type(one.exception()) for one in asked] == [KeyError, KeyError]
    with pytest.raises(KeyError):
        pending.wait(0)


def test_who_has_waited_long_enough_gets_a_timeout_and_may_ask_again() -> None:
    pending: Pending[int] = Pending()
    begun = time.monotonic()

    with pytest.raises(TimeoutError):
        pending.wait(0.2)

    assert 0.1 < time.monotonic() - begun < 30
    pending.give(1)
    assert pending.wait(0) == 1


def test_an_answer_that_comes_between_the_two_looks_is_not_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It comes while the latch is being made, which nobody can open yet."""
    pending: Pending[int] = Pending()

    class LateLock:
        def __new__(cls) -> Any:
            pending.give(5)
            return threading.Lock()

    names = SimpleNamespace(Lock=LateLock, Thread=threading.Thread)
    monkeypatch.setattr("app.pending.threading", names)
    begun = time.monotonic()

    assert pending.wait(60) == 5
    assert time.monotonic() - begun < 30


def test_nobody_is_left_waiting_when_it_comes_just_as_they_begin_to_wait() -> None:
    def race() -> int:
        pending: Pending[int] = Pending()
        threading.Thread(target=pending.give, args=(5,)).start()
        return pending.wait(120)

    begun = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: race(), range(2000))) == {5}
    assert time.monotonic() - begun < 100
