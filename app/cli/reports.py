"""guerdon reports …: look at reports, and have dead ones sent again."""

from datetime import UTC, datetime

import click

from app.cli.context import find_person, open_configured
from app.cli.following import have_done
from app.cli.pages import LOOK_THROUGH, tell_page
from app.history.filters import ReportFilter
from app.history.listing import ListedReport
from app.history.reports import describe_report_fully, find_report, require_revivable
from app.history.states import ReportState
from app.porch.errors import GuerdonError
from app.porch.json import RawJson, dump_raw_json
from app.porch.masking import mask_text
from app.porch.text import format_time
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
@click.option(
    "--state", type=click.Choice([state.value for state in ReportState]), help="only these"
)
@click.option("--reporter", default="", help="only those of this one")
@click.option("--kind", default="", help="only those of this kind")
@click.option("--since", type=MOMENT, help="queued at this time or later, UTC")
@click.option("--until", type=MOMENT, help="queued before this time, UTC")
@click.option("--cause", default="", help="only those that `guerdon causes` shows under this name")
@click.option("--before", help="the page after another: what that page said")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--json", "as_json", is_flag=True, help="as JSON, for a program")
def list_reports(
    state: str | None,
    since: datetime | None,
    until: datetime | None,
    before: str | None,
    limit: int,
    as_json: bool,
    **said: str,
) -> None:
    """The latest reports."""
    chosen = ReportFilter(
        ReportState(state) if state else None, since=count_ms(since), until=count_ms(until), **said
    )
    page = open_configured().lists.list_reports(chosen, before, limit, LOOK_THROUGH)
    tell_page("reports", page, as_json, map(write_report, page.rows))


def write_report(one: ListedReport) -> str:
    sends, error = f"{one.sends} send{'s' * (one.sends != 1)}", f"  {one.last_error}"
    return (
        f"{format_time(one.created_at)}  {one.id:>6}  {one.state:9}  {one.reporter} {one.kind}"
        f"  {one.key}  {sends}{error if one.last_error else ''}"
    )


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
@click.option("--by", metavar="NAME", help="who says so, kept with it; else your name here")
def retry_reports(
    id: int | None,
    reporter: str | None,
    since: datetime | None,
    until: datetime | None,
    by: str | None,
) -> None:
    """Have one report, or all dead ones of a reporter, sent again at once, by the whole schedule."""
    if (id is None) == (reporter is None) or (id is not None and (since or until)):
        raise click.UsageError("name one report by ID, or --reporter with --since and --until")
    person = find_person(by)
    guerdon = open_configured()
    if id is not None:
        with guerdon.database.connection_context():
            require_revivable(id)
        count = guerdon.acts.retry_report(id, person)
    else:
        dead, span = ReportState.DEAD, (count_ms(since), count_ms(until))
        count = have_done(guerdon.acts, ReportFilter(dead, str(reporter), "", *span), person)
        if not count:
            raise GuerdonError(
                f"no report of {reporter} is dead" + " in that time" * bool(since or until)
            )
    tell(f"{count} will be sent again at once")


def count_ms(moment: datetime | None) -> int | None:
    """ms since the epoch of a time that was typed in UTC."""
    return None if moment is None else int(moment.replace(tzinfo=UTC).timestamp() * 1000)
