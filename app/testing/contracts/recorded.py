"""The contracts that `guerdon plugin check` holds without a line of code: it has no secret of a site, and
knows no platform, only what was recorded and what the config says.
"""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from app.database.models import Report
from app.guerdon import Guerdon
from app.paying.settler import Work
from app.porch.rounds import list_game_events
from app.testing.books import read_books
from app.testing.clock import Clock
from app.testing.contracts.reporter import ReporterContract
from app.testing.contracts.source import Signed, SourceContract
from app.testing.platforms import answer
from app.web.examples import GAME_SETTLE, GAME_START, LEVEL_UP

UNSIGNED = "it needs other deliveries signed: app.testing.SourceContract in a test of yours"
EVENTS = {"level_up": LEVEL_UP, "game_start": GAME_START, "game_settle": GAME_SETTLE}


class RecordedContract(SourceContract):
    """A delivery as the site sent it, at a time in ms: what needs no other one signed."""

    headers: ClassVar[Mapping[str, str]] = {}
    body: ClassVar[bytes] = b""
    content_type: ClassVar[str] = "application/json"
    at: ClassVar[int] = 0

    @pytest.fixture(autouse=True)
    def _at(self, clock: Clock, _service: None) -> None:
        clock.now = self.at or clock.now

    def sign(self, body: bytes, is_forged: bool = False) -> dict[str, str]:
        """What signed the recorded body."""
        return dict(self.headers)

    def write_request(
        self, fields: Mapping[str, Any], signed: Signed = Signed.RIGHTLY
    ) -> tuple[bytes, dict[str, str]]:
        """The recorded body, or a longer one; forged, with each signature's last letter another."""
        more = b" " * len(str(fields.get("more", "")))
        if signed == Signed.NOT:
            return (b"{}" if not self.headers else self.body) + more, {}
        changed = {
            name: one[:-1] + ("0" if one[-1:] != "0" else "1") for name, one in self.headers.items()
        }
        if signed == Signed.FORGED:
            return self.body[:-1] if not changed else self.body + more, changed
        return self.body + more, dict(self.headers)

    def post(self, body: bytes, headers: Mapping[str, str], content_type: str = "") -> int:
        """As it was recorded, also its Content-Type."""
        return super().post(body, headers, content_type or self.content_type)

    def test_a_vote_is_paid_once(self) -> None:
        """The recorded vote is paid; the same again is known, and the site gets the reply it wants."""
        statuses = [self.post(self.body, self.headers) for _ in range(3)]
        books = read_books(self.guerdon)
        if not books.events and not books.waiting and all(200 <= one < 300 for one in statuses):
            pytest.fail(
                f"it is answered {statuses[0]} and pays nothing: a test delivery; record a vote"
            )

        assert all(200 <= one < 300 for one in statuses), (
            f"answered {statuses}: is it as it was sent (an editor ends the last line, which"
            " a Content-Length among its headers would tell), --at the time it was, and does the source need"
            f" no network to fetch it? What waits: {books.waiting}"
        )
        assert (len(books.events), books.grants) == (1, 1), books
        reply = self.client.post(
            f"/webhooks/{self.plugin}",
            data=self.body,
            headers={**self.headers, "Content-Type": self.content_type},
        )
        print(f"the site is answered {reply.status_code}, {reply.data[:200]!r}")

    def test_a_changed_byte_is_refused(self) -> None:
        """The signature is over every byte of the body that means something."""
        if not self.signs_body:
            pytest.skip("its site sends a token, and signs nothing")
        super().test_a_changed_byte_is_refused()

    def test_a_missing_field_is_refused(self) -> None:
        """Signed, but not whole."""
        pytest.skip(UNSIGNED)

    def test_what_is_no_text_is_refused(self) -> None:
        """A list, a table, nothing, half a letter or a book in place of a text."""
        pytest.skip(UNSIGNED)

    def test_a_test_delivery_pays_nothing(self) -> None:
        """It is answered as done, so that the site's button is green."""
        pytest.skip(UNSIGNED)


class TriedReporter(ReporterContract):
    """A reporter of whatever it tells: a vote, or what a game server posts."""

    reply: ClassVar[Any] = {}

    def accept(self, handler: Any) -> None:
        """The answer that --answer says."""
        answer(handler, 200, self.reply)

    def test_retry_after_is_honoured(self) -> None:
        """429 with Retry-After: nothing leaves before that."""
        if self.sets_its_times:
            pytest.skip("it says itself when a report is sent again")
        super().test_retry_after_is_honoured()

    def cause(self, guerdon: Guerdon) -> None:
        """Settle a vote, then the other events, until a report of the plugin is there."""
        super().cause(guerdon)
        for type_, fields in EVENTS.items():
            with guerdon.database.connection_context():
                if Report.select().where(Report.reporter == self.plugin).exists():
                    return
            guerdon.settler.settle([Work(list_game_events(type_, json.loads(json.dumps(fields))))])
