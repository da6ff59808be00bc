"""guerdon players erase: the name is nowhere, the books are what they were, nobody is paid twice."""

import json
from pathlib import Path
from typing import Any

import pytest
from peewee import OperationalError

from app.database.keys import make_event_key
from app.database.models import Event, OwnPlayer, Waiting
from app.guerdon import Guerdon
from app.history.acts import find_act, note_act
from app.porch.errors import GuerdonError
from app.porch.types import Delivery, Outcome, OutcomeState
from app.privacy.erasures import ERASE, NOT_ENDED
from app.testing.deliveries import make_client, post_vote
from app.testing.players import add_player
from app.web import examples
from tests.privacy.conftest import ALIKE, DAY, NAME, park, post, read_scene, vote
from tests.world.traces import list_traces

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def erase(guerdon: Guerdon, nickname: str, **kwargs: Any) -> tuple[str, dict[str, int]]:
    eraser = guerdon.make_eraser()
    plan = eraser.plan(nickname)
    return plan.known.person.pseudonym, eraser.run(plan, "tester", **kwargs)


def test_it_works(full: Guerdon, database_url: str) -> None:
    """Every table is searched; keys begin with an id, and say so in docs/privacy.md."""
    assert len(list_traces(full, NAME, ALIKE)) > 20
    before, others = read_scene(full), list_traces(full, ALIKE)

    pseudonym, counts = erase(full, NAME)

    left = list_traces(full, NAME, ALIKE)
    assert left == []
    assert counts["events"] == 10
    assert read_scene(full) == before
    assert full.bookkeeping.recounter.verify() == []
    assert len(list_traces(full, ALIKE)) == len(others)
    if database_url.startswith("sqlite"):
        path = Path(database_url.removeprefix("sqlite:///"))
        full.database.close_all()
        with full.database.connection_context():
            full.database.execute_sql("VACUUM")
            full.database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            keys = full.database.execute_sql("SELECT ordered_key FROM guerdon_events").fetchall()
        content = path.read_bytes().replace(ALIKE.encode(), b"")
        for (key,) in keys:
            content = content.replace(key, b"")
        assert NAME.encode() not in content
    with full.database.connection_context():
        assert OwnPlayer.get(OwnPlayer.nickname == pseudonym).gold > 0


@pytest.mark.parametrize(
    ("about", "then"),
    [
        ("player:{name}", "player:{new}"),
        ('state:settled player:"{name}"', "state:settled player:{new}"),
        ("level_up 1:{name}:7", "level_up 1:{new}:7"),
        ("server.vote vote-of-{name}", "server.vote vote-of-{new}"),  # one of his events
        ("server.vote {name}", "server.vote {name}"),  # the id of a vote is no name
        ("type:{name} cause:{name}", "type:{name} cause:{name}"),
        ("player:{alike}", "player:{alike}"),
        ("{name}", "{name}"),
    ],
)
@on_sqlite
def test_what_people_did_names_him_no_more(full: Guerdon, about: str, then: str) -> None:
    id = note_act(full.database, "Ann", "retry event", about.format(name=NAME, alike=ALIKE), 1, 1)

    pseudonym, counts = erase(full, NAME)

    act, erased = find_act(full.database, id), full.acts.list_acts().rows[0]
    assert act
    assert act.about == then.format(new=pseudonym, name=NAME, alike=ALIKE)
    assert (erased.what, erased.about, erased.person) == (ERASE, pseudonym, "tester")
    assert (erased.state, erased.done) == ("done", sum(counts.values()))


@on_sqlite
def test_an_erasure_that_fails_is_an_act_that_did_not_end(full: Guerdon) -> None:
    """Whoever goes on with it has an act of his own."""
    eraser = full.make_eraser()
    plan = eraser.plan(NAME)
    with full.database.connection_context():
        full.database.execute_sql("ALTER TABLE guerdon_claims RENAME TO elsewhere")
        with pytest.raises(OperationalError):
            eraser.run(plan, "Ann")
        full.database.execute_sql("ALTER TABLE elsewhere RENAME TO guerdon_claims")
    [failed] = full.acts.list_acts().rows
    assert (failed.person, failed.error, failed.done > 0) == ("Ann", NOT_ENDED, True)

    erase(full, NAME)

    assert [one.person for one in full.acts.list_acts().rows] == ["tester", "Ann"]
    assert list_traces(full, NAME, ALIKE) == []


