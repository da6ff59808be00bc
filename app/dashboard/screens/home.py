"""Now: can votes be paid, what waits, what is dead, and why."""

from typing import Any

import structlog
from flask import render_template, request
from peewee import PeeweeException

from app.dashboard.filter_forms import find_address
from app.dashboard.frame import get_guerdon, is_part, look
from app.dashboard.open_work import count_piles, find_last_settled
from app.database.patience import TookTooLong
from app.history.causes import Causes, list_causes
from app.porch.errors import DatabaseUnavailable

log = structlog.get_logger()
MOST_CAUSES = 25


@look("/")
def show_home() -> Any:
    """The first page: a person on call reads here what is stuck and why."""
    guerdon = get_guerdon()
    piles = count_piles(guerdon.database)
    fault, settled_at, causes = find_fault(), find_last_settled(), find_causes()
    page = render_template(
        "home.html", fault=fault, events=piles.events, reports=piles.reports, claims=piles.claims,
        settled_at=settled_at, find_address=find_address, causes=causes,
        paused=guerdon.watch.list_paused_reporters(),
    )  # fmt: skip
    # What has changed is to be seen at once also on a page that is open, which takes no error for its part.
    return page, 503 if causes is None and not is_part() else 200


def find_causes() -> Causes | None:
    """What most trouble is of; None where that takes too long, and the rest is shown without it."""
    database = get_guerdon().database
    try:
        with database.limit_time():
            return list_causes(database, most_causes=MOST_CAUSES)
    except TookTooLong:
        log.warning("page took too long", path=request.path)
        return None


def find_fault() -> str:
    """Why no vote could be paid now; "" where it could."""
    guerdon = get_guerdon()
    try:
        guerdon.require_fit_database()
        guerdon.readiness.require()
    except (DatabaseUnavailable, PeeweeException) as error:
        return str(error)
    return ""
