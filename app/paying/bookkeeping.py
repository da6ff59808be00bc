"""Keeps what rules count in order: filled in by `guerdon migrate`, inspected at the start, made anew."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from peewee import PeeweeException

from app.counting.kept_facts import list_lost_facts
from app.counting.marks import CALENDAR, add_mark, read_mark, read_secret
from app.counting.player_index import add_player_index, has_player_index
from app.counting.programme import Programme
from app.database.opening import Database
from app.paying.filling import Filler
from app.paying.players import PlayerFinder
from app.paying.recounting import Recounter
from app.porch.errors import DatabaseUnavailable
from app.rules.drawing import find_commitment

Progress = Callable[[Sequence[Any]], Iterable[Any]]


class Bookkeeping:
    """The counters of a service, beside its ledger."""

    def __init__(
        self,
        database: Database,
        programme: Programme,
        finder: PlayerFinder,
        secrets: Sequence[bytes],
    ) -> None:
        """`secrets` are those of [rewards] draw_secrets; without any the database has its own."""
        self._database = database
        self._programme = programme
        self._secrets = secrets
        self._finder = finder
        self._filler = Filler(database, programme, finder)
        self.recounter = Recounter(database, programme)

    def add_indexes(self) -> list[str]:
        """Where rules count, what they are looked up by; a line for each that was missing."""
        return list(add_player_index(self._database)) if self._programme.fingerprint else []

    def bring_up_to_date(self, progress: Progress = iter) -> list[str]:
        """Fill the ledger in, and count whoever is not counted by these rules; a line for each.

        Its indexes are there.
        """
        if not self._programme.fingerprint:
            return []
        with self._database.connection_context():
            if lost := list(list_lost_facts(self._database, self._programme.rules)):
                return [f"not counted: {one}" for one in lost]
            filled = self._filler.fill(progress)
            calendar = self._programme.rules.calendar.text
            known = self._database.transact(
                lambda is_retry: add_mark(self._database, CALENDAR, calendar)
            )
            if known == calendar:
                self.recounter.count_shared(progress)
            counted = self.recounter.count_stale(progress) if known == calendar else 0
        done = [f"{filled:,} events were given their player"] if filled else []
        return done + ([f"{counted:,} players were counted by the rules"] if counted else [])

    def fill_in(self, progress: Progress = iter) -> int:
        """Have the ledger know whose its events are, also where no rule counts; how many it learnt."""
        with self._database.connection_context():
            filler = Filler(self._database, self._programme, self._finder, always=True)
            return filler.fill(progress)

    def rebuild(self, progress: Progress = iter) -> int:
        """Put what the ledger says in the place of every counter; how many players."""
        with self._database.connection_context():
            self._filler.fill(progress)
            return self.recounter.rebuild(progress)

    def list_faults(self) -> Iterator[str]:
        """Why these rules must not pay with what was counted so far."""
        if not self._programme.fingerprint:
            return
        yield from list_lost_facts(self._database, self._programme.rules)
        known, calendar = read_mark(self._database, CALENDAR), self._programme.rules.calendar.text
        if known is not None and known != calendar:
            yield (
                f"[calendar] says {calendar}, and votes were counted by {known}: put it back, or run"
                " `guerdon counters rebuild`"
            )
        has_ledger = self._filler.has_ledger()
        if self._filler.is_needed() or (has_ledger and not has_player_index(self._database)):
            yield "the rules count, and the ledger was never counted: run `guerdon migrate`"
        elif has_ledger and self.recounter.is_shared_new():
            yield (
                "a limit for all, or a budget, is new, and what was paid before is not counted for it: run"
                " `guerdon migrate`"
            )

    def list_warnings(self) -> Iterator[str]:
        """What `guerdon migrate` would still do for these rules; nothing where nobody answers."""
        with suppress(PeeweeException, DatabaseUnavailable), self._database.connection_context():
            if self._programme.fingerprint and self._filler.is_outdated():
                yield (
                    "the rules count something that was not counted before: run `guerdon migrate`, so that"
                    " rankings know those too who do not vote again"
                )
            elif self._filler.has_gaps():
                yield (
                    "votes that the rules count were settled by rules that did not: run `guerdon migrate`, so"
                    " that they are counted too"
                )

    def list_secrets(self) -> list[bytes]:
        """The secrets of draws, the current one first."""
        if self._secrets:
            return list(self._secrets)
        return [read_secret(self._database)]

    def complete(self, programme: Programme) -> Programme:
        """The same rules, with the secret of this service's draws."""
        with self._database.connection_context():
            return replace(programme, secret=self.list_secrets()[0])

    def list_commitments(self) -> list[str]:
        """What may be published before a season, where rules draw."""
        if not any(rule.choice for rule in self._programme.rules.all):
            return []
        with self._database.connection_context():
            return [
                f"draws: the SHA-256 of the secret is {find_commitment(self.list_secrets()[0])}"
            ]
