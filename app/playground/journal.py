"""What was delivered, and what became of it: the latest deliveries, in memory, newest first."""

import json
import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.history.states import EventState
from app.playground.courier import Courier, Reply
from app.playground.states import DeliveryState

ENTRIES_KEPT = 30
FINAL = (EventState.SETTLED, EventState.DEAD)


@dataclass(slots=True)
class Entry:
    """One delivery: who it is about, the bytes sent, the reply, and the event as /v1 tells it."""

    number: int
    title: str
    vote_id: str
    nickname: str
    server_id: str
    body: bytes
    sent_at: float  # seconds since the epoch
    reply: Reply
    is_lost: bool = False  # on purpose: it never left
    event: dict[str, Any] | None = None
    is_player_missing: bool = False

    @property
    def is_test(self) -> bool:
        return bool(json.loads(self.body)["is_test"])

    @property
    def state(self) -> DeliveryState:
        """What became of it, as far as is known."""
        if self.event is None:
            return self._judge_reply()
        if self.event["state"] != EventState.SETTLED:
            return DeliveryState(self.event["state"])
        if datetime.fromisoformat(self.event["settled_at"]).timestamp() < self.sent_at - 0.001:
            return DeliveryState.AGAIN
        if self.is_lost:
            return DeliveryState.FOUND
        return DeliveryState.PAID if self.reply.status == 204 else DeliveryState.HEALED

    def _judge_reply(self) -> DeliveryState:
        if self.is_lost:
            return DeliveryState.STRAYED
        if not self.reply.status:
            return DeliveryState.LOST
        if self.is_test:
            return DeliveryState.TEST
        return DeliveryState.UNSEEN if self.reply.status < 300 else DeliveryState.REFUSED


class Journal:
    """Keeps the latest deliveries and follows their events."""

    def __init__(self, courier: Courier) -> None:
        self._courier = courier
        self._entries: deque[Entry] = deque(maxlen=ENTRIES_KEPT)
        self._count = 0
        self._lock = threading.Lock()

    def add(self, **delivery: Any) -> Entry:
        """A delivery that was just made: the fields of an Entry."""
        with self._lock:
            self._count += 1
            entry = Entry(self._count, **delivery)
            self._entries.appendleft(entry)
            return entry

    def find(self, number: int | None) -> Entry | None:
        """The delivery of this number; the newest for None."""
        wanted = (entry for entry in self.list_entries() if number in (None, entry.number))
        return next(wanted, None)

    def list_entries(self) -> list[Entry]:
        with self._lock:
            return list(self._entries)

    def follow(self) -> list[Entry]:
        """All deliveries, newest first, with what /v1 says now of those that are still open."""
        entries = self.list_entries()
        events: dict[str, dict[str, Any] | None] = {}
        for entry in entries:
            if is_open(entry):
                if entry.vote_id not in events:
                    reading = self._courier.read_event("server.vote", entry.vote_id)
                    events[entry.vote_id] = reading.body if reading.status == 200 else None
                entry.event = events[entry.vote_id] or entry.event
                entry.is_player_missing = self._misses_player(entry)
        return entries

    def _misses_player(self, entry: Entry) -> bool:
        waits = entry.event is not None and entry.event["state"] == EventState.WAITING
        return waits and self._courier.read_player(entry.nickname).status == 404


def is_open(entry: Entry) -> bool:
    """Whether there is more to learn: a test or a refused delivery leaves no event."""
    if entry.is_test or 400 <= entry.reply.status < 500:
        return False
    return entry.event is None or entry.event["state"] not in FINAL


def is_moving(entry: Entry) -> bool:
    """Whether something becomes of it by itself, soon: what was lost on purpose waits for a person."""
    return is_open(entry) and entry.state != DeliveryState.STRAYED
