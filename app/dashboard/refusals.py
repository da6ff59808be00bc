"""What somebody sees instead of a page: in words, with the way back, and with no more than he may know."""

from typing import Any

import structlog
from flask import Flask, g, render_template, request
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError
from peewee import PeeweeException
from werkzeug.exceptions import HTTPException

from app.dashboard.slots import AllTaken
from app.database.patience import TookTooLong
from app.porch.errors import DatabaseUnavailable, GuerdonError
from app.spoken.saying import say

log = structlog.get_logger()
DATABASE = (PeeweeException, DatabaseUnavailable)


def add_refusals(app: Flask) -> None:
    """Have every refusal be a page of ours."""
    app.register_error_handler(CSRFError, refuse_form)
    app.register_error_handler(HTTPException, show_refusal)
    app.register_error_handler(TookTooLong, tell_of_time)
    app.register_error_handler(AllTaken, tell_of_others)
    for kind in DATABASE:
        app.register_error_handler(kind, tell_of_database)
    app.register_error_handler(GuerdonError, show_fault)
    app.register_error_handler(500, show_failure)


def show(status: int, title: str, detail: str) -> tuple[str, int]:
    """A page of an error."""
    g.setdefault("person", None)
    return render_template("refusal.html", status=status, title=title, detail=detail), status


def refuse_form(error: CSRFError) -> Any:
    """A form without its token, or with one of a session that is over."""
    log.warning("form refused", path=request.path, reason=str(error.description))
    return show(
        400, _("This form is not of your session"),
        _("Nothing was done. Go back, load the page again, and send the form from there."),
    )  # fmt: skip


def show_refusal(error: HTTPException) -> Any:
    """What a view, or the router, refused."""
    if error.code is None or 300 <= error.code < 400:
        return error
    known = {
        400: (_("This cannot be read"), _("The address, or the form, is not one of ours.")),
        401: (_("You are signed out"), _("Load the page again, and sign in.")),
        403: (_("This is not for you"), _("Nothing was done.")),
        404: (_("There is nothing here"), _("The address may be mistyped.")),
        405: (_("This is not done so"), _("Nothing was done.")),
        429: (
            _("Too many tries"),
            _("Wait some minutes, and try again. Whoever is signed in already is not concerned."),
        ),
    }
    title, detail = known.get(error.code, (error.name, _("Nothing was done.")))
    is_ours = error.description not in (None, type(error).description) and error.code in (
        401,
        403,
        404,
    )
    return show(error.code, title, error.description or "" if is_ours else detail)


def tell_of_time(error: TookTooLong) -> Any:
    """A page whose statements were ended."""
    log.warning("page took too long", path=request.path)
    return show(
        503, _("This took too long"),
        _("The database was asked for more than it answers soon, and was told to stop, so that"
          " votes do not wait for a page. Ask for less, or try again when it is less busy."),
    )  # fmt: skip


def tell_of_others(error: AllTaken) -> Any:
    """As many as may are at it already."""
    log.warning("too many at once", path=request.path)
    return show(
        503, _("Others are at it just now"),
        _("Nothing was done. Try again in a moment."),
    )  # fmt: skip


def tell_of_database(error: Exception) -> Any:
    """Nothing can be seen without the database."""
    log.error("database failed", path=request.path, reason=f"{type(error).__name__}: {error}")
    return show(
        503, _("The database does not answer"),
        _("Nothing can be seen without it. “guerdon check” says what is wrong, and “guerdon migrate”"
          " makes tables that are missing."),
    )  # fmt: skip


def show_fault(error: GuerdonError) -> Any:
    """An act that makes no sense, or not now; in the words of whoever refused it."""
    return show(409, _("This was not done"), say(error))


def show_failure(error: Exception) -> Any:
    """A fault of ours, or what happened before a page could be begun."""
    cause = getattr(error, "original_exception", None) or error
    if isinstance(cause, DATABASE):
        return tell_of_database(cause)
    log.error("page failed", path=request.path, exc_info=cause)
    return show(
        500, _("This page failed"),
        _("That is a fault of ours. The dashboard's log says what happened; the service that pays"
          " is another process, and goes on."),
    )  # fmt: skip
