"""Finds out who is meant by a nickname: what he may be spelled like, which user ids and keys are his."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

from app.config.sections import Players
from app.database.opening import Database
from app.paying.players import PlayerFinder
from app.porch.errors import AmbiguousPlayer, RefusedName
from app.porch.names import clean_name
from app.porch.types import Event, Player
from app.privacy.person import Person

PSEUDONYM = "gone-"


@dataclass(frozen=True)
class Known:
    """A player, or None where the table has none, and what rows know him by."""

    player: Player | None
    person: Person


class Acquaintance:
    """Asks the table of [players]."""

    def __init__(self, database: Database, finder: PlayerFinder, players: Players) -> None:
        self._database = database
        self._finder = finder
        self._players = players

    @property
    def has_naming_keys(self) -> bool:
        """Whether the key of a player is what he is called, so that it says who he is."""
        named = (self._players.nickname_column, *self._players.id_columns)
        return self._players.id_column in named

    def meet(self, nickname: str) -> Known:
        """Who is called so now. Raises AmbiguousPlayer where several are, and none just so."""
        player = self.find_player(nickname)
        return Known(player, self._describe(nickname, player, player.key if player else "", ""))

    def recall(self, nickname: str, key: str, pseudonym: str) -> Known:
        """Who was called so when his erasure began; `key` is what is kept of it."""
        known = self._finder.find_keys({key}).get(key) if key else None
        player = known or (self.find_player(nickname) if self.has_naming_keys else None)
        return Known(player, self._describe(nickname, player, key, pseudonym))

    def find_player(self, nickname: str) -> Player | None:
        """The player of a nickname, before all who is called just so; None where there is none."""
        named = self._finder.list_named({nickname})
        if len(named) == 1:
            return named[0]
        [answer] = self._finder.find_players([Event("", "", "", nickname=nickname)])
        if isinstance(answer, AmbiguousPlayer):
            raise answer
        return answer if isinstance(answer, Player) else None

    def is_gone(self, key: str) -> bool:
        """Whether no player has this key any more."""
        return not self._finder.find_keys({key})

    def _describe(self, nickname: str, player: Player | None, key: str, pseudonym: str) -> Person:
        names = frozenset(self._list_names(nickname, player, key))
        keys = frozenset({key} - {""}) | (names if self.has_naming_keys else frozenset())
        pseudonym = pseudonym or f"{PSEUDONYM}{secrets.token_hex(8)}"
        new_key = pseudonym if self.has_naming_keys else None
        return Person(names, self._read_ids(player), keys, pseudonym, self._players.match, new_key)

    def _list_names(self, nickname: str, player: Player | None, key: str) -> Iterator[str]:
        """The nickname and, by the prefixes, others under which a vote finds the same player."""
        told = [nickname, clean_name(nickname)]
        if player and not player.nickname.startswith(PSEUDONYM):
            told.append(player.nickname)
        yield from told
        prefixes = self._players.prefixes
        stems = {one.removeprefix(prefix) for one in told for prefix in prefixes}
        for name in {prefix + stem for stem in stems for prefix in prefixes if stem} - {*told}:
            if not self._is_anothers(name, key):
                yield name

    def _is_anothers(self, name: str, key: str) -> bool:
        [answer] = self._finder.find_players([Event("", "", "", nickname=name)])
        if isinstance(answer, Player):
            return answer.key != key
        return isinstance(answer, AmbiguousPlayer | RefusedName)

    def _read_ids(self, player: Player | None) -> frozenset[str]:
        """The user ids that the table has for a player beside his nickname."""
        if player is None:
            return frozenset()
        there = {one.name for one in self._database.get_columns(self._players.table)}
        wanted = [
            one
            for one in self._players.id_columns  # a studio without user ids has not named any
            if one in there and one != self._players.nickname_column
        ]
        return frozenset({self._read_id(player, column) for column in wanted} - {""})

    def _read_id(self, player: Player, column: str) -> str:
        quote = self._database.quote[0]
        names = (
            f"{quote}{one}{quote}" for one in (column, self._players.table, self._players.id_column)
        )
        sql = "SELECT {} FROM {} WHERE {} = ".format(*names) + self._database.param
        row = self._database.execute_sql(sql, (player.id,)).fetchone()
        value = row[0] if row else None
        return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")
