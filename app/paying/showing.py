"""What players and web pages are shown: who has voted most, how far a party is, a player's votes."""

from collections.abc import Collection
from typing import Any

from app.counting.boards import (
    count_board,
    count_votes,
    find_streak,
    read_imported,
    read_moments,
    read_period,
)
from app.counting.player_index import has_player_index
from app.database.opening import Database
from app.paying.players import PlayerFinder
from app.porch.text import format_time
from app.rules.calendar import Calendar, Unit
from app.rules.rule import Rules

BOARD_LASTS = 10_000  # ms
MOST_BOARDS = 128  # that are kept


class Showing:
    """Reads alone."""

    def __init__(self, database: Database, rules: Rules, finder: PlayerFinder) -> None:
        self._database = database
        self._rules = rules
        self._finder = finder
        self._boards: dict[tuple[Any, ...], tuple[int, list[dict[str, Any]]]] = {}

    @property
    def _calendar(self) -> Calendar:
        return self._rules.calendar

    def list_board(
        self, unit: Unit, period: str | None, server: str | None, limit: int, now: int
    ) -> list[dict[str, Any]]:
        """The players with the most votes of a period, as JSON. Raises GuerdonError for no period.

        Anybody may have a page ask for it, and years of votes take a while to count: an answer holds
        for some seconds.
        """
        asked = (unit, period, server, limit)
        made_at, board = self._boards.get(asked, (now - BOARD_LASTS, []))
        if not 0 <= now - made_at < BOARD_LASTS:
            board = self._count_board(unit, period, server, limit, now)
            if len(self._boards) >= MOST_BOARDS:
                self._boards.clear()
            self._boards[asked] = now, board
        return board

    def _count_board(
        self, unit: Unit, period: str | None, server: str | None, limit: int, now: int
    ) -> list[dict[str, Any]]:
        begin, end = read_period(self._calendar, unit, period, now)
        board = count_board(self._database, begin, end, server, limit)
        names = self.name_players([player for player, _ in board])
        return [
            {"place": place, "nickname": names[player], "votes": votes}
            for place, (player, votes) in enumerate(board, 1)
        ]

    def name_players(self, keys: Collection[str]) -> dict[str, str]:
        """What they are called, by their keys; whoever is gone, as he was called last."""
        found = {key: one.nickname for key, one in self._finder.find_keys(keys).items()}
        for key in keys:
            if key not in found:
                found[key] = self._find_last_name(key)
        return found

    def _find_last_name(self, key: str) -> str:
        table = "guerdon_events" if has_player_index(self._database) else "guerdon_grants"
        sql = (
            f"SELECT nickname FROM {table} WHERE player_id = {self._database.param}"
            " ORDER BY id DESC LIMIT 1"
        )
        row = self._database.execute_sql(sql, (key,)).fetchone()
        return str(row[0]) if row else key

    def describe_votes(self, player: str, now: int) -> dict[str, Any]:
        """A player's votes and streak, by his key, as JSON."""
        moments = read_moments(self._database, player)
        imported = read_imported(self._database, player)
        streak = find_streak(self._calendar, moments, imported, now)
        return {
            "votes": count_votes(self._calendar, moments, imported, now),
            "streak": {
                "length": streak.length,
                "last_day": streak.last_day.isoformat() if streak.last_day else None,
                "breaks_at": format_time(streak.breaks_at),
            },
        }

    def list_goals(self, now: int) -> list[dict[str, Any]]:
        """Each party: how many votes its next round has, and how many it needs, as JSON."""
        goals = []
        for rule in self._rules.all:
            if rule.party:
                period = self._calendar.name_period(rule.party.unit, now)
                votes, rounds = self._count_party(rule.party_name, period)
                every = rule.party.every
                goals.append({
                    "rule": rule.name, "every": every, "votes": votes % every,
                    "left": every - votes % every, "rounds": rounds + votes // every,
                })  # fmt: skip
        return goals

    def _count_party(self, party: str, period: str) -> tuple[int, int]:
        """The open votes of a party, and its rounds so far."""
        mark = self._database.param
        where = f"party = {mark} AND period = {mark}"
        open_votes = self._database.execute_sql(
            f"SELECT COUNT(*) FROM guerdon_party_votes WHERE {where} AND round IS NULL",
            (party, period),
        ).fetchone()[0]
        latest = self._database.execute_sql(
            f"SELECT round FROM guerdon_party_votes WHERE {where} AND round IS NOT NULL"
            " ORDER BY round DESC LIMIT 1",
            (party, period),
        ).fetchone()
        return int(open_votes), int(latest[0]) if latest else 0
