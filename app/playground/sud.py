"""A stand-in for the server of a Sud-style app: takes game_start and game_settle, and checks them.

Written from the platform's documents, and sharing nothing with our plugin.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.datastructures import Headers

from app.playground.behaviour import StandIn

PATH = "/sud/report_game_info"
INT32, INT64 = 2**31, 2**63
FLAG = 2  # 0 or 1
REPORT = {"report_type": str, "report_msg": dict, "uid": str, "ss_token": str}
# Each field's type, or for a number the bound it stays below.
ROUND = {
    "mg_id": INT64, "mg_id_str": str, "room_id": str, "game_mode": INT32, "game_round_id": str,
    "battle_start_at": INT32, "report_game_info_extras": str,
}  # fmt: skip
PLAYER = {"uid": str, "is_ai": FLAG}
RESULT = {**PLAYER, "rank": INT32, "is_escaped": FLAG}
TYPES: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "game_start": ({**ROUND, "players": list}, "players", PLAYER),
    "game_settle": (
        {**ROUND, "battle_end_at": INT32, "battle_duration": INT32, "results": list},
        "results", RESULT,
    ),
}  # fmt: skip
LONGEST_EXTRAS = 1024  # bytes
BAD_REPORT, BAD_SIGNATURE = 2, 3  # our own ret_codes: the document leaves them to the app
VERIFY_FAILED = 1002  # sdk_error_code


class AppServer(StandIn):
    """The app's server, and what it agreed on with the game; without a secret nothing is signed."""

    def __init__(self, app_id: str, app_secret: str | None) -> None:
        super().__init__("well", "ret_code", "500", "401", "429", "silence")
        self._app_id = app_id
        self._secret = app_secret

    def judge(self, headers: Headers, body: bytes) -> tuple[int, dict[str, Any]]:
        """Status and reply; the status is always 200, and ret_code says how it went."""
        if self._secret is not None and not self._is_signed(headers, body, self._secret):
            return 200, refuse(BAD_SIGNATURE, "the Sud-Signature is wrong", VERIFY_FAILED)
        try:
            fault = find_fault(json.loads(body))
        except ValueError:
            fault = "the body is not JSON"
        if fault:
            return 200, refuse(BAD_REPORT, fault)
        return 200, {"ret_code": 0, "ret_msg": "", "data": {}}

    def _is_signed(self, headers: Headers, body: bytes, secret: str) -> bool:
        names = ("Sud-AppId", "Sud-Timestamp", "Sud-Nonce")
        app_id, timestamp, nonce = (headers.get(name, "") for name in names)
        given = headers.get("Sud-Signature", "")
        known = sign(secret, app_id, timestamp, nonce, body)
        is_whole = app_id == self._app_id and timestamp.isdigit() and bool(nonce)
        return is_whole and hmac.compare_digest(known.encode(), given.encode())


def sign(secret: str, app_id: str, timestamp: str, nonce: str, body: bytes) -> str:
    """HMAC-SHA1 over four lines, each with its newline; as hex."""
    lines = f"{app_id}\n{timestamp}\n{nonce}\n".encode() + body + b"\n"
    return hmac.new(secret.encode(), lines, hashlib.sha1).hexdigest()


def refuse(code: int, message: str, sdk_code: int | None = None) -> dict[str, Any]:
    reply: dict[str, Any] = {"ret_code": code, "ret_msg": message}
    if sdk_code is not None:
        reply["sdk_error_code"] = sdk_code
    return reply | {"data": {}}


def find_fault(report: Any) -> str:
    """What is missing or of the wrong type in a report; "" if nothing is."""
    if fault := check_fields(report, REPORT, ""):
        return fault
    if report["report_type"] not in TYPES:
        return f"report_type {report['report_type']} is not known"
    message, (fields, humans, human) = report["report_msg"], TYPES[report["report_type"]]
    if fault := check_fields(message, fields, "report_msg."):
        return fault
    if message["mg_id_str"] != str(message["mg_id"]):
        return "report_msg.mg_id_str is not mg_id"
    if len(message["report_game_info_extras"].encode()) > LONGEST_EXTRAS:
        return f"report_msg.report_game_info_extras is longer than {LONGEST_EXTRAS} bytes"
    for number, one in enumerate(message[humans]):
        place = f"report_msg.{humans}[{number}]."
        if fault := check_fields(one, human, place):
            return fault
        if bool(one["uid"]) == bool(one["is_ai"]):
            return f"{place}uid: a robot has none, a user has one"
    return ""


def check_fields(table: Any, fields: Mapping[str, Any], place: str) -> str:
    if not isinstance(table, dict):
        return f"{place.rstrip('.') or 'the body'} is not an object"
    for name, wanted in fields.items():
        value = table.get(name)
        if isinstance(wanted, type):
            is_right = isinstance(value, wanted)
        else:
            is_right = type(value) is int and (0 if wanted == FLAG else -wanted) <= value < wanted
        if not is_right:
            return f"{place}{name} is missing or of the wrong type"
    return ""


def build_app_server(server: AppServer) -> Blueprint:
    """POST /sud/report_game_info"""
    sud = Blueprint("sud", __name__)

    @sud.post(PATH)
    def report_game_info() -> Response:
        body, headers = request.get_data(), request.headers
        return server.respond(body, lambda: server.judge(headers, body))

    return sud
