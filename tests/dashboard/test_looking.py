"""Who looks at a busy dashboard asks again, as a person does; and who waits in vain reads what is there."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from app.testing.loopback import LoopbackServer
from tests.dashboard import looking
from tests.dashboard.looking import Looking

BUSY = (503, b'<p class="code">503</p><h1>This took too long</h1>')
PAGE = (200, b"<h1>Now</h1><p class='well'>Votes can be paid.</p>")


class Busy(BaseHTTPRequestHandler):
    """Answers with what is due, the last of it for good."""

    due: list[tuple[int, bytes]]

    def do_GET(self) -> None:
        is_page = self.path != "/favicon.ico"
        status, body = self.due.pop(0) if is_page and self.due[1:] else self.due[0]
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Tell nobody."""


@pytest.fixture
def someone(browser: Any) -> Iterator[Looking]:
    server = LoopbackServer(Busy)
    yield Looking(browser, server.url)
    server.end()


def test_it_works(someone: Looking) -> None:
    """Without JavaScript, where no page asks again by itself."""
    Busy.due = [BUSY, BUSY, PAGE]

    with someone.without_javascript():
        someone.open("/")

    assert someone.read("h1") == "Now"


def test_what_an_act_leads_to_is_asked_for_again_too(someone: Looking) -> None:
    Busy.due = [(200, b"<a href='/act'>retry</a>"), BUSY, PAGE]
    someone.open("/")

    someone.press("a")

    assert someone.find(".well").text == "Votes can be paid."


def test_who_waits_in_vain_reads_what_is_there(
    someone: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "PATIENCE", 0.2)
    Busy.due = [PAGE]
    someone.open("/")

    with pytest.raises(AssertionError, match=r"Votes can be paid\."):
        someone.find(".fault")
