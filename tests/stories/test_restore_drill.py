"""Everything is lost and a backup restored: what was paid since is paid again, and nothing else is.

The players' table and the ledger are one database, so a backup holds both of one moment.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import requests

from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.testing.books import Books, read_books
from app.testing.deliveries import AUTHORIZED, make_delivery
from app.testing.gunicorn import Gunicorn
from app.testing.vote_api import VoteApi
from app.testing.waiting import wait_until
from tests.world.vote_list import VoteSite

Open = Callable[..., Guerdon]
AT_ONCE = 4  # deliveries
FIRST = 3_600_000  # ms ago the first vote was made: none is on its way any more


class Votes:
    """Votes v0, v1, … are delivered at once from several senders, until told to stop."""

    def __init__(self, url: str) -> None:
        self._url, self._number, self._is_over = f"{url}/webhooks/gamemonitoring", 0, False
        self.paid: list[str] = []
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._senders = [self._pool.submit(self._send, name) for name in range(AT_ONCE)]

    def _send(self, name: int) -> None:
        with requests.Session() as session:
            number = 0
            while not self._is_over:
                id_ = f"v{name}-{number}"
                if session.post(self._url, data=make_delivery(id_), timeout=30).status_code == 204:
                    self.paid.append(id_)
                number += 1

    def wait_for_more(self, count: int = 40) -> None:
        enough = len(self.paid) + count
        wait_until(lambda: len(self.paid) > enough or any(one.done() for one in self._senders))

    def end(self) -> None:
        self._is_over = True
        self._pool.shutdown()
        for one in self._senders:
            one.result()


def run(config: Path, *words: str) -> None:
    environment = os.environ | {"GUERDON_CONFIG": str(config)}
    command = [sys.executable, "-m", "app.cli", *words]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def lose_and_restore(url: str, copy: Path) -> None:
    """Nothing is left but the backup, and it is put back as docs/backups.md says."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        live = Path(url.removeprefix("sqlite:///"))
        for name in (live, Path(f"{live}-wal"), Path(f"{live}-shm")):
            name.unlink(missing_ok=True)
        shutil.copy(copy, live)
        return
    name = parts.path.removeprefix("/")
    login = copy.with_suffix(".cnf")
    login.write_text(f"[client]\npassword={unquote(parts.password or '')}\n")
    client = ["mariadb", f"--defaults-file={login}", "--host=127.0.0.1", f"--port={parts.port}"]
    client += [f"--user={parts.username}"]
    subprocess.run([*client, "-e", f"DROP DATABASE {name}; CREATE DATABASE {name}"], check=True)
    with copy.open("rb") as text:
        subprocess.run([*client, name], stdin=text, check=True)


def read(config: Path) -> Books:
    guerdon = open_guerdon(config)
    try:
        return read_books(guerdon)
    finally:
        guerdon.close()


def check_agreement(books: Books) -> None:
    """Each event was paid once, and each payment is in the balance."""
    assert len(set(books.events)) == len(books.events) == books.grants
    assert books.gold == {"Bob": f"{books.grants * 100}.00"}


def test_it_works(
    open_service: Open, database_url: str, start_gunicorn: Callable[..., Gunicorn], tmp_path: Path
) -> None:
    guerdon, copy = open_service(), tmp_path / "copy"
    config = guerdon.config.path
    guerdon.close()
    server = start_gunicorn(config)

    votes = Votes(server.url)
    votes.wait_for_more()
    certain = set(votes.paid)
    run(config, "backup", str(copy))
    votes.wait_for_more()
    votes.end()
    server.kill_all()
    before = read(config)
    check_agreement(before)

    lose_and_restore(database_url, copy)
    run(config, "check")
    restored = read(config)
    check_agreement(restored)
    assert certain <= set(restored.events) < set(before.events)

    server.start()
    statuses = Counter(deliver_again(server.url, before.events))
    server.stop()
    assert statuses == {204: len(before.events)}
    after = read(config)
    check_agreement(after)
    assert after.events == before.events


def test_what_was_paid_since_is_found_by_the_site_s_list(
    open_service: Open, database_url: str, start_gunicorn: Callable[..., Gunicorn], vote_api: VoteApi,
    tmp_path: Path,
) -> None:  # fmt: skip
    """The platform sends nothing again: `reconcile --heal` finds just what the backup does not know."""
    guerdon, copy, site = open_service(), tmp_path / "copy", VoteSite(vote_api)
    config = guerdon.config.path
    guerdon.close()
    server = start_gunicorn(config)
    began = time.time() * 1000 - FIRST
    ids = [f"v{number}" for number in range(24)]
    for number, id_ in enumerate(ids):
        site.add(id_, began + number * 1000)

    assert set(deliver_again(server.url, ids[:12])) == {204}
    run(config, "backup", str(copy))
    assert set(deliver_again(server.url, ids[12:])) == {204}
    server.kill_all()
    before = read(config)
    check_agreement(before)
    lose_and_restore(database_url, copy)
    assert read(config).events == sorted(ids[:12])

    server.start()
    # One of them is delivered at the same time: it is paid by one of the two.
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(deliver_again, server.url, ids[12:13])
        told = heal(config, began)
        assert late.result() == [204]
    wait_until(lambda: len(read_ids(server, ids)) == len(ids))
    again = heal(config, began)
    server.stop()

    assert (told["state"], told["missing"] in (11, 12), told["unknown"]) == ("done", True, 0)
    assert told["healed"] <= told["missing"]
    assert (again["state"], again["missing"], again["waiting"]) == ("done", 0, 0)
    after = read(config)
    check_agreement(after)
    assert (after.events, after.gold) == (before.events, before.gold)


def heal(config: Path, since: float) -> dict[str, Any]:
    """What `guerdon reconcile --heal` finds; since then (ms)."""
    moment = datetime.fromtimestamp(since // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    words = ["reconcile", "--heal", "--json", "--since", moment, "--server", "1", "--by", "drill"]
    environment = os.environ | {"GUERDON_CONFIG": str(config)}
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *words], env=environment, check=False, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode in (0, 3), done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def read_ids(server: Gunicorn, ids: list[str]) -> list[str]:
    """Those of these votes that are settled."""
    url = f"{server.url}/v1/events/server.vote"
    return [
        id_
        for id_ in ids
        if requests.get(f"{url}/{id_}", headers=AUTHORIZED, timeout=30).json().get("state")
        == "settled"
    ]


def deliver_again(url: str, ids: list[str]) -> list[int]:
    """The answers to all of them, each delivered once more by two senders at the same time."""

    def send(id_: str) -> int:
        body = make_delivery(id_)
        return requests.post(f"{url}/webhooks/gamemonitoring", data=body, timeout=30).status_code

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(send, [id_ for id_ in ids for _ in range(2)]))
    assert answers[::2] == answers[1::2]
    return answers[::2]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_agreement_can_fail(open_service: Open) -> None:
    guerdon = open_service()
    with guerdon.database.connection_context():
        guerdon.database.execute_sql("UPDATE players SET gold = 100")
    with pytest.raises(AssertionError):
        check_agreement(read_books(guerdon))