def test_others_keep_what_they_have(full: Guerdon) -> None:
    """A name that is an everyday word: what is called so by a rule, and others' rows, stay."""
    with full.database.connection_context():
        mine = {"gold", "u-gold", str(OwnPlayer.get(OwnPlayer.nickname == "gold").id)}

    def read(guerdon: Guerdon) -> list[Any]:
        with guerdon.database.connection_context():
            rows = []
            for table in ("guerdon_events", "guerdon_grants", "guerdon_claims", "players"):
                cursor = guerdon.database.execute_sql(f"SELECT * FROM {table} ORDER BY id")
                names = [column[0] for column in cursor.description]
                at = names.index("nickname")
                uid = names.index("user_id") if "user_id" in names else at
                rows += [row for row in cursor.fetchall()
                         if row[at] not in mine and row[uid] not in mine]  # fmt: skip
            return rows

    def leave_out_round(rows: list[Any]) -> list[Any]:
        return [row for row in rows if "report_msg" not in str(row)]

    before = leave_out_round(read(full))
    pseudonym, _ = erase(full, "gold")
    after = leave_out_round([row for row in read(full) if pseudonym not in map(str, row)])

    assert after == before
    with full.database.connection_context():
        [whole] = Event.select().where(Event.type == "game_settle", Event.earns == 0)
        results = json.loads(whole.data)["report_msg"]["results"]
        grants = full.database.execute_sql(
            f"SELECT params, receipt FROM guerdon_grants WHERE nickname = '{pseudonym}' AND kind = 'item'"
        ).fetchall()
        waiting = dict(full.database.execute_sql(
            "SELECT event_id, last_error FROM guerdon_inbox WHERE state = 'dead'").fetchall())  # fmt: skip
    assert [one["uid"] for one in results] == [NAME, ALIKE, pseudonym]
    assert [one["result"] for one in results[:2]] == ["gold", "gold"]
    assert all("gold" in params and "gold" in receipt for params, receipt in grants)
    assert grants
    assert "dead-2" not in waiting, "it was his own delivery"
    assert waiting["dead-1"].startswith(f'"{ALIKE}"')


def test_what_only_names_him_is_another_s_and_is_not_dropped(full: Guerdon) -> None:
    """The id of a vote is no name, and who owns a server casts no vote of another's."""
    add_player(full, "4711")
    for id, data in (
        ("4711", {"time": 1}),
        ("dead-4", {"nickname": ALIKE, "owner": "4711", "user": 4711}),
        ("dead-5", {"nickname": "4711", "user": "u-gold"}),
        ("dead-6", {"vote": {"user_id": 4711}}),
        ("x:4711", {"time": 1}),
    ):
        delivery = Delivery("vote_sites", "server.vote", id, data=data)
        full.inbox.keep(delivery, Outcome(OutcomeState.WAITING, "the vote API does not answer"))
    with full.database.connection_context():
        Waiting.update(state="dead").where(Waiting.state == "ready").execute()

    pseudonym, _ = erase(full, "4711")

    with full.database.connection_context():
        left = {row.event_id: json.loads(row.data) for row in Waiting.select()}
    assert left["4711"] == {"time": 1}
    assert left["dead-4"] == {"nickname": ALIKE, "owner": pseudonym, "user": pseudonym}
    assert not {"dead-5", "dead-6", "x:4711"} & set(left)


def test_what_somebody_has_tried_again_meanwhile_is_not_dropped(full: Guerdon) -> None:
    park(full, "dead-9", NAME, "the vote API does not answer")
    with full.database.connection_context():
        Waiting.update(state="dead").where(Waiting.event_id == "dead-9").execute()
    eraser = full.make_eraser()
    plan = eraser.plan(NAME)
    assert full.acts.retry_event(
        [make_event_key("vote_sites", "server.vote", "dead-9")], "dead-9", "a test"
    )

    with pytest.raises(GuerdonError, match="dead-9 waits to be paid"):
        eraser.run(plan, "a test")

    with full.database.connection_context():
        assert Waiting.get(Waiting.event_id == "dead-9").state == "ready"


def test_a_letter_for_a_name(full: Guerdon) -> None:
    add_player(full, "e")
    vote(full, "v-e", "e", full.now() - DAY)
    before = list(list_traces(full, ALIKE))

    pseudonym, counts = erase(full, "e", cancels=True)

    assert counts["events"] == 1
    assert list_traces(full, ALIKE) == before
    with full.database.connection_context():
        row = Event.get(Event.nickname == pseudonym)
        assert json.loads(row.data) == {"rank": 1}


@pytest.mark.parametrize(
    "name", ["小明", "a'b\"c\\d", "<b>%_x</b>", "Zoë Straße", "x:y%z", ".", "17", "null"]
)
def test_hostile_names(full: Guerdon, name: str) -> None:
    add_player(full, name)
    vote(full, f"id:{name}:1"[:200], name, full.now() - DAY)
    client = make_client(full)
    level = {"uid": name, "server_id": "s1", "ctwid": "c", "timestamp": full.now() - DAY, "level": 2,
             "data": {"role": {"id": "1"}, "custom": {"physical_server": name}}}  # fmt: skip
    post(client, "level_up", level)
    with full.database.connection_context():
        full.database.execute_sql("UPDATE guerdon_claims SET state = 'done'")
        full.database.execute_sql("UPDATE guerdon_reports SET state = 'delivered'")
    before = read_scene(full)

    _pseudonym, _ = erase(full, name, cancels=True)

    assert read_scene(full) == before
    assert full.bookkeeping.recounter.verify() == []
    if len(name) > 2 and name != "null":
        found = list_traces(full, name)
        assert found == []
    with full.database.connection_context():
        assert Event.select().where(Event.nickname == name).count() == 0
        assert Event.select().where(Event.user_id == name).count() == 0


