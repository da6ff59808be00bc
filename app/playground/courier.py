"""Speaks to Guerdon over HTTP: delivers as the platform does, tells and reads /v1 as a game server does."""

import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests

DELIVERY_PATIENCE = 30  # seconds, as a platform might wait
READING_PATIENCE = 5  # seconds
LONGEST_TEXT = 2000  # characters of a reply to a delivery that are shown
WAIT = 2  # seconds that a game server's request waits for the platform's reply


@dataclass(frozen=True, slots=True)
class Reply:
    """What Guerdon answered to a delivery or an event; status 0 when no answer came."""

    status: int
    text: str
    retry_after: str | None
    took: int  # ms

    def read_json(self) -> dict[str, Any]:
        """The JSON object in it; {} for anything else."""
        try:
            value = json.loads(self.text)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


@dataclass(frozen=True, slots=True)
class Reading:
    """What /v1 answered; status 0 when no answer came."""

    status: int
    body: dict[str, Any]


class Courier:
    def __init__(self, address: str, api_key: str) -> None:
        self.address = address
        self._api_key = api_key

    def deliver(self, body: bytes) -> Reply:
        """POST a delivery to the webhook."""
        return self.post("webhooks/gamemonitoring", body, {})

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        """POST to Guerdon as somebody who has no key to it: JSON, unless the headers say else."""
        return self._post(path, body, headers, LONGEST_TEXT)

    def tell(self, type: str, body: bytes) -> Reply:
        """POST an event of a game server, and wait a little for the platform's reply."""
        headers = {"Prefer": f"wait={WAIT}", **self._authorize()}
        return self._post(f"v1/events/{type}", body, headers, None)

    def post_claims(self, what: str, body: bytes) -> Reply:
        """POST to /v1/claims: "lease", or an id with "/ack"."""
        return self._post(f"v1/claims/{what}", body, self._authorize(), None)

    def _authorize(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._api_key}"}

    def _post(self, path: str, body: bytes, headers: dict[str, str], longest: int | None) -> Reply:
        began = time.monotonic()
        try:
            with open_session() as session:
                answer = session.post(
                    f"{self.address}/{path}", body, timeout=DELIVERY_PATIENCE,
                    headers={"Content-Type": "application/json", **headers},
                )  # fmt: skip
            text = answer.content.decode("utf-8", "replace")[:longest].strip()
            status, retry_after = answer.status_code, answer.headers.get("Retry-After")
        except requests.RequestException as error:
            status, text, retry_after = 0, f"no answer ({type(error).__name__})", None
        return Reply(status, text, retry_after, round((time.monotonic() - began) * 1000))

    def read_player(self, nickname: str) -> Reading:
        return self._read(f"players/{quote(nickname, safe='')}")

    def read_event(self, type: str, id_: str) -> Reading:
        return self._read(f"events/{type}/{quote(id_, safe='')}")

    def read_report(self, id_: int) -> Reading:
        return self._read(f"reports/{id_}")

    def _read(self, path: str) -> Reading:
        url, headers = f"{self.address}/v1/{path}", self._authorize()
        try:
            with open_session() as session:
                answer = session.get(url, headers=headers, timeout=READING_PATIENCE)
                return Reading(answer.status_code, answer.json())
        except (requests.RequestException, ValueError) as error:
            return Reading(0, {"detail": type(error).__name__})


def open_session() -> requests.Session:
    """A session that ignores proxies and .netrc: everything here is on this machine."""
    session = requests.Session()
    session.trust_env = False
    return session
