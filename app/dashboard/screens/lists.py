"""Lists of events and of reports by a filter, the newest first; from here many are tried again at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import render_template, request

from app.dashboard.filter_forms import FilterForm, read_form
from app.dashboard.frame import get_guerdon, look
from app.dashboard.paging import Page, change_address
from app.database.patience import TookTooLong
from app.history.filters import EventFilter, ReportFilter
from app.history.qualifiers import BadFilter
from app.history.states import EventState, ReportState
from app.porch.errors import AmbiguousPlayer, RefusedName

ON_A_PAGE = 50
EVENTS, REPORTS = "events", "reports"
STATES = {
    EVENTS: (EventState.WAITING, EventState.DEAD, EventState.SETTLED),
    REPORTS: (ReportState.WAITING, ReportState.DEAD, ReportState.DELIVERED),
}
EMPTY: Page[Any] = Page([], "", "")


@dataclass(frozen=True)
class Found:
    """A page of a list. `is_cut`: it ended early, and the next begins there; `is_late`: there is none."""

    page: Page[Any] = EMPTY
    is_cut: bool = False
    is_late: bool = False


@look("/events")
def show_events() -> Any:
    """Events: those that wait or are dead, then the settled."""
    form = read_form(EventFilter())
    return show_list(EVENTS, form, get_guerdon().lists.list_events)


@look("/reports")
def show_reports() -> Any:
    """Reports."""
    form = read_form(ReportFilter())
    return show_list(REPORTS, form, get_guerdon().lists.list_reports)


def show_list(box: str, form: FilterForm, read: Callable[..., Any]) -> Any:
    """A list with its form, also where the form says what cannot be, or more than can be found soon."""
    found = Found()
    if form.chosen is not None:
        try:
            found = read_page(form.chosen, read)
        except BadFilter as error:
            form = form.refuse(str(error))
        except (AmbiguousPlayer, RefusedName) as error:
            form = form.refuse(f"player: {error}")
        except TookTooLong:
            found = Found(is_late=True)
    page = render_template(
        f"{box}.html", form=form, found=found, page=found.page, states=STATES[box], box=box
    )
    return page, 503 if found.is_late else 200


def read_page(chosen: EventFilter | ReportFilter, read: Callable[..., Any]) -> Found:
    before = request.args.get("before") or None
    page = read(chosen, before, ON_A_PAGE)
    older = change_address("before", page.next) if page.next else ""
    newest = change_address("before", None) if before else ""
    return Found(Page(list(page.rows), older, newest), page.is_cut)
