"""Now: can votes be paid, what waits, what is dead, and why."""

from typing import Any

from flask import render_template
from peewee import PeeweeException

from app.dashboard.frame import get_guerdon, look
from app.dashboard.open_work import (
    count_piles,
    find_last_settled,
    list_dead_reports,
    list_events,
)
from app.porch.errors import DatabaseUnavailable

SHOWN = 15  # of each kind


@look("/")
def show_home() -> Any:
    """The first page: a person on call reads here what is stuck and why."""
    piles = count_piles(get_guerdon().database)
    return render_template(
        "home.html", fault=find_fault(), events=piles.events, reports=piles.reports,
        claims=piles.claims, settled_at=find_last_settled(), stuck=list_events(SHOWN),
        dead_reports=list_dead_reports(SHOWN),
    )  # fmt: skip


def find_fault() -> str:
    """Why no vote could be paid now; "" where it could."""
    guerdon = get_guerdon()
    try:
        guerdon.require_fit_database()
        guerdon.readiness.require()
    except (DatabaseUnavailable, PeeweeException) as error:
        return str(error)
    return ""
