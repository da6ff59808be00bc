"""A duty is one process's at a time, and somebody else's once it is not renewed."""

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.database.duties import take_duty
from app.guerdon import Guerdon

A, B = "a" * 32, "b" * 32


def test_it_works(guerdon: Guerdon) -> None:
    def take(holder: str, now: int) -> bool:
        return take_duty(guerdon.database, "watering", holder, now, 100)

    assert take(A, 1000)
    assert not take(B, 1050)
    assert take(A, 1090), "whoever has it renews it"
    assert not take(B, 1189)
    assert take(B, 1190)
    assert not take(A, 1200)
    assert take_duty(guerdon.database, "cooking", A, 1200, 100), "another duty is another's"
    assert take(A, 500), "the clock was set back: nobody has one for longer than it is"


@pytest.mark.parametrize("attempt", range(3))
def test_of_many_at_once_one_gets_it(guerdon: Guerdon, attempt: int) -> None:
    holders = [secrets.token_hex(16) for _ in range(8)]
    take: Callable[[str], bool] = lambda one: take_duty(guerdon.database, "x", one, 1000, 100)  # noqa: E731

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, holders)) == 1
