"""Sends what is due now, and waits for its end."""

from app.database.models import Report
from app.database.states import BoxState
from app.guerdon import Guerdon
from app.testing.waiting import wait_until


def send_reports(guerdon: Guerdon) -> None:
    """Send each report that is due by the test's clock, once."""
    guerdon.outbox.serve_once()
    wait_until(lambda: count_leased(guerdon) == 0)


def count_leased(guerdon: Guerdon) -> int:
    """How many are under way."""
    with guerdon.database.connection_context():
        return int(Report.select().where(Report.state == BoxState.LEASED).count())
