"""POST /webhooks/<source>, through real HTTP to a vote API and a real database."""

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app import create_app
from app.database.models import Attempt, Event, Grant, Waiting
from app.guerdon import Guerdon
from app.testing.deliveries import API_KEY, TOKEN, make_delivery, post_vote, sign
from app.testing.vote_api import VoteApi, answer

Deliver = Callable[..., Any]
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
many_examples = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
KIB_64 = 64 * 1024


def test_it_works(deliver: Deliver, read_gold: Callable[..., str], ask: Any) -> None:
    response = deliver("9824cabb-2203-437e-9b6c-aba43dde3e4b")

    assert response.status_code == 204
    assert response.data == b""
    assert read_gold() == "100.00"
    assert ask("/v1/players/Bob")["gold"] == "100.00"


def test_the_same_delivery_again_pays_nothing_and_asks_nobody(
    deliver: Deliver, read_gold: Callable[..., str], vote_api: Any
) -> None:
    for _ in range(3):
        assert deliver("v1").status_code == 204

    assert read_gold() == "100.00"
    assert vote_api.asked == ["v1"]


@on_sqlite
def test_a_source_that_no_plugin_reads_and_a_get_are_refused(client: Any) -> None:
    assert client.post("/webhooks/nobody", data=make_delivery("v1")).status_code == 404
    assert client.post("/webhooks/gold", data=make_delivery("v1")).status_code == 404
    assert client.get("/webhooks/gamemonitoring").status_code == 405


@on_sqlite
def test_the_content_type_does_not_matter(client: Any, vote_api: VoteApi) -> None:
    types = [
        None, "", "application/json", "text/plain; charset=utf-16", "multipart/form-data",
        "application/x-www-form-urlencoded", "nonsense/\xff;;;",
    ]  # fmt: skip
    for number, type in enumerate(types):
        body = make_delivery(f"v{number}")
        response = client.post("/webhooks/gamemonitoring", data=body, content_type=type)
        assert response.status_code == 204, type

    assert len(vote_api.asked) == len(types)


def pad(body: bytes, length: int) -> bytes:
    return body + b" " * (length - len(body))


@on_sqlite
def test_sixty_four_kib_are_taken_and_not_a_byte_more_announced_or_not(
    open_service: Any, write_config: Any, start_gunicorn: Any, tmp_path: Any
) -> None:
    guerdon: Guerdon = open_service()
    server = start_gunicorn(tmp_path / "guerdon.toml", workers=1)
    url = f"{server.url}/webhooks/gamemonitoring"

    def post(id: str, length: int, chunk: int = 0) -> int:
        """Post a delivery of so many bytes, in chunks without a Content-Length if given."""
        body = pad(make_delivery(id), length)
        parts = (body[start : start + chunk] for start in range(0, length, chunk or 1))
        return requests.post(url, data=parts if chunk else body, timeout=20).status_code

    assert post("v1", KIB_64) == 204
    assert post("v2", KIB_64 + 1) == 413
    for chunk in (KIB_64 + 1, 1000):
        assert post(f"chunked-{chunk}", KIB_64, chunk) == 204
        for more in (1, 2, 100_000):
            assert post("v2", KIB_64 + more, chunk) == 413
    assert post("v2", 1000, 7) == 204
    with guerdon.database.connection_context():
        paid = sorted(row.event_id for row in Event.select())
    assert paid == ["chunked-1000", "chunked-65537", "v1", "v2"]

    # Half a body and then nothing: refused or dropped, and the worker lives on.
    with socket.create_connection(("127.0.0.1", server.port)) as half:
        half.sendall(
            b"POST /webhooks/gamemonitoring HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n"
        )
        half.sendall(b'\r\n{"event_id":')
        half.shutdown(socket.SHUT_WR)
        assert not half.recv(100).startswith((b"HTTP/1.1 2", b"HTTP/1.1 5"))
    assert requests.get(f"{server.url}/readyz", timeout=20).status_code == 200
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line[:1] == "{"]
    assert [line["status"] for line in lines if line["event"] == "refused"][:1] == [413]
    assert TOKEN not in server.log.read_text()


@on_sqlite
def test_no_secret_is_in_any_reply_or_log_line(
    capsys: pytest.CaptureFixture[str], open_service: Any, vote_api: VoteApi
) -> None:
    client = create_app(open_service()).test_client()  # after capsys: it keeps this stderr

    def deliver(id: Any, **changes: Any) -> Any:
        body = id if isinstance(id, bytes) else make_delivery(id, **changes)
        return client.post("/webhooks/gamemonitoring", data=body)

    replies = [
        deliver("v1"),
        deliver("v2", is_test=True, note=TOKEN),
        deliver("v3", event_type=TOKEN),
        deliver(f"{TOKEN}/"),
        deliver(make_delivery("v4", token="wrong", note=TOKEN)),
        deliver(b'{"' + TOKEN.encode()),
        client.get(f"/webhooks/{TOKEN}"),
        client.get("/v1/players/Bob", headers={"Authorization": f"Bearer {API_KEY}x"}),
        client.get("/readyz"),
    ]
    vote_api.behave = lambda handler: answer(handler, 500, TOKEN.encode())
    replies.append(deliver("v5"))

    logged = capsys.readouterr()
    assert '"event": "settled"' in logged.err
    assert '"event": "refused"' in logged.err
    for secret in (TOKEN, API_KEY):
        assert secret not in logged.out + logged.err
        assert all(secret not in reply.text for reply in replies)


