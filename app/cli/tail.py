"""guerdon tail: what is settled, line by line, as the ledger has it; and what waits or died."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click
from peewee import PeeweeException

from app.cli.context import open_configured
from app.cli.forwarding import VARIABLE, Forwarder
from app.database.words import explain_database_error
from app.guerdon import Guerdon
from app.history.following import Follower
from app.history.ledger_lines import Lines, read_settled, read_tries
from app.history.states import EventState
from app.porch.errors import DatabaseUnavailable
from app.terminal import tell

POLL = 1.0  # seconds
TRIED = (EventState.WAITING, EventState.DEAD)
Read = Callable[[Sequence[int]], Lines]


@dataclass(frozen=True)
class Source:
    """A table that is followed, and what makes lines of its ids."""

    follower: Follower
    read: Read


@click.command()
@click.option("-f", "--follow", is_flag=True, help="go on with what comes, until Ctrl-C")
@click.option("-n", "--lines", default=20, show_default=True, type=click.IntRange(0, 10_000),
              help="of those that are there already")  # fmt: skip
@click.option("--type", "types", multiple=True, help="only events of this type; may be repeated")
@click.option("--server", "servers", multiple=True, help="only of this server; may be repeated")
@click.option("--state", "states", multiple=True, default=["settled"], show_default=True,
              type=click.Choice([state.value for state in EventState]), help="may be repeated")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="a JSON object a line")
@click.option("--forward-to", metavar="URL", help="post each settled event there too, signed")
def tail(
    follow: bool, lines: int, types: tuple[str, ...], servers: tuple[str, ...],
    states: tuple[str, ...], as_json: bool, forward_to: str | None,
) -> None:  # fmt: skip
    """What was settled last, by the ledger's ids; with -f also what comes.

    An event that waits, or has died, is shown with each try. With --forward-to each settled event is posted
    as a Standard Webhook to a developer's machine: nothing is queued, and no report is touched. It is signed
    with the secret in GUERDON_FORWARD_SECRET, or with one that is made for this run.
    """
    if servers and set(states) & {*TRIED}:
        raise click.UsageError("--server: an event that is not settled has no server yet")
    guerdon = open_configured()
    forwarder = Forwarder(forward_to) if forward_to else None
    if forwarder and forwarder.made:
        tell(f"signed with {forwarder.made}, made for this run; {VARIABLE} sets one", err=True)
    sources = list(make_sources(guerdon, states, types, servers))
    show = Shower(guerdon, as_json, forwarder)
    latest = [
        line for one in sources for line in read(guerdon, one, one.follower.list_latest(lines))
    ]
    show(sort_lines(latest)[-lines:] if lines else [])
    try:
        while follow:
            time.sleep(POLL)
            show(look(guerdon, sources))
    except KeyboardInterrupt:
        return  # as one ends it
    finally:
        if forwarder:
            forwarder.close()


class Shower:
    """Prints lines, and forwards them."""

    def __init__(self, guerdon: Guerdon, as_json: bool, forwarder: Forwarder | None) -> None:
        self._guerdon = guerdon
        self._as_json = as_json
        self._forwarder = forwarder

    def __call__(self, lines: Iterable[dict[str, Any]]) -> None:
        for line in lines:
            tell(json.dumps(line) if self._as_json else write_line(line))
            if self._forwarder and line["state"] == EventState.SETTLED:
                fault = self._forwarder.post(line, self._guerdon.now())
                if fault:
                    tell(f"{line['type']} {line['id']} was not forwarded: {fault}", err=True)


def make_sources(
    guerdon: Guerdon, states: Sequence[str], types: Sequence[str], servers: Sequence[str]
) -> Iterator[Source]:
    database, now = guerdon.database, guerdon.now()
    if EventState.SETTLED in states:
        follower = Follower(database, "guerdon_events", "settled_at", now)
        yield Source(follower, lambda ids: read_settled(database, ids, types, servers))
    if wanted := {*states} & {*TRIED}:
        follower = Follower(database, "guerdon_attempts", "at", now)

        def read_wanted(ids: Sequence[int]) -> Lines:
            return [line for line in read_tries(database, ids, types) if line["state"] in wanted]

        yield Source(follower, read_wanted)


def look(guerdon: Guerdon, sources: Sequence[Source]) -> Lines:
    """What came since the last look; nothing while the database does not answer, and a word of it."""
    lines: Lines = []
    try:
        for one in sources:
            lines += read(guerdon, one, one.follower.look())
    except (PeeweeException, DatabaseUnavailable) as error:
        reason = error if isinstance(error, DatabaseUnavailable) else explain_database_error(error)
        tell(f"still looking: {reason}", err=True)
    return sort_lines(lines)


def read(guerdon: Guerdon, source: Source, ids: Sequence[int]) -> Lines:
    return guerdon.database.read(lambda: source.read(ids)) if ids else []


def sort_lines(lines: Lines) -> Lines:
    return sorted(lines, key=lambda line: line["at"] or "")


def write_line(line: dict[str, Any]) -> str:
    """When, its state, what it is, whose; what it earned, or why it waits."""
    head = f"{line['at']}  {line['state']:8} {line['type']}  {line['id']}"
    if line["state"] != EventState.SETTLED:
        return f"{head}  {line['what']}: {line['detail']}"
    server = f" on {line['server_id']}" if line["server_id"] else ""
    given = [f"{one['reward']} {json.dumps(one['params'])}" for one in line["grants"]]
    return f"{head}  {line['nickname']}{server}  {', '.join(given) or 'earned nothing'}"
