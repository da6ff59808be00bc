"""What a vote leaves behind: nothing that only the collector of cyclic garbage can free.

That collector would look through all that is under way, again and again, at a tenth of what a vote costs.
"""

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import create_environ, run_wsgi_app

from app.testing.deliveries import make_delivery
from app.testing.vote_api import VoteApi, answer

VOTES = 40


@contextmanager
def list_garbage() -> Iterator[list[Any]]:
    """What the collector finds of all that happens within, put into the list at the end."""
    found: list[Any] = []
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        found += gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def find_kinds(garbage: list[Any], at_least: int) -> dict[str, int]:
    """The kinds of objects of which there are so many, and how many."""
    names = Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in garbage)
    return {name: count for name, count in names.items() if count >= at_least}


def deliver(app: Flask, body: bytes) -> str:
    """The status of the answer."""
    environ = create_environ("/webhooks/gamemonitoring", method="POST", data=body)
    return run_wsgi_app(app, environ)[1]


def test_it_works(app: Flask, vote_api: VoteApi) -> None:
    bodies = [make_delivery(f"vote-{number}") for number in range(5 + VOTES)]
    assert {deliver(app, body) for body in bodies[:5]} == {"204 NO CONTENT"}

    with list_garbage() as garbage:
        for body in [*bodies[5:], *bodies[5:]]:  # new, and paid already
            assert deliver(app, body) == "204 NO CONTENT"

    assert not find_kinds(garbage, VOTES)
    assert len(vote_api.asked) == 5 + VOTES


@pytest.mark.parametrize(
    "body", [b"{", b"{}", make_delivery("forged").replace(b"forged", b"genuine")]
)
def test_what_strangers_send_neither(app: Flask, body: bytes) -> None:
    assert deliver(app, body).startswith("40")

    with list_garbage() as garbage:
        for _ in range(VOTES):
            deliver(app, body)

    assert not find_kinds(garbage, VOTES)


def test_nor_what_cannot_be_paid_yet(app: Flask, vote_api: VoteApi) -> None:
    """As each vote while the vote API is away."""
    vote_api.behave = lambda handler: answer(handler, 503, {"error": "ill"})
    bodies = [make_delivery(f"vote-{number}") for number in range(5 + VOTES)]
    assert {deliver(app, body)[:3] for body in bodies[:5]} == {"503"}

    with list_garbage() as garbage:
        for body in bodies[5:]:
            deliver(app, body)

    assert not find_kinds(garbage, VOTES)
