"""Stocks, and what rules came to: paid so often, never, and what is left of what all share."""

from collections.abc import Callable
from typing import Any

import pytest

from app.dashboard.building import build_dashboard
from app.dashboard.signing_in import limiter
from app.database.counter_models import UseRow
from app.database.models import Grant
from app.guerdon import Guerdon
from tests.dashboard.ledgers import write_small
from tests.dashboard.test_access import sign_in
from tests.dashboard.test_plots import slow_down
from tests.world.running_dashboards import USERS

RULES = """
[[budgets]]
name = "gold of a day"
reward = "gold"
sum = "amount"
at_most = "1000 per day"
[[rules]]
name = "every vote"
on = "server.vote"
limit = { all = "80 per day" }
give = [{ reward = "gold", amount = "1.00" }]
[[rules]]
name = "never paid"
on = "server.vote"
server = "none"
limit = { all = "5 per 12 hours" }
give = [{ reward = "gold", amount = "1.00" }]
"""


@pytest.fixture
def ask(open_service: Callable[..., Guerdon]) -> Callable[..., Any]:
    """A Guerdon, and how to read a page of its dashboard as somebody who is signed in."""

    def start(**settings: Any) -> tuple[Guerdon, Callable[[str], str]]:
        guerdon = open_service(**settings)
        limiter.reset() if limiter.initialized else None
        app = build_dashboard(guerdon)
        app.testing = True
        client = app.test_client()
        sign_in(client)
        return guerdon, lambda path: " ".join(client.get(path).text.split())

    return start


def test_it_works(ask: Callable[..., Any]) -> None:
    """Promo codes by their pool, claims by their server, and which claim waits longest."""
    guerdon, read = ask(more=USERS)
    write_small(guerdon)

    page = read("/stocks")

    assert "promo codes left" in page
    assert "<strong><bdi>gold</bdi></strong>" in page
    assert '<td class="amount">3 <span class="state state-waiting">few left' in page
    assert '<td><bdi>gold</bdi></td><td class="amount">1</td><td class="amount">0</td>' in page
    assert "The claims that wait longest" in page
    assert ">Bob<" in page.replace("<bdi>", "").replace("</bdi>", "")


def test_where_nothing_waits_and_nothing_runs_out_it_says_so(ask: Callable[..., Any]) -> None:
    _, read = ask(more=USERS)

    page = read("/stocks")

    assert "No plugin tells of anything that can run out." in page
    assert "Every claim was taken by its game server." in page


def test_each_rule_says_how_often_it_paid(ask: Callable[..., Any]) -> None:
    guerdon, read = ask(more=USERS, rewards=RULES)
    write_small(guerdon)
    with guerdon.database.connection_context():
        Grant.update(rule="of old").where(Grant.id == 1).execute()

    page = read("/rules")

    assert "paid 59 times, last at" in page
    assert page.count("never fired") == 1
    assert (
        page.index("Rules that are gone") < page.index("of old") < page.index("paid once, last at")
    )


def test_what_all_share_says_what_is_left(ask: Callable[..., Any]) -> None:
    guerdon, read = ask(more=USERS, rewards=RULES)
    assert "0 of 80 used, 80 left; anew at" in read("/rules")
    with guerdon.database.connection_context():
        calendar, now = guerdon.rules.calendar, guerdon.now()
        day, [budget] = calendar.name_period("day", now), guerdon.rules.budgets
        for owner, used in ((guerdon.rules.all[0].limit_owner, 30), (budget.owner, 250_500_000)):
            UseRow.insert(player_id="", owner=owner, period=day, used=used, event="x").execute()

    page = read("/rules")

    assert "80 per day</bdi>: 30 of 80 used, 50 left; anew at" in page
    assert "250.5 of 1,000 used, 749.5 left; anew at" in page
    assert "5 per 12 hours</bdi>: 0 of 5 used, 5 left" in page


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_rules_are_shown_also_where_their_count_takes_too_long(ask: Callable[..., Any]) -> None:
    guerdon, read = ask(more=USERS, rewards=RULES)
    slow_down(guerdon)

    page = read("/rules")

    assert page.count("How often it paid is not known") == 2
    assert "What earns what" in page
