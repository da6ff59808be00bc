"""What Guerdon has to hold and to answer, in plain Python: lists and dicts, one thing at a time.

Nothing in here asks the service or imports it. Times are ms; an answer is a status and, where the
sender is to come again, after how many seconds.
"""

import copy
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from tests.model.model_claims import Claim, Claims
from tests.model.model_reports import Outbox
from tests.model.model_rules import LEVEL_UP, VOTE, Event, Key, Rule

DAY = 86_400_000
ENDLESS = 2**62
RETRY_DELAYS = (5, 30, 120, 600, 3600)  # seconds
GIVE_UP_AFTER = 150_000
INBOX_LEASE = 60_000
AT_ONCE = 16  # events that one look at the inbox takes
INSIDE = re.compile("[A-Za-z0-9_.-]{1,48}")  # a nickname within a longer text of a claim
# What the vote API does: seconds it takes, and why its answer is of no use ("" where it is).
VOTE_API = {
    "up": (0, ""),
    "slow": (4, ""),
    "down": (0, "the vote API: no connection"),
    "silent": (5, "the vote API: no whole answer within 5 s"),
    "ill": (0, "the vote API: it answered 500"),
    "garbage": (0, "the vote API: its answer is not JSON"),
    "odd": (0, "the vote API's answer is not a vote"),
    "wrong id": (0, "another id than was asked for"),
}


class Given(NamedTuple):
    """A line of the ledger."""

    event: Key

    rule: str
    kind: str
    params: dict[str, Any]
    nickname: str


class Answer(NamedTuple):
    status: int
    retry_after: int | None = None  # seconds
    reason: str = ""


DONE, UNAVAILABLE = Answer(204), Answer(503, 30)


@dataclass
class Player:
    nickname: str
    gold: Decimal = Decimal(0)
    items: dict[str, int] = field(default_factory=dict)
    roles: dict[str, int] = field(default_factory=dict)  # until
    vip: int | None = None  # until
    codes: list[str] = field(default_factory=list)
    given: list[Given] = field(default_factory=list)


@dataclass
class Waiting:
    """A delivery in the inbox. States: ready, leased, settled, dead."""

    event: Event
    due: int
    since: int
    state: str = "ready"
    retries: int = 0
    attempts: int = 0
    takes: int = 0
    lease_until: int = 0
    reason: str = ""


