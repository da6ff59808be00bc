"""An event's story: what came, what each rule said, what was given, what was reported, and what is next."""

from collections.abc import Mapping
from typing import Any

from flask import abort, g, render_template, request, url_for
from flask_babel import gettext as _

from app.dashboard.frame import act, get_guerdon, go_to, look
from app.database.keys import make_event_key
from app.history.states import EventState
from app.history.timeline import describe_event
from app.porch.errors import GuerdonError
from app.porch.rounds import join_key


@look("/event")
def show_event() -> Any:
    """One event, by ?type= and &id=, which may be any text, and &source= where that is no plugin's now."""
    type, id = request.args.get("type", ""), request.args.get("id", "")
    event = describe_event(list_sources(request.args), type, id)
    if event is None:
        abort(404, description=_("No event of this type and id has come, or it was refused."))
    can_retry = event["state"] != EventState.SETTLED
    return render_template("event.html", event=event, can_retry=can_retry)


def list_sources(said: Mapping[str, str]) -> list[str]:
    """Where an event may have come from."""
    return list(filter(None, [said.get("source")])) + get_guerdon().sources


@act("/event/retry")
def retry_event() -> Any:
    """Have one event that waits, or is dead, tried again at once."""
    guerdon = get_guerdon()
    type, id = request.form.get("type", ""), request.form.get("id", "")
    sources, ids = list_sources(request.form), {id, join_key(id)}
    keys = [make_event_key(source, type, one) for source in sources for one in ids]
    if not guerdon.acts.retry_event(keys, f"{type} {id}", g.person.name):
        raise GuerdonError(_("No such event waits or is dead; it may have been settled meanwhile."))
    source = request.form.get("source") or None
    return go_to(url_for("screens.show_event", type=type, id=id, source=source, done="retry"))
