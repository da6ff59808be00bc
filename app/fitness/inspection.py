"""Is this database fit to pay with? Read back what we set, and what the studio's table must be."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from app.config.sections import Players
from app.database.error_kinds import is_own_error
from app.database.migrating import list_pending
from app.database.models import LEDGER, OWN, OwnPlayer
from app.database.opening import Database
from app.database.plugin_tables import list_pending_changes
from app.fitness.durability import inspect_durability
from app.fitness.writing import inspect_writes
from app.host.loading import Plugins
from app.porch.errors import DatabaseUnavailable
from app.rules.rule import Rules

BINARY_ENDINGS = ("_bin", "_nopad_bin")
LONGEST_ID = 255  # characters of a player_id in our tables


def inspect_database(
    database: Database, plugins: Plugins, rules: Rules, players: Players, is_durable: bool = True
) -> list[str]:
    """Every reason not to pay with this database, a sentence each; [] when it is fit.

    Raises Peewee's errors when it cannot be asked.
    """
    pending = [*list_pending(database), *list_pending_changes(database, plugins.tables)]
    tables = set(database.get_tables())
    models = [*LEDGER, *plugins.models, *(OWN if players.is_own else ())]
    missing = [m._meta.table_name for m in models if m._meta.table_name not in tables]
    if not tables & {model._meta.table_name for model in LEDGER}:
        return ["the tables are not made yet: run `guerdon migrate`"]
    if pending or missing:
        names = ", ".join([*pending, *missing])
        return [f"the tables are not up to date ({names}): run `guerdon migrate`"]
    faults = [fault for model in models for fault in inspect_table(database, model)]
    faults += inspect_players(database, players, tables)
    faults += inspect_durability(database, is_durable)
    faults += inspect_writes(database, models)
    own = {model._meta.table_name for model in models}
    faults += (
        inspect_server(database, own, players)
        if database.family == "mysql"
        else inspect_file(database)
    )
    if not faults:
        faults += ask_plugins(database, plugins, rules)
    return faults


def ask_plugins(database: Database, plugins: Plugins, rules: Rules) -> Iterator[str]:
    """What each plugin says stops it from paying; one that raises is a fault itself."""
    facts = {"db": database, "rewards": rules.rewards, "settings": plugins.settings}

    def read_faults(answers: list[Iterable[str]]) -> list[str]:
        return [fault for answer in answers for fault in answer]

    for answer in plugins.ask_each("check_plugin", facts, read_faults):
        if answer.error is not None and is_own_error(answer.error):
            raise answer.error
        if isinstance(answer.error, DatabaseUnavailable):
            continue  # somebody holds the file just now, which readiness says
        if answer.error is not None:
            yield f"plugin {answer.plugin}: check_plugin() failed: {answer.error!r}"
        yield from answer.value or ()


def inspect_table(database: Database, model: Any) -> Iterator[str]:
    """Columns that are missing, and unique indexes: without them an event could be paid twice."""
    table = model._meta.table_name
    columns = {column.name.lower() for column in database.get_columns(table)}
    for field in model._meta.sorted_fields:
        if field.column_name.lower() not in columns:
            hint = (
                "; is it your game's own? then name it in [players] table"
                if model is OwnPlayer
                else ""
            )
            yield f"the table {table} has no column {field.column_name}{hint}"
            return
    key = [field.column_name for field in model._meta.get_primary_keys()]
    if key != database.get_primary_keys(table):
        yield f"the table {table} has another primary key than {', '.join(key)}"
    present = {tuple(index.columns) for index in database.get_indexes(table) if index.unique}
    for index in model._meta.fields_to_index():
        wanted = tuple(field.column_name for field in index._expressions)
        if index._unique and wanted not in present:
            yield f"the table {table} has no unique index on {', '.join(wanted)}: run `guerdon migrate`"


def inspect_players(database: Database, players: Players, tables: set[str]) -> Iterator[str]:
    """Whether the studio's table is there, has the columns of [players], and ids we can keep."""
    if players.table not in tables:
        yield f"[players] table: {describe_missing_table(database, players.table)}"
        return
    found = {column.name: column for column in database.get_columns(players.table)}
    readable = found.keys() | database.list_generated_columns(players.table)
    named = {
        f"[players] {setting}": getattr(players, setting)
        for setting in ("id_column", "nickname_column", "user_id_column")
    }
    theirs = players.source_columns.items()
    named |= {f"[plugins.{source}] user_id_column": column for source, column in theirs}
    for setting, column in named.items():
        if column not in readable:
            yield f"{setting}: the table {players.table} has no column {column}"
    if players.id_column in found and has_long_ids(database, players, found[players.id_column]):
        yield (
            f"[players] id_column: {players.table}.{players.id_column} has values of more than "
            f"{LONGEST_ID} characters, and the ledger keeps no longer ids: name a shorter key"
        )


def describe_missing_table(database: Database, table: str) -> str:
    if table in {view.name for view in database.get_views()}:
        return f"{table} is a view, and payments write to a table: name the one that it reads"
    return f"there is no table {table} in this database"


def has_long_ids(database: Database, players: Players, column: Any) -> bool:
    """Whether an id is too long for the ledger; only columns that could hold one are read."""
    kind = str(getattr(column, "full_type", None) or column.data_type).lower()
    length = re.search(r"char\((\d+)\)", kind)
    if not (int(length[1]) > LONGEST_ID if length else "text" in kind or "blob" in kind):
        return False
    quote, count = database.quote[0], "LENGTH" if database.family == "sqlite" else "CHAR_LENGTH"
    id_column, table = (f"{quote}{name}{quote}" for name in (players.id_column, players.table))
    sql = f"SELECT 1 FROM {table} WHERE {count}({id_column}) > {LONGEST_ID} LIMIT 1"
    return database.execute_sql(sql).fetchone() is not None


def inspect_file(database: Database) -> Iterator[str]:
    mode = database.execute_sql("PRAGMA journal_mode").fetchone()[0]
    if str(mode).lower() != "wal":
        yield f"SQLite's journal_mode is {mode}, not wal: is the file on a network drive?"


def inspect_server(database: Database, own: set[str], players: Players) -> Iterator[str]:
    """Engine, character set and collation of the tables, and the session as it really is."""
    rows = database.execute_sql("SHOW SESSION VARIABLES").fetchall()
    variables = {str(name): str(value) for name, value in rows}
    isolation = variables.get("transaction_isolation") or variables.get("tx_isolation", "")
    if isolation != "READ-COMMITTED":
        yield f"the session's isolation is {isolation}, not READ-COMMITTED"
    if "STRICT_" not in variables.get("sql_mode", ""):
        yield "the session's sql_mode is not strict: values that do not fit would be cut"
    if variables.get("character_set_connection") != "utf8mb4":
        yield "the connection's character set is not utf8mb4"
    tables = database.execute_sql(
        "SELECT table_name, engine, table_collation FROM information_schema.tables"
        " WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'"
    ).fetchall()
    for name, engine, collation in tables:
        if name not in own and name != players.table:
            continue
        if engine != "InnoDB":
            yield f"the table {name} is {engine}, not InnoDB: its writes could not be undone"
        if name not in own:
            continue
        if not str(collation).startswith("utf8mb4") or not collation.endswith(BINARY_ENDINGS):
            yield f"the table {name} has the collation {collation}, not utf8mb4_bin"
