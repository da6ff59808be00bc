"""Kills, outages and silent platforms: each report arrives, and no more often than it may."""

import base64
import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import urllib3

from app import create_app
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.paying.settler import Work
from app.porch.rounds import join_key, list_game_events
from app.testing.clock import Clock
from app.testing.database_servers import DatabaseServer
from app.testing.deliveries import API_KEY
from app.testing.gunicorn import Gunicorn
from app.testing.platforms import (
    G123_PATH,
    Platform,
    answer,
    answer_g123,
    answer_late,
    answer_rightly,
    answer_sud,
    hang_up,
    never_answer,
)
from app.testing.waiting import PATIENCE, wait_until
from tests.world.books import serve_once
from tests.world.proxying import Proxy
from tests.world.servers import ROOT

SEED = int(os.environ.get("GUERDON_SEED") or random.randrange(10**6))
APP_ID, G123_SECRET, SUD_SECRET = "game-7", "g123-secret-73a9", "sud-secret-5e20"
SS_TOKEN = "ss-token-of-the-leader-91f7"


class Report(NamedTuple):
    """A row of guerdon_reports, with its sends in order."""

    id: int
    reporter: str
    key: str
    body: bytes
    state: str
    last_error: str
    created_at: int
    sends: "list[Send]"

    @property
    def is_certain(self) -> bool:
        """Whether the end of every send is known: none was cut off, none was answered too late."""
        return all(
            send.ended_at is not None
            and " in time" not in send.error
            and "no whole" not in send.error
            for send in self.sends
        )


class Send(NamedTuple):
    """A row of guerdon_sends."""

    report: int
    number: int
    begun_at: int
    ended_at: int | None
    error: str


