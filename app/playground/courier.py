"""Speaks to Guerdon over HTTP: delivers as the platform does, and reads /v1 as a game server does."""

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests

DELIVERY_PATIENCE = 30  # seconds, as a platform might wait
READING_PATIENCE = 5  # seconds
LONGEST_TEXT = 2000  # characters of a reply that are shown


@dataclass(frozen=True, slots=True)
class Reply:
    """What Guerdon answered to a delivery; status 0 when no answer came."""

    status: int
    text: str
    retry_after: str | None
    took: int  # ms


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
        url = f"{self.address}/webhooks/gamemonitoring"
        began = time.monotonic()
        try:
            with open_session() as session:
                headers = {"Content-Type": "application/json"}
                answer = session.post(url, body, headers=headers, timeout=DELIVERY_PATIENCE)
            status, text = answer.status_code, answer.text[:LONGEST_TEXT].strip()
            retry_after = answer.headers.get("Retry-After")
        except requests.RequestException as error:
            status, text, retry_after = 0, f"no answer ({type(error).__name__})", None
        return Reply(status, text, retry_after, round((time.monotonic() - began) * 1000))

    def read_player(self, nickname: str) -> Reading:
        return self._read(f"players/{quote(nickname, safe='')}")

    def read_event(self, id_: str) -> Reading:
        return self._read(f"events/server.vote/{quote(id_, safe='')}")

    def _read(self, path: str) -> Reading:
        url, headers = f"{self.address}/v1/{path}", {"Authorization": f"Bearer {self._api_key}"}
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
