"""One kind of database, fresh and filled: what its Guerdon does a second, and what it costs at rest."""

import argparse
import http.client
import time
from collections.abc import Mapping
from statistics import median
from typing import Any

from app.testing.waiting import wait_until
from bench.backlogs import measure_inbox, measure_reports, repeat_in_turn
from bench.comparing import SCENARIOS, Comparison
from bench.guerdon import Guerdon
from bench.load import read_cpu, read_memory, wait_for_rest


class Growth:
    """A fresh and a filled Guerdon on one kind of database."""

    def __init__(
        self, sides: Mapping[str, Guerdon], comparison: Comparison, args: argparse.Namespace
    ):
        self.sides = sides
        self.comparison = comparison
        self.args = args

    def take_votes(self) -> dict[str, Any]:
        for side in self.sides.values():
            side.start()
            self.comparison.warm_up(side)

        def measure(name: str, number: int) -> float:
            return self.comparison.measure(self.sides[name], SCENARIOS[0])["votes_per_second"]

        taken = repeat_in_turn(self.args.rounds, measure)
        for side in self.sides.values():
            side.server.stop()
        return divide(taken)

    def take_reports(self) -> dict[str, Any]:
        count = self.args.backlog

        def measure(name: str, number: int) -> float:
            return measure_reports(self.sides[name], count, 1_000_000 + number * count)

        return divide(repeat_in_turn(self.args.rounds, measure))

    def take_inbox(self) -> dict[str, Any]:
        def measure(name: str, number: int) -> float:
            return measure_inbox(self.sides[name], self.args.backlog)

        return divide(repeat_in_turn(self.args.rounds, measure))

    def take_idle(self) -> dict[str, Any]:
        """Of both workers and their master, with nothing to do."""
        side = self.sides["filled"]
        side.start()
        wait_for_rest(side.list_processes())
        before = read_cpu(side.list_processes())
        time.sleep(self.args.idle)
        used = read_cpu(side.list_processes()) - before
        side.server.stop()
        return {"figure": round(100 * used / self.args.idle, 2)}

    def take_start(self) -> dict[str, Any]:
        """From gunicorn's start to the first 2xx of /readyz."""
        server = self.sides["filled"].server
        taken = []
        for _ in range(self.args.rounds):
            began = time.monotonic()
            server.start(wait=False)
            wait_until(lambda: is_ready(server.port), 60, 0.005)
            taken.append(round(time.monotonic() - began, 3))
            server.stop()
        return {"figure": median(taken), "rounds": taken}

    def take_memory(self) -> dict[str, Any]:
        """Of the larger worker, once the two have paid so many votes."""
        side = self.sides["fresh"]
        side.start()
        before = max(map(read_memory, side.list_workers()))
        first, _ = side.count_paid()
        while (paid := side.count_paid()[0] - first) < self.args.many:
            self.comparison.press_new(side, 128, 20)
        after = max(map(read_memory, side.list_workers()))
        side.server.stop()
        return {"figure": round(after, 1), "at_start": round(before, 1), "votes": paid}


def is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return 200 <= connection.getresponse().status < 300
    except OSError:
        return False
    finally:
        connection.close()


def divide(taken: Mapping[str, list[float]]) -> dict[str, Any]:
    """The median of each round's filled / fresh: two that are measured in a row meet the same noise."""
    pairs = zip(taken["filled"], taken["fresh"], strict=True)
    return {"figure": round(median(filled / fresh for filled, fresh in pairs), 3)} | {
        name: {"median": median(rounds), "rounds": rounds} for name, rounds in taken.items()
    }
