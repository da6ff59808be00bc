"""The player and the server chosen on a page, as they travel from one request to the next."""

from dataclasses import dataclass

from flask import abort, redirect, request, url_for
from werkzeug.wrappers import Response

from app.playground.players import DEMO_PLAYERS

SERVERS = ("1", "2", "3")
LONGEST_NICKNAME = 255


@dataclass(frozen=True, slots=True)
class Choice:
    """The player and the server chosen on the page."""

    nickname: str
    server: str


def read_choice() -> Choice:
    """The player and the server of this request; 400 for what cannot be one."""
    nickname = request.values.get("nickname", DEMO_PLAYERS[0]).strip()
    server = request.values.get("server", SERVERS[0])
    if not 0 < len(nickname) <= LONGEST_NICKNAME or server not in SERVERS:
        abort(
            400, f"a nickname has 1 to {LONGEST_NICKNAME} characters; a server is one of {SERVERS}"
        )
    return Choice(nickname, server)


def go_back(choice: Choice, page: str = "page.show") -> Response:
    """To a page, with GET: reloading it presses no button again."""
    return redirect(url_for(page, nickname=choice.nickname, server=choice.server), 303)
