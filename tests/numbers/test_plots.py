"""What is read for plots, rules, sources and boxes."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from app.database.models import Event, Report, Waiting
from app.database.models import Grant as GrantRow
from app.database.number_models import WalkRow
from app.guerdon import Guerdon
from app.numbers.books import read_state
from app.numbers.open_counts import count_open
from app.numbers.plots import PlotName, read_series
from app.numbers.reading import read_whole
from app.numbers.records import read_last_settled, read_rule_records, read_totals
from app.numbers.rolling import Roller
from app.numbers.tallies import DAY, HOUR, What
from app.paying.claims import queue_claims
from app.porch.types import Event as PaidEvent
from app.porch.types import Player
from app.testing.clock import Clock
from tests.numbers.ledger import make_event, make_grant, write_ledger

NOW = 1_800_000_000_000


@pytest.fixture
def ask(guerdon: Guerdon) -> Callable[..., Any]:
    """Call one of the reading functions."""

    def call(function: Callable[..., Any], *args: Any) -> Any:
        with guerdon.database.limit_time(20):
            return function(guerdon.database, *args)

    return call


def write_votes(guerdon: Guerdon, moments: list[tuple[int, str]]) -> None:
    with guerdon.database.connection_context():
        for number, (at, server) in enumerate(moments):
            row = Event.insert(**make_event(number, at, server_id=server)).execute()
            GrantRow.insert_many([make_grant(row, f"rule of {server}", at)] * 2).execute()


def test_it_works(guerdon: Guerdon, clock: Clock, ask: Callable[..., Any]) -> None:
    midnight = NOW - NOW % DAY
    write_votes(guerdon, [(midnight - 3 * DAY, "1"), (midnight - DAY + 5, "2"), (NOW - 5, "2")])
    for _ in range(2):
        found = ask(read_series, PlotName.VOTES_BY_SERVER, NOW - 3 * DAY, NOW, DAY)

        assert found.names == ["2", "1"]
        days = [(midnight - ago * DAY) // 1000 for ago in (3, 2, 1, 0)]
        assert found.points == [days, [0, 0, 1, 1], [1, 0, 0, 0]]
        assert (found.unit, found.totals) == ("votes", [2, 1])
        sums = ask(read_series, PlotName.SUMS_BY_KIND, NOW - 3 * DAY, NOW, DAY)
        assert sums.names == ["gold"]
        assert sums.points[1] == [0.2, 0, 0.2, 0.2]
        hours = ask(read_series, "votes by source", NOW - DAY, NOW, HOUR)
        assert len(hours.points[0]) == 25 - (NOW % HOUR == 0)
        assert hours.points[1][-1] == 1
        Roller(guerdon.database, clock).roll(30)


def test_names_beyond_twelve_are_others(guerdon: Guerdon, ask: Callable[..., Any]) -> None:
    write_votes(
        guerdon, [(NOW - 5, f"s{number:02}") for number in range(20) for _ in range(number + 1)]
    )

    found = ask(read_series, PlotName.VOTES_BY_SERVER, NOW - DAY, NOW, HOUR)

    assert found.names == [*(f"s{number:02}" for number in range(19, 7, -1)), "others"]
    assert found.points[1][-1] == 20
    assert found.points[-1][-1] == found.totals[-1] == sum(range(1, 9))
    assert len(found.points) == 14


def test_every_plot_can_be_read(guerdon: Guerdon, clock: Clock, ask: Callable[..., Any]) -> None:
    with guerdon.database.connection_context():
        write_ledger(guerdon, 40, NOW, 5)
    Roller(guerdon.database, clock).roll(30)
    for name in PlotName:
        found = ask(read_series, name, NOW - DAY, NOW, HOUR)
        assert {len(column) for column in found.points} == {24 + (NOW % HOUR > 0)}
        assert len(found.names) + 1 == len(found.points)
        assert found.names or "waiting" in name or "age" in name
    assert ask(read_series, PlotName.LATENCY, NOW - DAY, NOW, HOUR).points[1][0] is None
    with pytest.raises(ValueError, match="whole hours"):
        ask(read_series, PlotName.LATENCY, NOW - DAY, NOW, HOUR + 1)
    with pytest.raises(ValueError, match="nonsense"):
        ask(read_series, "nonsense", NOW - DAY, NOW, HOUR)


def test_what_waits_is_sampled(guerdon: Guerdon, clock: Clock, ask: Callable[..., Any]) -> None:
    with guerdon.database.connection_context():
        for number, (state, at) in enumerate(
            [("ready", 600), ("leased", 60), ("dead", 9000), ("settled", 9)]
        ):
            Waiting.insert(
                ordered_key=bytes([number]) * 32, source="a", type="b", event_id="c", token="", data="{}",
                state=state, due_at=0, lease_token="", lease_until=0, takes=0, attempts=1, retries=0,
                last_error="", received_at=0, waiting_since=NOW - at * 1000,
            ).execute()  # fmt: skip
    first, second = (Roller(guerdon.database, clock) for _ in range(2))
    first.roll(30)
    first._lease.let_go()
    second.roll(30)  # too soon for another

    age = ask(read_series, PlotName.INBOX_AGE, NOW - 2 * HOUR, NOW + HOUR, HOUR)
    assert age.points[1] == [None, None, 600, None] if NOW % HOUR else [None, None, 600]
    clock.advance(600)
    with guerdon.database.connection_context():
        Waiting.update(state="settled").where(Waiting.state == "ready").execute()
    second._next_look = 0
    second.roll(30)
    waiting = ask(read_series, PlotName.INBOX_WAITING, NOW, NOW + HOUR, HOUR)
    assert waiting.points[1][0] == 2
    with guerdon.database.connection_context():
        state = read_state(guerdon.database, What.INBOX)
        assert (state.place, state.version) == (NOW + 600_000, 3)


def test_rules_have_records(guerdon: Guerdon, clock: Clock, ask: Callable[..., Any]) -> None:
    write_votes(guerdon, [(NOW - 50 * HOUR, "1"), (NOW - 5, "1")])
    for _ in range(2):
        paid, never = ask(read_rule_records, ["rule of 1", "never"])
        assert (paid.payments, paid.grants, paid.last_at) == (2, 4, NOW - 5)
        assert (never.rule, never.payments, never.last_at) == ("never", 0, None)
        assert ask(read_rule_records, [])[0].rule == "rule of 1"  # it is gone, and did pay
        assert ask(read_last_settled) == {"site": NOW - 5}
        Roller(guerdon.database, clock).roll(30)


def test_totals_name_what_they_count(
    guerdon: Guerdon, clock: Clock, ask: Callable[..., Any]
) -> None:
    with guerdon.database.connection_context():
        write_ledger(guerdon, 90, NOW, 90)
    for _ in range(2):
        for since in (None, NOW - 90 * HOUR, NOW - 60 * HOUR, NOW - HOUR):
            totals = ask(read_totals, since)
            with guerdon.database.connection_context():
                begin = 0 if since is None else since - since % HOUR
                mine = Event.settled_at >= begin
                assert (
                    totals.votes == Event.select().where(mine, Event.type == "server.vote").count()
                )
                assert sum(totals.events.values()) == Event.select().where(mine).count()
                gold = GrantRow.select().where(
                    GrantRow.granted_at >= begin, GrantRow.kind == "gold"
                )
                given = [one.amount for one in totals.given if one.kind == "gold"]
                assert sum(given, Decimal(0)) == gold.count() * Decimal("0.10")
        assert sum(one.sends for one in ask(read_totals, None).sent) == 69
        Roller(guerdon.database, clock).roll(30)


def test_only_what_is_open_is_counted(
    guerdon: Guerdon, clock: Clock, ask: Callable[..., Any]
) -> None:
    with guerdon.database.connection_context():
        event, player = PaidEvent("test", "test", "1", server_id="7"), Player(1, "Bob")
        queue_claims([(event, player, {})] * 3, NOW - 5000)
        write_ledger(guerdon, 12, NOW, 5)
        Report.update(state="dead", created_at=5).where(Report.id == 1).execute()
        Report.update(state="ready", created_at=9).where(Report.id == 2).execute()
    found = ask(count_open)

    assert [(one.of, one.state, one.number, one.oldest) for one in found.claims] == [
        ("7", "ready", 3, NOW - 5000)
    ]
    assert [(one.state, one.number, one.oldest) for one in found.reports] == [
        ("dead", 1, 5),
        ("ready", 1, 9),
    ]
    assert (found.inbox, found.find_oldest("inbox", "ready")) == ((), None)
    assert found.count("reports", "dead", "ready") == 2


def test_reading_asks_again_where_the_count_goes_on(
    guerdon: Guerdon, clock: Clock, ask: Callable[..., Any]
) -> None:
    Roller(guerdon.database, clock).roll(30)
    asked = []

    def read(state: Any) -> int:
        asked.append(state.version)
        if len(asked) < 3:
            WalkRow.update(version=WalkRow.version + 1).where(WalkRow.what == "events").execute()
        return len(asked)

    assert ask(lambda database: read_whole(database, What.EVENTS, read)) == 3
