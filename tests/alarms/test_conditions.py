"""When something is wrong: each condition where its number is just high enough, and just not."""

from collections.abc import Callable
from typing import Any

import pytest

from app.alarms import conditions, deaths
from app.alarms.circumstances import Circumstances
from app.alarms.remembering import Memory
from app.config.watching import Alerts
from app.database.models import Claim, Event
from app.guerdon import Guerdon
from app.metrics import families
from app.metrics.exposition import Sample
from app.testing.clock import Clock
from app.watching.watch import Sight
from plugins.promo_codes import import_codes

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
MINUTE = 60_000
Look = dict[tuple[str, ...], float]


def remember(family: families.Family, *looks: Look, every: int = MINUTE) -> Memory:
    """A memory of these looks, one a minute."""
    memory = Memory()
    for number, look in enumerate(looks):
        memory.note(number * every, [Sample(family, key, value) for key, value in look.items()])
    return memory


def judge(find: Callable[[Circumstances], Any], memory: Memory) -> Any:
    nothing: Any = None
    return find(Circumstances(Sight((), True, True, True), memory, Alerts(), nothing, 0))


def test_it_works() -> None:
    """What rose counts, however often its process began anew; before it was seen so long, nobody knows."""
    family = families.DELIVERIES.family
    key = ("gamemonitoring", "refused")
    memory = remember(family, {key: 100}, {key: 103}, {key: 2}, {key: 6})

    assert memory.find_rise(family.name, 180) == {key: 3 + 2 + 4}
    assert memory.find_rise(family.name, 60) == {key: 4}
    assert memory.find_rise(family.name, 181) is None


@pytest.mark.parametrize(
    ("find", "meters", "before", "after", "found"),
    [
        (conditions.find_refused, families.DELIVERIES, {("s", "refused"): 5}, {("s", "refused"): 15}, []),
        (conditions.find_refused, families.DELIVERIES, {("s", "refused"): 5}, {("s", "refused"): 16}, ["s"]),
        (conditions.find_refused, families.DELIVERIES, {("s", "settled"): 5}, {("s", "settled"): 99}, []),
        (conditions.find_failing_fetches, families.FETCH_SECONDS,
         {}, {("s", "failed"): 1, ("s", "not_ready"): 1, ("s", "fetched"): 8}, []),
        (conditions.find_failing_fetches, families.FETCH_SECONDS,
         {}, {("s", "failed"): 1, ("s", "not_ready"): 2, ("s", "fetched"): 8}, ["s"]),
        (conditions.find_failing_fetches, families.FETCH_SECONDS, {}, {("s", "failed"): 4}, []),
        (conditions.find_failing_plugins, families.PLUGIN_ERRORS, {}, {("p", "grant_reward"): 1}, ["p"]),
        (conditions.find_failing_plugins, families.PLUGIN_ERRORS,
         {("p", "grant_reward"): 1}, {("p", "grant_reward"): 1}, []),
        (conditions.find_paused_reporters, families.REPORTER_PAUSED, {}, {("r",): 1}, ["r"]),
        (conditions.find_paused_reporters, families.REPORTER_PAUSED, {("r",): 1}, {("r",): 0}, []),
    ],
)  # fmt: skip
def test_what_is_counted(
    find: Any, meters: families.Meters, before: Look, after: Look, found: list[str]
) -> None:
    looks = [before] * 11 + [after]

    assert sorted(judge(find, remember(meters.family, *looks))) == found


@pytest.mark.parametrize(
    ("find", "family", "number", "found"),
    [
        (conditions.find_missing, families.RECONCILED_MISSING, 0, []),
        (conditions.find_missing, families.RECONCILED_MISSING, 1, ["s"]),
        (conditions.find_uncompared, families.RECONCILED, 400, []),
        (conditions.find_uncompared, families.RECONCILED, 399, ["s"]),
    ],
)
def test_what_comparisons_came_to(
    find: Any, family: families.Family, number: float, found: list[str]
) -> None:
    nothing: Any = None
    sight = Sight((Sample(family, ("s",), number),), True, True, True)
    now = (400 + 26 * 3600) * 1000

    assert list(find(Circumstances(sight, Memory(), Alerts(), nothing, now))) == found


@on_sqlite
def test_what_lies_in_the_database(guerdon: Guerdon, clock: Clock) -> None:
    """Claims, and codes that plugins say are left; what a plugin cannot say now, nobody judges."""
    alerts = Alerts(claim_waits=100, promo_codes=2)

    def find(which: Callable[[Circumstances], Any], **changes: Any) -> Any:
        clock.advance(6)  # what was seen is kept so long
        sight = guerdon.watch.look()
        facts = {"is_ready": True, "is_whole": True, "has_all_gauges": True, **changes}
        seen = Circumstances(
            Sight(sight.samples, **facts), Memory(), alerts, guerdon.database, clock()
        )
        return which(seen)

    with guerdon.database.connection_context():
        Claim.create(
            server_id="1", player_id="1", nickname="Bob", event_type="t", event_id="e", payload="{}",
            state="ready", lease_token="", lease_until=0, takes=0, created_at=clock() - 95_000,
        )  # fmt: skip
        path = guerdon.config.path.with_name("codes")
        path.write_text("one\ntwo")
        import_codes(guerdon.database, iter, "coffee", str(path))
    assert find(conditions.find_low_pools) == {}
    assert find(conditions.find_waiting_claims) == {"": "a claim waits for 2 min"}
    with guerdon.database.connection_context():
        guerdon.database.execute_sql("DELETE FROM guerdon_promo_codes WHERE code = 'one'")
        Claim.update(state="done").execute()

    low = {"coffee": "1 promo codes are left in the pool coffee"}
    assert find(conditions.find_low_pools) == low
    assert find(conditions.find_low_pools, has_all_gauges=False) is None
    assert find(conditions.find_waiting_claims) == {}


def test_silence_is_strange_where_it_is_usually_loud(guerdon: Guerdon, clock: Clock) -> None:
    now = clock()
    begin = now - deaths.WEEK - deaths.HOURS
    step = 5 * MINUTE
    rows = [
        {"ordered_key": bytes([n]) * 20, "source": "loud" if n % 2 else "still", "type": "t",
         "event_id": str(n), "server_id": "1", "nickname": "Bob", "user_id": "", "token": "",
         "settled_at": begin + n * step, "data": "{}"}
        for n in range(20)
    ]  # fmt: skip
    with guerdon.database.connection_context():
        Event.insert_many(rows).execute()
        first = Event.select().order_by(Event.id).first().id
        Event.delete().where(Event.id == first + 3).execute()  # ids have gaps
        Event.update(source="loud").where(Event.event_id == "4").execute()

    assert deaths.find_first_id(guerdon.database, 0) == first
    assert deaths.find_first_id(guerdon.database, begin + 3 * step) == first + 3
    assert deaths.find_first_id(guerdon.database, begin + 5 * step) == first + 5
    assert deaths.find_first_id(guerdon.database, now) == first + 20
    assert deaths.is_silence_strange(guerdon.database, "loud", now)
    assert not deaths.is_silence_strange(guerdon.database, "still", now)
    assert not deaths.is_silence_strange(guerdon.database, "loud", now + deaths.HOURS)
