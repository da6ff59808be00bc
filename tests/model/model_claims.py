"""What becomes of claims, in plain Python: leased, acknowledged, leased again. Times are ms."""

from dataclasses import dataclass
from typing import Any


@dataclass
class Claim:
    """States: ready, leased, done. `token` is told by whoever leased it."""

    server: str
    nickname: str
    event_id: str
    payload: dict[str, Any]
    state: str = "ready"
    until: int = 0
    token: str = ""


class Claims:
    """All of them, in order. `gone` is the model's: what the database cannot do just now."""

    def __init__(self) -> None:
        self.all: list[Claim] = []

    def add(self, claim: Claim) -> None:
        self.all.append(claim)

    def lease(
        self, server: str, limit: int, seconds: int, now: int, gone: str
    ) -> list[Claim] | None:
        """The claims that a game server gets; None: the database cannot give any away."""
        expired = [one for one in self.all if one.state == "leased" and one.until < now]
        wanted = [one for one in self.all if one.state == "ready" and one.server == server]
        if gone == "away" or (gone and (expired or wanted)):
            return None
        for one in expired:
            one.state = "ready"
        ready = [one for one in self.all if one.state == "ready" and one.server == server]
        for one in ready[:limit]:
            one.state, one.until = "leased", now + 1000 * seconds
        return ready[:limit]

    def acknowledge(self, claim: Claim, token: str | None, gone: str) -> int:
        """The status; without a token any server may, while the claim is leased."""
        if gone:
            return 503
        is_mine = claim.token == (claim.token if token is None else token) != ""
        open_states = ("leased",) if token is None else ("leased", "ready")
        if is_mine and claim.state in open_states:
            claim.state = "done"
        return 200 if is_mine and claim.state == "done" else 409
