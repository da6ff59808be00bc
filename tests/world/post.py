"""Carries the votes of sites to two hosts: to either, to both at once, again and again; a log of it all."""

import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import urllib3

from app.testing.waiting import PATIENCE
from tests.world.six_sites import Sites, Vote, make_frame

Key = tuple[str, str]  # a vote's source and key
BY_PORT = "by port"


@dataclass(frozen=True)
class Host:
    """Where a Guerdon is; `votifier` is the port of that protocol."""

    url: str
    votifier: int


class Post:
    """Six sites, each in a thread of its own, and couriers for all of them."""

    def __init__(self, sites: Sites, hosts: list[Host], seed: int, couriers: int = 24) -> None:
        self.sent: dict[Key, Vote] = {}
        self.accepted: set[Key] = set()
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.twice = 0  # votes that were brought to both hosts at the same time, or again later
        self._sites, self._hosts, self._seed = sites, hosts, seed
        self._http = urllib3.PoolManager(maxsize=couriers, retries=False, timeout=60)
        self._pool = ThreadPoolExecutor(couriers)
        self._is_over = threading.Event()
        self._is_leaving = threading.Event()
        self._makers: list[threading.Thread] = []
        self._errands: list[Future[Any]] = []
        self._lock = threading.Lock()

    def begin(self, rates: Mapping[str, float]) -> None:
        """Make ever new votes until finish(); `rates`: how many a second, by source."""
        for number, (source, rate) in enumerate(rates.items()):
            dice = random.Random(self._seed + number)
            thread = threading.Thread(target=self._make, args=(source, dice, rate), daemon=True)
            self._makers.append(thread)
            thread.start()

    def finish(self) -> None:
        """Make no more votes; return when all that were made have been carried."""
        self._is_over.set()
        for thread in self._makers:
            thread.join()
        for errand in self._errands:
            errand.result()

    def close(self) -> None:
        self._is_over.set()
        self._is_leaving.set()
        self._pool.shutdown(cancel_futures=True)
        self._http.clear()

    def send_again(self, votes: list[Vote]) -> list[int]:
        """Each of them to each host once more; the statuses."""
        places = [(vote, place) for vote in votes if vote.path for place in (0, 1)]
        return list(self._pool.map(lambda one: self.deliver(*one), places))

    def _make(self, source: str, dice: random.Random, rate: float) -> None:
        done: list[Vote] = []
        while not self._is_over.wait(dice.uniform(0, 2 / rate)):
            vote = self._sites.makers[source]()
            if vote is None:
                return  # everybody has voted
            self.sent[source, vote.key] = vote
            if not vote.path:
                self.accepted.add((source, vote.key))
                continue
            done.append(vote)
            self._send(vote, dice)
            if dice.random() < 0.2:
                self._errands.append(self._carry(dice.choice(done), dice, once=True))
                self.twice += 1

    def _send(self, vote: Vote, dice: random.Random) -> None:
        """A new vote, to one host or both at once; a few are sent once, and then lost or not."""
        is_once = dice.random() < 0.05
        self._errands.append(self._carry(vote, dice, is_once))
        if dice.random() < 0.3:
            self._errands.append(self._carry(vote, dice, is_once))
            self.twice += 1

    def _carry(self, vote: Vote, dice: random.Random, once: bool) -> Future[None]:
        return self._pool.submit(self._insist, vote, dice.randrange(2), once)

    def _insist(self, vote: Vote, place: int, once: bool) -> None:
        """To one host, then the other, until it is answered 2xx, or once."""
        deadline = time.monotonic() + PATIENCE
        while not 200 <= self.deliver(vote, place) < 300 and not once:
            assert time.monotonic() < deadline, f"not accepted: {vote}"
            place = 1 - place
            if self._is_leaving.wait(0.05):
                return

    def deliver(self, vote: Vote, place: int) -> int:
        """The answer's status; 0 where the connection broke. Votifier's go by either of its ways."""
        host, status = self._hosts[place], 0
        by_port = bool(vote.said) and random.random() < 0.7
        with suppress(OSError, urllib3.exceptions.HTTPError, ValueError):
            status = self._tell(vote, host) if by_port else self._post(vote, host)
        with self._lock:
            self.statuses[f"votifier {BY_PORT}" if by_port else vote.source, status] += 1
            if 200 <= status < 300:
                self.accepted.add((vote.source, vote.key))
        return status

    def _post(self, vote: Vote, host: Host) -> int:
        method = "POST" if vote.body else "GET"
        body = vote.body or None
        url = host.url + vote.path
        response = self._http.request(method, url, body=body, headers=dict(vote.headers))
        return int(response.status)

    def _tell(self, vote: Vote, host: Host) -> int:
        """By Votifier's port: 200 for its "ok", 500 where it says that it failed."""
        with socket.create_connection(("127.0.0.1", host.votifier), timeout=30) as client:
            lines = client.makefile("rb")
            challenge = lines.readline().decode().split()[2:]
            if not challenge:
                return 0
            client.sendall(make_frame(vote.said, challenge[0]))
            said = json.loads(lines.readline() or b"{}").get("status")
            return {"ok": 200, "error": 500}.get(said, 0)
