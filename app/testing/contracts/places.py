"""A database with a config for contracts: paid into by processes of its own, and read."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from peewee import AutoField, BigAutoField, Model

from app.database.claim_models import Claim
from app.database.models import Event, Grant, OwnPlayer
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.playground.sections import dump
from app.testing.clock import Clock
from app.testing.contracts import partner
from app.testing.contracts.forking import NURSERIES
from app.testing.players import add_player
from app.testing.services import Services

NUMBERED = (AutoField, BigAutoField)
Vote = tuple[str, str, str]  # its id, the server, the player
Batches = Sequence[Sequence[Vote]]
PLAYERS = [f"p{number}" for number in range(64)]


class Paid(NamedTuple):
    """What a process said: what became of each event; what the plugin's files did as they were imported,
    and within payments; and how long its calls waited (s).
    """

    answers: dict[str, tuple[str, str, list[str], list[str]]]  # state, reason, givers, bad receipts
    imported: list[str]
    seen: list[str]
    waits: list[float]
    raised: str = ""  # the last lines of the first traceback in its log


class Place:
    """One database and its config: server "1" gives the reward, "2" fails after it, "3" gives another.

    A process has one database open at a time, so each use of it opens it anew.
    """

    def __init__(self, folder: Path, plugins: Path, url: str, plugin: str, section: str) -> None:
        self.plugin = plugin
        self._folder = folder
        self._clock = Clock()
        self._services = Services(folder, plugins, url, "", self._clock)
        self._section = section
        self.config = folder / "guerdon.toml"

    def set_up(self, reward: Mapping[str, Any], prepare: Callable[[Guerdon], None]) -> None:
        """Write the rules, make the tables and the players, and what rewards are given from."""
        self.write_rules(
            write_rule("1", [reward]),
            write_rule("2", [reward, {"reward": partner.FAILS}]),
            write_rule("3", [{"reward": partner.OTHER}]),
        )
        with self.use() as guerdon:
            guerdon.migrate()
            for nickname in ("Bob", *PLAYERS):
                add_player(guerdon, nickname)
            prepare(guerdon)

    def write_rules(self, *rules: str) -> None:
        """Have these rules hold, from the next use on."""
        self._services.write_config("".join(rules), plugins="", more=self._section)

    @contextmanager
    def use(self) -> Iterator[Guerdon]:
        """The Guerdon, open meanwhile. Raises ConfigError where config, plugin or rules are at fault."""
        guerdon = open_guerdon(self.config, self._clock, beside={partner.NAME: partner})
        try:
            yield guerdon
        finally:
            guerdon.close()

    def pay(self, *batches: Batches, crash: str = "") -> list[Paid]:
        """Pay in a process for each of these, at the same time; with `crash`, killed at that point."""
        with ThreadPoolExecutor(len(batches)) as pool:
            return list(pool.map(lambda one: self._run(one, crash), batches))

    def _run(self, batches: Batches, crash: str) -> Paid:
        order = {
            "config": str(self.config), "now": self._clock.now,
            "plugin": self.plugin, "batches": batches,
        }  # fmt: skip
        done = NURSERIES.run(json.dumps(order), crash)
        if crash:
            assert done.returncode < 0, f"it was not killed at {crash}: {done.stderr[-2000:]}"
            return Paid({}, [], [], [])
        assert done.returncode == 0, done.stderr[-2000:]
        return Paid(**json.loads(done.stdout), raised=find_raised(done.stderr))

    def count(self) -> tuple[int, int]:
        """Settled events, and grants of them."""
        with self.use() as guerdon, guerdon.database.connection_context():
            return Event.select().count(), Grant.select().count()

    def read(self) -> dict[str, dict[str, list[str]]]:
        """What players have: of each table of the plugin's, of players and of claims, each column's values.

        Sorted, without numbers that the database gave: in which order payments came is no matter.
        """
        with self.use() as guerdon, guerdon.database.connection_context():
            models = dict.fromkeys([*guerdon.plugins.models, OwnPlayer, Claim])
            return {model._meta.table_name: read_table(model) for model in models}


def find_raised(log: str) -> str:
    """What a plugin raised, and where: the end of the first traceback in a log's lines, or ""."""
    for line in log.splitlines():
        with suppress(ValueError, AttributeError):
            if traceback := json.loads(line).get("exception"):
                return "\n".join(traceback.splitlines()[-4:])
    return ""


def read_table(model: type[Model]) -> dict[str, list[str]]:
    """The values of each column, sorted."""
    columns = [field for field in model._meta.sorted_fields if not isinstance(field, NUMBERED)]
    query: Any = model.select(*columns).tuples()
    rows = list(query)
    return {
        field.column_name: sorted(str(row[place]) for row in rows)
        for place, field in enumerate(columns)
    }


def write_rule(server: str, rewards: Sequence[Mapping[str, Any]]) -> str:
    """A rule in TOML: a vote on this server earns these."""
    gifts = ", ".join(dump(dict(reward)) for reward in rewards)
    return f'[[rules]]\non = "server.vote"\nserver = "{server}"\ngive = [{gifts}]\n'
