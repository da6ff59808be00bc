"""Many tried again: exactly those that were counted, once each, whoever runs it and however it ends."""

import threading
import time
from collections import Counter
from typing import Any

import pytest
from peewee import PeeweeException

from app.database.act_models import Act, ActChunk
from app.database.chunks import ROWS_AT_ONCE
from app.database.keys import make_event_key
from app.database.leases import MAX_TAKES
from app.database.models import LEDGER, Attempt, Report, Waiting, bind_models
from app.guerdon import Guerdon
from app.history.acts import begin_act, end_act, note_act
from app.history.causes import list_causes
from app.history.filters import EventFilter, ReportFilter
from app.history.qualifiers import BadFilter
from app.history.states import ActState, EventState, ReportState
from app.opening import open_guerdon
from app.porch.errors import GuerdonError
from app.testing.clock import Clock
from app.upkeep import planning, running
from tests.world.books import serve_once
from tests.world.piles import pile_events, pile_reports

DEAD = EventFilter(EventState.DEAD)
MANY = 10_000


def run_all(guerdon: Guerdon) -> int:
    """Until nothing is left to do; to how many rows it was done."""
    count = 0
    while guerdon.acts.runner.find_first() is not None:
        count += guerdon.acts.runner.run_turn()
    return count


def count_revivals(guerdon: Guerdon) -> "Counter[str]":
    """How often each event was tried again by a person, by the letter that its id begins with."""
    with guerdon.database.connection_context():
        rows = Attempt.select(Attempt.ordered_key).where(Attempt.what == "retry by hand").tuples()
        return Counter(bytes(key).rstrip(b"\0").decode() for (key,) in rows)


def test_it_works(guerdon: Guerdon, clock: Clock) -> None:
    pile_events(guerdon, 450, last_error='no player is called "{n}"')
    pile_events(guerdon, 3, "w", state="ready")

    plan = guerdon.acts.plan_act(DEAD, "alice", "the table was back")

    assert (plan.count, plan.oldest, plan.ceiling, plan.is_whole) == (450, 1000, 450, True)
    assert plan.reasons == (("no player is called …", 450),)
    assert guerdon.acts.list_acts().rows == ()  # it is only planned
    assert run_all(guerdon) == 0

    assert guerdon.acts.start(plan.id).state == ActState.WAITING
    assert run_all(guerdon) == 450

    act = guerdon.acts.find(plan.id)
    assert act is not None
    assert (act.state, act.number, act.passed, act.done) == ("done", 450, 450, 450)
    assert (act.person, act.about, act.reason) == ("alice", "state:dead", "the table was back")
    assert set(count_revivals(guerdon).values()) == {1}
    assert len(count_revivals(guerdon)) == 450
    with guerdon.database.connection_context():
        assert Waiting.select().where(Waiting.state == "ready", Waiting.due_at == 0).count() == 450
        assert ActChunk.select().count() == 0
    assert guerdon.acts.list_acts().rows == (act,)


def test_of_ten_thousand_those_that_were_counted_are_tried_again_while_others_die(
    guerdon: Guerdon,
) -> None:
    """Two hosts at once; new rows come, and rows die that were there, below the highest id too."""
    pile_events(guerdon, 300, "waiting", state="ready")
    pile_events(guerdon, MANY)
    pile_events(guerdon, 300, "above", state="ready")
    plan = guerdon.acts.plan_act(DEAD, "alice")
    assert plan.count == MANY
    other = open_guerdon(guerdon.config.path)
    go_on, late = threading.Event(), []

    def die() -> None:
        with guerdon.database.connection_context():
            still = Waiting.event_id.startswith("waiting") | Waiting.event_id.startswith("above")
            Waiting.update(state="dead").where(still).execute()
        while not go_on.is_set():
            pile_events(guerdon, 50, f"late{len(late)}-")
            late.append(50)
            time.sleep(0.01)

    dying = threading.Thread(target=die)
    dying.start()
    try:
        guerdon.acts.start(plan.id)
        hosts = [threading.Thread(target=run_all, args=(one,)) for one in (guerdon, other)]
        for host in hosts:
            host.start()
        for host in hosts:
            host.join()
    finally:
        go_on.set()
        dying.join()
        other.close()
    bind_again(guerdon)

    revived = count_revivals(guerdon)
    assert set(revived) == {f"d{n}" for n in range(MANY)}
    assert set(revived.values()) == {1}
    act = guerdon.acts.find(plan.id)
    assert act is not None
    assert (act.state, act.done) == ("done", MANY)
    with guerdon.database.connection_context():
        dead = Waiting.select().where(Waiting.state == "dead").count()
    assert dead == 600 + sum(late)
    assert late


def bind_again(guerdon: Guerdon) -> None:
    """Another Guerdon of this process bound the models to its own database."""
    bind_models(guerdon.database, LEDGER)


