"""What `guerdon tail --forward-to` posts: the form of Standard Webhooks, as plugins/webhook.py sends it."""

import base64
import hmac
import json
import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from app.network.client import Http
from app.porch.errors import GuerdonError, NetworkFailed

VARIABLE, PREFIX = "GUERDON_FORWARD_SECRET", "whsec_"
PARTS = ("source", "type", "id", "server_id", "nickname", "user_id", "facts", "grants")
TIMEOUT = 10.0  # seconds
ADDRESS = re.compile(r"https?://[^/\s]+(/\S*)?")


class Forwarder:
    """Posts settled events to one address, each once; what failed is not tried again."""

    def __init__(self, url: str) -> None:
        """GuerdonError for what is no http address, or where the variable holds no secret of this form."""
        if not ADDRESS.fullmatch(url):
            raise GuerdonError("--forward-to: must be as http://127.0.0.1:3000/hook")
        self._url = url
        said = os.environ.get(VARIABLE, "")
        self.made = "" if said else PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()
        self._key = read_secret(said or self.made)
        self._http = Http()  # a developer's own machine: neither the config's proxy nor its only_to

    def post(self, line: Mapping[str, Any], now: int) -> str:
        """Post an event (as read_settled has it) at this time (ms); why that failed, or ""."""
        data = {part: line[part] for part in PARTS}
        body = json.dumps({"type": "event.settled", "timestamp": line["at"], "data": data}).encode()
        name, stamp = f"guerdon_event_{line['row']}", str(now // 1000)
        signed = f"{name}.{stamp}.".encode() + body
        signature = base64.b64encode(hmac.digest(self._key, signed, "sha256")).decode()
        headers = {
            "Content-Type": "application/json", "webhook-id": name, "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{signature}",
        }  # fmt: skip
        try:
            answer = self._http.request(
                "POST", self._url, body=body, headers=headers, total=TIMEOUT
            )
        except NetworkFailed as error:
            return str(error)
        return "" if 200 <= answer.status < 300 else f"it answered {answer.status}"

    def close(self) -> None:
        self._http.close()


def read_secret(text: str) -> bytes:
    """The key of whsec_ and base64."""
    with suppress(ValueError):
        coded = text.removeprefix(PREFIX)
        if key := base64.b64decode(coded + "=" * (-len(coded) % 4), validate=True):
            return key
    raise GuerdonError(f"{VARIABLE} must be whsec_ followed by base64")
