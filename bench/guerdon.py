"""The Guerdon side: gunicorn as `guerdon serve` starts it, on SQLite or MariaDB."""

from pathlib import Path

from app.guerdon import open_guerdon
from app.models import OwnPlayer
from bench.load import list_family
from tests.sending import TOKEN
from tests.servers import Gunicorn

WORKERS = 2
CONFIG = """
[database]
url = "{url}"
[api]
keys = ["bench-key"]
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
COUNT = "SELECT (SELECT COUNT(*) FROM guerdon_events), SUM(gold) FROM players"


class Guerdon:
    """Two workers, Guerdon's own table of players, one gold a vote."""

    def __init__(self, name: str, folder: Path, database_url: str, api_url: str, more: str = ""):
        """`more` is added to the config."""
        self.name = name
        self.config = folder / "guerdon.toml"
        text = CONFIG.format(url=database_url, api_url=api_url, token=TOKEN)
        self.config.write_text(text + more)
        (folder / "rewards.toml").write_text(REWARDS)
        self.inside = open_guerdon(self.config)  # to look into the database
        self._server = Gunicorn(self.config, WORKERS)
        self.url = self._server.url

    def fill(self, players: list[str]) -> None:
        """The tables and the players."""
        self.inside.migrate()
        rows = [{"nickname": one, "folded": one, "gold": 0, "created_at": 0} for one in players]
        with self.inside.database.connection_context():
            for start in range(0, len(rows), 500):
                OwnPlayer.insert_many(rows[start : start + 500]).execute()

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop()
        self.inside.close()

    def read_logs(self) -> str:
        return self._server.log.read_text()[-4000:]

    def list_processes(self) -> list[int]:
        """gunicorn's master and its workers."""
        assert self._server.process is not None
        return list_family(self._server.process.pid)

    def list_workers(self) -> list[int]:
        return self._server.list_workers()

    def count_paid(self) -> tuple[int, int]:
        """How many events are settled, and the sum of all gold."""
        with self.inside.database.connection_context():
            events, gold = self.inside.database.execute_sql(COUNT).fetchone()
        return int(events), round(gold or 0)
