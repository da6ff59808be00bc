"""A crowd of platforms and game servers: each insists, over real HTTP, until it is answered 2xx."""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NamedTuple

import urllib3

from app.testing.deliveries import API_KEY, make_delivery

PATIENCE = 120.0  # seconds
PLAYERS = 6  # p0 to p5
REWARDS = """
[[rules]]
name = "every vote"
on = "server.vote"
give = [
  { reward = "gold", amount = "100.25" },
  { reward = "item", item = "sword", quantity = 2 },
  { reward = "claim", payload = { command = "give {nickname} diamond 1" } },
]
[[rules]]
name = "every level"
on = "level_up"
give = [{ reward = "gold", amount = "0.50" }]
"""
REPORTING = """
[plugins.g123]
host = "{platform}"
app_id = "game-7"
app_secret = "g123-secret-73a9"
timeout = 2
[inbox]
retry_delays = [{delays}]
"""
Key = tuple[str, str]  # an event's type and id
KEY = {"Authorization": f"Bearer {API_KEY}"}


class Told(NamedTuple):
    """One answer; status 0 where the connection broke."""

    key: Key
    status: int
    seconds: float


class Crowd:
    """Posts votes and level_ups from many threads over kept connections; a log of it all.

    The vote "v-7-p3" is by the player p3.
    """

    def __init__(self, url: str, threads: int = 16) -> None:
        self.http = urllib3.connection_from_url(
            url, maxsize=threads + 16, retries=False, timeout=60
        )
        self.told: list[Told] = []
        self.sent: set[Key] = set()
        self._pool = ThreadPoolExecutor(threads)
        self._leaving = threading.Event()
        self._errands: list[Future[None]] = []

    def post(self, key: Key, path: str, **options: Any) -> int:
        """The status of one POST."""
        self.sent.add(key)
        began, status = time.monotonic(), 0
        with suppress(urllib3.exceptions.HTTPError):
            status = self.http.request("POST", path, **options).status
        self.told.append(Told(key, status, time.monotonic() - began))
        return status

    def post_vote(self, id: str) -> int:
        return self.post(("server.vote", id), "/webhooks/gamemonitoring", body=make_delivery(id))

    def post_level(self, uid: str, level: int, wait: int = 0) -> int:
        key = ("level_up", f"{uid}:s1:{level}")
        headers = {**KEY, "Prefer": f"wait={wait}"}
        return self.post(
            key, "/v1/events/level_up", json=make_level_up(uid, level), headers=headers
        )

    def insist(self, post: Any, *args: Any) -> None:
        """Post until it is answered 2xx, as those do who want it paid."""
        deadline = time.monotonic() + PATIENCE
        while not 200 <= post(*args) < 300:
            assert time.monotonic() < deadline, f"not accepted: {args}"
            if self._leaving.wait(0.05):
                return

    def tell(self, post: Any, *args: Any) -> None:
        """Post until there is any answer at all, as those do who leave the rest to us."""
        deadline = time.monotonic() + PATIENCE
        while not post(*args) and not self._leaving.wait(0.05):
            assert time.monotonic() < deadline, f"not answered: {args}"

    def send_votes(self, ids: Sequence[str], once: bool = False) -> None:
        """Have these votes delivered at the same time, and go on meanwhile; `once`: not again."""
        how = self.tell if once else self.insist
        self._errands += [self._pool.submit(how, self.post_vote, id) for id in ids]

    def send_levels(self, levels: Sequence[tuple[str, int]], wait: int = 0) -> None:
        """The same for these (uid, level)."""
        self._errands += [
            self._pool.submit(self.insist, self.post_level, *level, wait) for level in levels
        ]

    def finish(self) -> None:
        """Until all is accepted."""
        for errand in self._errands:
            errand.result()

    def send_again(self) -> None:
        """What nobody said was accepted, until it is."""
        left = self.sent - self.accepted
        self.send_votes([id for type, id in left if type == "server.vote"])
        levels = [id.split(":") for type, id in left if type == "level_up"]
        self.send_levels([(uid, int(level)) for uid, _, level in levels])
        self.finish()

    @property
    def accepted(self) -> set[Key]:
        return {one.key for one in self.told if 200 <= one.status < 300}

    def count_statuses(self) -> Counter[int]:
        return Counter(one.status for one in self.told)

    def close(self) -> None:
        self._leaving.set()
        self._pool.shutdown()
        self.http.close()


def make_level_up(uid: str, level: int) -> Any:
    """A body of POST /v1/events/level_up, another for each uid and level."""
    role = {"id": "r1", "exp": "10", "vip_level": "0", "vip_exp": "0",
            "virtual_balance": {"diamond": "5", "gold": "6"}}  # fmt: skip
    data = {"game_user_id": f"g-{uid}", "role": role, "custom": {"physical_server": "h|1.2.3.4"}}
    return {"uid": uid, "server_id": "s1", "ctwid": f"c-{uid}", "timestamp": 1_700_000_000_000,
            "level": level, "data": data}  # fmt: skip
