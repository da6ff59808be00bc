"""A stand-in for G123: takes level_up, checks it, and answers in the form of the document's sample.

Written from the platform's document, and sharing nothing with our plugin.
"""

import base64
import binascii
import hmac
import itertools
import json
import uuid
from typing import Any

from flask import Blueprint, Response, request

from app.playground.behaviour import StandIn

PATH = "/api/v1/cp/game_event/level_up"
FIELDS = {  # where, and of what type; the document's table
    "uid": str,
    "ctwid": str,
    "timestamp": int,
    "level": int,
    "data": dict,
    "data.game_user_id": str,
    "data.role": dict,
    "data.custom": dict,
    "data.custom.physical_server": str,
}
SERVER_NAMES = ("server_id", "game_server_id")  # the table's name, and the sample's


class G123(StandIn):
    """The platform, and the credentials it gave to the game."""

    def __init__(self, app_id: str, app_secret: str) -> None:
        super().__init__("well", "500", "401", "429", "silence")
        self._user = f"{app_id}:{app_secret}".encode()
        self._numbers = itertools.count(1)

    def judge(self, authorization: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Status and reply. The same event again is another event: the document knows no other way."""
        if not hmac.compare_digest(read_user(authorization), self._user):
            return 401, {"error": "the Authorization is not Basic base64(appId:appSecret)"}
        try:
            fault = find_fault(json.loads(body))
        except ValueError:
            fault = "the body is not JSON"
        if fault:
            return 400, {"error": fault}
        number = str(next(self._numbers))
        return 200, {"action": "game_event_created", "id": number, "token": str(uuid.uuid4())}


def read_user(authorization: str) -> bytes:
    """What a Basic authorization says; nothing for any other."""
    scheme, _, text = authorization.partition(" ")
    try:
        return base64.b64decode(text, validate=True) if scheme == "Basic" else b""
    except (binascii.Error, ValueError):
        return b""


def find_fault(event: Any) -> str:
    """The first required field that is missing or of the wrong type; "" if all are there."""
    for path, type_ in FIELDS.items():
        value = find_value(event, path)
        if type(value) is not type_ or value == "":
            return f"{path} is required, as {type_.__name__}"
    servers = [event[name] for name in SERVER_NAMES if name in event]
    if not servers or not all(isinstance(one, str) and one for one in servers):
        return "server_id is required, as str"
    if len(set(servers)) > 1:
        return "server_id and game_server_id are not the same"
    return ""


def find_value(event: Any, path: str) -> Any:
    for name in path.split("."):
        event = event.get(name) if isinstance(event, dict) else None
    return event


def build_g123(platform: G123) -> Blueprint:
    """POST /api/v1/cp/game_event/level_up"""
    g123 = Blueprint("g123", __name__)

    @g123.post(PATH)
    def create_event() -> Response:
        body, user = request.get_data(), request.headers.get("Authorization", "")
        return platform.respond(body, lambda: platform.judge(user, body))

    return g123
