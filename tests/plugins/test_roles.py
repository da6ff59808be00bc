"""Roles: with an end and without; a later end replaces an earlier one."""

from collections.abc import Callable
from typing import Any

from app.guerdon import Guerdon
from app.testing.deliveries import get_v1, post_vote

Open = Callable[..., Guerdon]
DAY = 86400
REWARDS = """
[[rules]]
on = "server.vote"
server = "1"
give = [{ reward = "role", role = "voter", days = 7 }, { reward = "role", role = "friend" }]
[[rules]]
on = "server.vote"
server = "2"
give = [{ reward = "role", role = "voter", days = 1 }, { reward = "role", role = "guest", days = 1 }]
[[rules]]
on = "server.vote"
server = "3"
give = [{ reward = "role", role = "voter" }]
"""


def test_it_works(open_service: Open) -> None:
    guerdon = open_service(REWARDS)

    assert get_v1(guerdon, "/players/Bob")["roles"] == {}
    assert post_vote(guerdon, "v1").status_code == 204

    # The clock of these tests stands at 2027-01-15T08:00:00Z.
    assert get_v1(guerdon, "/players/Bob")["roles"] == {
        "friend": None, "voter": "2027-01-22T08:00:00.000Z",
    }  # fmt: skip
    receipts = [g["receipt"] for g in get_v1(guerdon, "/events/server.vote/v1")["grants"]]
    assert receipts == [
        {"role": "voter", "until": "2027-01-22T08:00:00.000Z"},
        {"role": "friend", "until": None},
    ]


def test_a_later_end_replaces_an_earlier_one_only(
    open_service: Open, clock: Any, vote_api: Any
) -> None:
    guerdon = open_service(REWARDS)
    ends = []
    for id, server in enumerate((2, 1, 2, 3, 1)):
        vote_api.server_id = server
        assert post_vote(guerdon, str(id)).status_code == 204
        ends.append(get_v1(guerdon, "/players/Bob")["roles"]["voter"])

    assert ends == [
        "2027-01-16T08:00:00.000Z", "2027-01-22T08:00:00.000Z", "2027-01-22T08:00:00.000Z",
        None, None,
    ]  # fmt: skip


def test_a_role_ends_and_may_be_given_again(open_service: Open, clock: Any, vote_api: Any) -> None:
    guerdon = open_service(REWARDS)
    vote_api.server_id = 2
    post_vote(guerdon, "v1")
    clock.advance(DAY - 1)
    assert set(get_v1(guerdon, "/players/Bob")["roles"]) == {"voter", "guest"}

    clock.advance(1)
    assert get_v1(guerdon, "/players/Bob")["roles"] == {}

    post_vote(guerdon, "v2")
    assert get_v1(guerdon, "/players/Bob")["roles"]["guest"] == "2027-01-17T08:00:00.000Z"
