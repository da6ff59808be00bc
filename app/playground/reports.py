"""What the game server told, and what became of its reports: the latest, in memory, newest first."""

import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.database.states import BoxState
from app.history.states import EventState
from app.playground.courier import Courier, Reply
from app.playground.states import ToldState

TOLD_KEPT = 30
OPEN = (ToldState.WAITING, ToldState.FLYING, ToldState.DEAD)
FINAL = {BoxState.DELIVERED, BoxState.DEAD}


@dataclass(slots=True)
class Told:
    """One event: the bytes sent, Guerdon's answer, then the event and its reports as /v1 tells them."""

    number: int
    title: str
    type: str
    nickname: str
    server_id: str
    body: bytes
    sent_at: float  # seconds since the epoch
    reply: Reply
    event: dict[str, Any] | None = None
    reports: list[dict[str, Any]] = field(default_factory=list)

    @property
    def state(self) -> ToldState:
        """What became of it, as far as is known."""
        if self.event is None:
            return ToldState.LOST if self.reply.status in (0, 200, 202) else ToldState.REFUSED
        if self.event["state"] != EventState.SETTLED:
            is_waiting = self.event["state"] == EventState.WAITING
            return ToldState.WAITING if is_waiting else ToldState.STUCK
        states = {report["state"] for report in self.reports}
        if not states:
            return ToldState.PAID
        if not states <= FINAL:
            return ToldState.FLYING
        if BoxState.DEAD in states:
            return ToldState.DEAD
        begun = min(datetime.fromisoformat(one["created_at"]) for one in self.reports)
        is_old = begun.timestamp() < self.sent_at - 0.001
        return ToldState.AGAIN if is_old else ToldState.DELIVERED

    @property
    def sends(self) -> int:
        """How often its reports have left, all together."""
        return sum(report["sends"] for report in self.reports)

    @property
    def is_open(self) -> bool:
        """Whether there is more to learn. A dead report may be sent again by a person."""
        return self.state in OPEN or self.is_unread

    @property
    def is_moving(self) -> bool:
        """Whether more will come by itself."""
        return self.is_open and self.state is not ToldState.DEAD

    @property
    def is_unread(self) -> bool:
        return self.event is None and self.reply.status in (200, 202)


class Telling:
    """Remembers what was told, and looks at /v1 for what is still open."""

    def __init__(self, courier: Courier) -> None:
        self._courier = courier
        self._told: deque[Told] = deque(maxlen=TOLD_KEPT)
        self._count = 0
        self._lock = threading.Lock()

    def tell(self, title: str, type: str, nickname: str, server_id: str, body: bytes) -> Told:
        """POST an event to Guerdon, and remember it."""
        now = datetime.now().timestamp()
        reply = self._courier.tell(type, body)
        with self._lock:
            self._count += 1
            told = Told(self._count, title, type, nickname, server_id, body, now, reply)
            self._told.appendleft(told)
        return told

    def find(self, number: int | None) -> Told | None:
        return next((told for told in self.list_told() if told.number == number), None)

    def list_told(self) -> list[Told]:
        with self._lock:
            return list(self._told)

    def follow(self) -> list[Told]:
        """All that was told, newest first, with what /v1 says now of what is still open."""
        told = self.list_told()
        for one in told:
            if one.is_open:
                self._look(one)
        return told

    def _look(self, told: Told) -> None:
        id_ = told.reply.read_json().get("event", {}).get("id", "")
        reading = self._courier.read_event(told.type, id_)
        if reading.status != 200:
            return
        told.event = reading.body
        readings = [self._courier.read_report(one["id"]) for one in reading.body["reports"]]
        told.reports = [reading.body for reading in readings if reading.status == 200]
