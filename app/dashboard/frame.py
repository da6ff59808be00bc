"""What every screen stands in: who may see it, its time at the database, what its template knows.

A screen is a file in screens/ with views under `look` and `act`, a template, and a line in navigation.py.
"""

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint, Response, abort, current_app, g, redirect, request
from flask_babel import gettext as _

from app.config.dashboard import Role
from app.dashboard.slots import ACTS
from app.guerdon import Guerdon

screens = Blueprint("screens", __name__)
PART = "Part"  # the header by which a page asks for its live part alone
View = Callable[..., Any]


def get_guerdon() -> Guerdon:
    """The Guerdon that this process looks at."""
    guerdon: Guerdon = current_app.extensions["guerdon"]
    return guerdon


def is_part() -> bool:
    """Whether only the live part of a page is asked for."""
    return PART in request.headers


def may_act() -> bool:
    """Whether who asks may have things done."""
    return g.person is not None and g.person.role == Role.ACT


def look(path: str) -> Callable[[View], View]:
    """A page that everybody who is signed in may see; its statements have so much time and no more."""

    def register(view: View) -> View:
        @wraps(view)
        def shown(**arguments: Any) -> Any:
            with get_guerdon().database.limit_time():
                return view(**arguments)

        screens.get(path, endpoint=view.__name__)(shown)
        return shown

    return register


def act(path: str) -> Callable[[View], View]:
    """What is done by a form: by those alone who may act, and never without a line of who it was."""

    def register(view: View) -> View:
        @wraps(view)
        def done(**arguments: Any) -> Any:
            if not may_act():
                abort(403, description=_("You may look, but not act: your role is “look”."))
            with ACTS.take():
                return view(**arguments)

        screens.post(path, endpoint=view.__name__)(done)
        return done

    return register


def go_to(address: str) -> Any:
    """After an act: a page to look at, which may be loaded again without acting again."""
    return redirect(address, 303)


def read_id(name: str) -> int | None:
    """A row's id in the address; None where it is absent. 404 where it is no id."""
    text = request.args.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and 0 < int(text) < 2**63):
        abort(404)
    return int(text)


def answer_part(response: Response) -> Response:
    """Say 304 of a live part that the browser has; each page's token of a form is not a change."""
    if is_part() and response.status_code == 200:
        body = response.get_data().replace(getattr(g, "csrf_token", "-").encode(), b"")
        response.set_etag(hashlib.sha256(body).hexdigest())
        response.make_conditional(request)
    return response
