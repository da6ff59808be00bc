"""guerdon players export|erase|erasures, guerdon retention: what is kept of a player."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from app.cli.context import count, find_person, open_configured, show_progress
from app.database.chunks import BREATH
from app.guerdon import Guerdon
from app.porch.errors import GuerdonError
from app.porch.text import format_time, shorten
from app.privacy.again import find_candidates
from app.privacy.erasing import Eraser, Plan, require_somebody
from app.privacy.erasures import add_erasures, list_erasures
from app.privacy.exporting import Exporter, note_export
from app.terminal import tell


@click.command("export")
@click.argument("nickname")
@click.option(
    "--to", "file", type=click.Path(dir_okay=False, path_type=Path), help="a file, which is made"
)
@click.option("--by", metavar="NAME", help="who says so, kept as an act; else your name here")
def export_player(nickname: str, file: Path | None, by: str | None) -> None:
    """Everything that is kept of a player, as one JSON document."""
    person, guerdon = find_person(by), open_configured()
    plan = guerdon.make_eraser().plan(nickname, show_progress)
    require_somebody(plan, shorten(nickname))
    note_export(guerdon.database, nickname, person, guerdon.now())
    exporter = Exporter(guerdon.database, guerdon.plugins, guerdon.now)
    with guerdon.database.connection_context():
        lines = exporter.write(plan.known.player, plan.known.person, plan.found)
        write_lines(lines, file)


def write_lines(lines: Iterator[str], file: Path | None) -> None:
    """To a file that only its owner may read, or to standard output."""
    if file is None:
        for line in lines:
            tell(line)
        return
    file.touch(mode=0o600)
    file.chmod(0o600)
    with file.open("w", encoding="ascii") as opened:
        opened.writelines(f"{line}\n" for line in lines)
    tell(f"written to {file}", err=True)


@click.command("erase")
@click.argument("nickname", required=False)
@click.option("--cancel", is_flag=True, help="end by name what of the player is under way")
@click.option("--again", is_flag=True, help="after a restore: all who were erased before")
@click.option(
    "--list", "listed", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="with --again: what `guerdon players erasures` printed before",
)  # fmt: skip
@click.option("--by", metavar="NAME", help="who says so, kept with it; else your name here")
@click.option("--yes", is_flag=True, help="do not ask")
def erase_player(
    nickname: str | None, cancel: bool, again: bool, listed: Path | None, by: str | None, yes: bool
) -> None:
    """Put a pseudonym in the place of a player's name wherever it stands: a plan first.

    Sums, counters and what stops a second payment stay. Killed, it goes on when it is run again.
    """
    if bool(nickname) == again or (listed and not again):
        raise click.UsageError("name one player, or say --again, with --list FILE if you have one")
    person, guerdon = find_person(by), open_configured()
    eraser = guerdon.make_eraser()
    if nickname:
        plan = eraser.plan(nickname, show_progress)
        require_somebody(plan, shorten(nickname))
        erase(guerdon, eraser, plan, person, cancel, yes)
        return
    if listed:
        tell(f"{count(add_erasures(guerdon.database, read_list(listed)), 'erasure')} added")
    is_own = guerdon.config.players.is_own
    for one in find_candidates(guerdon.database, eraser.read_hasher(), is_own):
        plan = eraser.plan(one.nickname, show_progress, one.pseudonym)
        erase(guerdon, eraser, plan, person, cancel, yes)
    tell("nobody who was erased is there by name any more")


def erase(
    guerdon: Guerdon, eraser: Eraser, plan: Plan, person: str, cancels: bool, yes: bool
) -> None:
    tell(*describe_plan(guerdon, plan))
    eraser.require_nothing_open(plan, cancels)
    if not yes:
        click.confirm("Erase? There is no way back.", abort=True)
    counts = eraser.run(
        plan, person, cancels, show_progress, lambda work: tell(f"cancelled: {work.said}")
    )
    said = ", ".join(f"{name} {number:,}" for name, number in counts.items() if number)
    tell(f"erased: {said or 'nothing was left'}; the pseudonym is {plan.known.person.pseudonym}")


def describe_plan(guerdon: Guerdon, plan: Plan) -> list[str]:
    """What would be erased, in lines."""
    names = ", ".join(map(shorten, sorted(plan.known.person.names)))
    lines = [f"everything of {names}:"]
    lines += [f"  {name}: {number:,}" for name, number in plan.count_rows().items()]
    if plan.unfinished:
        lines.append(f"  an erasure that was begun {format_time(plan.unfinished.begun_at)} goes on")
    lines += [f"  under way: {one.said}" for one in plan.open_work]
    players = guerdon.config.players
    if not players.is_own and not guerdon.plugins.has("erase_player"):
        lines.append(f"  the player's row in your table {players.table} stays: no plugin erases it")
    elif not players.is_own:
        lines.append(f"  the player's row in your table {players.table}: what your plugin erases")
    elif plan.known.player:
        lines.append("  the player's row: gets the pseudonym, and keeps what it has")
    return lines


def read_list(file: Path) -> list[Any]:
    """A line of JSON each. Raises GuerdonError for what is no list of erasures."""
    try:
        listed = [json.loads(line) for line in file.read_text("ascii").splitlines() if line.strip()]
        if all({"pseudonym", "names", "begun_at"} <= one.keys() for one in listed):
            return listed
    except (OSError, ValueError, AttributeError):
        pass
    raise GuerdonError(f"{file}: is not what `guerdon players erasures` prints")


@click.command("erasures")
def show_erasures() -> None:
    """Who was erased, a line of JSON each without a name: keep it beside your backups."""
    guerdon = open_configured()
    with guerdon.database.connection_context():
        for one in list_erasures():
            tell(json.dumps(one))


@click.group()
def retention() -> None:
    """What [retention] takes from old rows."""


@retention.command("plan")
def plan_retention() -> None:
    """How many rows are older than [retention] keeps; it writes nothing."""
    guerdon = open_configured()
    require_retention(guerdon)
    for name, number in guerdon.keeper.count_old(show_progress).items():
        tell(f"{name}: {number:,}")


@retention.command("run")
def run_retention() -> None:
    """Strip them now, from the first on; votes are paid meanwhile. The dispatcher does it by itself too."""
    guerdon = open_configured()
    require_retention(guerdon)
    guerdon.require_fit_database()
    guerdon.keeper.start_anew()
    total = 0
    while (some := guerdon.keeper.strip_some()) is not None:
        total += some
        time.sleep(BREATH)
    tell(f"stripped {count(total, 'row')}")


def require_retention(guerdon: Guerdon) -> None:
    """Raise GuerdonError where everything is kept."""
    if guerdon.keeper.is_off:
        raise GuerdonError('[retention] is not set: write data = "400 days" there')
