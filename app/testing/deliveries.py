"""What GAMEMONITORING does: signs deliveries and posts them. Written apart from the plugin it tests."""

import hashlib
import hmac
import json
import threading
from typing import Any

from app.guerdon import Guerdon
from app.web.building import build_app

TOKEN = "paste-webhook-token-here"
API_KEY = "a-key-for-all-tests"
BUILDING = threading.Lock()
AUTHORIZED = {"Authorization": f"Bearer {API_KEY}"}


def sign(fields: dict[str, Any], token: str = TOKEN) -> str:
    """The signature of a delivery whose values are strings, integers, None or is_test."""
    lines = []
    for key in sorted(fields, key=lambda name: name.encode()):
        value = fields[key]
        if key == "is_test":
            value = "true" if value is True else "false"
        elif isinstance(value, bool):
            value = "1" if value else ""
        lines.append(f"{key}={'' if value is None else value}")
    return hmac.new(token.encode(), "&".join(lines).encode(), hashlib.sha256).hexdigest()


def make_delivery(id: Any, *, token: str = TOKEN, **changes: Any) -> bytes:
    """A signed server.vote delivery of one vote; `changes` are signed too."""
    fields = {"event_id": id, "event_type": "server.vote", "is_test": False} | changes
    return json.dumps(fields | {"signature": sign(fields, token)}).encode()


def make_client(guerdon: Guerdon) -> Any:
    """A client of the service's web, one at a time: werkzeug compiles routes, which Python 3.11 cannot
    do in two threads at once ("AST constructor recursion depth mismatch")."""
    with BUILDING:
        return build_app(guerdon).test_client()


def post_vote(guerdon: Guerdon, id: Any, **changes: Any) -> Any:
    """The reply to a delivery of a vote, from a service that is no fixture."""
    client = make_client(guerdon)
    return client.post("/webhooks/gamemonitoring", data=make_delivery(id, **changes))


def get_v1(guerdon: Guerdon, path: str) -> Any:
    """GET a path of /v1 with the key; the JSON of its answer."""
    response = make_client(guerdon).get(f"/v1{path}", headers=AUTHORIZED)
    assert response.status_code == 200, response.text
    return response.get_json()
