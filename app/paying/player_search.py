"""Asks the players' table for rows that may be meant: never too few, and decided about in Python.

Each database compares by rules of its own: collations, surrounding spaces, two forms of an accent. A
question here lets through more than what is the same, in one statement that an index can answer.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.config.sections import Players
from app.database.opening import Database
from app.porch.names import fold_name, list_forms
from app.porch.types import Player

SEARCH_LIMIT = 500  # nicknames in one query
TEXT_TYPES = (
    "char",
    "varchar",
    "tinytext",
    "text",
    "mediumtext",
    "longtext",
    "binary",
    "varbinary",
)
# A collation under which what Python's casefold makes equal is equal too (UCA, primary level), but
# for some letters younger than it and the Greek iota below: for them it is given other spellings.
WIDE_COLLATION = "utf8mb4_unicode_520_ci"


@dataclass(frozen=True, slots=True)
class Column:
    """What decides how a column of the studio's table may be asked."""

    cast: str = "{}"  # what a placeholder is wrapped in
    is_text: bool = True
    is_indexed: bool = True
    pads: bool = True  # 'Bob ' is the same value as 'Bob'


class PlayerSearch:
    """Rows of the table of the config's [players], by nickname or by user id."""

    def __init__(self, database: Database, players: Players) -> None:
        self._database = database
        self._players = players
        self._columns: dict[str, Column] = {}

    def find_names(self, names: Collection[str]) -> dict[str, list[Player]]:
        """The players of these nicknames, by what fold_name makes of theirs."""
        match, column = self._players.match, self._players.nickname_column
        ask = self._ask_folded if match == "casefold" else self._ask_exact
        return self._gather(column, names, ask, lambda text: fold_name(text, match))

    def find_ids(self, column: str, ids: Collection[str]) -> dict[str, list[Player]]:
        """The players of these user ids, which stand in `column`, by the id; an empty one is nobody's."""
        return self._gather(column, ids, self._ask_ids, str)

    def find_keys(self, keys: Collection[str]) -> dict[str, Player]:
        """The players of these keys (Player.key), by the key; who is gone is not in it."""
        found = self._ask_keys({key: key for key in keys if key})
        missing = [key for key in keys if key not in found and is_hex(key)]
        # The id may be bytes, which a key has in hexadecimal.
        return found | (self._ask_keys({key: bytes.fromhex(key) for key in missing}))

    def _ask_keys(self, ids: Mapping[str, Any]) -> dict[str, Player]:
        column, ordered = self._players.id_column, sorted(ids)
        found: dict[str, Player] = {}
        for start in range(0, len(ordered), SEARCH_LIMIT):
            some = ordered[start : start + SEARCH_LIMIT]
            marks = ", ".join([self._look_at(column).cast.format(self._database.param)] * len(some))
            where = f"WHERE found.{self._quote(column)} IN ({marks})"
            for row in self._run(self._select(column, where), [ids[key] for key in some]):
                player = Player(row[0], as_text(row[1]))
                if player.key in ids:
                    found[player.key] = player
        return found

    def _gather(
        self,
        column: str,
        values: Collection[str],
        ask: Callable[[str, list[str]], Iterable[Any]],
        make_key: Callable[[str], str],
    ) -> dict[str, list[Player]]:
        rows: dict[Any, Any] = {}
        ordered = sorted(value for value in values if value)
        for start in range(0, len(ordered), SEARCH_LIMIT):
            for row in ask(column, ordered[start : start + SEARCH_LIMIT]):
                rows[row[0]] = row
        found: dict[str, list[Player]] = defaultdict(list)
        place = self._list_columns(column).index(column)
        for row in rows.values():
            found[make_key(as_text(row[place]))].append(Player(row[0], as_text(row[1])))
        return found

    def _list_columns(self, column: str) -> list[str]:
        """Id, nickname, and `column` where it is neither."""
        names = [self._players.id_column, self._players.nickname_column]
        return names if column in names else [*names, column]

    def _quote(self, name: str) -> str:
        return f"{self._database.quote[0]}{name}{self._database.quote[0]}"

    def _select(self, column: str, where: str, joined: str = "") -> str:
        names = ", ".join(f"found.{self._quote(name)}" for name in self._list_columns(column))
        return f"SELECT {names} FROM {joined}{self._quote(self._players.table)} AS found {where}"

    def _run(self, sql: str, params: Collection[str]) -> Iterable[Any]:
        rows: Iterable[Any] = self._database.execute_sql(sql, list(params)).fetchall()
        return rows

    def _ask_ids(self, column: str, ids: list[str]) -> Iterable[Any]:
        marks = ", ".join([self._look_at(column).cast.format(self._database.param)] * len(ids))
        return self._run(
            self._select(column, f"WHERE found.{self._quote(column)} IN ({marks})"), ids
        )

    def _ask_folded(self, column: str, names: list[str]) -> Iterable[Any]:
        """Under casefold; but for our own table, whose column `folded` has an index, row by row."""
        forms = {form for name in names for form in list_forms(name)}
        if self._players.is_own:
            compared, values = "folded", {form.casefold()[:255] for form in forms}
        elif self._database.family == "sqlite":
            compared = f"casefold(found.{self._quote(column)})"
            values = {fold_name(name, "casefold") for name in names}
        else:
            compared = (
                f"CONVERT(TRIM(found.{self._quote(column)}) USING utf8mb4) COLLATE {WIDE_COLLATION}"
            )
            values = {one for form in forms for one in list_spellings(form)}
        marks = ", ".join([self._database.param] * len(values))
        return self._run(self._select(column, f"WHERE {compared} IN ({marks})"), values)

    def _ask_exact(self, column: str, names: list[str]) -> Iterable[Any]:
        """By code point, in either form, also where the table has spaces around it."""
        values = [form for name in names for form in list_forms(name)]
        if self._players.is_own:
            marks = ", ".join([self._database.param] * len(values))
            return self._run(self._select(column, f"WHERE nickname IN ({marks})"), values)
        if self._database.family == "sqlite":
            return self._ask_sqlite(column, values)
        return self._ask_mysql(column, values)

    def _ask_sqlite(self, column: str, values: list[str]) -> Iterable[Any]:
        """With an index: these values, what begins with one and a space, and what begins with a space."""
        known, compared = self._look_at(column), f"found.{self._quote(column)}"
        among = f"IN ({', '.join(['?'] * len(values))})"
        if not known.is_text:
            return self._run(self._select(column, f"WHERE {compared} {among}"), values)
        trimmed = f"trim({compared})"
        if not known.is_indexed:
            return self._run(self._select(column, f"WHERE {trimmed} {among}"), values)
        wanted = f"(VALUES {', '.join(['(?)'] * len(values))}) AS wanted CROSS JOIN "
        longer = f"ON {compared} > wanted.column1 AND {compared} < wanted.column1 || '!'"
        sql = " UNION ALL ".join([
            self._select(column, f"WHERE {compared} {among}"),
            self._select(column, f"WHERE {compared} < '!' AND {trimmed} {among}"),
            self._select(column, f"{longer} WHERE {trimmed} = wanted.column1", wanted),
        ])  # fmt: skip
        return self._run(sql, values * 3)

    def _ask_mysql(self, column: str, values: list[str]) -> Iterable[Any]:
        """As for SQLite; most collations take what ends with spaces for the same value by themselves."""
        known, compared = self._look_at(column), f"found.{self._quote(column)}"
        mark = known.cast.format("%s")
        among = f"IN ({', '.join([mark] * len(values))})"
        if not known.is_text:
            return self._run(self._select(column, f"WHERE {compared} {among}"), values)
        patterns = [" %"] + ([] if known.pads else [f"{escape_like(value)} %" for value in values])
        padded = " OR ".join([f"{compared} LIKE {mark} ESCAPE '|'"] * len(patterns))
        where = f"WHERE {compared} {among} OR (({padded}) AND TRIM({compared}) {among})"
        return self._run(self._select(column, where), [*values, *patterns, *values])

    def _look_at(self, column: str) -> Column:
        """What the database says of a column; asked once."""
        if column not in self._columns:
            look = look_at_sqlite if self._database.family == "sqlite" else look_at_mysql
            is_own = self._players.is_own
            self._columns[column] = (
                Column() if is_own else look(self._database, self._players.table, column)
            )
        return self._columns[column]


