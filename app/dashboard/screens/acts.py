"""What people had done: planned, confirmed, followed while it runs, stopped; and all of it, for ever."""

from dataclasses import dataclass
from typing import Any

from flask import abort, g, render_template, request, url_for
from flask_babel import gettext as _

from app.dashboard.filter_forms import find_address, parse_filter
from app.dashboard.frame import act, get_guerdon, go_to, look, read_id
from app.dashboard.paging import Page, change_address
from app.history.acts import ActRecord
from app.history.qualifiers import BadFilter
from app.history.states import ActState
from app.porch.errors import GuerdonError
from app.upkeep.acts import RETRY_EVENT, RETRY_REPORT, STOP_ACT
from app.upkeep.planning import LASTS, MOST_ROWS, RETRY_EVENTS, RETRY_REPORTS
from app.upkeep.sampling import Sample

ON_A_PAGE = 50
BOXES = {RETRY_EVENTS: "events", RETRY_REPORTS: "reports"}


@dataclass(frozen=True)
class Listed:
    """An act, and the address of what it is about; "" where nothing is to be seen of that."""

    act: ActRecord
    address: str


@look("/acts")
def show_acts() -> Any:
    """Who had what done, the latest first."""
    before = request.args.get("before") or None
    try:
        found = get_guerdon().acts.list_acts(before, ON_A_PAGE)
    except BadFilter:
        abort(404)
    older = change_address("before", found.next) if found.next else ""
    rows = [Listed(one, find_subject(one)) for one in found.rows]
    page = Page(rows, older, change_address("before", None) if before else "")
    return render_template("acts.html", page=page)


@look("/act")
def show_act() -> Any:
    """One act, by ?id=: a plan to be confirmed, how far it is, or what became of it."""
    one = require_act(read_id("id"))
    is_plan = one.state is ActState.PLANNED
    is_old = is_plan and one.planned_at < get_guerdon().now() - LASTS
    return render_template(
        "act.html", act=one, address=find_subject(one), box=BOXES.get(one.what, ""), is_plan=is_plan,
        is_old=is_old, is_mine=one.person == g.person.name, sample=read_sample(one),
        percent=one.passed * 100 // one.number if one.number else 100,
        is_cut=is_plan and "cut" in request.args,
    )  # fmt: skip


def require_act(id: int | None) -> ActRecord:
    """The act, or plan, of this id; 404 where there is none."""
    found = get_guerdon().acts.find(id) if id is not None else None
    if found is None:
        abort(
            404, description=_("There is no act of this number, or it was planned and never begun.")
        )
    return found


def read_sample(one: ActRecord) -> Sample | None:
    return None if one.is_over or one.what not in BOXES else get_guerdon().acts.sample(one)


def find_subject(one: ActRecord) -> str:
    """The address of what an act is about."""
    if one.what in BOXES:
        try:
            return find_address(parse_filter(BOXES[one.what], one.about))
        except BadFilter:  # of an older version
            return ""
    if one.what == RETRY_EVENT:
        type, _space, id = one.about.partition(" ")
        return url_for("screens.show_event", type=type, id=id)
    views = {RETRY_REPORT: "screens.show_report", STOP_ACT: "screens.show_act"}
    return url_for(views[one.what], id=one.about) if one.what in views else ""


@act("/acts/plan")
def plan_act() -> Any:
    """Count what a filter means, and lead to the page that asks; nothing is done yet."""
    said = request.form
    box = said.get("box", "")
    if box not in BOXES.values():
        abort(404)
    chosen = parse_filter(box, said.get("filter", ""))
    limit = read_limit(said.get("limit", ""))
    reason = said.get("reason", "").strip()
    plan = get_guerdon().acts.plan_act(chosen, g.person.name, reason, limit)
    cut = None if plan.is_whole and plan.count != limit else 1
    return go_to(url_for("screens.show_act", id=plan.id, cut=cut))


def read_limit(text: str) -> int | None:
    """How many at most; None where nothing is said."""
    text = text.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 0 < int(text) <= MOST_ROWS):
        most = f"{MOST_ROWS:,}"
        raise GuerdonError(
            _("At most: write a whole number from 1 to %(most)s, or nothing.", most=most)
        )
    return int(text)


@act("/act/start")
def start_act() -> Any:
    """Have a plan done, by whoever made it: it is kept under his name."""
    one = require_act(read_form_id())
    if one.person != g.person.name:
        raise GuerdonError(
            _("%(person)s has made this plan, and it would be done in that name: make one of your own.",
              person=one.person)
        )  # fmt: skip
    get_guerdon().acts.start(one.id)
    return go_to(url_for("screens.show_act", id=one.id))


@act("/act/stop")
def stop_act() -> Any:
    """End an act where it is."""
    one = require_act(read_form_id())
    get_guerdon().acts.stop(one.id, g.person.name)
    return go_to(url_for("screens.show_act", id=one.id, done="stop"))


def read_form_id() -> int | None:
    text = request.form.get("id", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
