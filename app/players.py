"""Finds players, a whole batch in one query, and adds to their columns, exactly.

"exact" means the same code points; "casefold" the same after Python's str.casefold. The database
narrows down by its own rules (collation, padding), which differ; the decision is made here.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from app.config import Players
from app.database import Database
from app.errors import AmbiguousPlayer, UnknownPlayer
from app.hookspecs import Event, Player, PlayersTable

SEARCH_LIMIT = 500  # values in one query
# A collation under which what Python's casefold makes equal is equal too (UCA, primary level), but
# for some letters younger than it and the Greek iota below: for them it is given other spellings.
WIDE_COLLATION = "utf8mb4_unicode_520_ci"


def fold(name: str, match: str) -> str:
    return name.casefold() if match == "casefold" else name


class PlayerFinder:
    """Looks players up in the table of the config's [players]."""

    def __init__(self, database: Database, players: Players) -> None:
        self._database = database
        self._players = players
        self._alphabets: dict[str, tuple[str | None, str | None]] = {}

    def find_players(
        self, events: Iterable[Event]
    ) -> list[Player | UnknownPlayer | AmbiguousPlayer]:
        """For each event its player, or why there is none, in order. One query a column."""
        found: dict[int, Player | UnknownPlayer | AmbiguousPlayer] = {}
        wanted: dict[str, dict[int, str]] = defaultdict(dict)
        for position, event in enumerate(events):
            if event.nickname.strip():
                wanted[self._players.nickname_column][position] = event.nickname.strip()
            else:
                wanted[self._players.user_id_column][position] = event.user_id
        for column, values in wanted.items():
            matches = self._search(column, set(values.values()))
            for position, value in values.items():
                found[position] = choose_player(value, matches[fold(value, self._players.match)])
        return [found[position] for position in range(len(found))]

    def _search(self, column: str, values: set[str]) -> dict[str, list[Player]]:
        match = self._players.match
        rows: dict[Any, tuple[Any, ...]] = {}
        ordered = sorted(value for value in values if value)
        for start in range(0, len(ordered), SEARCH_LIMIT):
            for row in self._query(column, ordered[start : start + SEARCH_LIMIT]):
                rows[row[0]] = row
        matches: dict[str, list[Player]] = defaultdict(list)
        place = self._list_columns(column).index(column)
        for row in rows.values():
            matches[fold(as_text(row[place]), match)].append(Player(row[0], as_text(row[1])))
        return matches

    def _list_columns(self, column: str) -> list[str]:
        """Id, nickname, and `column` where it is neither."""
        names = [self._players.id_column, self._players.nickname_column]
        return names if column in names else [*names, column]

    def _query(self, column: str, values: list[str]) -> Iterable[tuple[Any, ...]]:
        players, database = self._players, self._database
        quote = database.quote[0]
        select = ", ".join(f"{quote}{name}{quote}" for name in self._list_columns(column))
        compared = f"{quote}{column}{quote}"
        if players.match == "casefold":
            if players.is_own:
                compared, values = "folded", [value.casefold()[:255] for value in values]
            elif database.family == "sqlite":
                compared, values = f"casefold({compared})", [value.casefold() for value in values]
            else:
                compared = f"CONVERT({compared} USING utf8mb4) COLLATE {WIDE_COLLATION}"
                values = list({form for value in values for form in list_spellings(value)})
        mark = self._mark_for(column) if players.match == "exact" else database.param
        marks = ", ".join([mark] * len(values))
        sql = f"SELECT {select} FROM {quote}{players.table}{quote} WHERE {compared} IN ({marks})"
        result: Iterable[tuple[Any, ...]] = database.execute_sql(sql, values).fetchall()
        return result

    def _mark_for(self, column: str) -> str:
        """A placeholder that the column can be compared with, whatever the value.

        MariaDB refuses to compare a latin1 column with a nickname that has no latin1.
        """
        database = self._database
        if database.family != "mysql" or self._players.is_own:
            return database.param
        if column not in self._alphabets:
            row = database.execute_sql(
                "SELECT character_set_name, collation_name FROM information_schema.columns WHERE"
                " table_schema = DATABASE() AND table_name = %s AND column_name = %s",
                (self._players.table, column),
            ).fetchone()
            self._alphabets[column] = row or (None, None)
        alphabet, collation = self._alphabets[column]
        if alphabet in (None, "binary", "utf8mb4"):
            return database.param
        return f"CONVERT({database.param} USING {alphabet}) COLLATE {collation}"

    def drop_equal(self, names: Iterable[str]) -> list[str]:
        """The names without those that would find the same player as an earlier one."""
        return list(
            {fold(name, self._players.match): name for name in reversed(list(names))}.values()
        )

    def create_player(self, nickname: str, now: int) -> None:
        """Inside: a new row of our own table, unless casefold finds one that came meanwhile.

        A nickname that is taken fails as the database's unique error.
        """
        mark = self._database.param
        if self._players.match == "casefold":
            self._hold_name(nickname.casefold()[:255])
            if self._search(self._players.nickname_column, {nickname}):
                return
        self._database.execute_sql(
            f"INSERT INTO players (nickname, folded, gold, created_at)"
            f" VALUES ({mark}, {mark}, 0, {mark})",
            (nickname, nickname.casefold()[:255], now),
        )

    def _hold_name(self, folded: str) -> None:
        """Make whoever creates a player of the same folded name wait for our commit."""
        mark = self._database.param
        uses = f"UPDATE guerdon_player_names SET uses = uses + 1 WHERE folded = {mark}"
        if not self._database.execute_sql(uses, (folded,)).rowcount:
            names = f"INSERT INTO guerdon_player_names (folded, uses) VALUES ({mark}, 1)"
            self._database.execute_sql(names, (folded,))


