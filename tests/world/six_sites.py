"""Six vote sites in one: each makes votes of its own kind, and knows by which sign the ledger has them.

Nothing here is told by our code: signatures, frames and lists are made after the sites' documents.
"""

import base64
import hashlib
import hmac
import json
import random
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from app.testing.deliveries import TOKEN, make_delivery
from app.testing.vote_api import VoteApi, answer

PLAYERS = [f"p{number}" for number in range(300)]
NEWCOMERS = [f"late{number}" for number in range(5)]  # whom nobody knows until they join
UNSPEAKABLE = "Mrs Smith"  # no command may name her
SERVERS = ("1", "2", "3")
SECRET = "a-secret-of-all-these-sites"
AMOUNTS = {  # what each source pays, so that a balance tells who paid
    "gamemonitoring": 1, "topgg": 10, "vote_sites": 100, "pingbacks": 1000, "votifier": 10000,
    "listforge": 100000,
}  # fmt: skip
RULES = "".join(
    f"""
[[rules]]
name = "{source}"
on = "server.vote"
source = "{source}"
give = [{{ reward = "gold", amount = "{amount}.00" }},
        {{ reward = "claim", payload = {{ template = "gift" }} }}]
"""
    for source, amount in AMOUNTS.items()
)
SECTIONS = f"""
[plugins.topgg]
secrets = ["{SECRET}"]
server = "1"
[plugins.vote_sites.sites.hytale]
preset = "hytale-servers"
secret = "{SECRET}"
[plugins.pingbacks.sites.scape]
preset = "scapepulse"
key = "{SECRET}"
server_id = "3"
[plugins.pingbacks.sites.gtop]
preset = "gtop100"
key = "{SECRET}"
server_id = "2"
[plugins.votifier]
bind = "127.0.0.1:{{votifier}}"
tokens = {{{{ default = "{SECRET}" }}}}
server = "2"
""" + "".join(
    f"""
[plugins.listforge.sites.list{server}]
url = "{{lists}}"
key = "{SECRET}-{server}"
server = "{server}"
"""
    for server in SERVERS
)


@dataclass(frozen=True)
class Vote:
    """What a site has to tell; `key` is its own among those of `source`. Without `path` it is listed."""

    source: str
    key: str
    player: str
    server: str
    path: str = ""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    said: Mapping[str, Any] = field(default_factory=dict)  # by Votifier, where a challenge is added


def identify(row: Mapping[str, Any]) -> str:
    """The key of the vote that a settled event is of."""
    source, id, site = row["source"], row["event_id"], row["data"].get("site")
    if source == "votifier":
        return str(row["occurred_at"])
    if source == "listforge":
        return str(id).partition(" ")[2]
    if site == "gtop":
        return f"gtop {row['nickname']}"
    return str(id).partition(":")[0]


def sign_v2(said: Mapping[str, Any], **more: str) -> dict[str, str]:
    payload = json.dumps({**said, **more})
    mac = hmac.digest(SECRET.encode(), payload.encode(), "sha256")
    return {"payload": payload, "signature": base64.b64encode(mac).decode()}


def make_frame(said: Mapping[str, Any], challenge: str) -> bytes:
    raw = json.dumps(sign_v2(said, challenge=challenge)).encode()
    return struct.pack(">HH", 0x733A, len(raw)) + raw


