"""Erases a player: his name becomes a pseudonym wherever it stands, and all sums stay what they are.

In chunks, each a commit with the note of what it did; who is killed at it goes on where he was. What
stays for ever is the key of each event: it is what stops a second payment.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.config.reading import Config
from app.counting.kept_facts import list_asked_facts
from app.counting.programme import Programme
from app.database.chunks import BREATH
from app.database.opening import Database
from app.failpoints import reach
from app.host.loading import Plugins
from app.paying.erased import Hasher, read_hasher
from app.paying.players import PlayerFinder
from app.paying.turns import take_turns
from app.porch.errors import GuerdonError
from app.porch.types import Player
from app.privacy.acts import list_acts_about
from app.privacy.erasures import Held, begin, end, fail, find_latest, find_unfinished, note
from app.privacy.keys import change_keys
from app.privacy.knowing import Acquaintance, Known
from app.privacy.open_work import OpenWork, cancel, list_open_work
from app.privacy.own_table import rename_own_player
from app.privacy.rewriting import Rewriter
from app.privacy.searching import Found, Search

ROWS_AT_ONCE = 100
SWEEPS = 5  # looks for what was settled meanwhile

Progress = Callable[[Sequence[Any]], Iterable[Any]]
Counts = Counter[str]


@dataclass(frozen=True)
class Plan:
    """What an erasure would do: to whom, in which rows, and what is under way."""

    nickname: str
    known: Known
    found: Found
    open_work: list[OpenWork]
    unfinished: Any | None  # the row of an erasure that was begun
    latest: int  # the last erasure before it was planned

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known of anybody of this name."""
        return self.found.is_empty and self.known.player is None and self.unfinished is None

    def count_rows(self) -> dict[str, int]:
        """Rows by kind: the player's own, and others that name him."""
        found = self.found
        mentions = (
            len(found.mentions) + len(found.rounds) + len(found.told_inbox) + len(found.attempts)
        )
        return {
            "events": len(found.events), "grants": len(found.grants), "claims": len(found.claims),
            "unpaid deliveries": len(found.inbox), "rows of others that name him": mentions,
        }  # fmt: skip


