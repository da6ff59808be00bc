"""Is all well, also outside of the config? A thread looks: what hangs does not hang the page."""

from typing import Any

from flask import render_template

from app.dashboard.errands import Errand, get_errands
from app.dashboard.frame import get_guerdon, is_part, look
from app.doctor.examining import list_findings
from app.doctor.findings import Finding, Level
from app.own_signature import CHECK
from app.porch.errors import GuerdonError

NAME = "doctor"
FRESH = 60_000  # ms


@look("/doctor")
def show_doctor() -> Any:
    """What was found last; whoever opens the page has it looked at anew, once a minute at most."""
    errand = get_errands().find(NAME)
    if not is_part() and (errand is None or is_old(errand)):
        errand = begin(errand)
    findings: list[Finding] = (errand.result or []) if errand else []
    counts = {level.value: sum(one.level is level for one in findings) for level in Level}
    ordered = sorted(findings, key=lambda one: list(Level).index(one.level), reverse=True)
    return render_template("doctor.html", errand=errand, findings=ordered, counts=counts)


def is_old(errand: Errand) -> bool:
    return errand.ended_at is not None and errand.ended_at < get_guerdon().now() - FRESH


def begin(before: Errand | None) -> Errand | None:
    """Look anew; what was found before is shown meanwhile."""
    guerdon = get_guerdon()

    def work(errand: Errand) -> list[Finding]:
        errand.result = before.result if before else None
        return list_findings(guerdon, [CHECK])

    try:
        return get_errands().begin(NAME, work)
    except GuerdonError:
        return before
