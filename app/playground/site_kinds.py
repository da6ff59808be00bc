"""Stand-ins for vote sites: each writes a vote, and sends it to Guerdon by the site's own protocol.

Written from the sites' documents, and sharing nothing with our plugins.
"""

import hashlib
import hmac
import json
import random
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol
from urllib.parse import urlencode

from app.guerdon import Guerdon
from app.playground.courier import Courier, Reply
from app.playground.exchange import VOTER_ADDRESS, Exchange, Vote
from app.playground.site_sections import PRESET, SERVER
from app.playground.votifier import VotifierV2, make_v1
from app.playground.words import describe_status

FORM = "application/x-www-form-urlencoded"
WRONG_SECRET = "the-secret-of-somebody-else"  # noqa: S105 - its use is to be wrong


class SiteName(StrEnum):
    """The sites to choose from."""

    TOPGG = "topgg"
    VOTIFIER_2 = "votifier_v2"
    VOTIFIER_1 = "votifier_v1"
    PINGBACK = "pingback"


class Site(Protocol):
    """A vote site: `source` is the plugin that takes its votes, `server` the server_id that they get."""

    source: str
    server: str

    def write_vote(self, nickname: str) -> Vote:
        """Somebody votes: what the site knows of it, which it may send again."""

    def send(self, vote: Vote, is_forged: bool) -> Exchange:
        """Tell Guerdon; a forged one is made by somebody without the site's secret."""


class TopGG:
    """top.gg by its webhooks of v1: signed, and each vote has an id."""

    source = "topgg"

    def __init__(self, courier: Courier, secret: str, server: str) -> None:
        self._courier, self._secret, self.server = courier, secret, server

    def write_vote(self, nickname: str) -> Vote:
        """Guerdon's own table of players knows nicknames alone: one stands for the id of Discord."""
        now = time.time()
        return {
            "type": "vote.create",
            "data": {
                "id": str(random.randrange(10**17, 10**18)),
                "weight": 1,
                "created_at": format_time(now),
                "expires_at": format_time(now + 12 * 3600),
                "project": {
                    "id": "1026525568344264704", "type": "server", "platform": "discord",
                    "platform_id": "264445053596991498",
                },
                "user": {
                    "id": "3141592653589793238", "platform_id": nickname, "name": nickname,
                    "avatar_url": "https://example.com/avatar.png",
                },
            },
        }  # fmt: skip

    def send(self, vote: Vote, is_forged: bool) -> Exchange:
        body = json.dumps(vote, ensure_ascii=False, separators=(",", ":")).encode()
        now, secret = str(int(time.time())), WRONG_SECRET if is_forged else self._secret
        mac = hmac.new(secret.encode(), f"{now}.".encode() + body, hashlib.sha256)
        headers = {"x-topgg-signature": f"t={now},v1={mac.hexdigest()}"}
        reply = self._courier.post("webhooks/topgg", body, headers)
        shown = json.dumps(vote, indent=2, ensure_ascii=False)
        return make_exchange(f"POST /webhooks/topgg\n{write_headers(headers)}\n\n{shown}", reply)


class Toplist:
    """A toplist that calls with a form, and gives a vote no id: gtop100."""

    source = "pingbacks"

    def __init__(self, courier: Courier, key: str, server: str) -> None:
        self._courier, self._key, self.server = courier, key, server

    def write_vote(self, nickname: str) -> Vote:
        """Zero is good."""
        return {
            "VoterIP": VOTER_ADDRESS, "Successful": "0", "Reason": "", "pingUsername": nickname,
        }  # fmt: skip

    def send(self, vote: Vote, is_forged: bool) -> Exchange:
        fields = {**vote, "pingbackkey": WRONG_SECRET if is_forged else self._key}
        path, headers = f"webhooks/{self.source}/{PRESET}", {"Content-Type": FORM}
        reply = self._courier.post(path, urlencode(fields).encode(), headers)
        shown = "\n".join(f"{name}={value}" for name, value in fields.items())
        return make_exchange(f"POST /{path}\n{write_headers(headers)}\n\n{shown}", reply)


def make_exchange(sent: str, reply: Reply) -> Exchange:
    is_accepted = 200 <= reply.status < 300
    said = f"{describe_status(reply.status)}\n\n{reply.text}".strip()
    badge = str(reply.status or "\N{EN DASH}")
    return Exchange(sent, said, reply.status, reply.took, is_accepted, badge)


def write_headers(headers: Mapping[str, str]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in headers.items())


def format_time(seconds: float) -> str:
    """ISO 8601 with seven digits of a second, as top.gg writes it."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1e7):07d}Z"


def find_sites(guerdon: Guerdon, courier: Courier) -> dict[SiteName, Site]:
    """The sites that this config knows, with its secrets."""
    settings, sites = guerdon.plugins.settings, dict[SiteName, Site]()
    if (topgg := settings.get("topgg")) and topgg["secrets"]:
        secret = topgg["secrets"][0].reveal()
        sites[SiteName.TOPGG] = TopGG(courier, secret, topgg["server"])
    if votifier := settings.get("votifier"):
        if token := votifier["tokens"].get("default"):
            server = votifier["server"]
            sites[SiteName.VOTIFIER_2] = VotifierV2(votifier["bind"], token.reveal(), server)
        if v1 := make_v1(votifier):
            sites[SiteName.VOTIFIER_1] = v1
    toplist = settings.get("pingbacks", {}).get("sites", {}).get(PRESET)
    if toplist and toplist.get("key"):
        key = toplist["key"].reveal()
        sites[SiteName.PINGBACK] = Toplist(courier, key, toplist["server_id"] or SERVER)
    return sites
