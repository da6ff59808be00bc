"""An answer that is still to come, waited for by any number of threads."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from app.pending import Latches, Pending
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


def test_all_who_have_waited_long_enough_are_let_on_in_one_look_and_nobody_else() -> None:
    latches, begun = Latches(), time.monotonic()
    late, patient = [latches.close(60 + n) for n in range(8)], latches.close(3600)

    latches.open_late(begun + 300)

    assert not any(latch.locked() for latch in late)
    assert patient.locked()
    latches.open(patient)
    latches.open(patient)  # which was let on
    assert not patient.locked()
    assert not latches._closed


def test_one_look_that_fails_is_followed_by_others(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(dict[Any, float]):
        looks = 0

        def copy(self) -> Any:
            self.looks += 1
            if self.looks == 1:
                raise MemoryError
            return dict(self)

    failing = Failing()
    monkeypatch.setattr("app.pending.LATCHES", latches := Latches())
    monkeypatch.setattr(latches, "_closed", failing)

    with pytest.raises(TimeoutError):
        Pending[int]().wait(0)
    assert failing.looks > 1


def test_where_no_thread_can_be_started_the_next_one_tries_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("can't start new thread")

    latches = Latches()
    with monkeypatch.context() as poor:
        poor.setattr("app.pending.threading.Thread.start", refuse)
        with pytest.raises(RuntimeError):
            latches.close(0)

    with latches.close(0):  # waits for the look that lets it on
        pass


FORKING = """
import os
from app.pending import Pending

def is_late():
    try:
        Pending().wait(0)
    except TimeoutError:
        return True

assert is_late()  # from here on a thread of this process looks, and of no child
child = os.fork()
if not child:
    os._exit(0 if is_late() else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


def test_a_child_looks_for_those_who_are_late_too() -> None:
    with subprocess.Popen(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKING], start_new_session=True
    ) as process:
        try:
            assert process.wait(60) == 0
        finally:
            with suppress(ProcessLookupError):  # a child that waits for ever ends with it
                os.killpg(process.pid, signal.SIGKILL)


def test_nobody_is_left_waiting_when_it_comes_just_as_they_begin_to_wait() -> None:
    def race() -> int:
        pending: Pending[int] = Pending()
        threading.Thread(target=pending.give, args=(5,)).start()
        return pending.wait(120)

    begun = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: race(), range(2000))) == {5}
    assert time.monotonic() - begun < 100
