"""Claims that wait for a person, who knows whether each was given; and those that wait for something else."""

from typing import Any

from flask import abort, g, render_template, request, url_for

from app.dashboard.frame import act, get_guerdon, go_to, look, read_id
from app.delivering.resolving import Verdict, list_claims, resolve_claim
from app.porch.claims import ClaimState

SHOWN = (
    ClaimState.UNKNOWN, ClaimState.REFUSED, ClaimState.WAITS, ClaimState.SENDING, ClaimState.READY,
    ClaimState.LEASED,
)  # fmt: skip
AT_ONCE = 50


@look("/claims")
def show_claims() -> Any:
    """Those of one state, by ?state=; unknown ones where nothing is said."""
    guerdon = get_guerdon()
    said = request.args.get("state", ClaimState.UNKNOWN)
    if said not in SHOWN:
        abort(404)
    before = read_id("before")
    page = list_claims(
        guerdon.database,
        [ClaimState(said)],
        guerdon.now(),
        str(before) if before else None,
        AT_ONCE,
    )
    return render_template(
        "claims.html", claims=page.rows, next=page.next, state=said, states=SHOWN, before=before
    )


@act("/claims/resolve")
def resolve() -> Any:
    """A person says that a claim was given, or that it is to be given again."""
    guerdon = get_guerdon()
    text, verdict = request.form.get("id", ""), request.form.get("verdict", "")
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 19) or verdict not in [*Verdict]:
        abort(404)
    resolve_claim(guerdon.database, int(text), Verdict(verdict), g.person.name, guerdon.now())
    return go_to(url_for("screens.show_claims", done=verdict))
