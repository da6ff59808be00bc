"""A plugin's tables grow with its versions: each change once, in order, on old tables; none on new ones."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.database.plugin_tables import add_column
from app.testing.clock import Clock
from app.testing.services import Services
from tests.world.servers import ROOT

FIRST = """
from peewee import CharField, IntegerField, Model
from app import add_column, hookimpl

class Pet(Model):
    player_id = CharField(255, primary_key=True)
    count = IntegerField(default=0)
    MORE
    class Meta:
        table_name = "shop_pets"

@hookimpl
def plugin_models():
    return [Pet]

@hookimpl
def check_plugin(db):
    return []
"""
LEVEL = "level = IntegerField(default=1)"
SECOND = (
    FIRST.replace("MORE", LEVEL)
    + """
import os, signal

def add_level(db):
    add_column(db, "shop_pets", "level", "INTEGER NOT NULL DEFAULT 1")
    KILL

@hookimpl
def plugin_migrations():
    return {"add level": add_level, "older is higher": lambda db: Pet.update(level=Pet.count).execute()}
"""
)


class Shop:
    """A studio's folder whose one plugin has versions; each command is a process that imports it anew."""

    def __init__(self, folder: Path, url: str) -> None:
        self._plugin = folder / "plugins" / "pets.py"
        self._plugin.parent.mkdir()
        services = Services(folder, self._plugin.parent, url, "", Clock())
        self.config = services.write_config("", plugins="[plugins.pets]\n")

    def install(self, source: str, **words: str) -> None:
        for word, code in {"MORE": "", "KILL": "", **words}.items():
            source = source.replace(word, code)
        self._plugin.write_text(source)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "app.cli", *command], cwd=ROOT, text=True,
            env=os.environ | {"GUERDON_CONFIG": str(self.config)}, capture_output=True, check=False,
        )  # fmt: skip

    def migrate(self) -> str:
        done = self.run("migrate")
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def shop(tmp_path: Path, database_url: str) -> Shop:
    return Shop(tmp_path, database_url)


ADD_PETS = """
from app.opening import open_guerdon
import sys
from pathlib import Path
guerdon = open_guerdon(Path(sys.argv[1]))
from plugins.pets import Pet
with guerdon.database.connection_context():
    Pet.insert_many([{"player_id": str(n), "count": n} for n in range(5)]).execute()
"""
READ_PETS = """
from app.opening import open_guerdon
import sys
from pathlib import Path
guerdon = open_guerdon(Path(sys.argv[1]))
from plugins.pets import Pet
with guerdon.database.connection_context():
    print(sorted(Pet.select(Pet.count, Pet.level).tuples()))
"""
FREE_LOCK = """
from app.opening import open_guerdon
import sys
from pathlib import Path
guerdon = open_guerdon(Path(sys.argv[1]))
guerdon.database.execute_sql("UPDATE guerdon_migration_lock SET until = 0")
"""


def run_code(shop: Shop, code: str) -> str:
    command = [sys.executable, "-c", code, str(shop.config)]
    return subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True).stdout


GROWN = str([(number, number) for number in range(5)])


def test_it_works(shop: Shop) -> None:
    """The second version's changes are asked for, then made, then done."""
    shop.install(FIRST)
    assert "table shop_pets" in shop.migrate()
    run_code(shop, ADD_PETS)
    shop.install(SECOND)

    check = shop.run("check")
    assert check.returncode == 1
    assert "(pets: add level, pets: older is higher): run `guerdon migrate`" in check.stderr
    assert shop.migrate() == "change pets: add level\nchange pets: older is higher\n"
    assert shop.migrate() == "the tables are up to date\n"
    assert shop.run("check").returncode == 0
    assert run_code(shop, READ_PETS).strip() == GROWN


def test_on_new_tables_nothing_runs(shop: Shop) -> None:
    shop.install(SECOND)

    assert "change" not in shop.migrate()
    assert shop.migrate() == "the tables are up to date\n"
    assert shop.run("check").returncode == 0


def test_a_renamed_table_keeps_its_rows(shop: Shop) -> None:
    """None of the new version's tables is there, but the plugin was: its change runs."""
    shop.install(FIRST)
    shop.migrate()
    run_code(shop, ADD_PETS)
    renamed = FIRST.replace("shop_pets", "guild_pets").replace(
        "MORE", "level = IntegerField(default=1)"
    )
    shop.install(
        renamed
        + """
def rename(db):
    add_column(db, "shop_pets", "level", "INTEGER NOT NULL DEFAULT 7")
    db.execute_sql("ALTER TABLE shop_pets RENAME TO guild_pets")

@hookimpl
def plugin_migrations():
    return {"rename": rename}
"""
    )

    assert shop.migrate() == "change pets: rename\n"
    assert run_code(shop, READ_PETS).strip() == str([(number, 7) for number in range(5)])


