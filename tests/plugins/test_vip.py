"""VIP time: it stacks while it runs, and starts anew when it has ended."""

import threading
from collections.abc import Callable
from typing import Any

from app.guerdon import Guerdon
from app.paying.settler import Work
from app.porch.types import Event
from app.testing.deliveries import get_v1, post_vote

Open = Callable[..., Guerdon]
DAY = 86400
REWARDS = '[[rules]]\non = "server.vote"\ngive = [{ reward = "vip", days = 2 }]\n'


def test_it_works(open_service: Open) -> None:
    guerdon = open_service(REWARDS)

    assert get_v1(guerdon, "/players/Bob")["vip_until"] is None
    assert [post_vote(guerdon, id).status_code for id in "11"] == [204, 204]

    # The clock of these tests stands at 2027-01-15T08:00:00Z.
    assert get_v1(guerdon, "/players/Bob")["vip_until"] == "2027-01-17T08:00:00.000Z"
    [grant] = get_v1(guerdon, "/events/server.vote/1")["grants"]
    assert grant["receipt"]["vip_until"] == "2027-01-17T08:00:00.000Z"


def test_it_stacks_while_it_runs_and_starts_anew_after(open_service: Open, clock: Any) -> None:
    guerdon = open_service(REWARDS)
    ends = []
    for id, days in enumerate((0, 1, 3, 5)):
        clock.advance(days * DAY)
        post_vote(guerdon, str(id))
        ends.append(get_v1(guerdon, "/players/Bob")["vip_until"][:10])

    # day 15: until 17; day 16: until 19; day 19, just ended: until 21; day 24, long ended: 26
    assert ends == ["2027-01-17", "2027-01-19", "2027-01-21", "2027-01-26"]


def test_two_of_one_event_and_one_batch_stack_too(open_service: Open) -> None:
    guerdon = open_service(REWARDS.replace("}]", '}, { reward = "vip", days = 1 }]'))
    works = [Work([Event("gamemonitoring", "server.vote", id, "1", "Bob")]) for id in "12"]

    guerdon.settler.settle(works)

    assert get_v1(guerdon, "/players/Bob")["vip_until"] == "2027-01-21T08:00:00.000Z"


def test_payments_from_many_threads_all_count(open_service: Open) -> None:
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

    assert get_v1(guerdon, "/players/Bob")["vip_until"] == "2027-03-16T08:00:00.000Z"  # 60 days
