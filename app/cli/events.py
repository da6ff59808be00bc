"""guerdon events …: look at events, and have waiting or dead ones tried again."""

from datetime import datetime

import click

from app.cli.context import find_person, open_configured
from app.cli.following import have_done
from app.cli.pages import LOOK_THROUGH, tell_page
from app.cli.repay import repay
from app.cli.reports import MOMENT, count_ms
from app.database.keys import make_event_key
from app.history.filters import EventFilter
from app.history.listing import ListedEvent
from app.history.states import EventState
from app.history.timeline import describe_event
from app.porch.errors import GuerdonError
from app.porch.rounds import join_key
from app.porch.text import format_time
from app.terminal import tell


@click.group()
def events() -> None:
    """Look at events, and have waiting or dead ones tried again."""


@events.command("list")
@click.option(
    "--state", type=click.Choice([state.value for state in EventState]), help="only these"
)
@click.option("--type", default="", help="only those of this type, as server.vote")
@click.option("--source", default="", help="only those from this source")
@click.option("--server", default="", help="only those of this server; settled ones")
@click.option(
    "--player", default="", help="only those of the player of this nickname; settled ones"
)
@click.option("--since", type=MOMENT, help="settled, or come, at this time or later, UTC")
@click.option("--until", type=MOMENT, help="settled, or come, before this time, UTC")
@click.option("--cause", default="", help="only those that `guerdon causes` shows under this name")
@click.option("--before", help="the page after another: what that page said")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--json", "as_json", is_flag=True, help="as JSON, for a program")
def list_events(
    state: str | None,
    since: datetime | None,
    until: datetime | None,
    before: str | None,
    limit: int,
    as_json: bool,
    **said: str,
) -> None:
    """The latest events, those that wait first."""
    chosen = EventFilter(
        EventState(state) if state else None, since=count_ms(since), until=count_ms(until), **said
    )
    lists = open_configured().lists
    page = lists.list_events(chosen, before, limit, LOOK_THROUGH)
    tell_page("events", page, as_json, map(write_event, page.rows))


def write_event(one: ListedEvent) -> str:
    last = one.nickname if one.state is EventState.SETTLED else one.last_error
    return f"{format_time(one.at)}  {one.state:8} {one.type}  {one.id}  {last}"


@events.command("show")
@click.argument("type")
@click.argument("id")
def show_event(type: str, id: str) -> None:
    """What became of one event, step by step."""
    guerdon = open_configured()
    with guerdon.database.connection_context():
        event = describe_event(guerdon.sources, type, id)
    if event is None:
        raise GuerdonError(f"no event {type} {id} has come, or it was refused")
    tell(f"{event['type']} {event['id']} from {event['source']}: {event['state']}")
    for name in ("nickname", "server_id", "user_id", "last_error"):
        if event[name]:
            tell(f"  {name}: {event[name]}")
    for verdict in event["verdicts"]:
        paid = {0: "not paid", 1: "paid"}.get(verdict["paid"], f"paid {verdict['paid']} times")
        tell(f'  rule "{verdict["rule"]}": {": ".join(filter(None, [paid, verdict.get("why")]))}')
    for step in event["timeline"]:
        tell(f"  {step['at']}  {step['what']}: {step['detail']}")


@events.command("retry")
@click.argument("type", required=False)
@click.argument("id", required=False)
@click.option("--dead", is_flag=True, help="all dead events")
@click.option("--by", metavar="NAME", help="who says so, kept with it; else your name here")
def retry_events(type: str | None, id: str | None, dead: bool, by: str | None) -> None:
    """Have one event, or all dead ones, tried again at once."""
    if dead == bool(type and id):
        raise click.UsageError("name one event by TYPE and ID, or say --dead")
    person = find_person(by)
    guerdon = open_configured()
    if dead:
        count = have_done(guerdon.acts, EventFilter(EventState.DEAD), person)
    else:
        ids = {str(id), join_key(str(id))}  # as `show` finds it too
        keys = [make_event_key(of, str(type), one) for of in guerdon.sources for one in ids]
        count = guerdon.acts.retry_event(keys, f"{type} {id}", person)
    if not count and not dead:
        raise GuerdonError(f"no event {type} {id} waits or is dead")
    tell(f"{count} will be tried again at once")


events.add_command(repay)