@pytest.mark.parametrize("kill", ["os.kill(os.getpid(), signal.SIGKILL)", "raise KeyError('why')"])
def test_a_change_that_did_not_end_is_made_by_the_next(shop: Shop, kill: str) -> None:
    shop.install(FIRST)
    shop.migrate()
    run_code(shop, ADD_PETS)
    shop.install(SECOND, KILL=kill)

    failed = shop.run("migrate")
    assert failed.returncode in (1, -signal.SIGKILL)
    if failed.returncode == 1:
        assert failed.stderr.strip() == (
            "plugin pets: add level failed: KeyError: 'why'; mend it and run it again"
        )
    run_code(shop, FREE_LOCK)  # as after LEASE
    shop.install(SECOND)
    assert shop.migrate() == "change pets: add level\nchange pets: older is higher\n"
    assert run_code(shop, READ_PETS).strip() == GROWN


def test_a_table_of_the_same_version_needs_no_change(shop: Shop) -> None:
    """From the first version to the third: the second brought a table, the third a column of it."""
    shop.install(FIRST)
    shop.migrate()
    toys = """
class Toy(Model):
    player_id = CharField(255, primary_key=True)
    colour = CharField(16, default="red")

    class Meta:
        table_name = "shop_toys"

@hookimpl
def plugin_migrations():
    return {"colours": lambda db: add_column(db, "shop_toys", "colour", "VARCHAR(16) DEFAULT 'red'")}
"""
    shop.install(FIRST.replace("[Pet]", "[Pet, Toy]") + toys)

    assert shop.migrate() == "change pets: colours\ntable shop_toys\n"
    assert shop.run("check").returncode == 0


def test_a_plugin_that_has_no_table_any_more_makes_its_change(shop: Shop) -> None:
    shop.install(FIRST)
    shop.migrate()
    retire = """
@hookimpl
def plugin_migrations():
    return {"retire": lambda db: db.execute_sql("DROP TABLE shop_pets")}
"""
    shop.install(FIRST.replace("[Pet]", "[]") + retire)

    assert shop.migrate() == "change pets: retire\n"
    assert shop.run("check").returncode == 0


def test_two_at_once_make_each_change_once(shop: Shop) -> None:
    shop.install(FIRST)
    shop.migrate()
    run_code(shop, ADD_PETS)
    counting = SECOND.replace("level=Pet.count", "level=Pet.level * 2 + Pet.count")
    shop.install(counting)
    environment = os.environ | {"GUERDON_CONFIG": str(shop.config)}
    command = [sys.executable, "-P", "-m", "app.cli", "migrate"]
    both: list[Any] = [
        subprocess.Popen(command, cwd=ROOT, text=True, env=environment, stdout=subprocess.PIPE)
        for _ in range(2)
    ]

    said = "".join(process.communicate(timeout=60)[0] for process in both)
    assert said.count("change pets: add level") == said.count("older is higher") == 1
    assert run_code(shop, READ_PETS).strip() == str([(number, number + 2) for number in range(5)])


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("[1]", "plugin pets: plugin_migrations() must return a dict of names"),
        (
            '{"": print}',
            "plugin pets: plugin_migrations() must return a dict of names, of 1 to 180",
        ),
        ('{"a": 1}', "plugin pets: plugin_migrations() must return a dict of names"),
    ],
)
def test_what_is_no_change_is_a_fault(shop: Shop, answer: str, sentence: str) -> None:
    shop.install(FIRST + f"@hookimpl\ndef plugin_migrations():\n    return {answer}\n")

    done = shop.run("check")

    assert done.returncode == 1
    assert sentence in done.stderr


def test_changes_without_a_table_are_a_fault(shop: Shop) -> None:
    shop.install(
        "from app import hookimpl\n@hookimpl\ndef plugin_migrations():\n    return {'a': print}\n"
    )

    assert "changes tables, and plugin_models() names none" in shop.run("check").stderr


@pytest.mark.parametrize("name", ["a b", "a`", "", "é"])
def test_a_name_that_would_be_sql_is_refused(open_service: Callable[..., Any], name: str) -> None:
    guerdon = open_service()
    with guerdon.database.connection_context(), pytest.raises(ValueError, match="no name"):
        add_column(guerdon.database, "players", name, "INTEGER")
