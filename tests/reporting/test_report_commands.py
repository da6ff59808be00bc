"""guerdon reports …: what each command prints, and what it changes."""

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli.main import main
from app.database.models import LEDGER, Report, Send, bind_models
from app.guerdon import Guerdon
from app.testing.clock import Clock
from tests.world.books import make_work, settle

SHOP = """
from app import DeliveryError, Report, Schedule, hookimpl

@hookimpl
def build_report(event):
    return Report("studio", "sold", event.id, b'{"ss_token": "confidential"}')

@hookimpl
def plan_sending(reporter):
    return Schedule(delays=[]) if reporter == "studio" else None

@hookimpl
def send_report(report):
    if report.key.startswith("bad"):
        raise DeliveryError("the shop is shut")
    return {"sold": True, "token": "fdda6c9f-5745-4adc-9541-c3827d654dfa"}
"""
Run = Callable[..., Result]


@pytest.fixture
def shop(open_service: Callable[..., Guerdon], add_plugin: Callable[..., str]) -> Guerdon:
    """A service whose studio's reporter sends once and never again; two reports failed, one did not."""
    guerdon = open_service(more=add_plugin(SHOP))
    settle(guerdon, make_work("bad-1"), make_work("bad-2"), make_work("good"))
    send_all(guerdon)
    return guerdon


def send_all(guerdon: Guerdon) -> None:
    """Send what is due, and wait for its end."""
    guerdon.outbox.serve_once()
    with guerdon.database.connection_context():
        ids = [row.id for row in Report.select(Report.id)]
    guerdon.outbox.wait_for(ids, 10)


@pytest.fixture
def run(shop: Guerdon, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("GUERDON_CONFIG", str(shop.config.path))

    def invoke(*arguments: Any) -> Result:
        result = CliRunner().invoke(main, ["reports", *map(str, arguments)])
        bind_models(shop.database, LEDGER)  # the command bound them to its own
        return result

    return invoke


def read_states(guerdon: Guerdon) -> dict[str, tuple[str, int]]:
    """State and number of sends of each report, by its key."""
    with guerdon.database.connection_context():
        return {row.key: (row.state, row.sends) for row in Report.select()}


def find_id(guerdon: Guerdon, key: str) -> int:
    with guerdon.database.connection_context():
        row: Any = Report.get(Report.key == key)
        return int(row.id)


def test_it_works(shop: Guerdon, run: Run) -> None:
    assert read_states(shop) == {
        "bad-1": ("dead", 1),
        "bad-2": ("dead", 1),
        "good": ("delivered", 1),
    }

    result = run("retry", find_id(shop, "bad-1"))

    assert (result.exit_code, result.output) == (0, "1 will be sent again at once\n")
    assert read_states(shop)["bad-1"] == ("ready", 1)
    send_all(shop)
    assert read_states(shop)["bad-1"] == ("dead", 2)
    with shop.database.connection_context():
        numbers = [row.number for row in Send.select().where(Send.report == find_id(shop, "bad-1"))]
    assert numbers == [1, 2]


def test_list_shows_each_report_and_takes_filters(shop: Guerdon, run: Run) -> None:
    lines = run("list").output.splitlines()

    assert [line.split()[2:6] for line in lines] == [
        ["delivered", "studio", "sold", "good"],
        ["dead", "studio", "sold", "bad-2"],
        ["dead", "studio", "sold", "bad-1"],
    ]
    assert lines[1].endswith("1 send  the shop is shut")
    assert len(run("list", "--state", "dead").output.splitlines()) == 2
    assert run("list", "--reporter", "nobody").output == ""
    assert len(run("list", "--limit", 1).stdout.splitlines()) == 1


def test_show_tells_every_send_and_masks_tokens(shop: Guerdon, run: Run) -> None:
    good = run("show", find_id(shop, "good")).output
    bad = run("show", find_id(shop, "bad-1")).output

    assert "studio sold: delivered" in good
    assert '"sold": true' in good
    assert "fdda6c9f" not in good
    assert "send 1, failed" in bad
    assert "last_error: the shop is shut" in bad


def test_retry_of_a_reporter_and_a_range_takes_the_dead_ones_alone(
    shop: Guerdon, clock: Clock, run: Run
) -> None:
    clock.advance(86400)
    settle(shop, make_work("bad-3"))
    send_all(shop)

    early = run(
        "retry", "--reporter", "studio", "--since", "2001-01-01", "--until", "2027-01-15T12:00"
    )
    assert early.output.endswith("2 will be sent again at once\n")
    states = read_states(shop)
    assert [states[key][0] for key in ("bad-1", "bad-2", "bad-3", "good")] == [
        "ready", "ready", "dead", "delivered",
    ]  # fmt: skip

    late = run("retry", "--reporter", "studio", "--since", "2027-01-15T12:00:00Z")
    assert late.output.endswith("1 will be sent again at once\n")
    nobody = run("retry", "--reporter", "nobody")
    assert (nobody.exit_code, nobody.output) == (1, "no report of nobody is dead\n")


def test_what_cannot_be_sent_again_is_said(shop: Guerdon, run: Run) -> None:
    delivered = run("retry", find_id(shop, "good"))
    unknown = run("retry", 4711)

    assert (delivered.exit_code, unknown.exit_code) == (1, 1)
    assert "was delivered" in delivered.output
    assert "there is no report 4711" in unknown.output
    assert "there is no report 4711" in run("show", 4711).output


@pytest.mark.parametrize(
    "arguments",
    [(), (1, "--reporter", "studio"), (1, "--since", "2026-01-01"), ("--since", "2026-01-01")],
    ids=str,
)
def test_retry_wants_one_report_or_one_reporter(run: Run, arguments: tuple[Any, ...]) -> None:
    result = run("retry", *arguments)

    assert result.exit_code == 2
    assert "name one report by ID, or --reporter" in result.output


def test_a_time_that_is_none_is_refused(run: Run) -> None:
    result = run("retry", "--reporter", "studio", "--since", "yesterday")

    assert result.exit_code == 2
    assert "yesterday" in result.output


def test_the_event_tells_of_its_reports(
    shop: Guerdon, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    output = CliRunner().invoke(main, ["events", "show", "server.vote", "bad-1"]).output

    assert "report queued: studio sold as" in output
    assert "report sent: studio sold, send 1: failed: the shop is shut" in output
    assert "report dead: studio sold is not sent again: the shop is shut" in output