def list_spellings(name: str) -> set[str]:
    return {name, name.casefold(), name.lower(), name.upper(), name.title()}


def choose_player(value: str, matches: list[Player]) -> Player | UnknownPlayer | AmbiguousPlayer:
    if not matches:
        return UnknownPlayer(f"no player is called {shorten(value)}")
    if len(matches) > 1:
        return AmbiguousPlayer(f"{len(matches)} players are called {shorten(value)}")
    return matches[0]


def shorten(value: str) -> str:
    """A name fit for a message of one line."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in value)
    return f'"{plain if len(plain) <= 60 else plain[:57] + "..."}"'


def as_text(value: Any) -> str:
    if value is None:
        return ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def add_to_players(
    database: Database, players: PlayersTable, column: str, amounts: Mapping[Any, Decimal]
) -> None:
    """Add `amounts` (player id to amount) to a numeric column, in one statement a few hundred players.

    NULL counts as 0; the sum is exact or the database refuses it. Raises UnknownPlayer when a
    row is gone.
    """
    quote, mark = database.quote[0], database.param
    ids = sorted(amounts, key=str)
    table, key = (f"{quote}{name}{quote}" for name in (players.table, players.id_column))
    # A Decimal may be written as 1E+3, which MySQL would read as a float.
    number = mark if database.family == "sqlite" else f"CAST({mark} AS DECIMAL(38, 9))"
    target = f"{quote}{column}{quote}"
    for start in range(0, len(ids), SEARCH_LIMIT):
        some = ids[start : start + SEARCH_LIMIT]
        marks = ", ".join([mark] * len(some))
        sums = {amounts[id_] for id_ in some}
        params: list[Any] = []
        if len(sums) == 1:
            amount = number
            params = [str(sums.pop())]
        else:
            amount = f"CASE {key} {f'WHEN {mark} THEN {number} ' * len(some)}END"
            for id_ in some:
                params += [id_, str(amounts[id_])]
        if database.family == "sqlite":
            value = f"add_decimals({target}, {amount})"
        else:
            value = f"COALESCE({target}, 0) + {amount}"
        changed = database.execute_sql(
            f"UPDATE {table} SET {target} = {value} WHERE {key} IN ({marks})", params + some
        ).rowcount
        if changed != len(some):
            raise UnknownPlayer(f"{len(some) - changed} of the players are gone")