class Eraser:
    """Plans erasures, and does them."""

    def __init__(
        self,
        database: Database,
        config: Config,
        plugins: Plugins,
        programme: Programme,
        finder: PlayerFinder,
        now: Callable[[], int],
    ) -> None:
        """`now` gives ms since the epoch."""
        self._database = database
        self._config = config
        self._plugins = plugins
        self._asked = list_asked_facts(programme.rules)
        self._finder = finder
        self._now = now
        self._acquaintance = Acquaintance(database, finder, config.players)

    def plan(self, nickname: str, progress: Progress = iter, pseudonym: str = "") -> Plan:
        """What there is to erase; it writes nothing. `pseudonym`: that of an erasure done before.

        Raises AmbiguousPlayer where several players are called so, and none just so.
        """
        latest = self._database.read(find_latest)
        row = self._database.read(lambda: find_unfinished(self.read_hasher(), nickname))
        known = self._database.read(lambda: self._know(nickname, row, pseudonym))
        before = row.begun_at if row else self._now() + 1
        found = self._search(known, before).run(progress)
        open_work = list_open_work(self._database, found, self._now())
        return Plan(nickname, known, found, open_work, row, latest)

    def read_hasher(self) -> Hasher:
        """Inside or outside: what names of erased players are hashed with."""
        return read_hasher(self._database, self._finder.fold)

    def _know(self, nickname: str, row: Any | None, pseudonym: str) -> Known:
        if row:
            return self._acquaintance.recall(nickname, row.player, row.pseudonym)
        known = self._acquaintance.meet(nickname)
        if not pseudonym:
            return known
        key = known.player.key if known.player else ""
        return self._acquaintance.recall(nickname, key, pseudonym)

    def _search(self, known: Known, before: int) -> Search:
        return Search(self._database, known.person, before, self._acquaintance.is_gone)

    def run(
        self, plan: Plan, person: str, cancels: bool = False, progress: Progress = iter,
        hear: Callable[[OpenWork], None] = lambda work: None,
    ) -> dict[str, int]:  # fmt: skip
        """Erase what was planned, as this person says; how many rows of each kind.

        `cancels`: what is under way is ended, and `hear` told of each. Raises GuerdonError where something
        is under way otherwise, and where somebody else goes on with it.
        """
        self.require_nothing_open(plan, cancels)
        hasher, now = self.read_hasher(), self._now()
        held = begin(self._database, hasher, plan.known, person, now, plan.latest)
        reach("erasing: begun")
        try:
            self._do(plan, held, cancels, progress, hear)
        except Exception:
            fail(self._database, held, self._now())
            raise
        return end(self._database, held, self._now())

    def _do(
        self, plan: Plan, held: Held, cancels: bool, progress: Progress,
        hear: Callable[[OpenWork], None],
    ) -> None:  # fmt: skip
        """All of it, in commits that each note what they did."""
        known, now = plan.known, self._now()
        acts = list_acts_about(self._database, known.person)
        rewriter = Rewriter(self._database, known.person, self._asked, now, acts)
        work = Work(self._database, held, progress)
        work.do([1], lambda _: rename_own_player(self._database, self._config.players, known))

        def cancel_open(some: Sequence[OpenWork]) -> Counts:
            return Counter(cancelled=cancel(some, rewriter, now, hear))

        work.do(plan.open_work, cancel_open)  # there is none without `cancels`
        self._rewrite(work, rewriter, plan.found)
        for late in self._find_late(plan, held):
            late_plan = replace(plan, open_work=list_open_work(self._database, late, self._now()))
            self.require_nothing_open(late_plan, cancels)
            work.do(late_plan.open_work, cancel_open)
            self._rewrite(work, rewriter, late)
        work.do(list_acts_about(self._database, known.person), rewriter.rewrite_acts)
        work.do([1], lambda _: self._finish_player(known, plan.found))
        self._leave_no_trace()

    def require_nothing_open(self, plan: Plan, cancels: bool = False) -> None:
        """Raise GuerdonError, naming it, where what is under way stands in the way."""
        stuck = [one for one in plan.open_work if one.why_not or not cancels]
        if stuck:
            said = "; ".join(": ".join(filter(None, [one.said, one.why_not])) for one in stuck[:5])
            more = f"; and {len(stuck) - 5} more" if len(stuck) > 5 else ""
            hint = "" if cancels else ". Wait for it, or end it by --cancel"
            raise GuerdonError(f"something of the player is under way: {said}{more}{hint}")

    def _rewrite(self, work: "Work", rewriter: Rewriter, found: Found) -> None:
        """Others' rows first: what tells his user ids stands in his own until the end."""
        work.do(found.mentions, rewriter.rewrite_mentions)
        work.do(found.rounds, rewriter.rewrite_rounds)
        for table, column, ids in (
            ("guerdon_inbox", "last_error", found.told_inbox),
            ("guerdon_attempts", "detail", found.attempts),
        ):
            work.do(ids, lambda some, t=table, c=column: rewriter.rewrite_reasons(t, c, some))  # type: ignore[misc]
        work.do(found.inbox, rewriter.drop_waiting)
        work.do(found.events, rewriter.rewrite_events)
        work.do(found.grants, lambda some: drop_counts(rewriter.rewrite_grants(some)))
        work.do(found.claims, rewriter.rewrite_claims)

    def _find_late(self, plan: Plan, held: Held) -> Iterator[Found]:
        """What was settled meanwhile by who had found the player before he was renamed."""
        found, keys = plan.found, plan.known.person.keys
        for _ in range(SWEEPS):
            if keys:  # who pays him just now has ended when we have had our turn
                self._database.transact(lambda is_retry: take_turns(self._database, keys))
            late = self._search(plan.known, held.begun_at).run(after=found.latest)
            late.claims = sorted(set(late.claims) - set(found.claims))
            late.grants = sorted(set(late.grants) - set(found.grants))
            yield late
            found.events += late.events
            found.claims += late.claims
            found.grants += late.grants
            if late.latest == found.latest:
                return
            found.latest = late.latest

    def _finish_player(self, known: Known, found: Found) -> Counts:
        """Inside: what plugins keep of him, and the key that he is known by."""
        person, player = known.person, known.player
        counts: Counts = Counter()
        for key in sorted(person.keys or {""}):
            one = player or Player(key, person.pseudonym)
            if not key:
                continue
            facts = {"db": self._database, "settings": self._plugins.settings}
            heard = self._plugins.ask(
                "erase_player", player=Player(one.id if one.key == key else key, one.nickname),
                names=sorted(person.names | person.ids), pseudonym=person.pseudonym,
                new_key=person.new_key or key, **facts,
            )  # fmt: skip
            for answer in heard.answers:
                counts[f"plugin {answer.plugin}"] += int(answer.value or 0)
        return counts + change_keys(self._database, person, found)

    def _leave_no_trace(self) -> None:
        """On SQLite: what the pages held before is in no file of ours any more, unless somebody reads."""
        if self._database.family == "sqlite":
            with self._database.connection_context():
                self._database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


@dataclass(frozen=True)
class Work:
    """The commits of one erasure."""

    database: Database
    held: Held
    progress: Progress

    def do(self, items: Sequence[Any], change: Callable[[Sequence[Any]], Counts]) -> None:
        """Have `change` called inside for some items at a time, its counts noted in the same commit."""
        chunks = [
            items[start : start + ROWS_AT_ONCE] for start in range(0, len(items), ROWS_AT_ONCE)
        ]
        for number, some in enumerate(self.progress(chunks) if len(chunks) > 1 else chunks):
            if number:
                time.sleep(BREATH)
            self.database.transact(lambda is_retry, some=some: self._do(some, change))  # type: ignore[misc]
            reach("erasing: chunk, after COMMIT")

    def _do(self, some: Sequence[Any], change: Callable[[Sequence[Any]], Counts]) -> None:
        if self.database.family == "sqlite":  # what a row held before is written over
            self.database.execute_sql("PRAGMA secure_delete = ON").fetchall()
        note(self.held, change(some))
        reach("erasing: chunk, before COMMIT")


def drop_counts(number: int) -> Counts:
    """Grants are counted with their events."""
    return Counter()


def require_somebody(plan: Plan, nickname: str) -> None:
    """Raise GuerdonError where there is nothing to erase."""
    if plan.is_empty:
        raise GuerdonError(f"nothing is kept of anybody called {nickname}")
