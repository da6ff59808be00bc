"""Lives of Guerdon in steps that nobody chose: after each the model and the service agree.

Deliveries, duplicates, outages, restarts, other rules, players who appear, levels, claims, codes, and
persons who have things tried again, in any order. GUERDON_MACHINE_EXAMPLES says how many lives there are
on each database, instead of what is usual here. A life in which they differ is shown with its seed;
with GUERDON_SEED set to that it is also shortened, which takes minutes.
"""

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import Machine
from tests.model.model import VOTE_API
from tests.model.model_reports import PLATFORM
from tests.model.model_rules import RULES, Event
from tests.model.stage import DISTURBANCES, ServerBehindProxy, SqliteFile, Stage, with_short_pauses

EXAMPLES = int(os.environ.get("GUERDON_MACHINE_EXAMPLES") or 0)
SEED = int(os.environ.get("GUERDON_SEED") or random.randrange(10**6))
PHASES = [Phase.generate, *([Phase.shrink] if "GUERDON_SEED" in os.environ else [])]
USUAL = {"sqlite": (30, 30), "mysql": (12, 25)}  # lives, and steps of each


@pytest.fixture
def stage(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[Stage]:
    store: Any
    if database_url.startswith("sqlite"):
        store = SqliteFile(tmp_path)
    else:
        store = ServerBehindProxy(request.getfixturevalue("database_server"))
    with with_short_pauses():
        stage = Stage(tmp_path, store)
        yield stage
        stage.close()
        store.close()


def test_it_works(stage: Stage) -> None:
    """A life told by hand, in which everything happens that a machine can do."""
    machine = Machine(stage)
    model = machine.model

    def do(rule: str, **arguments: Any) -> Any:
        result = getattr(machine, rule)(**arguments)
        machine.agree()
        return result

    def deliver(nickname: str, server: str, how: str = "plainly") -> Event:
        event = do("deliver", nickname=nickname, server=server, how=how)
        assert isinstance(event, Event)
        return event

    def repeat(event: Event, how: str = "plainly", wait: int = 0) -> str | None:
        do("deliver_again", event=event, how=how, wait=wait)
        return model.tell_state(event.key)

    def restart(*names: str, match: str = "exact", unknown: str = "fail") -> None:
        rules = [rule for rule in RULES if rule.name in names]
        do("restart", rules=rules, match=match, unknown=unknown)

    machine.begin(RULES[:1], "exact", "fail", {"Bob"}, [("Bob", "1")])
    [paid] = model.settled.values()
    assert repeat(paid[0]) == "settled"
    for what in ("test", "ignored", "forged", "changed", "no JSON", "no id"):
        do("deliver_oddly", event=paid[0], what=what)

    # Those who are not there yet, a dead event, and a person.
    early, other = deliver("Ann", "2"), deliver("bob", "1")
    do("appear", nickname="Ann")
    do("send_reports", after=5)
    do("die_while_trying")
    do("look_at_inbox", after=5)
    assert model.inbox[early.key].state == "leased"
    do("look_at_inbox", after=61)
    assert model.tell_state(early.key) == "settled"
    for _ in range(2):
        do("look_at_inbox", after=7200)
    assert model.tell_state(other.key) == "dead"
    assert repeat(other) == "waiting"
    for _ in range(3):  # however late: it has its tries
        assert model.tell_state(other.key) == "waiting"
        do("look_at_inbox", after=7200)
    assert model.tell_state(other.key) == "dead"
    do("try_again_by_hand", event=other, is_all=True)
    do("look_at_inbox", after=2)
    assert model.tell_state(other.key) == "waiting"
    restart("every vote", "server 2", match="casefold", unknown="hold")
    do("look_at_inbox", after=30)
    assert model.tell_state(other.key) == "settled"

    # Every fault of the vote API, and many at once.
    for mode in VOTE_API:
        machine.face(api=mode)
        late = deliver("ZOË", "1")
    machine.face(api="up")
    do("deliver_at_once", new=[("Ann", "1"), ("Bob", "2"), ("zoë", "2")], old=[late, early])
    do("look_at_inbox", after=600)
    assert model.tell_state(late.key) == "waiting"
    do("appear", nickname="zoë")
    do("try_again_by_hand", event=late, is_all=False)
    do("look_at_inbox", after=5)
    assert model.tell_state(late.key) == "settled"

    # Two rules with the same reward, and a role that has no end beside one that has.
    restart("every vote", "every vote, a little", "server 1", "founders", unknown="create")
    for server in ("2", "1"):
        assert model.tell_state(deliver("Bob", server).key) == "settled"

    # Codes that run out, and a vote that no claim can be made of: nothing of them is paid.
    restart("codes", "claims", "levels on server 1", "level 10", unknown="create")
    do("import_codes", count=1)
    first, second, nowhere = deliver("Bob", "1"), deliver("Ann", "1"), deliver("Bob", "")
    assert [model.tell_state(one.key) for one in (first, second, nowhere)] == [
        "settled", "waiting", "waiting",
    ]  # fmt: skip
    do("import_codes", count=3)
    assert repeat(second) == "settled"
    assert model.tell_state(deliver("zoë", "1").key) == "waiting"  # no word for a command

    # Claims: leased, leased again after their time, acknowledged.
    do("lease_claims", server="1", limit=1, length=60)
    do("acknowledge", which=0, token="another")
    do("look_at_inbox", after=61)
    do("lease_claims", server="1", limit=3, length=60)
    place = next(n for n, one in enumerate(model.claims.all) if one.state == "leased")
    for token in ("another", "its own", "its own", "none"):
        do("acknowledge", which=place, token=token)
    assert model.claims.all[place].state == "done"

    # Reports, and every way that a platform fails.
    for _ in range(3):
        do("import_codes", count=3)
    level = {"uid": "Bob", "server": "1", "level": 10, "how": "plainly"}
    reported = do("level_up", **level, wait=1)
    assert repeat(reported, wait=1) == "settled"
    machine.face(platform="refusing")
    do("level_up", **level | {"level": 9}, wait=1)
    for mode in PLATFORM:
        machine.face(platform=mode)
        do("level_up", **level | {"uid": mode, "server": "2", "level": 9}, wait=1)
    reports = model.outbox.reports
    assert {one.state for one in reports.values()} == {"delivered", "ready", "dead"}
    machine.face(platform="down")
    do("send_again_by_hand")
    do("send_reports", after=0)
    for _ in range(3):
        do("send_reports", after=600)
    assert model.outbox.open_at > model.now  # nobody seems to be there
    do("send_reports", after=2)
    machine.face(platform="up")
    for after in (61, 0):  # the first alone finds out
        do("send_reports", after=after)
    assert {one.state for one in reports.values()} == {"delivered"}
    last = do("level_up", **level | {"uid": "zoë", "server": "2", "level": 9}, wait=0)
    do("die_while_sending")
    do("find_database")
    assert reports[last.id].state == "leased"
    do("send_reports", after=61)
    assert reports[last.id].sends == ["unknown", "delivered"]
    pair = [do("level_up", **level | {"uid": uid, "server": "2"}, wait=0) for uid in ("Ann", "bob")]
    for _ in range(2):
        do("die_while_sending")
        do("find_database")
        do("look_at_inbox", after=61)
    for _ in range(2):  # what two died with is sent alone
        do("send_reports", after=0)
    assert [reports[one.id].sends for one in pair] == [["unknown", "unknown", "delivered"]] * 2

    # The database goes, in every way there is.
    for how in stage.store.outages:
        do("lose_database", how=how)
        lost = deliver("Bob", "1")
        assert (model.tell_state(lost.key), repeat(early)) == (None, "settled")
        do("level_up", **level, wait=1)
        do("deliver_at_once", new=[("Bob", "1")], old=[early]) if model.is_orderless else None
        do("look_at_inbox", after=3600)
        do("send_reports", after=0)
        do("lease_claims", server="1", limit=3, length=60)
        do("acknowledge", which=place, token="its own")
        restart("every vote")
        do("find_database")
        assert repeat(lost) == "settled"
    for how in DISTURBANCES:
        new = deliver("Bob", "1", how)
        waiting = deliver("Nobody", "1", how) if not model.gone else new
        if model.gone:
            do("find_database")
        for event in (new, waiting, reported):
            repeat(event, how)
            if model.gone:
                do("find_database")
            repeat(event)
        assert model.tell_state(new.key) == "settled"

    # Two who may both be meant, and the end of all that waits.
    do("appear", nickname="bob")
    restart("every vote", match="casefold")
    assert model.tell_state(deliver("Bob", "1").key) == "waiting"
    do("look_at_inbox", after=90_000)
    machine.teardown()


@pytest.mark.timeout(1200)
def test_the_model_and_the_service_agree_after_every_step(stage: Stage) -> None:
    examples, steps = USUAL[stage.store.family]
    print(f"GUERDON_SEED={SEED}")
    lives: list[Machine] = []

    @seed(SEED)
    def begin_life() -> Machine:
        lives.append(Machine(stage))
        return lives[-1]

    run_state_machine_as_test(
        begin_life,
        settings=settings(
            max_examples=EXAMPLES or examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=False,
            database=None,
            print_blob=True,
            phases=PHASES,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
    print(f"{sum(machine.steps for machine in lives)} steps in {len(lives)} lives")