def count_rows(guerdon: Guerdon) -> int:
    with guerdon.database.connection_context():
        return sum(model.select().count() for model in (Event, Grant, Waiting, Attempt))


@on_sqlite
@given(body=st.binary(max_size=200))
@example(body=b"\xed\xa0\x80")
@example(body=b'"\\ud800"')
@example(body=b"[" * 65_000)
@example(body=b'{"a":' * 13_000)
@example(body=b"-" + b"9" * 60_000)
@example(body=b'{"signature":"' + b"0" * 60_000 + b'"}')
@many_examples
def test_no_bytes_are_too_hostile(body: bytes, client: Any, guerdon: Guerdon) -> None:
    response = client.post("/webhooks/gamemonitoring", data=body)

    assert response.status_code in (400, 401)
    assert count_rows(guerdon) == 0


NAMES = st.sampled_from(["event_id", "event_type", "is_test", "signature"]) | st.text(
    st.characters(), max_size=5
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@on_sqlite
@given(value=st.dictionaries(NAMES, VALUES, max_size=6) | VALUES)
@example(value={"event_id": "\ud800", "signature": "\udfff"})
@example(value={"signature": "é" * 64, "event_type": "server.vote"})
@many_examples
def test_no_json_is_too_hostile(value: Any, client: Any, guerdon: Guerdon) -> None:
    response = client.post("/webhooks/gamemonitoring", data=json.dumps(value).encode())

    assert response.status_code in (400, 401)
    assert count_rows(guerdon) == 0


@on_sqlite
@given(
    fields=st.dictionaries(
        NAMES.filter(lambda name: name != "signature"),
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=9),
        max_size=5,
    ).filter(lambda fields: fields.get("event_type") != "server.vote")
)
@many_examples
def test_nothing_that_is_signed_is_too_hostile_either(
    fields: dict[str, Any], client: Any, guerdon: Guerdon
) -> None:
    try:
        signature = sign(fields)
    except UnicodeEncodeError:  # a lone surrogate in a key: nobody can sign that
        signature = "0" * 64
    body = json.dumps(fields | {"signature": signature}).encode()

    assert client.post("/webhooks/gamemonitoring", data=body).status_code in (204, 400)
    assert count_rows(guerdon) == 0


def test_a_reply_that_a_plugin_cannot_write_is_written_by_us(
    add_plugin: Callable[..., str], open_service: Callable[..., Guerdon]
) -> None:
    section = add_plugin("""
        from app import hookimpl

        @hookimpl
        def write_reply():
            raise RuntimeError("speechless")
    """)

    assert post_vote(open_service(more=section), "v1").status_code == 204


def test_a_reply_that_is_no_response_is_said_and_written_by_us(
    add_plugin: Callable[..., str],
    open_service: Callable[..., Guerdon],
    capsys: pytest.CaptureFixture[str],
) -> None:
    section = add_plugin("""
        from app import hookimpl

        @hookimpl
        def write_reply():
            return {"ok": True}, 200
    """)

    assert post_vote(open_service(more=section), "v1").status_code == 204
    assert "write_reply failed" in (said := capsys.readouterr().err)
    assert "tuple is no flask.Response" in said


TEAPOT = """
import flask
from app import Delivery, hookimpl

@hookimpl
def read_delivery(source, request, settings):
    if source not in ("studio", "stüdio"):
        return None
    if request.get_data() == b"teapot":
        flask.abort(418, "I am a teapot")
    return Delivery(source, "hello", "1", ignored="just a greeting")

@hookimpl
def write_reply(source, outcome, settings):
    return flask.jsonify(state=outcome.state) if source in ("studio", "stüdio") else None
"""


@pytest.mark.parametrize("path", ["/webhooks/studio", "/webhooks/st%C3%BCdio"])
@on_sqlite
def test_flask_serves_a_plugin_on_the_short_way_as_on_its_own(
    path: str, add_plugin: Callable[..., str], open_service: Callable[..., Guerdon]
) -> None:
    guerdon = open_service(more=add_plugin(TEAPOT))
    client = create_app(guerdon).test_client()

    hello, teapot = (client.post(path, data=data) for data in (b"hello", b"teapot"))

    assert (hello.status_code, hello.json) == (200, {"state": "ignored"})
    assert (teapot.status_code, teapot.json["detail"]) == (418, "I am a teapot")
    assert teapot.mimetype == "application/problem+json"
    assert guerdon.database.is_closed()
