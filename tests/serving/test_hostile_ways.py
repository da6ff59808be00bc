"""What nobody honest sends, by the lane and by gunicorn's own way: the same is answered and done."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from app.serving.lane import read_plain
from app.testing.deliveries import make_delivery
from app.testing.waiting import wait_until
from tests.network.test_raw_sockets import Service
from tests.serving.conftest import PROBE, ask, list_paid
from tests.world.attacks import (
    FLAT,
    HEADERS,
    HOSTILE_BYTES,
    IDS,
    KEY,
    POSTS,
    list_signed,
    try_many,
)
from tests.world.servers import find_tracebacks

# What a client of HTTP does not send as a header.
UNSENT = ("SERVER_PROTOCOL", "REMOTE_ADDR", "CONTENT_LENGTH")


def write_post(path: str, body: bytes, *headers: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def compare(ways: dict[str, Service], said: bytes) -> bytes:
    """What both answer to that, which is the same, and no fault of theirs."""
    answers = {name: ask(service, [said + PROBE]) for name, service in ways.items()}
    assert answers["lane"] == answers["gunicorn"], said[:3000]
    assert b"HTTP/1.1 500" not in answers["lane"], said[:3000]
    return answers["lane"]


@pytest.fixture(autouse=True)
def both_did_the_same(ways: dict[str, Service]) -> Any:
    """The same events are paid afterwards, and no traceback is in a log."""
    yield
    wait_until(lambda: list_paid(ways["lane"]) == list_paid(ways["gunicorn"]))
    for service in ways.values():
        assert find_tracebacks(Path(service.server.log).read_text()) == []


def test_it_works(ways: dict[str, Service]) -> None:
    said = write_post(POSTS[0], make_delivery("honest"))
    assert read_plain(said, {}) is not None
    answer = compare(ways, said)
    assert answer.startswith(b"HTTP/1.1 204 NO CONTENT\r\n")
    assert answer.count(b"HTTP/1.1 ") == 2, "the connection was kept for the probe"


@pytest.mark.parametrize("body", HOSTILE_BYTES, ids=lambda body: repr(body[:12]))
def test_hostile_bodies_are_answered_alike(body: bytes, ways: dict[str, Service]) -> None:
    for path in POSTS:
        compare(ways, write_post(path, body, f"Authorization: {KEY['Authorization']}"))


@pytest.mark.parametrize("header", [name for name in HEADERS if name not in UNSENT])
def test_hostile_headers_are_answered_alike(header: str, ways: dict[str, Service]) -> None:
    name = header.removeprefix("HTTP_").replace("_", "-").title()
    for number, value in enumerate(HEADERS[header]):
        body = make_delivery(f"{name}-{number}")
        compare(ways, write_post(POSTS[0], body, f"{name}: {value}"))


def test_nothing_that_is_signed_is_answered_otherwise(ways: dict[str, Service]) -> None:
    @given(fields=FLAT, event_id=IDS)
    @try_many(60)
    def send(fields: Any, event_id: str) -> None:
        for body in list_signed(fields, event_id):
            compare(ways, write_post(POSTS[0], body))

    before = len(list_paid(ways["lane"]))
    send()
    assert len(list_paid(ways["lane"])) > before
