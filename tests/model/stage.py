"""A whole Guerdon in this process, one after the other on the same database, with its world around it.

Time and network are arguments; the database is a real one that can be made to go and come back.
"""

import gc
import json
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from app import create_app
from app.database import opening as database
from app.database import transactions
from app.fitness import gate, readiness
from app.guerdon import Guerdon
from app.network.client import HttpResponse
from app.opening import open_guerdon
from app.porch.errors import NetworkFailed
from app.testing.clock import Clock
from app.testing.database_servers import DatabaseServer
from app.testing.deliveries import API_KEY, TOKEN, make_delivery
from app.testing.services import ALL_PLUGINS
from app.testing.waiting import wait_until
from tests.model.model_rules import Event
from tests.world.proxying import Proxy
from tests.world.studio import Asked, Network, reply

KEY = {"Authorization": f"Bearer {API_KEY}"}
VOTES, G123 = "https://votes.example", "https://g123.example"
CONFIG = f"""
[database]
url = "{{url}}"
[api]
keys = ["{API_KEY}"]
[players]
match = "{{match}}"
unknown = "{{unknown}}"
[inbox]
give_up_after = 150
{ALL_PLUGINS.format(vote_api=VOTES, token=TOKEN)}
[plugins.g123]
host = "{G123}"
app_id = "game-7"
app_secret = "a-secret-of-g123"
"""
PATIENCE = database.LOCK_PATIENCE
COMMIT = b"\x03COMMIT"  # a 3 is the protocol's word for a query
# What may happen to a commit: its connection is cut, or the whole database falls with it; and the
# commit is kept, though nobody is told, or it is not.
DISTURBANCES = ("cut", "cut, kept", "falls", "falls, kept")


def make_token(event_id: str) -> str:
    """What G123 answers to the report of this level."""
    return f"token-of-{event_id}"


