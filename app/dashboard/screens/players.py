"""A player: what he has, what he was given, what waits for him on a game server, what could not be paid."""

from typing import Any

from flask import abort, render_template, request
from flask_babel import gettext as _

from app.dashboard.frame import get_guerdon, look, read_id
from app.dashboard.open_work import list_waiting_of
from app.dashboard.paging import Page, cut_page
from app.database.claim_models import Claim
from app.database.models import Event, Grant
from app.paying.describing import describe_player
from app.porch.errors import AmbiguousPlayer, RefusedName
from app.porch.types import Player

ON_A_PAGE = 25
LONGEST_NAME = 255  # characters


@look("/player")
def show_player() -> Any:
    """One player, by ?name=, as an event's nickname finds him."""
    guerdon, name = get_guerdon(), request.args.get("name", "")
    if not 0 < len(name) <= LONGEST_NAME:
        abort(404, description=_("A player's name has 1 to 255 characters."))
    waiting = list_waiting_of(name)
    try:
        player = guerdon.find_player(name)
        reason = "" if player else _("There is no player of this name.")
    except (AmbiguousPlayer, RefusedName) as error:
        player, reason = None, str(error)
    known = describe(player) if player else {}
    page = render_template(
        "player.html", name=name, player=player, reason=reason, waiting=waiting, **known
    )
    return page, 200 if player or waiting else 404


def describe(player: Player) -> dict[str, Any]:
    """What is known of him: by the plugins, by the ledger, and in the queue of claims."""
    guerdon = get_guerdon()
    grants = list_grants(player.key)
    return {
        "facts": describe_player(guerdon.plugins, guerdon.database, player, guerdon.now()),
        "votes": guerdon.showing.describe_votes(player.key, guerdon.now()),
        "grants": grants,
        "of_grants": find_events(grants),
        "claims": cut_page(
            Claim,
            Claim.player_id == player.key,
            ON_A_PAGE,
            read_id("claims_before"),
            "claims_before",
        ),
    }


def list_grants(player: str) -> Page[Grant]:
    return cut_page(
        Grant, Grant.player_id == player, ON_A_PAGE, read_id("grants_before"), "grants_before"
    )


def find_events(grants: Page[Grant]) -> dict[int, Event]:
    """The events of these grants, by their rows."""
    rows = {grant.event for grant in grants.rows}
    return {event.id: event for event in Event.select().where(Event.id << rows)} if rows else {}
