"""The contract of a reporter: the same bytes each time, told until they are taken, and no secret kept.

class TestChat(ReporterContract):
    plugin = "chat"
    section = '[plugins.chat]\\nurl = "{platform}/hook"\\ntimeout = 1\\n'
"""

import json
import time
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from app.database.models import Report, Send
from app.database.states import BoxState
from app.guerdon import Guerdon
from app.logs import find_secrets
from app.paying.settler import Work
from app.porch.types import Event
from app.testing.clock import Clock
from app.testing.platforms import Platform, answer, answer_status, hang_up, never_answer
from app.testing.reports import send_reports

LONGEST_SEND = 40  # seconds, after which somebody else may send the same report
RULES = '[[rules]]\non = "server.vote"\ngive = [{ reward = "gold", amount = "1.00" }]\n'
GOLD = "[plugins.gold]\n"
RETRY_AFTER = 600  # seconds
SHORT = 8  # characters of what is too short to be told from other text


class ReporterContract:
    """Say the section, with "{platform}" for the address; `cause` brings about what is told."""

    plugin: ClassVar[str] = ""
    section: ClassVar[str] = ""
    rules: ClassVar[str] = RULES  # what the vote earns, where not 1.00 gold
    sets_its_times: ClassVar[bool] = False  # its platform says when, whatever an answer asks for

    def cause(self, guerdon: Guerdon) -> None:
        """Settle an event that the plugin reports: here a vote."""
        work = Work([Event("contract", "server.vote", "v1", server_id="1", nickname="Bob")])
        guerdon.settler.settle([work])

    def accept(self, handler: Any) -> None:
        """Answer as its platform does when all is well."""
        answer(handler, 200, {})

    @pytest.fixture(autouse=True)
    def _service(
        self, open_service: Callable[..., Guerdon], platform: Platform, clock: Clock
    ) -> None:
        self.open(open_service, platform, clock)

    def open(self, open_service: Callable[..., Guerdon], platform: Platform, clock: Clock) -> None:
        """Begin with nothing told."""
        section = self.section.replace("{platform}", platform.url)
        self.guerdon = open_service(self.rules, plugins=GOLD, more=section)
        self.platform, self.clock = platform, clock

    def tell(self, behave: Callable[[Any], None]) -> Report:
        """Have the event happen where the platform does this; the report after its first send."""
        self.platform.behave = behave
        self.cause(self.guerdon)
        send_reports(self.guerdon)
        return self.read()

    def tell_again(self, behave: Callable[[Any], None], after: float | None = None) -> Report:
        """The report, so many seconds later, or else when it is due, once that was sent."""
        self.platform.behave = behave
        self.clock.advance(self.find_pause() if after is None else after)
        send_reports(self.guerdon)
        return self.read()

    def find_pause(self) -> float:
        """Seconds until the report is sent again; a little, where it is not."""
        return max(1.0, (self.read().due_at - self.clock.now) / 1000 + 1)

    def read(self) -> Report:
        """The one report of the plugin."""
        with self.guerdon.database.connection_context():
            rows = list(Report.select().where(Report.reporter == self.plugin))
        assert len(rows) == 1, (
            f"it queued {len(rows)} reports, where one was to be told of: a vote by Bob on server 1 that"
            " earned what `rules` says. Where it tells of something else, bring that about in `cause`"
        )
        return rows[0]

    def require_open(self, row: Report, what: str) -> None:
        """It was not taken for delivered."""
        assert row.state != BoxState.DELIVERED, (
            f"{what} is taken for success: let send_report raise DeliveryError"
        )

    def test_it_is_told_once(self) -> None:
        """What was taken is not told again."""
        row = self.tell(self.accept)
        assert row.state == BoxState.DELIVERED, f"not delivered: {row.last_error}"
        self.tell_again(self.accept)

        assert len(self.platform.requests) == 1

    def test_the_bytes_are_the_same_each_time(self) -> None:
        """What failed is sent again with the same body, to the same path, until it is taken."""
        self.tell(answer_status(500))
        self.tell_again(hang_up)
        row = self.tell_again(self.accept)

        assert row.state == BoxState.DELIVERED, f"not delivered: {row.last_error}"
        sent = {(one.path, one.body) for one in self.platform.requests}
        assert len(sent) == 1, "its bytes change from send to send: send report.body as it is"
        assert len(self.platform.requests) == 3

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 500, 502, 503])
    def test_an_error_is_no_success(self, status: int) -> None:
        """4xx and 5xx, with a body that says otherwise."""
        row = self.tell(answer_status(status, {"success": True}))

        self.require_open(row, f"status {status}")
        assert str(status) in row.last_error, f"its error does not say {status}: {row.last_error}"

    def test_retry_after_is_honoured(self) -> None:
        """429 with Retry-After: nothing leaves before that."""
        if self.sets_its_times:
            return
        row = self.tell(answer_status(429, Retry_After=str(RETRY_AFTER)))
        self.require_open(row, "status 429")
        self.tell_again(self.accept, RETRY_AFTER - 30)

        assert len(self.platform.requests) == 1, (
            "sent again before Retry-After: raise DeliveryError with retry_in=read_retry_after(answer, now)"
        )

    def test_a_redirect_is_not_followed(self) -> None:
        """What is signed for one address is not taken elsewhere."""
        for status in (301, 302, 303, 307, 308):
            location = f"{self.platform.url}/elsewhere"
            behave = answer_status(status, b"", Location=location)
            row = self.tell(behave) if status == 301 else self.tell_again(behave)
            self.require_open(row, f"status {status}")

        assert "/elsewhere" not in {one.path for one in self.platform.requests}

    def test_garbage_is_survived(self) -> None:
        """An answer that is no text, no JSON, or a mebibyte long: recorded, whatever it is taken for."""
        for body in (b"\xff\xfe\x00garbage", b"[" * 50_000, b"x" * (1 << 20)):
            row = self.tell(answer_status(200, body)) if not self.platform.requests else (
                self.tell_again(answer_status(200, body))
            )  # fmt: skip
            assert row.state != BoxState.LEASED
            if row.state == BoxState.DELIVERED:
                return

    def test_it_ends_in_time(self) -> None:
        """A platform that says nothing: the send ends within 40 s, and is made again."""
        began = time.monotonic()
        row = self.tell(never_answer)
        took = time.monotonic() - began

        self.require_open(row, "silence")
        assert took < LONGEST_SEND, (
            f"a send takes {took:.0f} s: give http.request a shorter `total`"
        )

    def test_no_secret_is_kept(self) -> None:
        """A platform that sends back what it was sent, headers and all."""

        def echo(handler: Any) -> None:
            said = {
                "headers": dict(handler.headers.items()),
                "body": handler.body.decode("latin-1"),
            }
            answer(handler, 400, said)

        row = self.tell(echo)
        with self.guerdon.database.connection_context():
            sends = [(one.error, one.answer) for one in Send.select().where(Send.report == row.id)]
        kept = json.dumps([row.last_error, str(row.response), sends])

        for secret in find_secrets(self.guerdon.plugins.settings[self.plugin]):
            text = secret.reveal()
            assert len(text) < SHORT or text not in kept, (
                f"the secret {secret.name} stands in what is kept of the answer: make it a SecretField"
            )
