"""What a browser is told with every answer, and where a redirect leads."""

from collections.abc import Callable
from typing import Any

import pytest

from app import create_app
from app.guerdon import Guerdon
from app.testing.deliveries import API_KEY, make_delivery
from tests.web.test_webhooks import TEAPOT

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
KEY = {"Authorization": f"Bearer {API_KEY}"}
ANSWERS = [
    ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/docs"), ("GET", "/openapi.json"),
    ("GET", "/static/guerdon-g123.js"), ("GET", "/static/nothing"), ("GET", "/"),
    ("GET", "/v1/players/Bob"), ("GET", "/v1/players/Nobody"), ("POST", "/v1/claims/lease"),
    ("GET", "/v1//players/Bob"), ("POST", "/webhooks/gamemonitoring"), ("POST", "/webhooks/nobody"),
    ("POST", "/webhooks/st%C3%BCdio"), ("GET", "/webhooks/gamemonitoring"), ("DELETE", "/healthz"),
]  # fmt: skip


def test_it_works(client: Any) -> None:
    for method, path in ANSWERS:
        response = client.open(path, method=method, headers=KEY)

        assert response.headers["X-Content-Type-Options"] == "nosniff", path
        assert response.headers["X-Frame-Options"] == "DENY", path
        assert response.headers["Content-Security-Policy"] == "frame-ancestors 'none'", path
        response.close()
    script = client.get("/static/guerdon-g123.js")
    assert script.mimetype in ("text/javascript", "application/javascript")
    script.close()
    assert client.post("/webhooks/gamemonitoring", data=make_delivery("v1")).status_code == 204


def test_an_answer_that_a_plugin_writes_says_so_too_and_may_say_otherwise(
    open_service: Callable[..., Guerdon], add_plugin: Callable[..., str]
) -> None:
    written = TEAPOT.replace("return flask.jsonify(state=outcome.state)", "return write(outcome)")
    written += """
def write(outcome):
    response = flask.jsonify(state=outcome.state)
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response
"""
    client = create_app(open_service(more=add_plugin(written))).test_client()

    response = client.post("/webhooks/studio", data=b"hello")

    assert response.json == {"state": "ignored"}
    assert response.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("host", ["localhost", "evil.example", "localhost:8000"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_redirect_is_a_path_whatever_host_and_scheme_are_said(
    host: str, scheme: str, client: Any
) -> None:
    for path, location in {
        "/v1//players/Bob?x=1": "/v1/players/Bob?x=1",
        "/v1/players//Bob": None,
        "//evil.example//v1": None,
    }.items():
        address = f"{scheme}://{host}"
        response = client.get(path, base_url=address, headers=KEY)
        if location:
            assert (response.status_code, response.headers["Location"]) == (308, location)
        assert "evil.example" not in response.headers.get("Location", "")[:15]
        assert not response.headers.get("Location", "").startswith("//")
