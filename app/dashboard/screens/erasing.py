"""What is kept of a player: handed out as JSON, and erased after a plan, by who may act."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from flask import Response, abort, g, render_template, request, url_for
from flask_babel import gettext as _

from app.dashboard.errands import Errand, get_errands
from app.dashboard.frame import act, get_guerdon, go_to, look
from app.dashboard.screens.players import LONGEST_NAME
from app.guerdon import Guerdon
from app.porch.errors import GuerdonError
from app.porch.text import shorten
from app.privacy.erasing import Plan, require_somebody
from app.privacy.exporting import Exporter, note_export

LASTS = 900_000  # ms in which a plan may be carried out


def read_name(values: Any) -> str:
    """The player that a form or an address is about; 404 where it is no name."""
    name = str(values.get("name", ""))
    if not 0 < len(name) <= LONGEST_NAME:
        abort(404, description=_("A player's name has 1 to 255 characters."))
    return name


@act("/player/export")
def export_player() -> Any:
    """Everything that is kept of him, as a file; it is noted before the first byte of it."""
    guerdon, name = get_guerdon(), read_name(request.form)
    plan = guerdon.make_eraser().plan(name)
    require_somebody(plan, shorten(name))
    note_export(guerdon.database, name, g.person.name, guerdon.now())
    file = quote(f"{name}.json", safe="")
    headers = {
        "Content-Disposition": f"attachment; filename=\"player.json\"; filename*=UTF-8''{file}"
    }
    return Response(write(guerdon, plan), mimetype="application/json", headers=headers)


def write(guerdon: Guerdon, plan: Plan) -> Iterator[str]:
    """The document, read while it is sent."""
    exporter = Exporter(guerdon.database, guerdon.plugins, guerdon.now)
    with guerdon.database.connection_context():
        for line in exporter.write(plan.known.player, plan.known.person, plan.found):
            yield f"{line}\n"


@look("/player/erase")
def show_erasure() -> Any:
    """The plan for ?name=, as far as it is made, and what came of it."""
    name = read_name(request.args)
    planning, erasing = find_planning(name), get_errands().find(f"erase {name}")
    plan = planning.result if planning and not (erasing and not erasing.error) else None
    return render_template(
        "erasing.html", name=name, planning=planning, erasing=erasing, plan=plan,
        facts=describe_plan(plan) if plan else {},
    )  # fmt: skip


def find_planning(name: str) -> Errand | None:
    """The plan for a player, unless it is too old."""
    found = get_errands().find(f"plan {name}")
    return found if found and found.begun_at > get_guerdon().now() - LASTS else None


def describe_plan(plan: Plan) -> dict[str, Any]:
    """What would be erased, for a page."""
    guerdon = get_guerdon()
    players = guerdon.config.players
    stuck = [one for one in plan.open_work if one.why_not]
    return {
        "names": sorted(plan.known.person.names), "rows": plan.count_rows(),
        "unfinished": plan.unfinished.begun_at if plan.unfinished else None,
        "open_work": plan.open_work, "stuck": stuck, "table": "" if players.is_own else players.table,
        "is_erased_there": guerdon.plugins.has("erase_player"),
    }  # fmt: skip


@act("/player/erase/plan")
def plan_erasure() -> Any:
    """Look through the ledger for what is his; nothing is written."""
    guerdon, name = get_guerdon(), read_name(request.form)

    def work(errand: Errand) -> Plan:
        plan = guerdon.make_eraser().plan(name, errand.follow)
        require_somebody(plan, shorten(name))
        return plan

    get_errands().begin(f"plan {name}", work)
    erasing = get_errands().find(f"erase {name}")
    if erasing and not erasing.is_running:
        get_errands().forget(erasing.name)
    return go_to(url_for("screens.show_erasure", name=name))


@act("/player/erase")
def erase_player() -> Any:
    """Carry out the plan that was shown, for whom typed the name."""
    guerdon, name = get_guerdon(), read_name(request.form)
    person, cancels = g.person.name, request.form.get("cancel") == "1"
    if request.form.get("typed", "") != name:
        raise GuerdonError(_("What was typed is not the player's name: nothing was erased."))
    planning = find_planning(name)
    plan = planning.result if planning else None
    if plan is None:
        raise GuerdonError(_("There is no plan of the last minutes: plan again, and look at it."))
    eraser, errands = guerdon.make_eraser(), get_errands()
    eraser.require_nothing_open(plan, cancels)

    def work(errand: Errand) -> dict[str, Any]:
        counts = eraser.run(plan, person, cancels, errand.follow)
        errands.forget(f"plan {name}")
        return {"counts": counts, "pseudonym": plan.known.person.pseudonym}

    errands.begin(f"erase {name}", work)
    return go_to(url_for("screens.show_erasure", name=name))
