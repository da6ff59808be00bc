"""Processes that do the same thing at the same instant, each with a Guerdon of its own.

`python -m tests.world.racing CONFIG` reads lines of JSON, [deed, instant, arguments], and writes what came
of each. Two databases cannot be raced within one process: Peewee's models know one.
"""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.database.migrating import hold_lock
from app.database.models import Report
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.paying.claims import lease_claims
from app.paying.settler import Settler, Work
from app.porch.types import Event
from app.reporting.store import begin_sends
from tests.world.books import make_work
from tests.world.servers import ROOT

HEAD_START = 0.02  # seconds, until both have read their line


class Racer:
    """One of these processes; `race` tells several at once."""

    def __init__(self, config: Path) -> None:
        self._log = (config.parent / "racer.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.world.racing", str(config)], cwd=ROOT, text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
        )  # fmt: skip

    def tell(self, deed: str, at: float, *arguments: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([deed, at, arguments]) + "\n")

    def hear(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, Path(self._log.name).read_text()
        return json.loads(line)

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()  # it ends with its input
        self.process.wait(30)
        self.process.stdout.close()
        self._log.close()


def race(
    racers: Sequence[Racer], deed: str, *arguments: Sequence[Any], delays: Sequence[float] = ()
) -> list[Any]:
    """What came of the deed, done by all at once: each has its own arguments and delay (seconds)."""
    start = time.time() + HEAD_START
    for place, racer in enumerate(racers):
        late = delays[place] if delays else 0
        racer.tell(deed, start + late, *(each[place] for each in arguments))
    return [racer.hear() for racer in racers]


def settle(
    guerdon: Guerdon, ids: list[str], nickname: str = "Bob", occurred_at: int | None = None
) -> Any:
    """The outcome of each vote, settled together, and how often which conflict made it try again."""
    pay = guerdon.settler._pay
    tries = count_tries(guerdon.settler)
    works = [make_work(id, nickname=nickname, occurred_at=occurred_at) for id in ids]
    outcomes = guerdon.settler.settle(works)
    guerdon.settler._pay = pay  # type: ignore[method-assign]
    return [[outcome.state for outcome in outcomes], tries]


def settle_near(guerdon: Guerdon, id: str, nickname: str, occurred_at: int) -> Any:
    """The outcome of a vote that earns nothing within an hour of another, and its tries."""
    pay, tries = guerdon.settler._pay, count_tries(guerdon.settler)
    vote = Event("echo", "server.vote", id, "1", nickname, occurred_at=occurred_at, not_within=3600)
    [outcome] = guerdon.settler.settle([Work([vote])])
    guerdon.settler._pay = pay  # type: ignore[method-assign]
    return [outcome.state, tries]


def count_tries(settler: Settler) -> "Counter[str]":
    """From now on, how often which conflict makes it try again."""
    tries: Counter[str] = Counter()
    pay = settler._pay

    def pay_counted(payments: Any, look_first: bool, is_retry: bool) -> None:
        tries["undone" if is_retry else "duplicate" if look_first else "first"] += 1
        pay(payments, look_first, is_retry)

    settler._pay = pay_counted  # type: ignore[method-assign]
    return tries


def repay(guerdon: Guerdon, rows: list[int], person: str) -> Any:
    """How many rewards each event that we repaid got, and how often which conflict made us try again."""
    repayer = guerdon.make_repayer(person)
    tries = count_tries(repayer._settler)
    repaid = repayer.repay(rows)
    assert not [one.problem for one in repaid if one.problem]
    return [{one.id: len(one.grants) for one in repaid}, tries]


def fold(guerdon: Guerdon) -> Any:
    """How many rounds of parties we made."""
    return guerdon.parties.fold()


def take_waiting(guerdon: Guerdon, limit: int) -> Any:
    lease = guerdon.inbox.take_due(limit)
    return [lease.token, lease.ids]


def take_reports(guerdon: Guerdon, limit: int) -> Any:
    due = Report.due_at <= guerdon.now()
    get_schedule = guerdon.outbox.destinations.get_schedule
    rows = begin_sends(guerdon.database, get_schedule, due, limit, guerdon.now())
    return [rows[0].lease_token if rows else "", [row.id for row in rows]]


def take_claims(guerdon: Guerdon, limit: int) -> Any:
    leased = lease_claims(guerdon.database, "1", limit, 600, guerdon.now())
    return [leased["lease"], [claim["id"] for claim in leased["claims"]]]


def take_migration_lock(guerdon: Guerdon) -> Any:
    """From when until when (ns) the lock was held, or the error."""
    try:
        with guerdon.database.connection_context(), hold_lock(guerdon.database, guerdon.now):
            held = time.time_ns()
            time.sleep(0.005)
            return [held, time.time_ns()]
    except Exception as error:
        return repr(error)


DEEDS: dict[str, Any] = {
    deed.__name__: deed
    for deed in (
        settle,
        settle_near,
        repay,
        fold,
        take_waiting,
        take_reports,
        take_claims,
        take_migration_lock,
    )
}


def run(config: Path) -> None:
    guerdon = open_guerdon(config)
    for line in sys.stdin:
        deed, at, arguments = json.loads(line)
        while (left := at - time.time()) > 0:
            time.sleep(left if left > 0.002 else 0)
        print(json.dumps(DEEDS[deed](guerdon, *arguments)), flush=True)
    guerdon.close()


if __name__ == "__main__":
    run(Path(sys.argv[1]))