def test_whoever_was_held_up_in_a_chunk_does_nothing_twice(
    guerdon: Guerdon, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He is stopped between two chunks for longer than his lease, and another goes on meanwhile."""
    pile_events(guerdon, 3 * ROWS_AT_ONCE)
    act = guerdon.acts.start(guerdon.acts.plan_act(DEAD, "alice").id)
    turns: list[str] = []

    def hold_up(point: str) -> None:
        if point == "act: chunk passed, after COMMIT" and not turns:
            turns.append("held up")
            clock.advance(running.LEASE / 1000 + 1)
            run_all(guerdon)

    monkeypatch.setattr(running, "reach", hold_up)
    guerdon.acts.runner.run_turn()

    assert turns
    assert set(count_revivals(guerdon).values()) == {1}
    found = guerdon.acts.find(act.id)
    assert found is not None
    assert (found.state, found.done) == ("done", 3 * ROWS_AT_ONCE)


def test_what_has_moved_on_is_left_alone_and_counted_as_passed(guerdon: Guerdon) -> None:
    pile_events(guerdon, 10)
    plan = guerdon.acts.plan_act(DEAD, "alice")
    with guerdon.database.connection_context():
        Waiting.update(state="settled").where(Waiting.event_id == "d3").execute()
        Waiting.update(state="ready", due_at=99).where(Waiting.event_id == "d4").execute()

    guerdon.acts.start(plan.id)

    assert run_all(guerdon) == 8
    act = guerdon.acts.find(plan.id)
    assert act is not None
    assert (act.state, act.passed, act.done) == ("done", 10, 8)
    with guerdon.database.connection_context():
        assert Waiting.get(Waiting.event_id == "d3").state == "settled"
        assert Waiting.get(Waiting.event_id == "d4").due_at == 99


def test_an_act_is_stopped_where_it_is_and_who_did_is_kept(
    guerdon: Guerdon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "TURN", 0)  # seconds: a chunk a turn
    pile_events(guerdon, 3 * ROWS_AT_ONCE)
    id = guerdon.acts.start(guerdon.acts.plan_act(DEAD, "alice").id).id
    assert guerdon.acts.runner.run_turn() == ROWS_AT_ONCE
    running_act = guerdon.acts.find(id)
    assert running_act is not None
    assert (running_act.state, running_act.passed) == ("running", ROWS_AT_ONCE)

    stopped = guerdon.acts.stop(id, "bob")

    assert (stopped.state, stopped.done, stopped.is_over) == ("stopped", ROWS_AT_ONCE, True)
    assert run_all(guerdon) == 0
    assert len(count_revivals(guerdon)) == ROWS_AT_ONCE
    latest = guerdon.acts.list_acts(limit=1)
    assert [(one.what, one.about, one.person) for one in latest.rows] == [("stop act", "1", "bob")]
    assert [one.id for one in guerdon.acts.list_acts(latest.next).rows] == [id]
    assert guerdon.acts.stop(id, "carol") == stopped
    assert guerdon.acts.list_acts(limit=1) == latest
    for wrong, said in ((latest.rows[0].id, "cannot be stopped: it is done"), (99, "is no act 99")):
        with pytest.raises(GuerdonError, match=said):
            guerdon.acts.stop(wrong, "bob")


def test_a_plan_is_started_once_and_in_time(guerdon: Guerdon, clock: Clock) -> None:
    pile_events(guerdon, 5)
    plan, empty = (guerdon.acts.plan_act(one, "alice") for one in (DEAD, EventFilter(cause="00")))
    guerdon.acts.start(plan.id)
    assert guerdon.acts.start(plan.id).id == plan.id
    assert run_all(guerdon) == 5
    assert guerdon.acts.start(plan.id).state == "done"
    with pytest.raises(GuerdonError, match="is of no row"):
        guerdon.acts.start(empty.id)

    pile_events(guerdon, 5, "new")
    old = guerdon.acts.plan_act(DEAD, "alice")
    clock.advance(planning.LASTS / 1000 + 1)
    with pytest.raises(GuerdonError, match="more than an hour old: plan again"):
        guerdon.acts.start(old.id)
    clock.advance(planning.LASTS / 1000)
    guerdon.acts.plan_act(DEAD, "alice")
    assert guerdon.acts.find(old.id) is None
    with guerdon.database.connection_context():
        assert ActChunk.select().count() == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_plan_whose_rows_are_not_all_kept_cannot_be_started(guerdon: Guerdon) -> None:
    pile_events(guerdon, 5)
    with guerdon.database.connection_context():
        guerdon.database.execute_sql(
            "CREATE TRIGGER full BEFORE INSERT ON guerdon_act_chunks BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    with pytest.raises(PeeweeException):
        guerdon.acts.plan_act(DEAD, "alice")

    with guerdon.database.connection_context():
        [kept] = Act.select()
    with pytest.raises(GuerdonError, match="is of no row"):
        guerdon.acts.start(kept.id)


def test_acts_wait_for_one_another(guerdon: Guerdon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "TURN", 0)
    pile_events(guerdon, 2 * ROWS_AT_ONCE)
    pile_reports(guerdon, 3)
    first = guerdon.acts.start(guerdon.acts.plan_act(DEAD, "alice").id).id
    second = guerdon.acts.start(guerdon.acts.plan_act(ReportFilter(ReportState.DEAD), "bob").id).id
    states = []
    for _ in range(3):
        guerdon.acts.runner.run_turn()
        states.append([one.state for one in map(guerdon.acts.find, (first, second)) if one])

    assert states == [["running", "waiting"], ["done", "waiting"], ["done", "done"]]


def test_what_ends_whoever_runs_it_is_given_up(guerdon: Guerdon, clock: Clock) -> None:
    pile_events(guerdon, 5)
    id = guerdon.acts.start(guerdon.acts.plan_act(DEAD, "alice").id).id
    with guerdon.database.connection_context():
        Act.update(state="leased", takes=MAX_TAKES, lease_until=clock.now).execute()
    clock.advance(1)

    guerdon.acts.runner.run_turn()

    act = guerdon.acts.find(id)
    assert act is not None
    assert (act.state, act.done) == ("failed", 0)
    assert "it seems to end whoever runs it" in act.error


def test_reports_are_sent_again_by_reporter_cause_and_limit(guerdon: Guerdon) -> None:
    pile_reports(guerdon, 4, last_error="it answered 503")
    pile_reports(guerdon, 2, "x", last_error="it answered 404")
    pile_reports(guerdon, 2, "z", reporter="sud", last_error="it answered 503")
    pile_reports(guerdon, 1, "w", state="ready", due_at=10**15)
    [cause] = [
        one
        for one in list_causes(guerdon.database).all
        if one.words.endswith("503") and one.of == "studio"
    ]

    plan = guerdon.acts.plan_act(cause.filter, "alice", limit=3)

    assert (plan.count, plan.ceiling, plan.is_whole) == (3, 3, True)
    guerdon.acts.start(plan.id)
    assert run_all(guerdon) == 3
    with guerdon.database.connection_context():
        ready = Report.select().where(Report.state == "ready", Report.sends_before == 1)
        assert [row.key for row in ready.order_by(Report.id)] == ["r0", "r1", "r2"]
    waiting = guerdon.acts.plan_act(ReportFilter(ReportState.WAITING, "studio"), "alice")
    assert waiting.count == 4
    pile_reports(guerdon, 2, "v", stripped_at=1)  # and so without a body
    dead = ReportFilter(ReportState.DEAD, "studio")
    assert guerdon.acts.plan_act(dead, "alice").count == 3


def test_what_is_over_is_not_tried_again(guerdon: Guerdon) -> None:
    wrong: list[Any] = [
        EventFilter(EventState.SETTLED), EventFilter(server="1"), ReportFilter(ReportState.DELIVERED),
        ReportFilter(ReportState.LEASED),
    ]  # fmt: skip
    for chosen in wrong:
        with pytest.raises(BadFilter, match="only what waits or is dead is tried again"):
            guerdon.acts.plan_act(chosen, "alice")
    for person in ("", "x" * 256):
        with pytest.raises(GuerdonError, match="who does it"):
            guerdon.acts.plan_act(DEAD, person)


def test_more_than_one_act_may_take_is_said(
    guerdon: Guerdon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "MOST_ROWS", 10)
    pile_events(guerdon, 12)

    plan = guerdon.acts.plan_act(DEAD, "alice")

    assert (plan.count, plan.is_whole) == (10, False)


def test_the_dispatcher_goes_on_with_acts(guerdon: Guerdon) -> None:
    pile_events(guerdon, 5)
    id = guerdon.acts.start(guerdon.acts.plan_act(DEAD, "alice").id).id

    serve_once(guerdon)

    act = guerdon.acts.find(id)
    assert act is not None
    assert act.state == "done"
    assert len(count_revivals(guerdon)) == 5


def test_single_retries_and_the_acts_of_others_are_kept(guerdon: Guerdon) -> None:
    pile_reports(guerdon, 1)
    pile_events(guerdon, 1)
    database, acts = guerdon.database, guerdon.acts
    with database.connection_context():
        Waiting.update(ordered_key=make_event_key("s", "t", "e")).execute()
    assert acts.retry_event([make_event_key("s", "t", "e")], "t e", "alice") == 1
    assert acts.retry_event([make_event_key("s", "t", "none")], "t none", "alice") == 0
    assert acts.retry_report(1, "alice") == 1
    assert acts.retry_report(2, "alice") == 0
    note_act(database, "bob", "heal", "gamemonitoring", 3, 99, "missing")
    begun = begin_act(database, "carol", "erase", "a player", 7, 100)

    running_act = acts.find(begun)
    assert running_act is not None
    assert (running_act.state, running_act.passed) == ("running", 0)
    assert run_all(guerdon) == 0  # whoever began it ends it

    end_act(database, begun, 6, 200, "the database failed")
    told = [(one.what, one.person, one.about, one.done, one.state) for one in acts.list_acts().rows]
    assert told == [
        ("erase", "carol", "a player", 6, "failed"),
        ("heal", "bob", "gamemonitoring", 3, "done"),
        ("retry report", "alice", "1", 1, "done"),
        ("retry event", "alice", "t e", 1, "done"),
    ]
