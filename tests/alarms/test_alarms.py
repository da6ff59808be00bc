"""What is wrong is told once a window, by a real receiver's account, and so is that it is over."""

import base64
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.alarms.keeping import list_alarms
from app.database.models import Report
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.porch.errors import ConfigError
from app.testing.clock import Clock
from app.testing.deliveries import AUTHORIZED
from app.testing.platforms import Platform, answer_status
from app.testing.reports import send_reports
from app.testing.vote_api import VoteApi, answer
from app.web import examples
from tests.paying.test_inbox import House

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SECRET = base64.b64encode(b"of thirty-two bytes, and no more").decode()
WEBHOOK = """
[plugins.webhook]
url = "{platform}"
secret = "whsec_{secret}"
types = ["level_up"]
[alerts]
reporter = "webhook"
"""
SOON = "[inbox]\nretry_delays = [1]\ngive_up_after = 1\n"
DUE = 31  # seconds, after which is looked again
LEASE = 46


@pytest.fixture
def hosts(
    open_service: Callable[..., Guerdon], clock: Clock, platform: Platform
) -> Iterator[Callable[..., list[House]]]:
    """Two hosts on one database, whose alarms are told to the platform."""
    platform.behave = answer_status(204)
    opened: list[Guerdon] = []
    with ThreadPoolExecutor(4) as pool:

        def open_two(more: str = SOON, alerts: str = "") -> list[House]:
            section = WEBHOOK.format(platform=platform.url, secret=SECRET)
            first = open_service(more=f"{section}{alerts}\n{more}")
            opened.append(open_guerdon(first.config.path, clock))
            return [House(one, clock, pool) for one in (first, opened[0])]

        yield open_two
        for one in opened:
            one.close()


def look(hosts: list[House], seconds: float = DUE) -> None:
    """Let time pass; both hosts look, and send what is due."""
    for number, house in enumerate(hosts):
        house.serve(0 if number else seconds)
    send_reports(hosts[0].guerdon)


def list_told(platform: Platform) -> list[tuple[str, str]]:
    """Of each message its type, and which alarm it is about."""
    return [(one.fields["type"], one.fields["data"]["name"]) for one in platform.requests]


def fail(handler: Any) -> None:
    answer(handler, 500, {})


def test_it_works(hosts: Callable[..., list[House]], vote_api: VoteApi, platform: Platform) -> None:
    """A vote dies, is told of once, and again in the next window; it is retried, and that is told, once."""
    both = hosts()
    vote_api.behave = fail
    assert both[0].deliver().status_code == 503
    look(both, 2)
    look(both)
    assert both[0].ask()["state"] == "dead"
    look(both)

    died = ("alert.fired", "GuerdonEventsDied")
    assert list_told(platform) == [died]
    message = platform.requests[0]
    assert (
        message.fields["data"]["summary"]
        == "events that died in the last 15 minutes, and wait for a person: 1"
    )
    assert message.headers["webhook-signature"].startswith("v1,")
    for house in both * 2:
        look(both)
        house.guerdon.alarms.judge()  # though it is another's duty
    assert list_told(platform) == [died], "in its window it is told once, whoever looks"
    (alarm,) = list_alarms(both[1].guerdon.database)
    assert (alarm.name, alarm.about, alarm.told_by) == ("GuerdonEventsDied", "", "webhook")

    vote_api.behave = None
    both[0].guerdon.inbox.revive(None)
    for _ in range(8):  # the first host is gone, and what it knew is not
        look(both[1:])

    assert both[0].ask()["state"] == "settled"
    assert list_told(platform) == [died, ("alert.recovered", "GuerdonEventsDied")]
    assert list_alarms(both[0].guerdon.database) == []
    for _ in range(3):
        look(both)
    assert len(platform.requests) == 2, "recovered is told once"


