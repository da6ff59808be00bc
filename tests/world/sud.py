"""What Sud does: signs reports and posts them; issues tokens. Written apart from the plugin it tests."""

import hashlib
import hmac
import json
from typing import Any

import jwt

from app import create_app
from app.guerdon import Guerdon

APP_ID = "1461564080052506636"
SECRET = "a-secret-of-the-app-for-tests-only"
KEYS = f'app_id = "{APP_ID}"\napp_secret = "{SECRET}"\n'
STAMP = "1800000000"  # seconds; when the tests' clock begins


def sign(body: bytes, secret: str, app_id: str, stamp: str, nonce: str) -> str:
    signed = f"{app_id}\n{stamp}\n{nonce}\n".encode() + body + b"\n"
    return hmac.new(secret.encode(), signed, hashlib.sha1).hexdigest()


def make_headers(body: bytes, secret: str = SECRET, stamp: str = STAMP) -> dict[str, str]:
    """The four of a signed request."""
    nonce = "keVJLJTItd1VBtGT"
    return {
        "Sud-AppId": APP_ID,
        "Sud-Timestamp": stamp,
        "Sud-Nonce": nonce,
        "Sud-Signature": sign(body, secret, APP_ID, stamp, nonce),
    }


def make_token(secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """An SSToken of u1, good for an hour; a claim of None is left out."""
    all_claims = {"uid": "u1", "app_id": APP_ID, "exp": int(STAMP) + 3600} | claims
    kept = {name: value for name, value in all_claims.items() if value is not None}
    return jwt.encode(kept, secret, algorithm)


class Sud:
    """Posts reports to a Guerdon that runs in this process."""

    def __init__(self, guerdon: Guerdon) -> None:
        self.guerdon = guerdon
        self._client = create_app(guerdon).test_client()

    def post_raw(self, body: bytes, headers: dict[str, str] | None = None) -> dict[str, Any]:
        """The reply to these bytes, signed rightly unless other headers are given.

        Whatever happens, it is in Sud's form: status 200, and `data` an object.
        """
        headers = make_headers(body) if headers is None else headers
        response = self._client.post("/webhooks/sud", data=body, headers=headers)
        assert (response.status_code, response.content_type) == (200, "application/json")
        reply: dict[str, Any] = response.get_json()
        assert type(reply["ret_code"]) is int
        assert type(reply["ret_msg"]) is str
        assert (reply["ret_code"] == 0) == (reply["ret_msg"] == "")
        assert reply["data"] == {}
        assert set(reply) - {"ret_code", "ret_msg", "data"} <= {"sdk_error_code"}
        assert "sdk_error_code" not in reply or reply["sdk_error_code"] * reply["ret_code"] != 0
        return reply

    def post(self, type: str, body: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """The reply to a signed report of the game server's body, with these fields changed."""
        return self.post_raw(json.dumps({"report_type": type, **body, **changes}).encode())
