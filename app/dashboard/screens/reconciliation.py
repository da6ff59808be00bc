"""The vote sites' lists beside the ledger: what the last comparisons found; one more, and healing."""

import json
from datetime import UTC, datetime
from typing import Any

from flask import abort, g, render_template, request, url_for
from flask_babel import gettext as _

from app.dashboard.errands import Errand, get_errands
from app.dashboard.frame import act, get_guerdon, go_to, look, read_id
from app.dashboard.paging import Page, change_address
from app.database.reconciliation_models import Reconciliation
from app.database.states import ReconciliationState
from app.history.reconciliations import find_last_reconciliation, list_reconciliations
from app.porch.errors import GuerdonError

ON_A_PAGE = 20
LONGEST_SERVER = 64  # characters


@look("/reconciliation")
def show_reconciliation() -> Any:
    """The last comparison of each source, and those before it."""
    sources = get_guerdon().reconciler.sources
    last = {source: find_last_reconciliation(source) for source in sources}
    return render_template(
        "reconciliation.html", last={one: judge(row) for one, row in last.items() if row},
        sources=sources, page=list_page(read_id("before")), setting=get_guerdon().config.reconcile,
        failed=[one for one in map(find_errand, sources) if one and one.error],
    )  # fmt: skip


def find_errand(source: str) -> Errand | None:
    return get_errands().find(f"reconcile {source}")


def list_page(before: int | None) -> Page[dict[str, Any]]:
    rows = list_reconciliations(before=before, limit=ON_A_PAGE + 1)
    shown = [judge(row) for row in rows[:ON_A_PAGE]]
    older = change_address("before", rows[ON_A_PAGE - 1].id) if len(rows) > ON_A_PAGE else ""
    return Page(shown, older, change_address("before", None) if before is not None else "")


def judge(row: Reconciliation) -> dict[str, Any]:
    """A comparison, and what it comes to: well, missing, unknown, running, or left by who made it."""
    if row.state == ReconciliationState.RUNNING:
        verdict = "running" if row.lease_until >= get_guerdon().now() else "left"
    elif row.missing:
        verdict = "missing"
    else:
        verdict = "well" if row.state == ReconciliationState.DONE else "unknown"
    return {"row": row, "verdict": verdict}


@look("/reconciliation/comparison")
def show_comparison() -> Any:
    """What one of them found, by ?id=: the first ids of each kind."""
    id = read_id("id")
    row = Reconciliation.get_or_none(Reconciliation.id == id) if id is not None else None
    if row is None:
        abort(404, description=_("There is no comparison of this number."))
    return render_template("comparison.html", **judge(row), found=json.loads(row.found))


@act("/reconciliation/compare")
def compare() -> Any:
    """Have a source compared in the background; what is missing is put into the inbox where that is asked."""
    guerdon, source = get_guerdon(), request.form.get("source", "")
    if source not in guerdon.reconciler.sources:
        raise GuerdonError(_("This source has no list."))
    guerdon.require_fit_database()
    since, servers = read_since(request.form.get("since", "")), read_servers()
    heal, person = request.form.get("heal") == "1", g.person.name

    def work(errand: Errand) -> None:
        guerdon.reconciler.reconcile(source, since, heal, person, servers)

    get_errands().begin(f"reconcile {source}", work)
    return go_to(url_for("screens.show_reconciliation", done="compare"))


def read_since(text: str) -> int | None:
    """Since when (ms) votes are compared, as 2026-11-28T09:00 of UTC; None where nothing is said."""
    if not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
        return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise GuerdonError(_("The time is not one: write it as 2026-11-28T09:00.")) from None


def read_servers() -> list[str]:
    """Servers beside those that the ledger knows."""
    named = request.form.get("server", "").replace(",", " ").split()
    if any(len(one) > LONGEST_SERVER for one in named):
        raise GuerdonError(_("A server has at most %(number)s characters.", number=LONGEST_SERVER))
    return named
