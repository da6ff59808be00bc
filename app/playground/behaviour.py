"""How a stand-in behaves, on demand, and what it was sent: what those for G123 and Sud share."""

import json
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Response

CALLS_KEPT = 50
LONGEST_SILENCE = 30.0  # seconds
RETRY_AFTER = 4  # seconds
WAYS = {
    "well": "as it should",
    "500": "500, an error of its own",
    "401": "401, wrong credentials",
    "429": f"429, Retry-After: {RETRY_AFTER}",
    "silence": "not at all",
    "ret_code": "200, but ret_code 1",
}
FAILURES: dict[str, tuple[int, dict[str, Any]]] = {
    "500": (500, {"error": "Internal Server Error"}),
    "401": (401, {"error": "Unauthorized"}),
    "429": (429, {"error": "Too Many Requests"}),
    "ret_code": (200, {"ret_code": 1, "ret_msg": "not now", "data": {}}),
}
NO_ANSWER = 0  # the status of a call that was left without one


@dataclass(frozen=True, slots=True)
class Call:
    """What came, as text, and what was answered."""

    at: float  # seconds since the epoch
    body: str
    status: int
    reply: str


class StandIn:
    """A platform that takes reports: how it answers, and the latest calls."""

    def __init__(self, *ways: str) -> None:
        """`ways` are those of WAYS that this platform has; the first is how it begins."""
        self.ways = {way: WAYS[way] for way in ways}
        self.way = ways[0]
        self._calls: deque[Call] = deque(maxlen=CALLS_KEPT)
        self._changed = threading.Condition()

    @property
    def calls(self) -> list[Call]:
        """The latest, the oldest first."""
        return list(self._calls)

    def behave(self, way: str) -> None:
        """From now on answer in this way; ValueError for one that it does not have."""
        if way not in self.ways:
            raise ValueError(f"no such way to answer: {way}")
        with self._changed:
            self.way = way
            self._changed.notify_all()

    def respond(self, body: bytes, judge: Callable[[], tuple[int, dict[str, Any]]]) -> Response:
        """Answer as `judge` says (status, JSON), unless told to do otherwise."""
        way = self.way
        if way == "silence":
            self._record(body, NO_ANSWER, "")
            with self._changed:
                self._changed.wait_for(lambda: self.way != "silence", LONGEST_SILENCE)
            return Response(status=504)
        status, reply = FAILURES.get(way) or judge()
        text = json.dumps(reply)
        self._record(body, status, text)
        response = Response(text, status, content_type="application/json;charset=UTF-8")
        if status == 429:
            response.headers["Retry-After"] = str(RETRY_AFTER)
        return response

    def _record(self, body: bytes, status: int, reply: str) -> None:
        self._calls.append(Call(time.time(), body.decode("utf-8", "replace"), status, reply))
