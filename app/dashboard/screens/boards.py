"""Leaderboards: who has voted most in a day, week, month, year, or ever."""

from typing import Any

from flask import abort, current_app, render_template, request

from app.counting.boards import UNITS, read_period
from app.dashboard.frame import get_guerdon, look
from app.dashboard.kept_boards import BoardKey, KeptBoard, KeptBoards
from app.database.patience import TookTooLong
from app.porch.errors import GuerdonError
from app.rules.calendar import Unit

PLACES = 50
AT_ONCE = 0.2  # seconds in which a board is counted for a page; one that takes longer is kept


def get_kept_boards() -> KeptBoards:
    """Those of this process."""
    guerdon, kept = get_guerdon(), current_app.extensions
    boards: KeptBoards = kept.setdefault(
        "kept boards", KeptBoards(guerdon.database, guerdon.now, PLACES)
    )
    return boards


@look("/leaderboards")
def show_boards() -> Any:
    """One board, by ?unit=, &period= and &server=; of this month where nothing is said."""
    unit = request.args.get("unit", Unit.MONTH)
    period, server = request.args.get("period") or None, request.args.get("server") or None
    if unit not in UNITS:
        abort(404)
    fault, kept = "", None
    board: list[dict[str, Any]] = []
    try:
        board, kept = find_board(Unit(unit), period, server)
    except TookTooLong:
        raise
    except GuerdonError as error:
        fault = str(error)
    return render_template(
        "boards.html",
        unit=unit,
        units=UNITS,
        period=period,
        server=server,
        board=board,
        kept=kept,
        fault=fault,
    )


def find_board(
    unit: Unit, period: str | None, server: str | None
) -> tuple[list[dict[str, Any]], KeptBoard | None]:
    """A board's places, and where it is one that is kept, how old it is."""
    guerdon, boards = get_guerdon(), get_kept_boards()
    now = guerdon.now()
    key = BoardKey(*read_period(guerdon.rules.calendar, unit, period, now), server)
    kept = boards.find(key)
    if kept is None:
        try:
            with guerdon.database.limit_time(AT_ONCE):
                return guerdon.showing.list_board(unit, period, server, PLACES, now), None
        except TookTooLong:
            kept = boards.keep(key)
    names = guerdon.showing.name_players([player for player, _ in kept.rows])
    return [
        {"place": place, "nickname": names[player], "votes": votes}
        for place, (player, votes) in enumerate(kept.rows, 1)
    ], kept
