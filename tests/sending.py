"""What the platform does: signs deliveries and posts them. Written apart from the plugin it tests."""

import hashlib
import hmac
import json
from typing import Any

TOKEN = "paste-webhook-token-here"
API_KEY = "a-key-for-tests"


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
