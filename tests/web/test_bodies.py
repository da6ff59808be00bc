"""A body that does not come whole is refused as its sender's fault, wherever it goes."""

import io
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from werkzeug.test import EnvironBuilder

from app import create_app
from app.logs import set_up_logs
from app.testing.deliveries import API_KEY, make_delivery
from app.web.bodies import WholeRequest
from tests.world.servers import find_tracebacks

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
BODY = make_delivery("v1")
PATHS = ["/webhooks/gamemonitoring", "/v1/events/level_up", "/v1/claims/lease", "/v1/claims/1/ack"]


class Broken(io.RawIOBase):
    """What a server hands over where a chunk is bad, or the client is gone."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        raise self._error

    def read(self, size: int = -1) -> bytes:
        raise self._error


class BadChunk(Exception):
    """No OSError, as gunicorn's are none."""


Post = Callable[..., Any]


@pytest.fixture
def post(client: Any) -> Post:
    def send(path: str, stream: Any, length: int | None = None) -> Any:
        environ: dict[str, Any] = {"wsgi.input": stream, "wsgi.input_terminated": True}
        environ |= {"CONTENT_LENGTH": str(length)} if length is not None else {}
        headers = {"Authorization": f"Bearer {API_KEY}"}
        return client.post(path, headers=headers, environ_overrides=environ)

    return send


def test_it_works(post: Post) -> None:
    assert post(PATHS[0], io.BytesIO(BODY)).status_code == 204
    assert post(PATHS[0], io.BytesIO(BODY), len(BODY)).status_code == 204


class Dripping(io.BytesIO):
    """Hands over less than it is asked for."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size, 7) if size and size > 0 else 7)


def test_a_body_that_comes_in_drops_is_read_to_its_end(post: Post, vote_api: Any) -> None:
    assert post(PATHS[0], Dripping(BODY), len(BODY)).status_code == 204
    assert post(PATHS[0], Dripping(BODY), len(BODY) + 1).status_code == 400
    assert post(PATHS[0], Dripping(make_delivery("v2") + b"more"), len(BODY)).status_code == 204
    assert vote_api.asked == ["v1", "v2"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("error", [BadChunk("zz"), OSError("gone"), TimeoutError("late")])
def test_a_body_that_breaks_off_is_refused_without_a_traceback(
    path: str, error: Exception, post: Post
) -> None:
    log = io.StringIO()
    set_up_logs([], log)
    structlog.get_logger().info("it begins")

    response = post(path, Broken(error))

    assert response.status_code == 400
    assert response.mimetype == "application/problem+json"
    assert "it begins" in log.getvalue()
    assert find_tracebacks(log.getvalue()) == []


@pytest.mark.parametrize("path", PATHS)
def test_a_body_shorter_than_it_was_said_to_be_is_not_taken_for_whole(
    path: str, post: Post, vote_api: Any
) -> None:
    for body in (BODY, b"{}", b""):
        response = post(path, io.BytesIO(body), len(body) + 1)

        assert response.status_code == 400
        assert "Content-Length" in response.get_json()["detail"]
    assert vote_api.asked == []


def test_a_plugin_that_reads_the_body_itself_gets_it_whole_too(
    open_service: Any, add_plugin: Callable[..., str]
) -> None:
    section = add_plugin("""
        from app import Delivery, hookimpl

        @hookimpl
        def read_delivery(source, request):
            if source == "studio":
                return Delivery(source, "x", request.get_json(force=True)["id"], ignored="a test")
    """)
    client = create_app(open_service(more=section)).test_client()
    environ = {"wsgi.input_terminated": True}

    def send(stream: Any, length: int) -> int:
        more = environ | {"wsgi.input": stream, "CONTENT_LENGTH": str(length)}
        return int(client.post("/webhooks/studio", environ_overrides=more).status_code)

    assert send(io.BytesIO(b'{"id": "1"}'), 11) == 204
    assert send(io.BytesIO(b'{"id": "1"}'), 12) == 400
    assert send(Broken(BadChunk("zz")), 11) == 400


def read_as(**how: Any) -> WholeRequest:
    """A request whose body is a form with a letter of two bytes."""
    body = "name=ü".encode()
    options = {"method": "POST", "data": body, "content_type": "application/x-www-form-urlencoded"}
    return WholeRequest(EnvironBuilder(**options, **how).get_environ())


def test_a_whole_body_is_given_however_it_is_asked_for(database_url: str) -> None:
    assert read_as().get_data(as_text=True) == "name=ü"
    once = read_as()
    assert once.get_data(cache=False) == "name=ü".encode()
    assert once.get_data(cache=False) == b""  # it is read
    form = read_as()
    assert form.form["name"] == "ü"
    assert form.get_data() == b""  # it is in the form
    assert read_as().data == b""