def look_at_sqlite(database: Database, table: str, column: str) -> Column:
    rows = database.execute_sql(
        "SELECT type FROM pragma_table_info(?) WHERE lower(name) = lower(?)", (table, column)
    ).fetchall()
    is_text = (
        any(word in str(rows[0][0]).upper() for word in ("CHAR", "CLOB", "TEXT")) if rows else True
    )
    indexes = database.execute_sql(
        "SELECT 1 FROM pragma_index_list(?) AS i, pragma_index_info(i.name) AS c"
        " WHERE c.seqno = 0 AND NOT i.partial AND lower(c.name) = lower(?)",
        (table, column),
    ).fetchall()
    return Column(is_text=is_text, is_indexed=bool(indexes))


def look_at_mysql(database: Database, table: str, column: str) -> Column:
    """MariaDB refuses to compare a latin1 column with a nickname that has no latin1: it is converted."""
    row = database.execute_sql(
        "SELECT data_type, character_set_name, collation_name FROM information_schema.columns WHERE"
        " table_schema = DATABASE() AND table_name = %s AND column_name = %s",
        (table, column),
    ).fetchone()
    kind, alphabet, collation = (str(value or "").lower() for value in row or ("", "", ""))
    is_plain = alphabet in ("", "binary", "utf8mb4")
    cast = "{}" if is_plain else f"CONVERT({{}} USING {alphabet}) COLLATE {collation}"
    pads = bool(collation) and "0900" not in collation and "nopad" not in collation
    return Column(cast, is_text=kind in TEXT_TYPES, pads=pads and collation != "binary")


def is_hex(text: str) -> bool:
    return bool(text) and len(text) % 2 == 0 and set(text) <= set("0123456789abcdef")


def list_spellings(name: str) -> set[str]:
    return {name, name.casefold(), name.lower(), name.upper(), name.title()}


def escape_like(text: str) -> str:
    return text.replace("|", "||").replace("%", "|%").replace("_", "|_")


def as_text(value: Any) -> str:
    if value is None:
        return ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