def test_a_second_delivery_pays_nothing_and_writes_no_name(full: Guerdon, vote_api: Any) -> None:
    """Also one of before that never came until now, as reconciliation may find it."""
    vote_api.nickname, vote_api.created_at = NAME, full.now() // 1000 - 100
    assert post_vote(full, "real-1").status_code == 204
    erase(full, NAME, cancels=True)
    before = read_scene(full)
    client = make_client(full)
    level = {**examples.LEVEL_UP, "uid": NAME, "timestamp": full.now() - DAY}

    assert post_vote(full, "real-1").status_code == 204
    assert post(client, "level_up", level).status_code < 300
    full.erased.forget()  # as it does every few seconds
    assert post_vote(full, "late-1").status_code == 204
    assert post(client, "level_up", {**level, "level": 99}).status_code < 300

    assert read_scene(full) == before
    assert list_traces(full, NAME, ALIKE) == []


def test_a_new_player_of_the_name_is_another(full: Guerdon) -> None:
    pseudonym, _ = erase(full, NAME)
    add_player(full, NAME)

    assert vote(full, "new-1", NAME, full.now() + 1000).state == "settled"

    full.erased.forget()
    with full.database.connection_context():
        rows = {row.nickname: row.gold for row in OwnPlayer.select()}
    assert rows[NAME] == 10
    assert rows[pseudonym] > 10
    assert full.bookkeeping.recounter.verify() == []


def test_open_work_is_named_and_cancelled_by_name(full: Guerdon, clock: Any) -> None:
    vote(full, "open-1", NAME, full.now())
    park(full, "waits-1", NAME, "the vote API does not answer")

    with pytest.raises(GuerdonError) as refused:
        erase(full, NAME)
    assert "claim" in str(refused.value)
    assert "waits-1" in str(refused.value)
    assert "report" in str(refused.value)
    assert "--cancel" in str(refused.value)
    assert list_traces(full, NAME), "nothing was begun"

    heard: list[str] = []
    erase(full, NAME, cancels=True, hear=lambda work: heard.append(work.said))

    assert len(heard) == 3
    assert list_traces(full, NAME, ALIKE) == []
    with full.database.connection_context():
        left = full.database.execute_sql(
            "SELECT COUNT(*) FROM guerdon_claims WHERE state IN ('ready', 'leased')"
        ).fetchone()
    assert left[0] == 0


def test_what_is_not_there(full: Guerdon) -> None:
    plan = full.make_eraser().plan("Nobody")
    assert plan.is_empty


def make_round(id: str, *uids: str, ended_at: int) -> dict[str, Any]:
    results = [{"uid": one, "rank": rank, "is_escaped": 0, "is_ai": 0, "nick_name": one}
               for rank, one in enumerate(uids, 1)]  # fmt: skip
    message = {**examples.GAME_SETTLE["report_msg"], "results": results, "game_round_id": id,
               "battle_end_at": ended_at // 1000}  # fmt: skip
    return {**examples.GAME_SETTLE, "uid": uids[-1], "report_msg": message}


def test_a_round_of_before_pays_the_others_alone(full: Guerdon) -> None:
    """One that comes late, and one that was dead and is tried again."""
    before = make_round("dead-round", ALIKE, NAME, ended_at=full.now() - DAY)
    park_round(full, before)
    with full.database.connection_context():
        full.database.execute_sql(
            "UPDATE guerdon_inbox SET state = 'dead' WHERE event_id = 'dead-round'"
        )
    erase(full, NAME, cancels=True)
    assert list_traces(full, NAME, ALIKE) == []
    full.erased.forget()

    late = make_round("late-round", ALIKE, NAME, ended_at=full.now() - DAY)
    assert post(make_client(full), "game_settle", late).status_code < 300

    assert list_traces(full, NAME, ALIKE) == []
    with full.database.connection_context():
        paid = [row.user_id for row in Event.select() if row.event_id.startswith("late-round:")]
        whole = json.loads(Event.get(Event.event_id == "late-round").data)["report_msg"]["results"]
    assert paid == [ALIKE]
    assert whole[0]["uid"] == ALIKE
    assert whole[1]["uid"].startswith("gone-")
    assert whole[1]["nick_name"] == whole[1]["uid"]


def test_a_round_that_waits_with_others_is_waited_for(full: Guerdon) -> None:
    park_round(full, make_round("open-round", ALIKE, NAME, ended_at=full.now() - DAY))

    with pytest.raises(GuerdonError, match="open-round waits to be paid: it is of others too"):
        erase(full, NAME, cancels=True)

    assert list_traces(full, NAME, ALIKE)


def park_round(guerdon: Guerdon, body: dict[str, Any]) -> None:
    id = body["report_msg"]["game_round_id"]
    delivery = Delivery("game-server", "game_settle", id, data=body)
    guerdon.inbox.keep(delivery, Outcome(OutcomeState.WAITING, "the database failed"))
