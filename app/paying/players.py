"""Finds players, a whole batch in one query, and adds to their columns, exactly.

Which nicknames are one player's is app/porch/names.py's to say; user ids are compared by code point, as they
stand. The database narrows down by its own rules (collation, padding), which differ; the decision is
made here.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from app.config.sections import Players
from app.database.opening import Database
from app.paying.player_search import PlayerSearch
from app.porch.errors import AmbiguousPlayer, RefusedName, UnknownPlayer
from app.porch.names import fold_name
from app.porch.text import shorten
from app.porch.types import Event, Player, PlayersTable

SEARCH_LIMIT = 500  # values in one query


class PlayerFinder:
    """Looks players up in the table of the config's [players]."""

    def __init__(self, database: Database, players: Players) -> None:
        self._database = database
        self._players = players
        self._names = players.names
        self._search = PlayerSearch(database, players)

    def find_players(
        self, events: Iterable[Event]
    ) -> list[Player | UnknownPlayer | AmbiguousPlayer]:
        """For each event its player, or why there is none, in order.

        One query finds those of all nicknames, one those of all user ids of a column.
        """
        found: dict[int, Player | UnknownPlayer | AmbiguousPlayer] = {}
        names: dict[int, tuple[str, str]] = {}
        ids: dict[str, dict[int, str]] = {}
        for place, event in enumerate(events):
            if not event.nickname.strip():
                column = self._players.find_id_column(event.source)
                ids.setdefault(column, {})[place] = event.user_id
                continue
            try:
                names[place] = (self._names.read(event.nickname), event.nickname.strip())
            except RefusedName as error:
                found[place] = error
        if names:
            found |= self._find_named(names)
        for column, some in ids.items():
            known = self._search.find_ids(column, set(some.values()))
            found |= {place: choose_player(id_, known[id_]) for place, id_ in some.items()}
        return [found[place] for place in range(len(found))]

    def _find_named(
        self, names: Mapping[int, tuple[str, str]]
    ) -> dict[int, Player | UnknownPlayer | AmbiguousPlayer]:
        """The players of nicknames; each as it is compared, and as it came: a table may hold that."""
        prefixed, match = self._names.list_candidates, self._players.match
        wanted = {one for pair in names.values() for form in set(pair) for one in prefixed(form)}
        known = self._search.find_names(wanted)
        found = {}
        for place, (name, _) in names.items():
            keys = dict.fromkeys(fold_name(one, match) for one in prefixed(name))
            players = [player for key in keys for player in known[key]]
            found[place] = choose_player(name, players)
        return found

    def find_keys(self, keys: Collection[str]) -> dict[str, Player]:
        """The players of these keys (Player.key); who is gone is not in it."""
        return self._search.find_keys(keys)

    def name_new_player(self, event: Event) -> str:
        """What the player of an event would be called whom nobody knows yet.

        Raises RefusedName where he may not be called so, or could be mistaken for another.
        """
        if event.nickname.strip():
            prefixed = self._names.list_candidates(self._names.read(event.nickname))
            name = self._names.read(prefixed[0])
            if len(self._names.prefixes) == 1:
                return name  # whoever could be mistaken for him would have been found
        elif self._names.read(event.user_id) != (name := event.user_id):
            raise RefusedName(
                f"{shorten(name)} is no nickname as it stands, so no player is made of it"
            )
        if rival := self.find_rival(name):
            raise RefusedName(f"{shorten(name)} could be mistaken for the player {shorten(rival)}")
        return name

    def find_rival(self, name: str) -> str:
        """The nickname of a player between whom and a new one of this name no vote could tell; or ""."""
        prefixes, match = self._names.prefixes, self._players.match
        stems = {name[len(prefix) :] for prefix in prefixes if name.startswith(prefix)} | {name}
        wanted = {prefix + stem for stem in stems for prefix in prefixes if stem}
        if wanted == {name} and match == "exact":
            return ""
        known = self._search.find_names(wanted)
        rivals = [player.nickname for some in known.values() for player in some]
        return min((rival for rival in rivals if rival != name), default="")

    def is_taken(self, name: str) -> bool:
        """Whether there is a player of just this name, or under casefold of one that means the same."""
        return bool(self._search.find_names({name})[fold_name(name, self._players.match)])

    def list_named(self, names: Collection[str]) -> list[Player]:
        """The players who are called just so, whoever else may be meant by the same name."""
        known = self._search.find_names(names) if names else {}
        return [one for some in known.values() for one in some if one.nickname in names]

    def fold(self, name: str) -> str:
        """What this name has in common with all that mean the same player."""
        return fold_name(name, self._players.match)

    def create_player(self, nickname: str, now: int) -> bool:
        """Inside: a new row of our own table; False where casefold finds one that came meanwhile.

        A nickname that is taken fails as the database's unique error.
        """
        mark = self._database.param
        if self._players.match == "casefold":
            self._hold_name(nickname.casefold()[:255])
            if self.is_taken(nickname):
                return False
        self._database.execute_sql(
            f"INSERT INTO players (nickname, folded, gold, created_at)"
            f" VALUES ({mark}, {mark}, 0, {mark})",
            (nickname, nickname.casefold()[:255], now),
        )
        return True

    def remove_players(self, ids: Sequence[Any]) -> None:
        """Inside: rows of our own table that this transaction has made."""
        marks = ", ".join([self._database.param] * len(ids))
        self._database.execute_sql(f"DELETE FROM players WHERE id IN ({marks})", list(ids))

    def _hold_name(self, folded: str) -> None:
        """Make whoever creates a player of the same folded name wait for our commit."""
        mark = self._database.param
        uses = f"UPDATE guerdon_player_names SET uses = uses + 1 WHERE folded = {mark}"
        if not self._database.execute_sql(uses, (folded,)).rowcount:
            names = f"INSERT INTO guerdon_player_names (folded, uses) VALUES ({mark}, 1)"
            self._database.execute_sql(names, (folded,))


def choose_player(value: str, matches: list[Player]) -> Player | UnknownPlayer | AmbiguousPlayer:
    if not matches:
        return UnknownPlayer(f"no player is called {shorten(value)}")
    if len(matches) > 1:
        return AmbiguousPlayer(f"{len(matches)} players are called {shorten(value)}")
    return matches[0]


def read_from_players(
    database: Database, players: PlayersTable, column: str, player: Player
) -> Any:
    """A column of a player's row as the database has it now; a number as a Decimal.

    Inside a payment no other payment changes it meanwhile; your game may. SQLite keeps a DECIMAL to some
    15 digits. What was gathered (Batch.gather) is not in it yet.
    Raises UnknownPlayer where the row is gone.
    """
    quote, mark = database.quote[0], database.param
    names = (f"{quote}{name}{quote}" for name in (column, players.table, players.id_column))
    sql = "SELECT {} FROM {} WHERE {} = ".format(*names) + mark
    row = database.execute_sql(sql, (player.id,)).fetchone()
    if row is None:
        raise UnknownPlayer(f"the player {player.nickname} is gone")
    is_number = isinstance(row[0], int | float) and not isinstance(row[0], bool)
    return Decimal(str(row[0])) if is_number else row[0]


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
            places = database.count_places(players.table, column)
            value = f"add_decimals({target}, {amount}, {'NULL' if places is None else places})"
        else:
            value = f"COALESCE({target}, 0) + {amount}"
        changed = database.execute_sql(
            f"UPDATE {table} SET {target} = {value} WHERE {key} IN ({marks})", params + some
        ).rowcount
        if changed != len(some):
            raise UnknownPlayer(f"{len(some) - changed} of the players are gone")
