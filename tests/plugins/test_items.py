"""Items add up, for each player and each item."""

import threading
from collections.abc import Callable
from typing import Any

from app.guerdon import Guerdon
from app.paying.settler import Work
from app.porch.types import Event
from app.testing.deliveries import get_v1, post_vote
from app.testing.players import add_player

Open = Callable[..., Guerdon]
REWARDS = """
[[rules]]
on = "server.vote"
give = [
  { reward = "item", item = "sword" },
  { reward = "item", item = "Sword", quantity = 5 },
  { reward = "item", item = "épée", quantity = 2 },
  { reward = "item", item = "sword", quantity = 10 },
]
"""


def test_it_works(open_service: Open) -> None:
    guerdon = open_service(REWARDS)

    assert get_v1(guerdon, "/players/Bob")["items"] == {}
    assert [post_vote(guerdon, id).status_code for id in "112"] == [204] * 3

    assert get_v1(guerdon, "/players/Bob")["items"] == {"sword": 22, "Sword": 10, "épée": 4}
    grants = get_v1(guerdon, "/events/server.vote/1")["grants"]
    assert [grant["receipt"] for grant in grants] == [
        {"item": "sword", "quantity": 1},
        {"item": "Sword", "quantity": 5},
        {"item": "épée", "quantity": 2},
        {"item": "sword", "quantity": 10},
    ]


def test_each_player_has_their_own(open_service: Open, vote_api: Any) -> None:
    guerdon = open_service(REWARDS)
    add_player(guerdon, "Eve")
    vote_api.nickname = lambda id: "Eve" if id == "e" else "Bob"

    for id in ("b", "e", "c"):
        post_vote(guerdon, id)

    assert get_v1(guerdon, "/players/Eve")["items"]["sword"] == 11
    assert get_v1(guerdon, "/players/Bob")["items"]["sword"] == 22


def test_the_first_ones_from_many_threads_all_count(open_service: Open) -> None:
    guerdon = open_service(REWARDS)

    def pay(thread: int) -> None:
        for number in range(5):
            event = Event("gamemonitoring", "server.vote", f"{thread}-{number}", "1", "Bob")
            [outcome] = guerdon.settler.settle([Work([event])])
            assert outcome.state == "settled", outcome

    threads = [threading.Thread(target=pay, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert get_v1(guerdon, "/players/Bob")["items"]["sword"] == 30 * 11
