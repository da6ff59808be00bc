"""Leaderboards: who has voted most in a day, week, month, year, or ever."""

from typing import Any

from flask import abort, render_template, request

from app.counting.boards import UNITS
from app.dashboard.frame import get_guerdon, look
from app.porch.errors import GuerdonError
from app.rules.calendar import Unit

PLACES = 50


@look("/leaderboards")
def show_boards() -> Any:
    """One board, by ?unit=, &period= and &server=; of this month where nothing is said."""
    guerdon = get_guerdon()
    unit = request.args.get("unit", Unit.MONTH)
    period, server = request.args.get("period") or None, request.args.get("server") or None
    if unit not in UNITS:
        abort(404)
    fault, board = "", []
    try:
        board = guerdon.showing.list_board(Unit(unit), period, server, PLACES, guerdon.now())
    except GuerdonError as error:
        fault = str(error)
    return render_template(
        "boards.html",
        unit=unit,
        units=UNITS,
        period=period,
        server=server,
        board=board,
        fault=fault,
    )