@on_sqlite
def test_what_still_is_wrong_is_told_again_in_the_next_window(
    hosts: Callable[..., list[House]], vote_api: VoteApi, platform: Platform
) -> None:
    both = hosts(more="[inbox]\nretry_delays = [30]\n", alerts="repeat = 3600\nvote_waits = 60")
    vote_api.behave = fail
    both[0].deliver()

    for _ in range(30):
        look(both, 300)

    assert list_told(platform) == [("alert.fired", "GuerdonVoteWaits")] * 3


@on_sqlite
def test_a_short_trouble_is_told_to_nobody(
    hosts: Callable[..., list[House]], vote_api: VoteApi, platform: Platform
) -> None:
    """Its time has not passed; and who comes back within a minute is not told to have recovered."""
    both = hosts(more="[inbox]\nretry_delays = [30]\n", alerts="vote_waits = 60")
    vote_api.behave = fail
    both[0].deliver()
    for _ in range(5):
        look(both, 40)
    vote_api.behave = None
    for _ in range(5):
        look(both, 40)

    assert both[0].ask()["state"] == "settled"
    assert list_told(platform) == []


@on_sqlite
def test_what_is_wrong_with_its_reporter_it_is_not_asked_to_tell(
    hosts: Callable[..., list[House]], platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    """The alarm is shown, and in the log; nothing about it is queued."""
    both = hosts(more="")
    make_it_tell(both[0])
    platform.behave = answer_status(500)
    for _ in range(40):
        look(both, 60)

    (alarm,) = list_alarms(both[0].guerdon.database)
    assert (alarm.name, alarm.about, alarm.told_by) == ("GuerdonReportsWait", "webhook", "")
    with both[0].guerdon.database.connection_context():
        assert [row.kind for row in Report.select()] == ["event.settled"]
    assert "the log alone" in capsys.readouterr().err


@on_sqlite
def test_another_reporter_tells_it(
    hosts: Callable[..., list[House]], platform: Platform, add_plugin: Callable[..., str]
) -> None:
    second = add_plugin(SECOND, "pager")
    both = hosts(more=second, alerts='second = "pager"')
    make_it_tell(both[0])
    platform.behave = answer_status(500)
    for _ in range(20):
        look(both, 60)

    (alarm,) = list_alarms(both[0].guerdon.database)
    assert (alarm.about, alarm.told_by) == ("webhook", "pager")
    with both[0].guerdon.database.connection_context():
        row = Report.get(Report.reporter == "pager")
        assert (row.kind, row.state) == ("alert", "delivered")
        assert row.key.startswith("GuerdonReportsWait/"), "whatever the plugin calls it"


SECOND = """
from app import Report, hookimpl

@hookimpl
def build_alert(alert):
    return Report("webhook", "another", "key", alert.summary.encode())

@hookimpl
def send_report(report):
    return {"paged": True} if report.reporter == "pager" else None
"""


def make_it_tell(house: House) -> None:
    """A level_up, which the webhook reports."""
    headers = {**AUTHORIZED, "Prefer": "wait=0"}
    answered = house.client.post("/v1/events/level_up", json=examples.LEVEL_UP, headers=headers)
    assert answered.status_code == 202, answered.text


@on_sqlite
@pytest.mark.parametrize(
    ("section", "said"),
    [
        ('reporter = "gold"', "[alerts] reporter: gold cannot tell of alerts; these can: none"),
        ('second = "gold"', "needs `reporter`, whose trouble it tells"),
        ('reporter = "a"\nsecond = "a"', "is the reporter whose trouble it is to tell"),
        ("vote_waits = 1", "[alerts] vote_waits"),
    ],
)
def test_a_loop_is_refused(
    write_config: Callable[..., Any], clock: Clock, section: str, said: str
) -> None:
    path = write_config(more=f"[alerts]\n{section}\n")

    with pytest.raises(ConfigError) as caught:
        open_guerdon(path, clock)

    assert said in str(caught.value)
