"""guerdon reports …: look at reports, and have dead ones sent again."""

from datetime import UTC, datetime

import click

from app.cli.context import open_configured, show_progress
from app.database.states import REPORT_STATES
from app.history.reports import (
    describe_report_fully,
    find_report,
    list_dead_reports,
    list_latest_reports,
    require_revivable,
    revive_reports,
)
from app.porch.errors import GuerdonError
from app.porch.json import RawJson, dump_raw_json
from app.porch.masking import mask_text
from app.terminal import tell

MOMENT = click.DateTime(
    [
        "%Y-%m-%d",
        "%Y-%m-%dT%H:%M",
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%dT%H:%M:%SZ",
        "%Y-%m-%dT%H:%M:%S.%fZ",
    ]
)


@click.group()
def reports() -> None:
    """Look at reports, and have dead ones sent again."""


@reports.command("list")
@click.option("--state", type=click.Choice([state.value for state in REPORT_STATES]))
@click.option("--reporter", help="only those of this one")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
def list_reports(state: str | None, reporter: str | None, limit: int) -> None:
    """The latest reports."""
    guerdon = open_configured()
    with guerdon.database.connection_context():
        tell(*list_latest_reports(state, reporter, limit))


@reports.command("show")
@click.argument("id", type=int)
def show_report(id: int) -> None:
    """One report and each of its sends; tokens in the platform's reply are masked."""
    guerdon = open_configured()
    with guerdon.database.connection_context():
        row = find_report(id)
        if row is None:
            raise GuerdonError(f"there is no report {id}")
        report = describe_report_fully(row)
    tell(f"report {id}, {report['reporter']} {report['kind']}: {report['state']}")
    response = report["response"]
    if isinstance(response, RawJson):
        report["response"] = mask_text(response.text, ())
    for name in (
        "key",
        "sends",
        "created_at",
        "next_send_at",
        "delivered_at",
        "last_error",
        "response",
    ):
        if report[name] not in (None, ""):
            tell(f"  {name}: {report[name]}")
    for one in report["attempts"]:
        facts = {name: one[name] for name in ("status", "latency_ms", "error", "answer")}
        told = dump_raw_json({name: value for name, value in facts.items() if value is not None})
        tell(f"  {one['begun_at']}  send {one['number']}, {one['result']}: {told}")


@reports.command("retry")
@click.argument("id", type=int, required=False)
@click.option("--reporter", help="all dead reports of this one")
@click.option("--since", type=MOMENT, help="only those queued at this time or later, UTC")
@click.option("--until", type=MOMENT, help="only those queued before this time, UTC")
def retry_reports(
    id: int | None, reporter: str | None, since: datetime | None, until: datetime | None
) -> None:
    """Have one report, or all dead ones of a reporter, sent again at once, by the whole schedule."""
    if (id is None) == (reporter is None) or (id is not None and (since or until)):
        raise click.UsageError("name one report by ID, or --reporter with --since and --until")
    guerdon = open_configured()
    with guerdon.database.connection_context():
        if id is not None:
            require_revivable(id)
            ids = [id]
        else:
            ids = list_dead_reports(str(reporter), count_ms(since), count_ms(until))
            if not ids:
                raise GuerdonError(
                    f"no report of {reporter} is dead" + " in that time" * bool(since or until)
                )
        count = revive_reports(guerdon.database, ids, guerdon.now(), show_progress)
    tell(f"{count} will be sent again at once")


def count_ms(moment: datetime | None) -> int | None:
    """ms since the epoch of a time that was typed in UTC."""
    return None if moment is None else int(moment.replace(tzinfo=UTC).timestamp() * 1000)
