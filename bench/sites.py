"""What vote sites send, written beforehand: a request over HTTP of each new vote, by source."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlencode

from app.testing.deliveries import make_delivery
from bench.comparing import PLAYERS
from bench.load import make_ids

SECRET = "a-secret-of-all-sites"
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
server_id = "1"
[plugins.votifier]
bind = "127.0.0.1:{{port}}"
tokens = {{{{ default = "{SECRET}" }}}}
server = "1"
"""
BY_PORT = "votifier, by its port"
JSON = {"Content-Type": "application/json"}
_begun = iter(range(1 << 62))


def name_player(number: int) -> str:
    return f"player{number % PLAYERS}"


def write_request(path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> bytes:
    """All bytes of a request: POST, or GET where there is no body."""
    method, more = ("POST", {"Content-Length": str(len(body))}) if body else ("GET", {})
    lines = [f"{name}: {value}" for name, value in {**(headers or {}), **more}.items()]
    head = "\r\n".join([f"{method} /webhooks/{path} HTTP/1.1", "Host: bench", *lines])
    return f"{head}\r\n\r\n".encode() + body


def sign_v2(number: int, challenge: str = "") -> bytes:
    """A vote as NuVotifier has it; each has another time."""
    vote = {"serviceName": "List", "username": name_player(number), "address": "127.0.0.1",
            "timestamp": 1_700_000_000_000 + number}  # fmt: skip
    payload = json.dumps({**vote, "challenge": challenge} if challenge else vote)
    mac = base64.b64encode(hmac.digest(SECRET.encode(), payload.encode(), "sha256")).decode()
    return json.dumps({"payload": payload, "signature": mac}).encode()


def write_topgg(number: int) -> bytes:
    player, at = name_player(number), int(time.time())
    body = {"type": "vote.create", "data": {
        "id": f"{number:018}", "weight": 1, "created_at": "2026-02-09T00:47:14.2510149+00:00",
        "project": {"id": "1", "type": "server", "platform": "discord", "platform_id": "77"},
        "user": {"id": "2", "platform_id": player, "name": player},
    }}  # fmt: skip
    raw = json.dumps(body).encode()
    mac = hmac.new(SECRET.encode(), f"{at}.".encode() + raw, hashlib.sha256).hexdigest()
    return write_request("topgg", raw, {**JSON, "x-topgg-signature": f"t={at},v1={mac}"})


def write_vote_sites(number: int) -> bytes:
    body = {"vote_id": f"h-{number}", "hytale_username": name_player(number), "server_slug": "1",
            "timestamp": int(time.time())}  # fmt: skip
    raw = json.dumps(body).encode()
    mac = hmac.digest(SECRET.encode(), raw, "sha256").hex()
    return write_request("vote_sites/hytale", raw, {**JSON, "X-Webhook-Signature": mac})


def write_pingbacks(number: int) -> bytes:
    query = urlencode({"voter_name": name_player(number), "uid": f"u-{number}"})
    return write_request(f"pingbacks/scape/{SECRET}?{query}")


def write_votifier(number: int) -> bytes:
    return write_request("votifier", sign_v2(number), JSON)


WRITERS: Mapping[str, Callable[[int], bytes]] = {
    "topgg": write_topgg, "vote_sites": write_vote_sites, "pingbacks": write_pingbacks,
    "votifier, over HTTP": write_votifier,
}  # fmt: skip
SOURCES = ("gamemonitoring", *WRITERS, BY_PORT)


def take_numbers(count: int) -> range:
    """So many numbers that no vote had before."""
    start = next(_begun) * 10_000_000
    return range(start, start + count)


def write_requests(path: Path, source: str, count: int) -> Path:
    """A file of so many votes, for requests.lua."""
    with path.open("wb") as file:
        for one in make_requests(source, count):
            file.write(f"{len(one)}\n".encode() + one)
    return path


def make_requests(source: str, count: int) -> Iterator[bytes]:
    if source == "gamemonitoring":
        for id in make_ids(count):
            yield write_request("gamemonitoring", make_delivery(id), JSON)
    else:
        yield from map(WRITERS[source], take_numbers(count))