class Model:
    """`gone`: "", "locked" (the database reads, and writes nothing), or "away" (it does neither)."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.rules: Sequence[Rule] = ()
        self.match, self.unknown = "exact", "fail"
        self.vote_api, self.gone = "up", ""
        self.asked = 0  # votes asked for
        self.players: dict[str, Player] = {}
        self.settled: dict[Key, tuple[Event, int, list[Given]]] = {}
        self.inbox: dict[Key, Waiting] = {}
        self.steps: dict[Key, list[str]] = {}
        self.claims = Claims()
        self.codes: dict[str, str] = {}  # each with the event it was given for, "": none yet
        self.outbox = Outbox()

    # Paying

    def add_player(self, nickname: str) -> None:
        self.players[nickname] = Player(nickname)

    def fold(self, name: str) -> str:
        return name.casefold() if self.match == "casefold" else name

    def find_players(self, name: str) -> list[Player]:
        return [p for p in self.players.values() if self.fold(p.nickname) == self.fold(name)]

    def find_recipients(self, event: Event) -> list[Player]:
        """By nickname, or by an id, which is what it is."""
        found = self.find_players(event.nickname or event.uid)
        return [p for p in found if event.nickname or p.nickname == event.uid]

    def pay(self, event: Event) -> tuple[str, str]:
        """settled, known, waiting, held or unavailable, and the reason."""
        if self.gone == "away":
            return "unavailable", ""
        if event.key in self.settled:
            return "known", ""
        if event.type == VOTE:
            self.asked += 1
            seconds, fault = VOTE_API[self.vote_api]
            self.now += 1000 * seconds
            if fault:
                return "waiting", fault
        return ("unavailable", "") if self.gone else self.settle(event)

    def settle(self, event: Event) -> tuple[str, str]:
        gifts = [(rule.name, gift) for rule in self.rules if rule.matches(event)
                 for gift in rule.give]  # fmt: skip
        if gifts:
            name = event.nickname or event.uid
            found = self.find_recipients(event)
            if len(found) > 1:
                return "waiting", "players are called"
            if not found and self.unknown != "create":
                return {"hold": "held", "fail": "waiting"}[self.unknown], "no player is called"
            if not found and self.find_players(name):
                return "waiting", "could be mistaken for the player"
            player = found[0] if found else Player(name)
            if fault := self.find_fault(event, player, [gift["reward"] for _, gift in gifts]):
                return "waiting", fault
            self.players[player.nickname] = player
        given = [self.give(event, player, rule, gift) for rule, gift in gifts]
        self.settled[event.key] = (event, self.now, given)
        if event.type == LEVEL_UP:
            self.outbox.queue(event.id, self.now)
        return "settled", ""

    def find_fault(self, event: Event, player: Player, kinds: Sequence[str]) -> str:
        """Why one of these rewards cannot be given; then none of them is."""
        free = sum(not event_id for event_id in self.codes.values())
        for kind in kinds:
            if kind == "claim" and not event.server:
                return "the vote names no server"
            if kind == "claim" and not INSIDE.fullmatch(player.nickname):
                return "may not stand within a longer text of a claim"
            free -= kind == "promo_code"
            if free < 0:
                return "no promo code is left"
        return ""

    def give(self, event: Event, player: Player, rule: str, gift: dict[str, Any]) -> Given:
        params = {name: value for name, value in gift.items() if name != "reward"}
        kind = gift["reward"]
        if kind == "gold":
            player.gold += Decimal(gift["amount"])
        elif kind == "item":
            held = player.items.get(gift["item"], 0)
            player.items[gift["item"]] = held + gift["quantity"]
        elif kind == "role":
            params.setdefault("days", None)
            until = self.now + params["days"] * DAY if params["days"] else ENDLESS
            player.roles[gift["role"]] = max(player.roles.get(gift["role"], 0), until)
        elif kind == "vip":
            player.vip = max(player.vip or 0, self.now) + gift["days"] * DAY
        elif kind == "promo_code":
            code = next(code for code, event_id in self.codes.items() if not event_id)
            self.codes[code] = event.id
            player.codes.append(code)
        elif kind == "claim":
            payload = {"command": f"give {player.nickname} diamond {event.id} on {event.server}"}
            self.claims.add(Claim(event.server, player.nickname, event.id, payload))
        given = Given(event.key, rule, kind, params, player.nickname)
        player.given.append(given)
        return given

    # Deliveries and the inbox

    @property
    def is_orderless(self) -> bool:
        """Whether deliveries at the same time come to the same end, whichever is first."""
        wants_code = any(
            gift["reward"] == "promo_code" for rule in self.rules for gift in rule.give
        )
        return not wants_code and self.vote_api not in ("slow", "silent")

    def is_open(self, key: Key) -> bool:
        return key in self.inbox and self.inbox[key].state != "settled"

    def accept(self, event: Event, is_unsure: bool = False) -> Answer:
        """A delivery comes. `is_unsure`: its first commit is kept, and nobody is told."""
        was_open = self.is_open(event.key)
        state, reason = self.pay(event)
        if state == "unavailable" or (state in ("waiting", "held") and self.gone):
            return UNAVAILABLE
        if state in ("waiting", "held"):
            row = self.park(event, reason)
            if is_unsure:
                row = self.park(event, reason)  # noted once more: harmless
            seconds = math.ceil(max(1.0, (row.due - self.now) / 1000))
            return DONE if state == "held" else Answer(503, seconds, reason)
        if was_open and not self.gone:
            self.inbox[event.key].state = "settled"
        return DONE

    def accept_falling(self, event: Event, is_kept: bool) -> Answer | None:
        """The database goes with the first commit, which it keeps or not; None: there was none."""
        before = copy.deepcopy(self)
        is_known = event.key in self.settled
        if is_known and not self.is_open(event.key):
            return None
        self.accept(event)
        asked, now = self.asked, self.now
        if not is_kept:
            vars(self).update(vars(before))
        elif not is_known and event.key in self.settled and event.key in before.inbox:
            self.inbox[event.key] = before.inbox[event.key]  # closing it was to be another commit
        self.asked, self.now, self.gone = asked, now, "away"
        return DONE if is_known else UNAVAILABLE

    def park(self, event: Event, reason: str) -> Waiting:
        due = self.now + 1000 * RETRY_DELAYS[0]
        row = self.inbox.setdefault(event.key, Waiting(event, due, self.now))
        if row.state == "dead":  # sent again by a person: it gets its chances anew
            row.state, row.due, row.since, row.takes, row.retries = "ready", due, self.now, 0, 0
        row.attempts += 1
        row.reason = reason
        self.note(event.key, "delivery")
        return row

    def note(self, key: Key, what: str) -> None:
        self.steps.setdefault(key, []).append(what)

    def list_due(self) -> list[Waiting]:
        """What one look takes, in the order it is tried in."""
        if self.gone:
            return []
        for row in self.inbox.values():
            if row.state == "leased" and row.lease_until < self.now:
                row.state = "ready"
        rows = [row for row in self.inbox.values() if row.state == "ready" and row.due <= self.now]
        first = sorted(rows, key=lambda row: row.due)
        taken = [row for row in first if row.takes < 2][:AT_ONCE] or first[:1]
        return [row for row in self.inbox.values() if any(row is one for one in taken)]

    def take(self) -> None:
        until = self.now + INBOX_LEASE
        for row in self.list_due():
            row.state, row.lease_until, row.takes = "leased", until, row.takes + 1

    def look(self) -> None:
        """The dispatcher takes what is due, and tries each once."""
        rows = self.list_due()
        self.take()
        for row in rows:
            self.retry(row)

    def retry(self, row: Waiting) -> None:
        # What came after its due time was no wait for a try.
        row.since = self.now - max(0, row.due - row.since)
        state, reason = self.pay(row.event)
        if state in ("settled", "known"):
            row.state = "settled"
            return
        row.attempts, row.reason = row.attempts + 1, reason
        if self.now - row.since >= GIVE_UP_AFTER:
            row.state = "dead"
            self.note(row.event.key, "gave up")
            return
        row.retries += 1
        delay = RETRY_DELAYS[min(row.retries, len(RETRY_DELAYS) - 1)]
        row.state, row.takes, row.due = "ready", 0, self.now + 1000 * delay
        self.note(row.event.key, "retry")

    def revive(self, chosen: Callable[[Waiting], bool]) -> int:
        """A person has these tried again, where they are dead or wait; how many that was."""
        rows = [
            row for row in self.inbox.values() if row.state in ("dead", "ready") and chosen(row)
        ]
        for row in rows:
            row.state, row.due, row.takes, row.retries, row.since = "ready", 0, 0, 0, self.now
            self.note(row.event.key, "retry by hand")
        return len(rows)

    def tell_state(self, key: Key) -> str | None:
        """What is told of an event: settled, dead, waiting; None where nothing is known of it."""
        if key in self.settled:
            return "settled"
        if key not in self.inbox:
            return None
        return "dead" if self.inbox[key].state == "dead" else "waiting"
