"""The Guerdon side: gunicorn as `guerdon serve` starts it, on SQLite or MariaDB."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from app.database.models import OwnPlayer
from app.guerdon import Guerdon as Service
from app.opening import open_guerdon
from app.testing.deliveries import TOKEN
from app.testing.gunicorn import Gunicorn
from bench.load import list_family

WORKERS = 2
CONFIG = """
[database]
url = "{url}"
[api]
keys = ["bench-key-of-sixteen"]
[plugins.gamemonitoring]
api_url = "{api_url}"
tokens = ["{token}"]
[plugins.gold]
"""
REWARDS = """
[[rules]]
name = "every vote"
on = "server.vote"
give = [{ reward = "gold", amount = "1.00" }]
"""


@dataclass(slots=True)
class Counted:
    """Rows of a table that were counted: how many of them up to which id, and the newest id there was."""

    table: str
    what: str  # which of them, as SQL
    rows: int
    last: int
    newest: int

    def make_sql(self) -> str:
        """How many more up to the newest, how many more in all, and the newest there is by now."""
        count = f"SELECT COUNT(*) FROM {self.table} WHERE id > {self.last} AND {self.what}"
        return f"({count} AND id <= {self.newest}), ({count}), (SELECT MAX(id) FROM {self.table})"

    def note(self, up_to_newest: int, more: int, newest: int | None) -> int:
        """All there are. What was there when it was asked before is not asked for again."""
        total = self.rows + more
        self.rows, self.last = self.rows + up_to_newest, self.newest
        self.newest = max(self.newest, newest or 0)
        return total


class Guerdon:
    """Two workers, Guerdon's own table of players, one gold a vote."""

    counts: Sequence[tuple[str, str]] = (("guerdon_events", "type = 'server.vote'"),)
    _looked_into: ClassVar["Guerdon | None"] = None  # a process has one database open at a time

    def __init__(
        self,
        name: str,
        folder: Path,
        database_url: str,
        api_url: str,
        more: str = "",
        rewards: str = REWARDS,
    ):
        """`more` is added to the config."""
        self.name = name
        self.filled = 0  # votes that are in the tables already; their row ids are 1 to this
        self.config = folder / "guerdon.toml"
        text = CONFIG.format(url=database_url, api_url=api_url, token=TOKEN)
        self.config.write_text(text + more)
        (folder / "rewards.toml").write_text(rewards)
        self._counted: list[Counted] = []
        self._inside: Service | None = None
        self.server = Gunicorn(self.config, WORKERS)
        self.url = self.server.url

    @property
    def inside(self) -> Service:
        """To look into this side's database; another side's is closed."""
        if self._inside is None:
            if Guerdon._looked_into is not None:
                Guerdon._looked_into.look_away()
            self._inside, Guerdon._looked_into = open_guerdon(self.config), self
        return self._inside

    def look_away(self) -> None:
        if self._inside is not None:
            self._inside.close()
            self._inside = Guerdon._looked_into = None

    def fill(self, players: list[str]) -> None:
        """The tables and the players."""
        self.inside.migrate()
        rows = [{"nickname": one, "folded": one, "gold": 0, "created_at": 0} for one in players]
        with self.inside.database.connection_context():
            for start in range(0, len(rows), 500):
                OwnPlayer.insert_many(rows[start : start + 500]).execute()

    def start(self) -> None:
        self.server.start()

    def stop(self) -> None:
        self.server.stop()
        self.look_away()

    def read_logs(self) -> str:
        return self.server.log.read_text()[-4000:]

    def list_processes(self) -> list[int]:
        """gunicorn's master and its workers."""
        assert self.server.process is not None
        return list_family(self.server.process.pid)

    def list_workers(self) -> list[int]:
        return self.server.list_workers()

    def count_paid(self) -> tuple[int, int]:
        """How many votes are settled, and the sum of all gold."""
        votes, gold = self.count_books()
        return votes, gold

    def count_books(self) -> list[int]:
        """The rows of `counts`, with those that this was filled with, and the sum of all gold.

        In one statement, for the dispatcher may still pay. What was counted before is not read again: it
        would take the place in the database's memory of what is measured next.
        """
        filled = self.filled
        self._counted = self._counted or [
            Counted(table, what, filled, filled, filled) for table, what in self.counts
        ]
        parts = [one.make_sql() for one in self._counted]
        *found, gold = self.ask(f"SELECT {', '.join(parts)}, (SELECT SUM(gold) FROM players)")
        rows = [one.note(*found[3 * at : 3 * at + 3]) for at, one in enumerate(self._counted)]
        return [*rows, round(gold or 0)]

    def ask(self, sql: str) -> Any:
        """The first row."""
        with self.inside.database.connection_context():
            return self.inside.database.execute_sql(sql).fetchone()
