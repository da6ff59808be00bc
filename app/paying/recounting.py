"""Counters made anew from the ledger while votes are paid: for new rules, to verify, to repair.

A player's turn is taken for as long as he is counted, so that whoever pays him meanwhile waits, or on
a cluster runs again; what is kept of him afterwards is what the ledger says.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from app.counting.comparing import list_differences, read_kept
from app.counting.folding import fold_history, read_history
from app.counting.kept_facts import list_lost_facts
from app.counting.marks import CALENDAR, SHARED, read_mark, set_mark
from app.counting.programme import Programme
from app.counting.shared_uses import (
    SharedCount,
    list_shared,
    list_shared_differences,
    replace_shared,
)
from app.database.chunks import BREATH
from app.database.opening import Database
from app.paying.counting import recount
from app.paying.turns import list_stale, note_counted, take_counted_turns
from app.porch.errors import GuerdonError

PLAYERS_AT_ONCE = 100

Progress = Callable[[Sequence[Any]], Iterable[Any]]


class Recounter:
    """Counts players anew, some in each transaction."""

    def __init__(self, database: Database, programme: Programme) -> None:
        self._database = database
        self._programme = programme
        self._fingerprint = programme.fingerprint

    def count_stale(self, progress: Progress = iter) -> int:
        """Count everybody who was paid without being counted by these rules; how many they were."""
        if not self._fingerprint:
            return 0
        return self._run(self._count_stale, progress)

    def rebuild(self, progress: Progress = iter) -> int:
        """Count everybody anew, whatever is kept of him, and what all share; how many players."""
        if not self._fingerprint:
            return 0
        self._require_facts()
        count = self._run(self._rebuild, progress)
        self._rebuild_shared(progress)
        return count

    def is_shared_new(self) -> bool:
        """Whether rules have a limit for all, or a budget, that the ledger was never counted for."""
        known = json.loads(read_mark(self._database, SHARED) or "[]")
        return not set(list_shared(self._programme)) <= set(known)

    def count_shared(self, progress: Progress = iter) -> bool:
        """Count what all share, if some of it is new; whether it was."""
        if not self._fingerprint or not self._database.read(self.is_shared_new):
            return False
        self._rebuild_shared(progress)
        return True

    def verify(self, progress: Progress = iter) -> list[str]:
        """A sentence for each counter that is kept otherwise than the ledger says."""
        found: list[str] = []
        if not self._fingerprint:
            return found
        self._require_facts()
        self._run(partial(self._verify, found), progress)
        found += self._database.read(self._verify_shared)
        return found

    def _require_facts(self) -> None:
        """Raise GuerdonError where the ledger has lost what these rules count by."""
        rules = self._programme.rules
        if lost := self._database.read(lambda: list(list_lost_facts(self._database, rules))):
            raise GuerdonError("; ".join(lost))

    def _run(self, work: Callable[[Sequence[str]], int], progress: Progress) -> int:
        """Have `work` done for some players at a time, with a breath for whoever pays between."""
        count = 0
        chunks = list(self._list_chunks())
        for number, players in enumerate(progress(chunks)):
            if number:
                time.sleep(BREATH / 4)
            count += work(players)
        return count

    def _list_chunks(self) -> Iterator[list[str]]:
        """All players of the ledger, by their keys."""
        mark, last = self._database.param, ""
        sql = (
            f"SELECT DISTINCT player_id FROM guerdon_events WHERE player_id > {mark}"
            f" ORDER BY player_id LIMIT {PLAYERS_AT_ONCE}"
        )
        while rows := self._database.read(
            lambda after=last: self._database.execute_sql(sql, (after,)).fetchall()  # type: ignore[misc]
        ):
            yield [row[0] for row in rows]
            last = rows[-1][0]

    def _count_stale(self, players: Sequence[str]) -> int:
        stale = self._database.read(partial(list_stale, self._database, players, self._fingerprint))
        if not stale:
            return 0
        return self._rebuild(stale)

    def _rebuild(self, players: Sequence[str]) -> int:
        def rebuild(is_retry: bool) -> int:
            take_counted_turns(self._database, players, self._fingerprint)
            recount(self._database, self._programme, players)
            note_counted(self._database, players, self._fingerprint)
            return len(players)

        return self._database.transact(rebuild)

    def _verify(self, found: list[str], players: Sequence[str]) -> int:
        def compare(is_retry: bool) -> list[str]:
            # Who is stale stays it: nobody is taken for counted by being looked at.
            known = set(players) - set(list_stale(self._database, players, self._fingerprint))
            stale = take_counted_turns(self._database, known, self._fingerprint)
            settled = sorted(known - set(stale))
            if not settled:
                return []
            history = read_history(self._database, self._programme, settled)
            counted = fold_history(self._programme, history)
            return list_differences(read_kept(self._database, settled), counted)

        found += self._database.transact(compare)
        return len(players)

    def _rebuild_shared(self, progress: Progress) -> None:
        """What all share, as the ledger has it; and the calendar that all was counted by."""
        count = self._database.read(
            lambda: SharedCount(self._programme).go_on(self._database, progress)
        )

        def replace(is_retry: bool) -> None:
            replace_shared(self._database, count)
            set_mark(self._database, SHARED, json.dumps(list_shared(self._programme)))
            set_mark(self._database, CALENDAR, self._programme.rules.calendar.text)

        self._database.transact(replace)

    def _verify_shared(self) -> list[str]:
        return list_shared_differences(self._database, self._programme)
