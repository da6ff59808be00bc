"""guerdon stats and guerdon tail: what they print, and that no row is missed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from click.testing import CliRunner, Result
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from app.cli.main import main
from app.database.models import Event
from app.database.opening import open_database
from app.guerdon import Guerdon
from app.history.following import LATE, SOON, Follower
from app.numbers.rolling import Roller
from app.porch.types import Delivery, Outcome, OutcomeState
from app.testing.clock import Clock
from app.testing.platforms import Platform, answer_status
from app.testing.waiting import wait_until
from tests.numbers.ledger import make_event
from tests.world.books import make_work, settle
from tests.world.servers import ROOT

Run = Callable[..., Result]
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
WEBHOOK = '\n[plugins.webhook]\nurl = "{platform}"\nsecret = "whsec_AAAA"\n'
SECRET = "whsec_c2VjcmV0IG9mIHRoaXMgdGVzdA=="


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run guerdon with the config in this test's folder, in this process."""
    monkeypatch.setenv("GUERDON_CONFIG", str(tmp_path / "guerdon.toml"))

    def run(*words: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, words)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    return run


def park(guerdon: Guerdon, id: str) -> None:
    delivery = Delivery("gamemonitoring", "server.vote", id)
    guerdon.inbox.keep(delivery, Outcome(OutcomeState.WAITING, "the vote API: no\x1b connection"))


def test_it_works(guerdon: Guerdon, run: Run, clock: Clock) -> None:
    settle(guerdon, make_work("v1", "v2", server_id="7"), make_work("v3"))
    park(guerdon, "late")
    for _ in range(2):
        said = run("stats").stdout
        assert "in all\n  3 votes; 3 events settled\n" in said
        assert 'events by source: "gamemonitoring" 3\n' in said
        assert 'rule "every vote" gave gold: 3 grants, 300.00 in all\n' in said
        assert "1 event ready, the oldest since 2027-01-15T08:00:00.000Z\n" in said
        assert '"every vote": paid 3 times, last at 2027-01-15T08:00:00.000Z\n' in said
        assert 'from "gamemonitoring": 2027-01-15T08:00:00.000Z\n' in said
        Roller(guerdon.database, clock).roll(30)
    said = run("stats", "--since", "2027-01-15T08:10", "--json").stdout
    found = json.loads(said)
    assert (found["since"], found["votes"]) == ("2027-01-15T08:00:00.000Z", 3)
    [given] = found["given"]
    assert given["amount"] == "300.00"
    assert found["open"]["inbox"][0]["number"] == 1
    assert found["rules"][0]["payments"] == 3
    assert json.loads(run("stats", "--since", "2027-01-16", "--json").stdout)["votes"] == 0


def test_a_rule_that_never_fired_is_named(guerdon: Guerdon, run: Run) -> None:
    said = run("stats").stdout

    assert '"every vote": never fired\n' in said
    assert "nothing waits, and nothing is dead" in said


def test_the_tail_is_what_was_settled_last(guerdon: Guerdon, run: Run) -> None:
    settle(guerdon, make_work("v1", server_id="7"), make_work("v2", data={"token": "s3cret"}))
    park(guerdon, "late")

    first, second = run("tail").stdout.splitlines()
    assert first.startswith("2027-01-15T08:00:00.000Z  settled  server.vote  v1  Bob on 7  gold {")
    assert run("tail", "-n", "1").stdout.splitlines() == [second]
    assert run("tail", "--server", "7").stdout.splitlines() == [first]
    assert run("tail", "--type", "level_up").stdout == ""
    [line] = run("tail", "--state", "waiting").stdout.splitlines()
    assert line.endswith("waiting  server.vote  late  delivery: the vote API: no\\x1b connection")
    both = ("--state", "settled", "--state", "waiting")
    lines = [json.loads(one) for one in run("tail", "--json", *both).stdout.splitlines()]
    assert [one["id"] for one in lines] == ["v1", "v2", "late"]
    assert lines[0]["grants"][0]["params"] == {"amount": "100.00"}
    assert "s3cret" not in json.dumps(lines)
    assert "has no server" in run("tail", "--state", "dead", "--server", "7", code=2).output


class Tail:
    """A process of `guerdon tail -f`, and what it prints as it comes."""

    def __init__(self, process: Any) -> None:
        self.process = process
        self._lines: dict[Any, SimpleQueue[str]] = {}
        self._threads = []
        for stream in (process.stdout, process.stderr):
            self._lines[stream] = lines = SimpleQueue()
            thread = threading.Thread(target=self._note, args=(stream, lines))
            thread.start()
            self._threads.append(thread)

    def _note(self, stream: Any, lines: "SimpleQueue[str]") -> None:
        with stream:
            for line in stream:
                lines.put(line)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for thread in self._threads:
            thread.join()

    def read(self) -> str:
        return self._lines[self.process.stdout].get(timeout=60)

    def read_error(self) -> str:
        return self._lines[self.process.stderr].get(timeout=60)


