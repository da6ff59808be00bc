"""The one field to look for something by: an event's id, a report's number, or a player's name."""

from typing import Any

from flask import render_template, request, url_for
from flask_babel import gettext as _

from app.counting.imported import VOTE
from app.dashboard.frame import get_guerdon, go_to, look
from app.database.keys import make_event_key
from app.database.models import Event, Waiting
from app.history.reports import find_report
from app.porch.errors import GuerdonError
from app.porch.rounds import TYPES, join_key

LONGEST = 255  # characters
MOST_TYPES = 200


@look("/find")
def find() -> Any:
    """Lead to the one thing that is called so, or show those that are."""
    wanted = request.args.get("q", "").strip()[:LONGEST]
    found = list_found(wanted) if wanted else []
    if len(found) == 1:
        return go_to(found[0]["address"])
    return render_template("find.html", wanted=wanted, found=found), 200 if found else 404


def list_found(wanted: str) -> list[dict[str, str]]:
    """What is called so, with its address."""
    found = [
        {
            "what": _("Event %(type)s", type=type), "name": wanted,
            "address": url_for("screens.show_event", type=type, id=wanted),
        }
        for type in find_types(wanted)
    ]  # fmt: skip
    if is_player(wanted):
        address = url_for("screens.show_player", name=wanted)
        found.append({"what": _("Player"), "name": wanted, "address": address})
    if wanted.isascii() and wanted.isdigit() and len(wanted) < 19 and find_report(int(wanted)):
        address = url_for("screens.show_report", id=wanted)
        found.append({"what": _("Report"), "name": wanted, "address": address})
    return found


def is_player(name: str) -> bool:
    try:
        return get_guerdon().find_player(name) is not None
    except GuerdonError:
        return False


def find_types(id: str) -> list[str]:
    """The types of events that have come with this id."""
    guerdon = get_guerdon()
    keys = {
        make_event_key(source, type, one): type
        for type in list_types()[:MOST_TYPES]
        for source in guerdon.sources
        for one in (id, join_key(id))
    }
    asked = list(keys)
    rows: list[Any] = [
        *Event.select(Event.ordered_key).where(Event.ordered_key << asked).tuples(),
        *Waiting.select(Waiting.ordered_key).where(Waiting.ordered_key << asked).tuples(),
    ]
    return sorted({keys[bytes(row[0])] for row in rows})


def list_types() -> list[str]:
    """The types of events that rules, or game servers, know."""
    return sorted({VOTE, *TYPES, *get_guerdon().rules.by_type})
