"""guerdon players import-totals: what another vote plugin had counted, taken over once."""

from pathlib import Path

import click

from app.cli.context import count, open_configured, show_progress
from app.guerdon import Guerdon
from app.paying.importing import Importer, Plan
from app.paying.recipients import Recipients
from app.paying.totals_file import Fault, read_totals_file
from app.porch.errors import ConfigError
from app.terminal import tell

FAULTS_SHOWN = 20


@click.command("import-totals")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="import without asking")
def import_totals(file: Path, yes: bool) -> None:
    """Take over old totals and streaks from FILE, a CSV: a plan first, then once for each player.

    Its columns are nickname, votes, and, if you like, streak (days in a row) with last_vote, the day or
    the time of the last of them.
    """
    guerdon = open_configured()
    guerdon.require_fit_database()
    importer = make_importer(guerdon)
    rows, faults = read_totals_file(file, guerdon.rules.calendar, guerdon.now())
    plan = importer.plan(rows, show_progress)
    require_no_fault(file, sorted([*faults, *plan.faults]))
    tell(describe_plan(plan), *plan.troubles)
    troubles = list(plan.troubles)
    if plan.due and (yes or click.confirm("Import them?", abort=True)):
        imported, failed = importer.run(plan.due, show_progress)
        tell(f"imported {count(imported, 'player')}", *failed)
        troubles += failed
    if troubles:
        raise SystemExit(1)


def make_importer(guerdon: Guerdon) -> Importer:
    unknown = guerdon.config.players.unknown
    recipients = Recipients(guerdon.database, guerdon.plugins, guerdon.finder, unknown, guerdon.now)
    return Importer(
        guerdon.database, guerdon.finder, recipients, guerdon.settler, unknown == "create",
        guerdon.now,
    )  # fmt: skip


def require_no_fault(file: Path, faults: list[Fault]) -> None:
    """Raises ConfigError with the first faults, for nothing is imported from a file that has one."""
    if faults:
        shown = [fault.describe(file) for fault in faults[:FAULTS_SHOWN]]
        if len(faults) > FAULTS_SHOWN:
            shown.append(f"and {count(len(faults) - FAULTS_SHOWN, 'fault')} more")
        raise ConfigError([*shown, "nothing was imported"])


def describe_plan(plan: Plan) -> str:
    """What would happen, in a sentence; who cannot be imported is told after it."""
    said = [f"would import {count(len(plan.due), 'player')} with {count(plan.votes, 'vote')}"]
    if plan.created:
        said.append(f"players to be created: {plan.created:,}")
    if plan.known:
        said.append(f"imported before, and left as they are: {plan.known:,}")
    if plan.empty:
        said.append(f"without a vote: {plan.empty:,}")
    if plan.troubles:
        said.append(f"cannot be imported: {len(plan.troubles):,}")
    return "; ".join(said)
