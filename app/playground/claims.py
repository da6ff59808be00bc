"""Claims as a game server has them: leased for a while, given to the player, acknowledged."""

import json
import threading
import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.playground.courier import Courier, Reply
from app.playground.states import ClaimState

KEPT = 30
AT_ONCE = 10  # claims leased by one press


@dataclass(slots=True)
class Fetched:
    """A claim that was leased; `outcome` is None until it is acknowledged, then what Guerdon answered."""

    id: int
    server_id: str
    nickname: str
    payload: dict[str, Any]
    lease: str
    leased_until: str  # ISO 8601
    outcome: Reply | None = None

    @property
    def state(self) -> ClaimState:
        """What became of it."""
        if self.outcome is not None:
            return ClaimState.DONE if self.outcome.status == 200 else ClaimState.REFUSED
        is_ours = self.leased_until_seconds > time.time()
        return ClaimState.LEASED if is_ours else ClaimState.OVER

    @property
    def leased_until_seconds(self) -> float:
        return datetime.fromisoformat(self.leased_until).timestamp()


class ClaimDesk:
    """Leases claims and acknowledges them, and remembers the latest."""

    def __init__(self, courier: Courier) -> None:
        self._courier = courier
        self._fetched: deque[Fetched] = deque(maxlen=KEPT)
        self._lock = threading.Lock()
        self.answers: dict[str, tuple[int, Reply]] = {}  # to the latest lease of a server: how many

    def fetch(self, server_id: str, seconds: int) -> None:
        """Lease what waits for a server; what is leased anew takes the place of its old lease."""
        wanted = {"server_id": server_id, "limit": AT_ONCE, "seconds": seconds}
        reply = self._courier.post_claims("lease", json.dumps(wanted).encode())
        answer = reply.read_json()
        claims = answer.get("claims", []) if reply.status == 200 else []
        fresh = [
            Fetched(
                one["id"], one["server_id"], one["nickname"], one["payload"], one["lease"],
                answer["leased_until"],
            )
            for one in claims
        ]  # fmt: skip
        ids = {one.id for one in fresh}
        with self._lock:
            self.answers[server_id] = (len(fresh), reply)
            kept = [one for one in self._fetched if one.id not in ids]
            self._fetched = deque([*fresh, *kept], maxlen=KEPT)

    def acknowledge(self, id: int | None) -> None:
        """Say that a claim was given out; one that we do not know is left alone."""
        claim = next((one for one in self.list_fetched() if one.id == id), None)
        if claim is not None:
            body = json.dumps({"lease": claim.lease}).encode()
            claim.outcome = self._courier.post_claims(f"{claim.id}/ack", body)

    def list_fetched(self) -> list[Fetched]:
        """The latest, those fetched last first."""
        with self._lock:
            return list(self._fetched)