class Sites:
    """Makes votes, and answers who asks: the vote API, and the lists, which are moody until `calm`."""

    def __init__(self, vote_api: VoteApi, lists: VoteApi, seed: int) -> None:
        self.votes: dict[str, Vote] = {}  # GAMEMONITORING's, by their ids
        self.listed: dict[str, dict[str, Any]] = {}  # by their keys
        self.is_calm = False
        self._number, self._lock, self._dice = 0, threading.Lock(), random.Random(seed)
        self._began = time.time_ns() // 10**6 - 10**7
        self._free: dict[str, list[str]] = {
            one: random.Random(seed).sample(PLAYERS, len(PLAYERS)) for one in ("gtop", *SERVERS)
        }
        vote_api.behave, lists.behave = self._tell_vote, self._tell_list
        self.makers: dict[str, Callable[[], Vote | None]] = {
            "gamemonitoring": self._make_gamemonitoring,
            "topgg": self._make_topgg,
            "vote_sites": self._make_hytale,
            "pingbacks": self._make_pingback,
            "votifier": self._make_votifier,
            "listforge": self._make_listed,
        }

    def calm(self) -> None:
        self.is_calm = True

    def _next(self) -> tuple[int, str, str]:
        """A number, a player, a server."""
        with self._lock:
            self._number += 1
            luck = self._dice.random()
            name = self._dice.choice(NEWCOMERS) if luck < 0.02 else self._dice.choice(PLAYERS)
            return self._number, UNSPEAKABLE if luck > 0.99 else name, self._dice.choice(SERVERS)

    def _make_gamemonitoring(self) -> Vote:
        number, player, server = self._next()
        player = (
            "p0" if player in NEWCOMERS else player
        )  # its 503 would be sent again until they join
        id = f"gm-{number}"
        vote = Vote("gamemonitoring", id, player, server, "/webhooks/gamemonitoring",
                    make_delivery(id, token=TOKEN))  # fmt: skip
        self.votes[id] = vote
        return vote

    def _make_topgg(self) -> Vote:
        number, player, _ = self._next()
        at = int(time.time())
        body = {"type": "vote.create", "data": {
            "id": f"{number:018}", "weight": 1, "created_at": "2026-02-09T00:47:14.2510149+00:00",
            "project": {"id": "1", "type": "server", "platform": "discord", "platform_id": "77"},
            "user": {"id": "2", "platform_id": player, "name": player},
        }}  # fmt: skip
        raw = json.dumps(body).encode()
        mac = hmac.new(SECRET.encode(), f"{at}.".encode() + raw, hashlib.sha256).hexdigest()
        headers = {"x-topgg-signature": f"t={at},v1={mac}"}
        return Vote("topgg", f"{number:018}", player, "1", "/webhooks/topgg", raw, headers)

    def _make_hytale(self) -> Vote:
        number, player, server = self._next()
        body = {"vote_id": f"h-{number}", "hytale_username": player, "server_slug": server,
                "timestamp": int(time.time())}  # fmt: skip
        raw = json.dumps(body).encode()
        headers = {"X-Webhook-Signature": hmac.digest(SECRET.encode(), raw, "sha256").hex(),
                   "Content-Type": "application/json"}  # fmt: skip
        path = "/webhooks/vote_sites/hytale"
        return Vote("vote_sites", f"h-{number}", player, server, path, raw, headers)

    def _make_pingback(self) -> Vote:
        """Some have no id: of one player the site's first vote is paid, and no other of these hours."""
        number, player, _ = self._next()
        if self._free["gtop"] and number % 3 == 0:
            player = self._free["gtop"].pop()
            form = {"pingUsername": player, "Successful": "0", "pingbackkey": SECRET}
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            body, path = urlencode(form).encode(), "/webhooks/pingbacks/gtop"
            return Vote("pingbacks", f"gtop {player}", player, "2", path, body, headers)
        query = urlencode({"voter_name": player, "uid": f"u-{number}"})
        path = f"/webhooks/pingbacks/scape/{SECRET}?{query}"
        return Vote("pingbacks", f"u-{number}", player, "3", path)

    def _make_votifier(self) -> Vote:
        number, player, _ = self._next()
        at = self._began + number
        said = {"serviceName": "List", "username": player, "address": "127.0.0.1", "timestamp": at}
        body, headers = json.dumps(sign_v2(said)).encode(), {"Content-Type": "application/json"}
        path = "/webhooks/votifier"
        return Vote("votifier", str(at), player, "2", path, body, headers, said)

    def _make_listed(self) -> Vote | None:
        """A player votes at each list once a day."""
        server = self._next()[2]
        if not self._free[server]:
            return None
        player, at = self._free[server].pop(), int(time.time())
        key = f"{server} {at} {player}"
        self.listed[key] = {"timestamp": at, "nickname": player, "steamid": "", "claimed": "0"}
        return Vote("listforge", key, player, server)

    def list_unclaimed(self) -> list[str]:
        return [key for key, one in self.listed.items() if one["claimed"] == "0"]

    def _tell_vote(self, handler: Any) -> None:
        vote = self.votes[handler.path.rpartition("/")[2]]
        luck = 1.0 if self.is_calm else self._dice.random()
        if luck < 0.04:
            answer(handler, 500, {"error": "ill"})
        elif luck < 0.06:
            hang_up(handler)
        else:
            said = {"id": vote.key, "nickname": vote.player, "server": {"id": int(vote.server)}}
            answer(handler, 200, {"response": said})

    def _tell_list(self, handler: Any) -> None:
        query = {name: one[0] for name, one in parse_qs(urlsplit(handler.path).query).items()}
        server = query["key"].removeprefix(f"{SECRET}-")
        luck = 1.0 if self.is_calm else self._dice.random()
        if luck < 0.05:
            hang_up(handler)
        elif luck < 0.1:
            answer(handler, 500, b"out of order")
        elif query["object"] == "servers":
            mine = [one for key, one in self.listed.copy().items() if key.startswith(f"{server} ")]
            answer(handler, 200, {"votes": mine[::-1]})
        else:
            claimed = self._claim(server, query["username"])
            if luck < 0.2:
                hang_up(handler)  # it is claimed, and nobody was told
            else:
                answer(handler, 200, b"1" if claimed else b"0")

    def _claim(self, server: str, player: str) -> bool:
        """The one vote that he has there."""
        [mine] = [one for key, one in self.listed.copy().items()
                  if key.startswith(f"{server} ") and one["nickname"] == player]  # fmt: skip
        was_open, mine["claimed"] = mine["claimed"] == "0", "1"
        return was_open


def hang_up(handler: Any) -> None:
    handler.close_connection = True
    handler.connection.shutdown(2)
