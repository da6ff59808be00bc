"""Votes of the sites' stand-ins, and what became of each: the latest, in memory, newest first."""

import threading
import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from app.guerdon import Guerdon
from app.history.filters import EventFilter
from app.history.listing import ListedEvent
from app.history.states import EventState
from app.playground.courier import Courier
from app.playground.exchange import Exchange, Vote
from app.playground.site_kinds import Site, SiteName
from app.playground.states import DeliveryState

KEPT = 30
LOOKED_AT = 20  # of the latest events of a source
TYPE = "server.vote"
SLACK = 1000  # ms that an event may seem to be older than its vote


class Deed(StrEnum):
    """What a press of a button sent."""

    VOTE = "vote"
    AGAIN = "again"  # what was sent before, once more
    FORGED = "forged"


@dataclass(slots=True)
class SiteVote:
    """One vote that was sent; `event` is what /v1 tells of it, `event_id` its id there once it is known."""

    number: int
    site: SiteName
    source: str
    deed: Deed
    nickname: str
    vote: Vote
    sent_at: float  # seconds since the epoch
    exchange: Exchange
    event_id: str = ""
    event: dict[str, Any] | None = None

    @property
    def state(self) -> DeliveryState:
        """What became of it, as far as is known."""
        if self.event is None:
            return self._judge_answer()
        if self.event["state"] != EventState.SETTLED:
            return DeliveryState(self.event["state"])
        if datetime.fromisoformat(self.event["settled_at"]).timestamp() < self.sent_at - 0.001:
            return DeliveryState.AGAIN
        return DeliveryState.PAID if self.event["grants"] else DeliveryState.UNPAID

    def _judge_answer(self) -> DeliveryState:
        if not self.exchange.status:
            return DeliveryState.LOST
        # Votifier v1 is never answered: then what Guerdon knows is all that there is.
        is_taken = self.exchange.is_accepted
        return DeliveryState.UNSEEN if is_taken else DeliveryState.REFUSED

    @property
    def is_open(self) -> bool:
        """Whether there is more to learn by itself."""
        if self.event is None:
            return self.deed is not Deed.FORGED and self.exchange.status >= 500
        return bool(self.event["state"] == EventState.WAITING)


class SiteVotes:
    """Sends votes, remembers the latest, and looks at what became of them."""

    def __init__(self, guerdon: Guerdon, courier: Courier, sites: dict[SiteName, Site]) -> None:
        self._guerdon = guerdon
        self._courier = courier
        self._votes: deque[SiteVote] = deque(maxlen=KEPT)
        self._count = 0
        self._lock = threading.Lock()
        self.sites = sites

    def vote(self, name: SiteName, nickname: str, is_forged: bool = False) -> SiteVote:
        """Somebody votes at a site, or somebody else says so."""
        deed = Deed.FORGED if is_forged else Deed.VOTE
        return self._send(name, nickname, deed, self.sites[name].write_vote(nickname))

    def repeat(self, number: int | None) -> SiteVote | None:
        """The vote of this number once more, as the site would; None where it is not known any more."""
        votes = self.list_votes()
        before = next((one for one in votes if one.number == number), None)
        if before is None or before.site not in self.sites:
            return None
        deed = Deed.FORGED if before.deed is Deed.FORGED else Deed.AGAIN
        return self._send(before.site, before.nickname, deed, before.vote, before.event_id)

    def _send(
        self, name: SiteName, nickname: str, deed: Deed, vote: Vote, event_id: str = ""
    ) -> SiteVote:
        site, sent_at = self.sites[name], time.time()
        exchange = site.send(vote, deed is Deed.FORGED)
        with self._lock:
            self._count += 1
            one = SiteVote(
                self._count, name, site.source, deed, nickname, vote, sent_at, exchange, event_id
            )
            self._votes.appendleft(one)
        if deed is not Deed.FORGED:
            one.event_id = self._find_event(one) or event_id
        return one

    def list_votes(self) -> list[SiteVote]:
        with self._lock:
            return list(self._votes)

    def follow(self) -> list[SiteVote]:
        """All votes, newest first, with what /v1 says now of those that are not over."""
        votes = self.list_votes()
        for one in votes:
            if one.deed is Deed.FORGED or (one.event is not None and not one.is_open):
                continue
            one.event_id = one.event_id or self._find_event(one)
            if one.event_id:
                reading = self._courier.read_event(TYPE, one.event_id)
                one.event = reading.body if reading.status == 200 else one.event
        return votes

    def _find_event(self, vote: SiteVote) -> str:
        """The id of the event that it became, which only Guerdon makes; "" where it became none."""
        since = int(vote.sent_at * 1000) - SLACK
        chosen = EventFilter(type=TYPE, source=vote.source, since=since)
        known = {one.event_id for one in self.list_votes() if one is not vote}
        rows = self._guerdon.lists.list_events(chosen, limit=LOOKED_AT).rows
        fresh = [row for row in rows if row.id not in known and is_of(row, vote.nickname)]
        return fresh[0].id if fresh else ""


def is_of(row: ListedEvent, nickname: str) -> bool:
    """Whether it can be this player's; of what waits nobody says whose it is."""
    if row.state is not EventState.SETTLED:
        return True
    return nickname.casefold() in (row.nickname.casefold(), row.user_id.casefold())
