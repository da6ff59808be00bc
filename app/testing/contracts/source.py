"""The contract of a source: what its site has signed is paid once, and nothing else is, whatever comes.

class TestVotes(SourceContract):
    plugin = "my_site"
    section = '[plugins.my_site]\\nsecret = "a secret"\\n'
    fields = {"id": "v1", "nickname": "Bob"}
    needs = ("id", "nickname")

    def sign(self, body, is_forged=False):
        secret = b"another" if is_forged else b"a secret"
        return {"X-Signature": hmac.digest(secret, body, "sha256").hex()}
"""

import json
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, ClassVar

import pytest

from app.guerdon import Guerdon
from app.testing.books import read_books
from app.web.building import build_app

MIB = 1 << 20
RULE = '[[rules]]\non = "TYPE"\ngive = [{ reward = "gold", amount = "1.00" }]\n'
NO_TEXTS: Sequence[Any] = ([], ["v1"], {"a": "b"}, None, True, "", "x" * 70_000, "\ud800")
GARBAGE = (
    b"", b"null", b"[]", b"{", b"\xff\xfe\x00", b"[" * 100_000, b'{"a":' * 20_000, b"1e999999",
)  # fmt: skip
CONTENT_TYPES = (
    "", "text/plain", "application/json; charset=utf-16", "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=", "multipart/form-data", "application/xml", "\xff/\xfe", "a" * 4000,
)  # fmt: skip


class Signed(StrEnum):
    """By whom a vote is signed."""

    RIGHTLY = "rightly"
    FORGED = "forged"
    NOT = "not"


class StrangersContract:
    """What anybody can ask of a source without its secret: whatever comes is refused, and nothing kept."""

    plugin: ClassVar[str] = ""
    section: ClassVar[str] = ""  # the TOML of its section
    path: ClassVar[str] = ""  # what stands behind its name in the address, as the name of a site
    type: ClassVar[str] = "server.vote"

    @pytest.fixture(autouse=True)
    def _service(self, open_service: Callable[..., Guerdon]) -> None:
        self.open(open_service)

    def open(self, open_service: Callable[..., Guerdon]) -> None:
        """Begin with nothing paid."""
        rule = RULE.replace("TYPE", self.type)
        self.guerdon = open_service(rule, plugins="[plugins.gold]\n", more=self.section)
        self.client = build_app(self.guerdon).test_client()

    def post(
        self, body: bytes, headers: Mapping[str, str], content_type: str = "application/json"
    ) -> int:
        """The status of a request; the test fails where it is an error of ours."""
        response = self.client.post(
            f"/webhooks/{self.plugin}/{self.path}".rstrip("/"),
            data=body,
            headers={**headers, "Content-Type": content_type},
        )
        assert response.status_code < 500, (
            f"{response.status_code} for {body[:80]!r}, Content-Type {content_type!r}: refuse what is no"
            " delivery by BadDelivery or BadSignature"
        )
        return response.status_code

    def require_refused(self, status: int, what: str) -> None:
        """It was refused, and nothing was paid or kept."""
        assert 400 <= status < 500, f"{what} is answered {status}: refuse it"
        books = read_books(self.guerdon)
        assert not books.events, f"{what} is paid"
        assert not books.waiting, f"{what} is kept"

    def test_garbage_is_refused(self) -> None:
        """What is no JSON, no object, or nested a hundred thousand times."""
        for body in GARBAGE:
            self.require_refused(self.post(body, {}), f"{body[:10]!r}")

    def test_a_long_body_is_refused(self) -> None:
        """1 MiB."""
        body = b'{"more": "%s"}' % (b"x" * MIB)
        self.require_refused(self.post(body, {}), "a body of 1 MiB")

    def test_an_odd_content_type_is_survived(self) -> None:
        """Whatever a body is said to be."""
        for content_type in CONTENT_TYPES:
            status = self.post(b'{"id": "v1", "nickname": "Bob"}', {}, content_type)
            self.require_refused(status, f"an unsigned body, Content-Type {content_type[:20]!r},")


