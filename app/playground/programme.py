"""The page for programmes: votes on a stage whose clock one turns, and what the rules say to them."""

from collections.abc import Callable
from datetime import date
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response

from app.playground.choice import LONGEST_NICKNAME, SERVERS, Choice
from app.playground.players import DEMO_PLAYERS
from app.playground.stage import EXAMPLE, YOURS, Stage
from app.playground.stage_clock import FIRST, LAST, Turn
from app.porch.errors import GuerdonError

SHOW = "programme.show"
KEPT = ("nickname", "server", "site")  # fields that stay as they are after a button
SEVERAL_DAYS = 7
TURNS = {
    Turn.HOUR: _l("+ 1 hour"),
    Turn.DAY: _l("+ 1 day"),
    Turn.WEEK: _l("+ 1 week"),
    Turn.MONTH: _l("To the end of the month"),
}
PROGRAMMES = {YOURS: _l("your rules"), EXAMPLE: _l("the example programme")}


def build_programme(stage: Stage) -> Blueprint:
    """GET /programme and a POST for each button; every POST answers with the way back to the page.

    What cannot be is answered 400, by the page with a sentence that names the field.
    """
    programme, buttons = Blueprint("programme", __name__, url_prefix="/programme"), Buttons(stage)
    programme.get("", endpoint="show")(lambda: render(stage))
    for button in (
        buttons.vote, buttons.vote_all, buttons.turn, buttons.turn_to, buttons.start_over,
    ):  # fmt: skip
        name = button.__name__
        programme.post(f"/{name.replace('_', '-')}", endpoint=name)(make_view(stage, button))
    programme.get("/<button>", endpoint="again")(lambda button: go_back())
    return programme


def make_view(stage: Stage, press: Callable[[], None]) -> Callable[[], Response | tuple[str, int]]:
    def view() -> Response | tuple[str, int]:
        try:
            press()
        except GuerdonError as error:
            return render(stage, str(error)), 400
        return go_back()

    return view


class Buttons:
    """What each button of the page does; GuerdonError says what cannot be."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def vote(self) -> None:
        """The player of a card votes, or the one who was typed."""
        nickname = request.form.get("card") or read_text("nickname")
        self._stage.ask("vote", nickname=nickname, **read_vote())

    def vote_all(self) -> None:
        self._stage.ask("vote_all", **read_vote())

    def turn(self) -> None:
        self._stage.ask("turn", by=request.form.get("by", ""))

    def turn_to(self) -> None:
        self._stage.ask("turn_to", moment=read_text("moment"))

    def start_over(self) -> None:
        self._stage.start_over(request.form.get("programme", ""), read_day("begin"))


def read_text(field: str) -> str:
    """What was typed or chosen, without the spaces around it."""
    return request.values.get(field, "").strip()


def read_vote() -> dict[str, Any]:
    """Where a vote is cast, and on how many days."""
    days = read_text("days") or "1"
    is_number = days.isascii() and days.isdecimal() and len(days) < 5
    return {
        "server": read_text("server") or SERVERS[0],
        "site": read_text("site"),
        "days": int(days) if is_number else 0,  # which the stage refuses
    }


def read_day(field: str) -> date | None:
    """A day that was typed, as 2026-11-28; None where none was. Raises GuerdonError for what is none."""
    said = read_text(field)
    try:
        return date.fromisoformat(said) if said else None
    except ValueError:
        raise GuerdonError(f"{field}: it is written as 2026-11-28") from None


def go_back() -> Response:
    """To the page, with GET: reloading it presses no button again."""
    kept: dict[str, Any] = {name: read_text(name) or None for name in KEPT}
    return redirect(url_for(SHOW, **kept), 303)


def render(stage: Stage, fault: str = "") -> str:
    """The page; `fault` is what the last button could not do. Without a stage it says why there is none."""
    scene = None
    try:
        scene = stage.ask("show")
    except GuerdonError as error:
        fault = fault or str(error)
    nickname, server = read_text("nickname"), read_text("server")
    is_name = 0 < len(nickname) <= LONGEST_NICKNAME
    choice = Choice(
        nickname if is_name else DEMO_PLAYERS[0], server if server in SERVERS else SERVERS[0]
    )
    return render_template(
        "programme.html", scene=scene, fault=fault, choice=choice, server=server, site=read_text("site"),
        nickname=nickname or choice.nickname, turns=TURNS, programmes=PROGRAMMES,
        programme=stage.programme, several_days=SEVERAL_DAYS, first=FIRST, last=LAST,
    )  # fmt: skip
