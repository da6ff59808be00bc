"""Parties and rankings that a trial holds itself, where the ledger has none of them yet."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from app.counting.deciding import Happened
from app.counting.occasions import (
    list_events,
    list_payees,
    make_party,
    make_ranking,
)
from app.counting.programme import Programme
from app.counting.ranking_places import rank_players
from app.counting.state import PartyVote
from app.database.opening import Database
from app.porch.types import Delivery, Event
from app.rules.keys import Payees
from app.rules.rule import Rule

PATIENCE = 3_600_000  # ms after its end that a period is closed


@dataclass
class Pending:
    """What is open: votes of a party's next round, totals of a ranking's period."""

    votes: list[PartyVote] = field(default_factory=list)
    rounds: int = 0
    totals: dict[str, tuple[int, int]] = field(default_factory=dict)


class TrialOccasions:
    """Holds the occasions of rules whose occasions the ledger does not have."""

    def __init__(self, database: Database, programme: Programme) -> None:
        self._programme = programme
        self._held = list_held(database)
        rules = programme.rules.all
        self._parties = {rule.party_name: rule for rule in rules if rule.party}
        self._rankings = {rule.ranking_name: rule for rule in rules if rule.ranking}
        self._pending: dict[tuple[str, str], Pending] = {}

    def is_replayed(self, event: Event) -> bool:
        """Whether an own event of the ledger is of one of these rules."""
        return event.data.get("name") in self._held

    def add_votes(self, votes: list[PartyVote]) -> Iterator[Happened]:
        """Votes for parties; whoever a round that is full by now pays."""
        for vote in votes:
            if vote.party in self._held:
                continue
            pending = self._pending.setdefault((vote.party, vote.period), Pending())
            pending.votes.append(vote)
            rule = self._parties[vote.party]
            if rule.party and len(pending.votes) == rule.party.every:
                pending.rounds += 1
                yield from self._make_payees(self._make_round(rule, vote, pending))
                pending.votes = []

    def _make_round(self, rule: Rule, last: PartyVote, pending: Pending) -> Delivery:
        assert rule.party is not None
        voters = list(dict.fromkeys(vote.player for vote in pending.votes))
        servers = sorted(rule.servers or ()) if rule.party.to == Payees.SERVER else []
        moment = max(vote.moment for vote in pending.votes)
        data = {"voters": [[one, ""] for one in voters], "servers": servers, "moment": moment}
        return make_party(last.party, last.period, pending.rounds, data)

    def count_ranked(self, happened: Happened) -> None:
        """A vote for every ranking that counts it."""
        calendar = self._programme.rules.calendar
        for name, rule in self._rankings.items():
            if name in self._held or rule.on != happened.event.type or rule.ranking is None:
                continue
            if rule.selector.does_count(happened.event, happened.moment, calendar):
                period = calendar.name_period(rule.ranking.unit, happened.moment)
                totals = self._pending.setdefault((name, period), Pending()).totals
                votes, last = totals.get(happened.player, (0, 0))
                totals[happened.player] = (votes + 1, max(last, happened.moment))

    def close_ended(self, now: int) -> Iterator[Happened]:
        """Whoever is paid by rankings whose period was over an hour before `now` (ms)."""
        for (name, period), pending in list(self._pending.items()):
            rule = self._rankings.get(name)
            if rule is None or not pending.totals:
                continue
            end = self._find_end(rule, period)
            if end is not None and now >= end + PATIENCE:
                del self._pending[name, period]
                rows = [(player, *said) for player, said in pending.totals.items()]
                table = [[one.player, "", one.votes, one.shared, one.first]
                         for one in rank_players(rows)]  # fmt: skip
                closing = make_ranking(name, period, {"table": table, "moment": end - 1})
                yield from self._make_payees(closing)

    def _make_payees(self, occasion: Delivery) -> Iterator[Happened]:
        for payee in list_payees(occasion, self._programme.rules):
            [event] = list_events(payee)
            yield Happened(event, event.user_id, int(occasion.data["moment"]), refused={})

    def _find_end(self, rule: Rule, period: str) -> int | None:
        if period == "season" and rule.when and rule.when.last:
            period = f"day:{rule.when.last.isoformat()}"
        return self._programme.rules.calendar.end_period(period)


def list_held(database: Database) -> set[str]:
    """The names of parties and rankings that the ledger has events of."""
    rows = database.execute_sql(
        "SELECT DISTINCT party FROM guerdon_party_votes WHERE round IS NOT NULL"
    ).fetchall()
    ids = database.execute_sql(
        "SELECT event_id FROM guerdon_inbox WHERE type = 'ranking' AND source = 'guerdon-rules'"
    ).fetchall()
    return {row[0] for row in rows} | {row[0].partition(":")[0] for row in ids}