class ShortLeases(Gunicorn):
    """gunicorn whose reports are taken over `lease` seconds after it was killed."""

    def __init__(self, config: Path, workers: int = 2, lease: float = 4.0) -> None:
        super().__init__(config, workers)
        self.lease = lease

    def start(self, wait: bool = True) -> None:
        app = f"tests.world.senders:make_app({int(self.lease * 1000)})"
        command = [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.conf.py", app]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self._environment, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        if wait:
            wait_until(self.is_ready)


class GameServer:
    """Posts events from many threads over kept connections, each until it is answered 2xx."""

    def __init__(self, url: str) -> None:
        self.http = urllib3.connection_from_url(url, maxsize=16, retries=False, timeout=40)
        self._pool = ThreadPoolExecutor(16)

    def post(self, event: tuple[str, Any], wait: int = 0) -> Any:
        """The answer's status and JSON; status 0 when the connection broke."""
        type, body = event
        headers = {"Authorization": f"Bearer {API_KEY}", "Prefer": f"wait={wait}"}
        try:
            response = self.http.request("POST", f"/v1/events/{type}", json=body, headers=headers)
        except urllib3.exceptions.HTTPError:
            return 0, None
        return response.status, response.json()

    def insist(self, event: tuple[str, Any], wait: int = 0) -> None:
        deadline = time.monotonic() + PATIENCE
        while not 200 <= self.post(event, wait)[0] < 300:
            assert time.monotonic() < deadline, f"not accepted: {event}"
            time.sleep(0.05)

    def submit(self, event: tuple[str, Any], wait: int = 0) -> "Future[None]":
        return self._pool.submit(self.insist, event, wait)

    def close(self) -> None:
        self._pool.shutdown()
        self.http.close()


def make_level(uid: str, level: int = 1) -> tuple[str, Any]:
    role = {"id": "r1", "exp": "10", "vip_level": "0", "vip_exp": "0",
            "virtual_balance": {"diamond": "5", "gold": "6"}}  # fmt: skip
    data = {"game_user_id": f"g-{uid}", "role": role, "custom": {"physical_server": "h|1.2.3.4"}}
    body = {"uid": uid, "server_id": "s1", "ctwid": f"c-{uid}", "timestamp": 1_700_000_000_000,
            "level": level, "data": data}  # fmt: skip
    return "level_up", body


def make_start(round_id: str) -> tuple[str, Any]:
    message = {"mg_id": 2**60 + 1, "room_id": "room", "game_mode": 1, "game_round_id": round_id,
               "battle_start_at": 1_700_000_000, "players": [{"uid": "u1", "is_ai": 0}]}  # fmt: skip
    return "game_start", {"report_msg": message, "uid": "u1", "ss_token": SS_TOKEN}


def queue(guerdon: Guerdon, events: Sequence[tuple[str, Any]]) -> None:
    """Settle these events in one commit: their reports are queued, and nobody is told."""
    works = [Work(list_game_events(type, body)) for type, body in events]
    assert {outcome.state for outcome in guerdon.settler.settle(works)} == {"settled"}


def query(guerdon: Guerdon, sql: str) -> list[Any]:
    with guerdon.database.connection_context():
        return list(guerdon.database.execute_sql(sql).fetchall())


def read_reports(guerdon: Guerdon) -> list[Report]:
    sql = "SELECT report, number, begun_at, ended_at, error FROM guerdon_sends ORDER BY id"
    sends = [Send(*row) for row in query(guerdon, sql)]
    columns = "id, reporter, `key`, body, state, last_error, created_at"
    rows = query(guerdon, f"SELECT {columns} FROM guerdon_reports ORDER BY id")
    mine: dict[int, list[Send]] = {row[0]: [] for row in rows}
    for send in sends:
        mine[send.report].append(send)
    return [Report(*row[:3], bytes(row[3]), *row[4:], mine[row[0]]) for row in rows]


def count_states(guerdon: Guerdon) -> dict[str, int]:
    sql = "SELECT state, COUNT(*) FROM guerdon_reports GROUP BY state"
    return dict(query(guerdon, sql))


def is_over(guerdon: Guerdon, count: int) -> bool:
    """Whether so many reports are there, and none is on its way."""
    states = count_states(guerdon)
    return sum(states.values()) == count and states.keys() <= {"delivered", "dead"}


@pytest.fixture
def platform() -> Iterator[Platform]:
    platform = Platform()
    yield platform
    platform.close()


@pytest.fixture
def open_reporting(
    write_config: Callable[..., Path], platform: Platform
) -> Iterator[Callable[..., Guerdon]]:
    """A migrated Guerdon that reports to the platform; settings are lines of TOML."""
    opened: list[Guerdon] = []

    def open_one(
        sud: str = "", g123: str = "", clock: Clock | None = None, more: str = "", **options: Any
    ) -> Guerdon:
        sections = f"""
        [plugins.g123]
        host = "{platform.url}"
        app_id = "{APP_ID}"
        app_secret = "{G123_SECRET}"
        {g123}
        [plugins.sud]
        report_url = "{platform.sud_url}"
        app_id = "app-7"
        app_secret = "{SUD_SECRET}"
        {sud}
        """
        path = write_config(rewards="", plugins=sections, more=more, **options)
        guerdon = open_guerdon(path, clock) if clock else open_guerdon(path)
        opened.append(guerdon)
        guerdon.migrate()
        guerdon.database.close_all()
        return guerdon

    yield open_one
    for guerdon in opened:
        guerdon.close()


@pytest.fixture
def start_short_leases() -> Iterator[Callable[..., ShortLeases]]:
    """Arguments are ShortLeases'."""
    started: list[ShortLeases] = []

    def start(*args: Any, **kwargs: Any) -> ShortLeases:
        started.append(ShortLeases(*args, **kwargs))
        started[-1].start()
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def connect() -> Iterator[Callable[[Gunicorn], GameServer]]:
    """A game server that posts to a gunicorn."""
    made: list[GameServer] = []

    def make(server: Gunicorn) -> GameServer:
        made.append(GameServer(server.url))
        return made[-1]

    yield make
    for one in made:
        one.close()


def check_reports(
    reports: Sequence[Report], platform: Platform, accepted: Sequence[bytes], pauses: Any
) -> None:
    """What reached the platform is what the books say, no more often and no sooner than may be.

    `accepted` are the bodies that were answered with success; `pauses` maps a reporter to the least
    seconds after each of its sends, None after the last.
    """
    came, taken = Counter(request.body for request in platform.requests), Counter(accepted)
    assert came.keys() <= {report.body for report in reports}  # the bytes of every send
    assert len({report.body for report in reports}) == len(reports)
    for report in reports:
        sends, pause_after = report.sends, pauses[report.reporter]
        begun = [send.begun_at for send in sends]
        assert [send.number for send in sends] == list(range(1, len(sends) + 1))
        for number, (earlier, later) in enumerate(pairwise(begun), 1):
            assert later - earlier >= pause_after(number) * 1000, (report, number)
        known = sum(send.ended_at is not None for send in sends)
        assert known <= came[report.body] <= len(sends)
        if report.state == "delivered":
            assert taken[report.body] >= 1
        else:
            assert (report.state, pause_after(len(sends))) == ("dead", None)
            assert report.last_error
        if report.is_certain:
            assert taken[report.body] == (report.state == "delivered")


class Moody:
    """A platform's mood: mostly slow success, now and then a failure or a broken connection."""

    def __init__(self, dice: random.Random) -> None:
        self.accepted: list[bytes] = []
        self.is_well = False
        self._dice = dice

    def __call__(self, handler: Any) -> None:
        luck = 1.0 if self.is_well else self._dice.random()
        handler.platform.closing.wait(self._dice.uniform(0, 0.2))
        if luck < 0.05:
            hang_up(handler)
        elif luck < 0.1:
            answer(handler, 500, {"error": "ill"})
        elif luck < 0.15 and handler.path != G123_PATH:
            answer_sud(handler, 1, "ill")
        else:
            self.accepted.append(handler.body)
            answer_rightly(handler)


def test_twenty_kills_lose_no_report_and_send_none_more_often_than_its_schedule_allows(
    open_reporting: Any, platform: Platform, start_short_leases: Any, connect: Any
) -> None:
    print(f"GUERDON_SEED={SEED}")
    dice = random.Random(SEED)
    platform.behave = mood = Moody(dice)
    delays = [0.5] * 5
    guerdon = open_reporting(f"retry_delays = {delays}\ntimeout = 1", "timeout = 1")
    server = start_short_leases(guerdon.config.path, workers=2)
    game = connect(server)
    posts = []

    for turn, victims in enumerate(dice.sample(["one"] * 12 + ["all"] * 8, 20)):
        make = [make_level, make_start]
        posts += [game.submit(make[n % 2](f"{turn}-{n}"), wait=n % 3) for n in range(25)]
        before = len(platform.requests)
        wait_until(lambda b=before: len(platform.requests) > b, pause=0.01)  # with sends under way
        time.sleep(dice.uniform(0, 0.2))
        if victims == "all":
            server.kill_all()
            server.start(wait=False)
        else:
            os.kill(dice.choice(wait_until(server.list_workers)), signal.SIGKILL)
    for post in posts:
        post.result()
    mood.is_well = True
    wait_until(lambda: is_over(guerdon, 500))

    reports = read_reports(guerdon)
    uncertain = [report for report in reports if not report.is_certain]
    print(f"{len(platform.requests)} requests, {len(uncertain)} uncertain, {count_states(guerdon)}")
    assert len(uncertain) >= 20  # the kills did hit sends on their way
    schedule = [*delays, None]
    pauses = {"sud": lambda n: schedule[n - 1], "g123": lambda n: 1.6 * 2 ** (n - 1)}
    check_reports(reports, platform, mood.accepted, pauses)
    keys = {join_key(APP_ID, f"{t}-{n}", "s1", "1") for t in range(20) for n in range(0, 25, 2)}
    keys |= {f"{t}-{n}" for t in range(20) for n in range(1, 25, 2)}
    assert {report.key for report in reports} == keys
    assert {report.state for report in reports if report.reporter == "g123"} == {"delivered"}


@pytest.mark.on_servers
def test_what_another_process_failed_to_send_just_now_is_not_sent_before_it_is_due(
    open_reporting: Any, platform: Platform, database_server: DatabaseServer, database_url: str
) -> None:
    guerdon = open_reporting()
    queue(guerdon, [make_start(f"r{number}") for number in range(300)])
    query(guerdon, "ANALYZE TABLE guerdon_reports")  # so that only the rows in question are locked
    first, *_, failed = read_reports(guerdon)[:6]
    other = database_server.connect(database_url.rpartition("/")[2])

    with ThreadPoolExecutor(1) as pool, other.cursor() as cursor:
        other.begin()
        cursor.execute(f"UPDATE guerdon_reports SET due_at = due_at + 60000 WHERE id = {failed.id}")
        serving = pool.submit(guerdon.outbox.serve_once)  # finds it due, and waits for its row
        waits = "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
        wait_until(lambda: database_server.run(waits)[0][0])
        other.commit()
        serving.result()
    other.close()
    guerdon.outbox.callers._begin_asked([{failed.id: "sud"}])  # as a request does that saw it due
    guerdon.close()

    bodies = [request.body for request in platform.requests]
    assert first.body in bodies
    assert failed.body not in bodies
    assert read_reports(guerdon)[5].sends == []


def kill_while_sending(config: Path, now: int, platform: Platform) -> None:
    """A process sends what is due at `now`, and is killed before it has an answer."""
    before = len(platform.requests)
    command = [sys.executable, "-m", "tests.world.senders", str(config), str(now)]
    with subprocess.Popen(command, cwd=ROOT) as sender:
        wait_until(lambda: len(platform.requests) > before)
        sender.kill()


@pytest.mark.parametrize(
    ("restarts", "killed"),
    [(False, ()), (True, ()), (True, (0, 120)), (True, (180,)), (True, (0, 60, 120, 180))],
    ids=str,
)
def test_a_sud_report_is_sent_after_0_60_120_and_180_seconds_and_never_again(
    restarts: bool, killed: Sequence[int], open_reporting: Any, platform: Platform, clock: Clock
) -> None:
    guerdon = open_reporting(clock=clock)
    start = clock.now
    queue(guerdon, [make_start("r1")])

    for second in (0, 1, 50, 59.999, 60, 119.999, 120, 179.999, 180, 239, 240, 3600, 86400 * 30):
        clock.now = start + int(second * 1000)
        if second in killed:
            platform.behave = never_answer
            kill_while_sending(guerdon.config.path, clock.now, platform)
            continue
        platform.behave = lambda handler: answer_sud(handler, 1, "not now")
        sender = open_guerdon(guerdon.config.path, clock) if restarts else guerdon
        sender.outbox.serve_once()
        if restarts:
            sender.close()
        else:
            wait_until(lambda: "leased" not in count_states(guerdon))

    (report,) = read_reports(guerdon)
    assert [send.begun_at - start for send in report.sends] == [0, 60_000, 120_000, 180_000]
    stamps = [int(request.headers["Sud-Timestamp"]) for request in platform.requests]
    assert [stamp - start // 1000 for stamp in stamps] == [0, 60, 120, 180]
    assert {request.body for request in platform.requests} == {report.body}
    unknown = [n for n, send in enumerate(report.sends) if send.ended_at is None]
    assert unknown == [second // 60 for second in killed]
    reason = "its last send was cut off" if 180 in killed else "it answered 200, ret_code 1"
    assert report.state == "dead"
    assert report.last_error.startswith(reason)


@pytest.mark.parametrize("timeout", [30, 0.5])
def test_a_platform_that_never_answers_keeps_no_other_reporter_waiting(
    timeout: float, open_reporting: Any, platform: Platform, start_gunicorn: Any, connect: Any
) -> None:
    platform.behave = lambda handler: (
        answer_g123(handler) if handler.path == G123_PATH else never_answer(handler)
    )
    guerdon = open_reporting(f"timeout = {timeout}")
    queue(guerdon, [make_start(str(number)) for number in range(500)])
    server = start_gunicorn(guerdon.config.path, workers=1)
    game = connect(server)
    wait_until(lambda: len(platform.requests) >= 16)

    answers, others = [], []
    for number in range(20):
        others.append(game.submit(make_start(f"more-{number}"), wait=number % 3))
        answers.append(game.post(make_level(f"p{number}"), wait=20 * (number % 2)))
        time.sleep(0.05)
    levels = [r for r in read_reports(guerdon) if r.reporter == "g123"]
    wait_until(lambda: len([r for r in platform.requests if r.path == G123_PATH]) == 20)
    came = {r.body: r.at for r in platform.requests if r.path == G123_PATH}
    for other in others:
        other.result()
    server.kill_all()  # it would wait for those who never answer

    slowest = max(came[report.body] - report.created_at / 1000 for report in levels)
    print(f"the slowest left after {slowest:.3f} s")
    assert len(levels) == 20
    assert slowest < 5  # behind the silent ones it would be eight seconds at least
    assert [status for status, _ in answers[1::2]] == [200] * 10
    silent = Counter(r.body for r in platform.requests if r.path != G123_PATH)
    assert max(silent.values()) == 1
    assert len(silent) < 80  # the others wait, and use up no send


REFUSE = {
    "sqlite": "CREATE TRIGGER refuse BEFORE INSERT ON guerdon_reports"
    " WHEN instr(NEW.key, 'bad') BEGIN SELECT RAISE(ABORT, 'refused'); END",
    "mysql": "CREATE TRIGGER refuse BEFORE INSERT ON guerdon_reports FOR EACH ROW"
    " IF instr(NEW.key, 'bad') THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'refused'; END IF",
}
STUDIO = """
from app import Report, hookimpl
answers = {}

@hookimpl
def build_report(event):
    if event.user_id in answers:
        answer = answers[event.user_id]
        if isinstance(answer, Exception):
            raise answer
        return answer
"""


def read_books(guerdon: Guerdon) -> list[Any]:
    """Each settled event with the reporters that report it, None where there is none."""
    sql = "SELECT e.event_id, r.reporter FROM guerdon_events e LEFT JOIN guerdon_reports r"
    assert query(guerdon, "SELECT * FROM guerdon_reports WHERE event NOT IN"
                          " (SELECT id FROM guerdon_events)") == []  # fmt: skip
    return sorted(query(guerdon, f"{sql} ON r.event = e.id"))


@pytest.mark.parametrize(
    "fault", ["the table refuses it", RuntimeError("a bug"), "no report", ["no report"]], ids=str
)
def test_an_event_whose_report_cannot_be_queued_is_not_settled_until_it_can(
    fault: Any, open_reporting: Any, platform: Platform, clock: Clock, add_plugin: Any
) -> None:
    guerdon = open_reporting(clock=clock, more=add_plugin(STUDIO))
    faults = sys.modules["plugins.studio"].answers
    if fault == "the table refuses it":
        query(guerdon, REFUSE[guerdon.database.family])
    else:
        faults["bad"] = fault
    events = [make_level(uid) for uid in ("good", "bad", "too")]
    works = [Work(list_game_events(type, body)) for type, body in events]

    outcomes = guerdon.settler.settle(works)

    assert [outcome.state for outcome in outcomes] == ["settled", "waiting", "settled"]
    assert read_books(guerdon) == [("good:s1:1", "g123"), ("too:s1:1", "g123")]
    status, body = post(guerdon, make_level("bad"))
    assert (status, body["event"]["state"]) == (202, "waiting")
    assert (body["reports"], platform.requests) == ([], [])
    assert len(read_books(guerdon)) == 2

    faults.clear()
    if fault == "the table refuses it":
        query(guerdon, "DROP TRIGGER refuse")
    clock.advance(10)
    serve_once(guerdon)
    for _ in range(3):
        guerdon.outbox.serve_once()
    guerdon.close()

    books = [("bad:s1:1", "g123"), ("good:s1:1", "g123"), ("too:s1:1", "g123")]
    assert read_books(guerdon) == books
    assert sorted(r.fields["uid"] for r in platform.requests) == ["bad", "good", "too"]


def post(guerdon: Guerdon, event: tuple[str, Any], wait: int = 5) -> tuple[int, Any]:
    type, body = event
    headers = {"Authorization": f"Bearer {API_KEY}", "Prefer": f"wait={wait}"}
    client = create_app(guerdon).test_client()
    response = client.post(f"/v1/events/{type}", json=body, headers=headers)
    return response.status_code, response.get_json()


@pytest.fixture
def behind_proxy(open_reporting: Any, proxied_url: str, clock: Clock) -> Guerdon:
    guerdon: Guerdon = open_reporting(clock=clock, url=proxied_url)
    assert guerdon.inspect() == []
    return guerdon


def cut(proxy: Proxy, at: str, forwarded: bool, times: int = 1) -> None:
    """Hang up at the next query that begins with `at`; a 3 is the protocol's word for a query."""
    proxy.cut(b"\x03" + at.encode(), forwarded=forwarded, times=times)


@pytest.mark.on_servers
@pytest.mark.parametrize("forwarded", [False, True])
@pytest.mark.parametrize("at", ["INSERT INTO guerdon_reports", "COMMIT"])
@pytest.mark.parametrize("times", [1, 3])
def test_a_connection_lost_while_an_event_is_settled_leaves_it_with_its_report_or_neither(
    times: int, at: str, forwarded: bool, behind_proxy: Guerdon, proxy: Proxy, platform: Platform,
) -> None:  # fmt: skip
    behind_proxy.require_fit_database()  # its trial writes are not what is cut
    cut(proxy, at, forwarded, times)

    status, _ = post(behind_proxy, make_level("p1"))

    cuts_left = proxy.cuts_left
    books = read_books(behind_proxy)
    assert books in ([], [("p1:s1:1", "g123")])
    is_kept = times == 1 or (forwarded and at == "COMMIT")
    # What the database hangs up on each time waits in the inbox.
    assert (status, cuts_left) == (200 if is_kept else 202, 0)
    assert bool(books) == is_kept
    assert post(behind_proxy, make_level("p1"))[0] == 200
    (report,) = read_reports(behind_proxy)
    assert [report.state, len(report.sends), len(platform.requests)] == ["delivered", 1, 1]


@pytest.mark.on_servers
@pytest.mark.parametrize("forwarded", [False, True])
@pytest.mark.parametrize(
    ("moment", "at"),
    [("begins", "UPDATE"), ("begins", "INSERT"), ("begins", "COMMIT"), ("ends", "UPDATE"),
     ("ends", "COMMIT")],
)  # fmt: skip
def test_a_connection_lost_as_a_send_begins_or_ends_sends_nothing_twice(
    moment: str, at: str, forwarded: bool, behind_proxy: Guerdon, proxy: Proxy, platform: Platform,
) -> None:  # fmt: skip
    queue(behind_proxy, [make_level("p1")])

    def cut_and_answer(handler: Any) -> None:
        if moment == "ends":
            cut(proxy, at, forwarded)
        answer_rightly(handler)

    platform.behave = cut_and_answer
    if moment == "begins":
        cut(proxy, at, forwarded)
    behind_proxy.outbox.serve_once()
    wait_until(lambda: is_over(behind_proxy, 1))
    behind_proxy.outbox.serve_once()
    behind_proxy.close()

    assert proxy.cuts_left == 0
    (report,) = read_reports(behind_proxy)
    assert [report.state, len(report.sends), report.is_certain] == ["delivered", 1, True]
    assert len(platform.requests) == 1


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.on_servers
def test_a_database_that_goes_and_comes_back_loses_no_report_and_no_worker(
    how: int, own_database_server: DatabaseServer, open_reporting: Any, platform: Platform,
    start_short_leases: Any, connect: Any,
) -> None:  # fmt: skip
    platform.behave = mood = Moody(random.Random(SEED))
    mood.is_well = True
    url = own_database_server.url(own_database_server.create_database())
    guerdon = open_reporting("retry_delays = [1, 1, 1]", url=url)
    server = start_short_leases(guerdon.config.path, workers=2, lease=12.0)
    workers = server.list_workers()
    game = connect(server)
    make = [make_level, make_start]
    posts = [game.submit(make[n % 2](f"e{n}"), wait=n % 3) for n in range(400)]
    wait_until(lambda: len(platform.requests) > 100, pause=0.01)

    own_database_server.stop(how)
    time.sleep(1)
    own_database_server.start()
    for one in posts:
        one.result()
    wait_until(lambda: is_over(guerdon, 400))

    reports = read_reports(guerdon)
    uncertain = sum(not report.is_certain for report in reports)
    print(f"{len(platform.requests)} requests, {uncertain} uncertain")
    assert len(platform.requests) >= 400
    pauses = {"sud": lambda n: [1, 1, 1, None][n - 1], "g123": lambda n: 1.6 * 2 ** (n - 1)}
    check_reports(reports, platform, mood.accepted, pauses)
    assert {report.state for report in reports} == {"delivered"}
    assert server.list_workers() == workers


def test_two_services_on_one_database_send_each_report_once(
    open_reporting: Any, platform: Platform, start_gunicorn: Any
) -> None:
    guerdon = open_reporting()
    platform.behave = answer_late(1.5)  # so long that nobody comes too late
    servers = [start_gunicorn(guerdon.config.path, workers=2) for _ in range(2)]

    queue(guerdon, [make_level(f"p{number}") for number in range(150)])
    queue(guerdon, [make_start(f"r{number}") for number in range(150)])
    wait_until(lambda: is_over(guerdon, 300))

    for server in servers:
        server.stop()
        assert '"delivered"' in server.log.read_text()  # it had its share
    assert Counter(Counter(r.body for r in platform.requests).values()) == {1: 300}
    reports = read_reports(guerdon)
    assert {(r.state, len(r.sends), r.is_certain) for r in reports} == {("delivered", 1, True)}


def blab(handler: Any) -> None:
    """A platform that quotes whatever it was given, and its own token, in one form after another."""
    tokens = handler.platform.tokens
    form = len(tokens) % 10
    token = f"token-of-the-platform-{form}-{uuid.uuid4()}"
    tokens.append(token)
    given = handler.headers.get("Authorization", "nothing")
    body = handler.body.decode()
    quoted = {"action": "refused", "token": token, "you": given, "sent": body}
    inner = json.dumps(quoted)
    forms: list[tuple[int, Any]] = [
        (401, quoted),
        (500, f"token={token} Authorization: {given}, body {body}".encode()),
        (200, json.dumps([quoted]).encode()),
        (200, inner[: inner.index(token) + len(token)].encode()),
        (200, {"ret_code": 7, "ret_msg": f"token: {token}, sent {body}", "data": {"token": token}}),
        (200, {"ret_code": 7, "ret_msg": inner, "data": {"ss_token": [token]}}),
        (200, {"ret_code": inner, "access_token": token}),
        (503, f"<p>ss_token: '{SS_TOKEN}' <i>token = \"{token}\"</i> {given}".encode()),
        (429, {"error": {"message": inner}}),
        (502, b"x" * 65000),
    ]
    answer(handler, *forms[form])


def test_no_token_and_no_secret_is_seen_in_logs_attempts_or_errors(
    open_reporting: Any, platform: Platform, start_gunicorn: Any, connect: Any
) -> None:
    guerdon = open_reporting(f"retry_delays = {[0.2] * 9}")
    query(guerdon, REFUSE[guerdon.database.family])
    server = start_gunicorn(guerdon.config.path, workers=1)
    game = connect(server)
    platform.behave = blab

    for number in range(15):
        game.insist(make_level(f"p{number}"))
        game.insist(make_start(f"r{number}"))
    game.insist(make_start("bad"))  # its report is refused: it waits in the inbox
    type, misshapen = make_start("r99")
    assert game.post((type, {**misshapen, "report_msg": SS_TOKEN}))[0] == 422
    wrong = {"Authorization": "Bearer some-other-wrong-key"}
    assert game.http.request("POST", "/v1/events/level_up", headers=wrong, json={}).status == 401
    wait_until(lambda: len(platform.requests) > 60)
    platform.behave = answer_rightly
    game.insist(make_level("last"), wait=5)
    shown = [game.http.request("GET", f"/v1/reports/{report.id}",
             headers={"Authorization": f"Bearer {API_KEY}"}).json()["attempts"]
             for report in read_reports(guerdon)]  # fmt: skip
    server.stop()

    basic = base64.b64encode(f"{APP_ID}:{G123_SECRET}".encode()).decode()
    hidden = {API_KEY, G123_SECRET, SUD_SECRET, SS_TOKEN, basic, "some-other-wrong-key"}
    hidden |= set(platform.tokens)
    places = {
        "log": server.log.read_text(),
        "sends": str(query(guerdon, "SELECT * FROM guerdon_sends")),
        "attempts": str(query(guerdon, "SELECT * FROM guerdon_attempts")),
        "errors": str(query(guerdon, "SELECT last_error FROM guerdon_reports"))
        + str(query(guerdon, "SELECT last_error FROM guerdon_inbox")),
        "shown": json.dumps(shown),
    }
    assert len(platform.tokens) > 60
    assert "refused" in places["sends"]
    assert "not delivered" in places["log"]
    assert "not settled" in places["log"]
    assert [
        (place, word) for place, text in places.items() for word in hidden if word in text
    ] == []
