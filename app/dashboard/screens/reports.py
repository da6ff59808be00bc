"""A report's story: what a platform is told, each time that it was sent, and what was answered."""

from typing import Any

from flask import abort, g, render_template, request, url_for
from flask_babel import gettext as _

from app.dashboard.frame import act, get_guerdon, go_to, look, read_id
from app.database.models import Event, Report
from app.database.states import BoxState
from app.history.reports import (
    describe_report_fully,
    find_report,
    require_revivable,
)
from app.logs import find_secrets
from app.porch.masking import SHORTEST_MASKED, mask_text

CAN_RETRY = (BoxState.DEAD, BoxState.READY)


def require_report(id: int | None) -> Report:
    """The row of a report; 404 where there is none."""
    row = find_report(id) if id is not None else None
    if row is None:
        abort(404, description=_("There is no report of this number."))
    return row


@look("/report")
def show_report() -> Any:
    """One report, by ?id=."""
    row = require_report(read_id("id"))
    described = describe_report_fully(row)
    return render_template(
        "report.html", report=described, body=mask_body(bytes(row.body).decode("utf-8", "replace")),
        answer=mask_body(row.response or ""), event=Event.get_or_none(Event.id == row.event),
        can_retry=row.state in CAN_RETRY,
    )  # fmt: skip


def mask_body(text: str) -> str:
    """What was sent or answered, without the values of credentials and without our secrets."""
    ours = [one.reveal() for one in find_secrets(get_guerdon().plugins.settings)]
    return mask_text(text, (), [one for one in ours if len(one) >= SHORTEST_MASKED])


@act("/report/retry")
def retry_report() -> Any:
    """Have one report sent again at once."""
    guerdon = get_guerdon()
    text = request.form.get("id", "")
    id = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
    with guerdon.database.connection_context():
        require_revivable(id)
    guerdon.acts.retry_report(id, g.person.name)
    return go_to(url_for("screens.show_report", id=id, done="retry"))
