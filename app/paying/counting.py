"""Counts a batch, and has it decided what each event earns; the counters move in the events' commit.

They are read once the players' turns are taken, so nobody else moves them meanwhile. A payment that fails
leaves no trace: the next event has the number that it would have had.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from app.counting.deciding import Happened, decide
from app.counting.folding import fold_history, read_history
from app.counting.limits import list_caps
from app.counting.needs import gather_needs
from app.counting.occasions import make_ranking
from app.counting.programme import Programme
from app.counting.reading import read_state
from app.counting.replacing import replace_counters
from app.counting.state import Draft, PartyVote
from app.counting.writing import write_party_votes, write_state
from app.database.keys import make_event_key
from app.database.opening import Database
from app.failpoints import reach
from app.host.loading import Plugins
from app.paying.payments import Line, Payment
from app.paying.player_facts import list_asked, read_facts
from app.paying.repeats import mark_repeats
from app.paying.turns import note_counted, take_counted_turns
from app.porch.types import Delivery


class CountedBatch:
    """The counters of one batch, from the time the turns are taken to its commit."""

    def __init__(
        self, database: Database, plugins: Plugins, programme: Programme, payments: Sequence[Payment],
        now: int,
    ) -> None:  # fmt: skip
        """Inside: reads what is needed. `now` in ms."""
        self._database = database
        self._programme = programme
        lines = [
            line
            for payment in payments
            for line in payment.lines
            if payment.outcome is None and line.player is not None
        ]
        take_turns_of(database, programme, {make_key(line) for line in lines})
        mark_repeats(database, payments)
        asked = list_asked(programme, {line.event.type for line in lines})
        players = [line.player for line in lines if line.player is not None]
        facts = read_facts(plugins, database, asked, players, now)
        self._happened = {
            id(line): Happened(
                line.event, make_key(line), line.moment, facts.get(make_key(line), {})
            )
            for line in lines
        }
        self._state = read_state(database, gather_needs(programme, self._happened.values()))
        self._state.closed = find_closed(database, programme, self._happened.values(), now)
        self._before = self._state.copy()
        self._draft: Draft | None = None
        self._party_votes: list[tuple[Line, PartyVote]] = []

    def decide(self, line: Line) -> None:
        """Put what the rules say of an event, and what it earns, into its line."""
        if self._draft is None:
            self._draft = self._state.begin()
        happened = self._happened.get(id(line)) or Happened(line.event, "", line.moment)
        line.verdicts = decide(self._programme, self._draft, happened)
        line.gifts = [gift for verdict in line.verdicts for gift in verdict.gifts]
        self._party_votes += [(line, vote) for vote in self._draft.party_votes]
        self._draft.party_votes.clear()

    def end_payment(self, is_kept: bool) -> None:
        """What was decided since the last one is one payment's: it holds, or never was."""
        if is_kept and self._draft is not None:
            self._state.keep(self._draft)
        self._draft = None

    def write(self, ids: Mapping[bytes, int]) -> None:
        """Inside, once all is given: the counters as they are now; `ids` are the rows of the events.

        Raises CounterRaced where somebody else has used up meanwhile what this counted on.
        """
        votes = [(ids[line.key], vote) for line, vote in self._party_votes if line.key in ids]
        write_party_votes(self._database, votes)
        caps = list_caps(self._programme.rules)
        write_state(self._database, self._before, self._state, caps)
        reach("counting: written")


def make_key(line: Line) -> str:
    assert line.player is not None
    return line.player.key


def take_turns_of(database: Database, programme: Programme, players: Collection[str]) -> None:
    """Inside: take their turns, and count anew whom somebody paid without counting as we do."""
    if stale := take_counted_turns(database, players, programme.fingerprint):
        recount(database, programme, stale)
        note_counted(database, stale, programme.fingerprint)
        reach("counting: made anew")


def recount(database: Database, programme: Programme, players: Sequence[str]) -> None:
    """Inside, in their turns: put what the ledger says in the place of what is kept."""
    state = fold_history(programme, read_history(database, programme, players))
    replace_counters(database, players, state)


def find_closed(
    database: Database, programme: Programme, events: Iterable[Happened], now: int
) -> frozenset[tuple[str, str]]:
    """The rankings, by name and period, that were closed before these events came."""
    over: set[tuple[str, str]] = set()
    calendar = programme.rules.calendar
    rankings = [rule for rule in programme.rules.all if rule.ranking]
    for happened in events if rankings else ():
        for rule in rankings:
            assert rule.ranking is not None
            if rule.on != happened.event.type or not rule.is_for(happened.event):
                continue
            period = calendar.name_period(rule.ranking.unit, happened.moment)
            end = calendar.end_period(period)
            if end is not None and end <= now:
                over.add((rule.ranking_name, period))
    return frozenset(one for one in over if is_there(database, make_ranking(*one, {})))


def is_there(database: Database, delivery: Delivery) -> bool:
    """Whether a delivery of ours is in the inbox, or was settled."""
    key, mark = make_event_key(delivery.source, delivery.type, delivery.id), database.param
    sql = (
        f"SELECT 1 FROM guerdon_inbox WHERE ordered_key = {mark}"
        f" UNION ALL SELECT 1 FROM guerdon_events WHERE ordered_key = {mark}"
    )
    return database.execute_sql(sql, (key, key)).fetchone() is not None