class World:
    """The vote API and G123, as the test says: see model.VOTE_API and model_reports.PLATFORM."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.votes: dict[str, Event] = {}
        self.vote_api = self.platform = "up"
        self.before_report: Callable[[], object] = bool
        self._one_by_one = threading.Lock()
        self.network = Network()
        self.network.answer = self.answer
        self.posted: dict[str, set[bytes]] = {}  # event's id: bodies of its report

    def count(self, host: str) -> int:
        """How often this host was asked."""
        return sum(asked.url.startswith(host) for asked in self.network.asked)

    def answer(self, asked: Asked) -> HttpResponse:
        if asked.url.startswith(VOTES):
            return self.answer_vote(asked.url.rpartition("/")[2])
        return self.answer_report(asked.body)

    def answer_vote(self, id: str) -> HttpResponse:
        vote = self.votes[id]
        self._clock.advance({"slow": 4, "silent": 5}.get(self.vote_api, 0))
        if self.vote_api in ("down", "silent"):
            is_late = self.vote_api == "silent"
            raise NetworkFailed("no whole answer within 5 s" if is_late else "no connection")
        told = {"id": id, "nickname": f" {vote.nickname}", "server": {"id": vote.server or None}}
        return {
            "ill": reply("{}", 500),
            "garbage": reply("<html>"),
            "odd": reply('{"response": []}'),
            "wrong id": reply(json.dumps({"response": told | {"id": f"{id}x"}})),
        }.get(self.vote_api) or reply(json.dumps({"response": told}))

    def answer_report(self, body: bytes) -> HttpResponse:
        with self._one_by_one:
            self.before_report()
        fields = json.loads(body)
        event_id = f"{fields['uid']}:{fields['server_id']}:{fields['level']}"
        self.posted.setdefault(event_id, set()).add(body)
        if self.platform == "down":
            raise NetworkFailed("no connection")
        return {
            "busy": reply("{}", 503, {"Retry-After": "7"}),
            "garbage": reply("<html>"),
            "refusing": reply('{"error": "no"}', 400),
            "locked out": reply("{}", 401),
        }.get(self.platform) or reply(json.dumps({"token": make_token(event_id)}))


class SqliteFile:
    """A real file for each life, a copy of a migrated one; it can be locked, or not be there."""

    family = "sqlite"
    outages = ("locked", "away")

    def __init__(self, folder: Path) -> None:
        self._path, self._template = folder / "guerdon.db", folder / "migrated.db"
        self._hidden = folder / "hidden.db"
        self.url = f"sqlite:///{self._path}"
        self._holder: sqlite3.Connection | None = None

    def keep(self) -> None:
        """What is there now is what each life begins with."""
        shutil.copy(self._path, self._template)

    def renew(self) -> None:
        self.come_back()
        for path in self._path.parent.glob("guerdon.db*"):
            path.unlink()
        shutil.copy(self._template, self._path)

    def lock(self) -> None:
        """Somebody writes, and does not end; again is harmless."""
        if self._holder is not None:
            return
        database.LOCK_PATIENCE = 0.02  # with_short_pauses puts it back
        self._holder = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        self._holder.execute("BEGIN IMMEDIATE")

    def go_away(self) -> None:
        """It cannot be opened any more; whoever has it open must have closed it."""
        gc.collect()  # an answer read in part keeps its file open after its connection is closed
        assert not Path(f"{self._path}-wal").exists(), "somebody has it open"
        self._path.rename(self._hidden)
        self._path.symlink_to(self._path.parent / "nowhere" / "guerdon.db")

    def come_back(self) -> None:
        if self._holder is not None:
            self._holder.close()
            self._holder = None
            database.LOCK_PATIENCE = PATIENCE
        if self._hidden.exists():
            self._path.unlink()
            self._hidden.rename(self._path)

    @contextmanager
    def disturb(self, how: str) -> Iterator[None]:
        """Between us and a file there is nothing to cut."""
        yield

    def ask(self, *queries: str) -> Iterator[list[Any]]:
        path = self._hidden if self._hidden.exists() else self._path
        with closing(sqlite3.connect(path)) as connection:
            yield from [connection.execute(sql).fetchall() for sql in queries]

    def close(self) -> None:
        self.come_back()


class ServerBehindProxy:
    """One database, emptied for each life, behind a proxy that can be shut."""

    family = "mysql"
    outages = ("away",)

    def __init__(self, server: DatabaseServer) -> None:
        name = server.create_database()
        self.proxy = Proxy(server.port)
        self.url = server.url(name).replace(f":{server.port}/", f":{self.proxy.port}/")
        self._direct = server.connect(name)

    def keep(self) -> None:
        """Each life begins with empty tables."""
        names = [name for [name] in next(self.ask("SHOW TABLES")) if "migration" not in name]
        self._emptying = [f"DELETE FROM {name}" for name in names]

    def renew(self) -> None:
        self.come_back()
        list(self.ask("BEGIN", *self._emptying, "COMMIT"))

    def go_away(self) -> None:
        self.proxy.shut()

    def come_back(self) -> None:
        self.proxy.open()

    @contextmanager
    def disturb(self, how: str) -> Iterator[None]:
        """While it lasts, the next commit meets this; see DISTURBANCES."""
        if how in DISTURBANCES:
            cut = self.proxy.fall if "falls" in how else self.proxy.cut
            cut(COMMIT, forwarded="kept" in how)
        yield
        self.proxy.forget_cuts()

    def ask(self, *queries: str) -> Iterator[list[Any]]:
        with self._direct.cursor() as cursor:
            for sql in queries:
                cursor.execute(sql)
                yield list(cursor.fetchall())

    def close(self) -> None:
        self.proxy.close()
        self._direct.close()


class Stage:
    """The service as it runs now; rules and options are read when it is opened."""

    def __init__(self, folder: Path, store: Any) -> None:
        self.folder = folder
        self.store = store
        self._guerdon: Guerdon | None = None
        self.begin()
        self.open("", "exact", "fail")
        self.guerdon.migrate()
        self.close()
        store.keep()

    @property
    def guerdon(self) -> Guerdon:
        assert self._guerdon is not None
        return self._guerdon

    def begin(self) -> None:
        """A new world, and a new clock."""
        self.clock = Clock()
        self.world = World(self.clock)

    def open(self, rewards: str, match: str, unknown: str) -> None:
        path = self.folder / "guerdon.toml"
        path.write_text(CONFIG.format(url=self.store.url, match=match, unknown=unknown))
        (self.folder / "rewards.toml").write_text(rewards)
        self._guerdon = open_guerdon(path, self.clock, self.world.network)  # type: ignore[arg-type]
        self.app = create_app(self._guerdon)
        self.client = self.app.test_client()

    @property
    def is_closed(self) -> bool:
        return self._guerdon is None

    def close(self) -> None:
        if self._guerdon is not None:
            self._guerdon.close()
            self._guerdon = None

    def come_back(self) -> None:
        self.store.come_back()
        wait_until(self.is_ready, pause=0.005)

    def is_ready(self) -> bool:
        return bool(self.client.get("/readyz").status_code == 200)

    def post(self, path: str, body: Any, **headers: str) -> Any:
        kind = "data" if isinstance(body, bytes) else "json"
        return self.client.post(path, headers=KEY | headers, **{kind: body})

    def post_vote(self, event: Event) -> Any:
        return self.post("/webhooks/gamemonitoring", make_delivery(event.id))

    def post_apart(self, event: Event) -> Any:
        """By a connection of its own: fit for a thread."""
        client = self.app.test_client()
        return client.post("/webhooks/gamemonitoring", data=make_delivery(event.id))

    def get(self, path: str) -> Any:
        return self.client.get(f"/v1/{path}", headers=KEY)


@contextmanager
def with_short_pauses() -> Iterator[None]:
    """How long an outage is waited for, and not looked at again: in seconds of the test's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "LOCK_PATIENCE", PATIENCE)
        patch.setattr(gate, "PAUSE", 0.005)
        patch.setattr(transactions, "AWAY_PAUSE", 0.005)
        patch.setattr(readiness, "KEPT", 0)
        patch.setattr(readiness, "UNFIT_KEPT", 0)
        yield
