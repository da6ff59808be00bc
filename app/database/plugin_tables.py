"""The tables of plugins, and how they grow: each change runs once, in order, within `guerdon migrate`.

A table that is not there yet is made as its model has it now, so a new one needs none of the changes: of
a plugin whose tables are all missing they are noted as done. That is written before the first table is
made, for a kill in between.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from peewee import BigIntegerField, CharField, Model

from app.database.models import bind_models
from app.database.opening import Database
from app.database.words import explain_cause
from app.porch.errors import DatabaseUnavailable, GuerdonError

NAME = re.compile(r"[A-Za-z0-9_$]{1,64}")


@dataclass(frozen=True)
class PluginTables:
    """What a plugin keeps in the database: its models, and what changed in them, oldest first."""

    plugin: str
    models: tuple[Any, ...]
    changes: Mapping[str, Callable[[Any], None]]

    def name_change(self, change: str) -> str:
        """As it is noted, and as people are told of it."""
        return f"{self.plugin}: {change}"


class PluginMigration(Model):
    """A change that was made; with an empty name of the change, that the plugin was here."""

    name = CharField(255, primary_key=True)
    applied_at = BigIntegerField()

    class Meta:
        table_name = "guerdon_plugin_migrations"


def list_pending_changes(database: Database, tables: Sequence[PluginTables]) -> list[str]:
    """The changes that this database still needs, by their whole names."""
    wanted = [one for one in tables if one.changes]
    noted = read_noted(database) if wanted else set()
    names = [one.name_change(change) for one in wanted for change in one.changes]
    return [name for name in names if name not in noted]


def read_noted(database: Database) -> set[str]:
    """The whole names of what is noted as made."""
    bind_models(database, [PluginMigration])
    if not database.table_exists(PluginMigration._meta.table_name):
        return set()
    return {row.name for row in PluginMigration.select(PluginMigration.name)}


def change_tables(
    database: Database,
    tables: Sequence[PluginTables],
    keep: Callable[[], None],
    now: Callable[[], int],
) -> Iterator[str]:
    """Make the changes that are pending, and name each; before tables that are missing are made.

    `keep` raises where the lock is somebody else's by now. Raises GuerdonError for a change that failed;
    those before it are kept.
    """
    if not any(one.models or one.changes for one in tables):
        return
    noted = read_noted(database)
    database.create_tables([PluginMigration], safe=True)
    present = set(database.get_tables())
    for one in tables:
        if one.name_change("") not in noted:
            keep()
            names = {model._meta.table_name for model in one.models}
            is_new = bool(names) and not names & present
            note(database, [one.name_change(change) for change in one.changes if is_new], now)
            note(database, [one.name_change("")], now)
            noted |= read_noted(database)
        for change, run in one.changes.items():
            if one.name_change(change) not in noted:
                keep()
                run_change(database, one.name_change(change), run, now)
                yield f"change {one.name_change(change)}"


def note(database: Database, names: Sequence[str], now: Callable[[], int]) -> None:
    """Write down that these are made, in one transaction."""
    with database.atomic():
        for name in names:
            PluginMigration.insert(name=name, applied_at=now()).on_conflict_ignore().execute()


def run_change(
    database: Database, name: str, run: Callable[[Any], None], now: Callable[[], int]
) -> None:
    """One change and its note, in one transaction; MySQL and MariaDB commit a changed table by itself."""
    try:
        with database.atomic():
            run(database)
            PluginMigration.insert(name=name, applied_at=now()).execute()
    except DatabaseUnavailable:
        raise
    except Exception as error:
        why = (
            "" if explain_cause(error) else f": {type(error).__name__}: {error}"
        )  # which is told anyway
        raise GuerdonError(f"plugin {name} failed{why}; mend it and run it again") from error


def add_column(database: Any, table: str, column: str, definition: str) -> bool:
    """Give a table a column in one statement; for a change of plugin_migrations. True: it was added.

    False where the table has it, or is not there and will be made with it. `definition` is SQL, as
    "INTEGER NOT NULL DEFAULT 1": with a default, so that the version before yours can go on writing rows
    until it is restarted. Raises ValueError for a name that would have to be quoted otherwise than by us.
    """
    for name in (table, column):
        if not NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a table or column")
    if not database.table_exists(table):
        return False
    if column.lower() in {one.name.lower() for one in database.get_columns(table)}:
        return False
    quote = database.quote[0]
    names = (f"{quote}{name}{quote}" for name in (table, column))
    database.execute_sql("ALTER TABLE {} ADD COLUMN {} ".format(*names) + definition)
    return True
