"""Who may read /metrics: a key, or this host without a proxy between."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from app.dashboard.metrics import metrics

KEY = "a key of our own, long enough"
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def get(open_service: Callable[..., Any]) -> Callable[..., Any]:
    app = Flask(__name__)
    app.extensions["guerdon"] = open_service(more=f'[metrics]\nkeys = ["{KEY}"]\n')
    app.register_blueprint(metrics)

    def ask(sender: str, **headers: str) -> Any:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        client = app.test_client()
        return client.get("/metrics", headers=names, environ_base={"REMOTE_ADDR": sender})

    return ask


@on_sqlite
def test_it_works(get: Callable[..., Any]) -> None:
    answer = get("127.0.0.1")

    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain; version=0.0.4")
    assert "\nguerdon_ready 1.0\n" in answer.text


@on_sqlite
@pytest.mark.parametrize(
    ("sender", "headers", "status"),
    [
        ("::1", {}, 200),
        ("::ffff:127.0.0.1", {}, 200),
        ("10.0.0.7", {}, 401),
        ("", {}, 401),
        ("127.0.0.1", {"X_Forwarded_For": "203.0.113.9"}, 401),
        ("127.0.0.1", {"X_Forwarded_Proto": "https"}, 401),
        ("127.0.0.1", {"X_Forwarded_For": ""}, 401),
        ("127.0.0.1", {"Host": "127.0.0.1:8002"}, 200),
        ("::1", {"Host": "[::1]:8002"}, 200),
        ("127.0.0.1", {"Host": "a-name-that-leads-here.example:8002"}, 401),
        ("127.0.0.1", {"Host": "[::1"}, 401),
        ("10.0.0.7", {"Host": "localhost"}, 401),
        ("10.0.0.7", {"Authorization": "Bearer another key of some length"}, 401),
        ("10.0.0.7", {"Authorization": f"Basic {KEY}"}, 401),
        ("10.0.0.7", {"Authorization": f"Bearer {KEY}"}, 200),
        ("127.0.0.1", {"X_Forwarded_For": "203.0.113.9", "Authorization": f"bearer {KEY}"}, 200),
    ],
)
def test_who_may_read(
    get: Callable[..., Any], sender: str, headers: dict[str, str], status: int
) -> None:
    assert get(sender, **headers).status_code == status
