"""Promo codes: each to one player, once, however many ask; an empty pool loses nothing."""

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.guerdon import Guerdon
from app.paying.settler import Work
from app.porch.errors import GuerdonError
from app.porch.types import Event, Player
from app.testing.deliveries import get_v1, post_vote
from app.testing.players import add_player
from plugins.promo_codes import PromoCode, import_codes, take_code

Open = Callable[..., Guerdon]
REWARDS = """
[[rules]]
on = "server.vote"
give = [{ reward = "promo_code", pool = "autumn" }, { reward = "gold", amount = "1.00" }]
"""


@pytest.fixture
def guerdon(open_service: Open) -> Guerdon:
    return open_service(REWARDS)


@pytest.fixture
def fill(guerdon: Guerdon, tmp_path: Path) -> Callable[..., str]:
    """Import lines, or bytes, into a pool; returns what the command says."""

    def fill(*lines: str, pool: str = "autumn", raw: bytes | None = None) -> str:
        path = tmp_path / "codes.txt"
        path.write_bytes("\n".join(lines).encode() if raw is None else raw)
        with guerdon.database.connection_context():
            return import_codes(guerdon.database, iter, pool, str(path))

    return fill


def list_codes(guerdon: Guerdon, *where: Any) -> list[str]:
    with guerdon.database.connection_context():
        rows = PromoCode.select().where(PromoCode.pool == "autumn", *where)
        return [row.code for row in rows.order_by(PromoCode.id)]


def test_it_works(guerdon: Guerdon, fill: Any, clock: Any) -> None:
    fill("first", "second")
    fill("another", pool="winter")

    assert [post_vote(guerdon, id).status_code for id in "112"] == [204] * 3

    assert get_v1(guerdon, "/players/Bob")["promo_codes"] == ["first", "second"]
    grants = get_v1(guerdon, "/events/server.vote/1")["grants"]
    assert grants[0]["receipt"] == {"pool": "autumn", "code": "first"}
    with guerdon.database.connection_context():
        row = PromoCode.get(PromoCode.code == "first")
    assert (row.event_type, row.event_id, row.given_at) == ("server.vote", "1", clock.now)


def test_an_empty_pool_makes_the_vote_wait_and_it_is_paid_after_an_import(
    guerdon: Guerdon, fill: Any, clock: Any
) -> None:
    fill("another", pool="winter")

    reply = post_vote(guerdon, "v1")

    assert reply.status_code == 503
    assert reply.text == 'no promo code is left in the pool "autumn"\n'
    bob = get_v1(guerdon, "/players/Bob")
    assert (bob["promo_codes"], bob["gold"], bob["grants"]) == ([], "0.00", [])
    fill("late")
    clock.advance(10)
    lease = guerdon.inbox.take_due(10)
    assert [guerdon.deliveries.retry(id, lease.token).state for id in lease.ids] == ["settled"]
    bob = get_v1(guerdon, "/players/Bob")
    assert (bob["promo_codes"], bob["gold"]) == (["late"], "1.00")
    assert post_vote(guerdon, "v1").status_code == 204
    assert get_v1(guerdon, "/players/Bob")["promo_codes"] == ["late"]


def test_a_vote_that_fails_gives_its_code_back(guerdon: Guerdon, fill: Any) -> None:
    fill("only")
    with guerdon.database.connection_context():
        guerdon.database.execute_sql("ALTER TABLE players RENAME COLUMN gold TO silver")
    assert guerdon.settler.settle([make_work("v1")])[0].state == "waiting"

    assert list_codes(guerdon, PromoCode.player_id == "") == ["only"]


def make_work(id: str, nickname: str = "Bob") -> Work:
    return Work([Event("gamemonitoring", "server.vote", id, "1", nickname)])


@pytest.mark.parametrize("codes", [40, 25])
def test_never_the_same_code_twice_and_none_is_left_over(
    guerdon: Guerdon, fill: Any, codes: int
) -> None:
    """40 votes from 8 threads, some in batches: each takes a code of its own while there are any."""
    fill(*[f"code {number}" for number in range(codes)])
    add_player(guerdon, "Eve")
    states: Counter[str] = Counter()

    def take(thread: int) -> None:
        for number in range(0, 5, 1 + thread % 2):
            some = range(number, min(5, number + 1 + thread % 2))
            works = [make_work(f"{thread}-{n}", "Eve" if n % 2 else "Bob") for n in some]
            outcomes = guerdon.settler.settle(works)
            states.update(outcome.state for outcome in outcomes)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for thread in range(8):  # those that found all free codes in others' hands
        works = [make_work(f"{thread}-{n}", "Eve" if n % 2 else "Bob") for n in range(5)]
        guerdon.settler.settle(works)

    assert set(states) <= {"settled", "waiting"}
    given = [
        code
        for name in ("Bob", "Eve")
        for code in get_v1(guerdon, f"/players/{name}")["promo_codes"]
    ]
    assert sorted(given) == sorted(f"code {number}" for number in range(codes))
    rows = get_v1(guerdon, "/players/Bob")["grants"] + get_v1(guerdon, "/players/Eve")["grants"]
    receipts = [row["receipt"]["code"] for row in rows if row["reward"] == "promo_code"]
    assert sorted(receipts) == sorted(given)
    assert list_codes(guerdon, PromoCode.player_id == "") == []


def test_a_code_that_somebody_took_since_it_was_found_is_not_given_again(
    guerdon: Guerdon, fill: Any
) -> None:
    fill("ONE")
    event = Event("t", "server.vote", "v1")
    with guerdon.database.connection_context():
        id_ = PromoCode.get().id
        assert take_code(id_, event, Player(1, "Bob"), 5)
        assert not take_code(id_, event, Player(2, "Ann"), 6)
        assert (PromoCode.get().player_id, PromoCode.get().given_at) == ("1", 5)


def test_codes_are_imported_once(guerdon: Guerdon, fill: Any) -> None:
    text = "2 codes added to the pool autumn, 0 were there already"
    assert fill("a", " b ", "", "a", "  ") == text
    assert fill("b", "A", "ä") == "2 codes added to the pool autumn, 1 were there already"
    assert fill("b", pool="winter") == "1 codes added to the pool winter, 0 were there already"
    assert list_codes(guerdon) == ["a", "b", "A", "ä"]


def test_a_given_code_imported_again_is_not_given_again(guerdon: Guerdon, fill: Any) -> None:
    fill("a")
    post_vote(guerdon, "1")

    fill("a")

    assert post_vote(guerdon, "2").status_code == 503


def test_a_file_as_windows_writes_it_brings_clean_codes(guerdon: Guerdon, fill: Any) -> None:
    fill(raw=b"\xef\xbb\xbffirst\r\nsecond\r\n")

    assert list_codes(guerdon) == ["first", "second"]


def test_a_long_file_is_imported_whole(guerdon: Guerdon, fill: Any) -> None:
    codes = [f"{number:06}" for number in range(2345)]

    assert fill(*codes).startswith("2345 codes added")
    assert list_codes(guerdon) == codes


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"ok\n" + b"x" * 256, "codes.txt, line 2: a code has at most 255 characters"),
        (b"\xff\xfe", "codes.txt cannot be read"),
    ],
)
def test_a_bad_file_is_refused_whole(guerdon: Guerdon, fill: Any, raw: bytes, fault: str) -> None:
    with pytest.raises(GuerdonError, match=fault):
        fill(raw=raw)

    assert list_codes(guerdon) == []