class SourceContract(StrangersContract):
    """Say how the site signs, and what a vote of it is."""

    fields: ClassVar[Mapping[str, Any]] = {}  # a vote by Bob
    needs: ClassVar[Sequence[str]] = ()  # those of them without which it is none
    no_texts: ClassVar[Sequence[Any]] = NO_TEXTS  # what none of them may be
    test_fields: ClassVar[Mapping[str, Any] | None] = None  # what makes it a test delivery
    signs_body: ClassVar[bool] = True  # False: its site sends a token with each, and signs nothing
    reply: ClassVar[int] = 204  # the status that the site takes for "done"

    def sign(self, body: bytes, is_forged: bool = False) -> dict[str, str]:
        """The headers that sign these bytes; `is_forged`: by somebody who has another secret.

        {} where the signature is a field of the body, which write_request puts there.
        """
        return {}

    def write_request(
        self, fields: Mapping[str, Any], signed: Signed = Signed.RIGHTLY
    ) -> tuple[bytes, dict[str, str]]:
        """The body of a vote and the headers that sign it."""
        body = json.dumps(dict(fields)).encode()
        headers = {} if signed == Signed.NOT else self.sign(body, signed == Signed.FORGED)
        return body, headers

    def test_a_vote_is_paid_once(self) -> None:
        """A signed vote is paid; the same again is known, and the site gets the reply it wants."""
        statuses = [self.post(*self.write_request(self.fields)) for _ in range(3)]

        assert statuses == [self.reply] * 3, (
            f"answered {statuses}; `reply` says {self.reply}. What is not 204 is a flask.Response that"
            " write_reply returns"
        )
        books = read_books(self.guerdon)
        assert (len(books.events), books.grants, books.gold["Bob"]) == (1, 1, "1.00"), books

    def test_a_changed_byte_is_refused(self) -> None:
        """The signature is over every byte of the body that means something."""
        if not self.signs_body:
            return
        body, headers = self.write_request(self.fields)
        for place in range(len(body)):
            changed = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
            self.require_refused(self.post(changed, headers), f"a body with byte {place} changed")

    def test_another_signature_is_refused(self) -> None:
        """Another's secret, no signature at all, an empty one, one that is no ASCII."""
        for signed in (Signed.FORGED, Signed.NOT):
            request = self.write_request(self.fields, signed)
            self.require_refused(self.post(*request), f"a vote that is {signed} signed")
        body, headers = self.write_request(self.fields)
        for value in ("", "0" * 64, "\xfc", "x" * 5000) if headers else ():
            status = self.post(body, dict.fromkeys(headers, value))
            self.require_refused(status, f"a vote signed {value[:8]!r}")

    def test_a_missing_field_is_refused(self) -> None:
        """Signed, but not whole."""
        for name in self.needs:
            fields = {key: one for key, one in self.fields.items() if key != name}
            status = self.post(*self.write_request(fields))
            self.require_refused(status, f"a vote without {name}")

    def test_what_is_no_text_is_refused(self) -> None:
        """A list, a table, nothing, half a letter or a book in place of a text."""
        for name in self.needs:
            for value in self.no_texts:
                status = self.post(*self.write_request({**self.fields, name: value}))
                self.require_refused(status, f"a vote whose {name} is {str(value)[:20]!r}")

    def test_a_long_body_is_refused(self) -> None:
        """1 MiB, signed or not."""
        super().test_a_long_body_is_refused()
        for signed in Signed:
            request = self.write_request({**self.fields, "more": "x" * MIB}, signed)
            self.require_refused(self.post(*request), f"a body of 1 MiB, {signed} signed,")

    def test_garbage_is_refused(self) -> None:
        """What is no JSON, no object, or nested a hundred thousand times; signed or not."""
        super().test_garbage_is_refused()
        for body in GARBAGE:
            self.require_refused(self.post(body, self.sign(body)), f"{body[:10]!r}, signed,")

    def test_an_odd_content_type_costs_no_vote_twice(self) -> None:
        """The same signed vote under any Content-Type is paid or refused, and once at most."""
        for content_type in CONTENT_TYPES:
            status = self.post(*self.write_request(self.fields), content_type)
            assert 200 <= status < 300 or 400 <= status < 500, f"{content_type!r}: {status}"

        assert read_books(self.guerdon).grants <= 1

    def test_a_test_delivery_pays_nothing(self) -> None:
        """It is answered as done, so that the site's button is green."""
        if self.test_fields is None:
            return
        assert self.post(*self.write_request({**self.fields, **self.test_fields})) == self.reply
        books = read_books(self.guerdon)
        assert (books.events, books.waiting) == ([], {}), "a test delivery is paid or kept"