@pytest.fixture
def start_tail(tmp_path: Path) -> Iterator[Callable[..., Tail]]:
    """`guerdon tail -f` in a process of its own, ended with the test."""
    started: list[Tail] = []

    def start(*words: str, **variables: str) -> Tail:
        tail = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "tail", "-f", *words], cwd=ROOT, text=True,
            env=os.environ | {"GUERDON_CONFIG": str(tmp_path / "guerdon.toml"), "PYTHONUNBUFFERED": "1"}
            | variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        started.append(Tail(tail))
        return started[-1]

    yield start
    for tail in started:
        tail.end()


@pytest.mark.guerdon(more=WEBHOOK)
@on_sqlite
def test_what_comes_is_forwarded_in_the_form_of_the_webhook(
    guerdon: Guerdon, platform: Platform, start_tail: Callable[..., Tail], clock: Clock
) -> None:
    """The same as plugins/webhook.py sends; the outbox hears nothing of it."""
    clock.now = time.time_ns() // 1_000_000  # the commands go by the real time
    settle(guerdon, make_work("old"))
    platform.behave = answer_status(204)
    url = f"{platform.url}/forwarded"
    tail = start_tail("--forward-to", url, "-n", "1", GUERDON_FORWARD_SECRET=SECRET)
    assert "old" in tail.read()
    settle(guerdon, make_work("new", data={"token": "s3cret"}, server_id="7"))

    assert "new" in tail.read()
    wait_until(lambda: len(platform.requests) == 2)
    sent = platform.requests[1]
    told = Webhook(SECRET).verify(sent.body, dict(sent.headers.items()))
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_AAAA").verify(sent.body, dict(sent.headers.items()))
    sql = "SELECT body FROM guerdon_reports ORDER BY id DESC"
    with guerdon.database.connection_context():
        reports = guerdon.database.execute_sql(sql).fetchall()
    assert [json.loads(bytes(body))["data"]["id"] for (body,) in reports] == ["new", "old"]
    queued = json.loads(bytes(reports[0][0]))
    assert told["data"] == queued["data"]
    assert (told["type"], told["timestamp"]) == (queued["type"], queued["timestamp"])
    platform.behave = answer_status(500)
    settle(guerdon, make_work("refused"))
    assert "server.vote refused was not forwarded: it answered 500" in tail.read_error()
    tail.process.send_signal(signal.SIGINT)
    assert tail.process.wait(20) == 0


@on_sqlite
def test_a_wrong_address_or_secret_is_named(
    guerdon: Guerdon, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--forward-to" in run("tail", "--forward-to", "nonsense", code=1).output
    monkeypatch.setenv("GUERDON_FORWARD_SECRET", "whsec_?")
    said = run("tail", "--forward-to", "http://127.0.0.1:9/", code=1).output
    assert "GUERDON_FORWARD_SECRET must be whsec_" in said


@pytest.mark.on_servers
def test_a_row_that_becomes_visible_late_is_not_missed(
    guerdon: Guerdon, start_tail: Callable[..., Tail], clock: Clock
) -> None:
    clock.now = time.time_ns() // 1_000_000
    settle(guerdon, make_work("first"))
    tail = start_tail()
    assert "first" in tail.read()
    other = open_database(guerdon.config.database.url)
    with other.connection_context():
        other.begin()
        event = make_event(5_000, clock.now, event_id="late")
        marks = ", ".join(["%s"] * len(event))
        sql = f"INSERT INTO guerdon_events ({', '.join(event)}) VALUES ({marks})"
        other.execute_sql(sql, list(event.values()))
        settle(guerdon, make_work("second"))
        assert "second" in tail.read()
        other.commit()
    other.close_all()

    assert "late" in tail.read()


@on_sqlite
def test_ids_are_looked_at_again_for_a_quarter_of_an_hour(guerdon: Guerdon, clock: Clock) -> None:
    ticks = [0.0]
    with guerdon.database.connection_context():
        for number in (1, 2, 3):
            Event.insert(id=number * 10, **make_event(number, clock.now)).execute()
        follower = Follower(
            guerdon.database, "guerdon_events", "settled_at", clock.now, lambda: ticks[0]
        )
        assert follower.look() == []
        assert follower.list_latest(2) == [20, 30]
        for late, after in ((15, 1), (25, SOON), (26, LATE / 2), (16, LATE / 2 - 5 * SOON)):
            ticks[0] += after
            Event.insert(id=late, **make_event(late, clock.now)).execute()
            ticks[0] += 1
            found = follower.look()
            if not found:  # not among those of each look
                ticks[0] += SOON
                found = follower.look()
            assert found == [late]
        Event.insert(id=99, **make_event(99, clock.now)).execute()
        assert follower.look() == [99]
        for _ in range(40):
            ticks[0] += SOON
            assert follower.look() == []
        assert follower._seen == set()
