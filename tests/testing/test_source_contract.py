"""The contract of sources: the scaffold's passes, GAMEMONITORING's too, and careless ones are told why."""

import hmac
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import pytest

from app.guerdon import Guerdon
from app.scaffold.plugin import make_plugin
from app.testing.contracts.source import NO_TEXTS, Signed, SourceContract
from app.testing.deliveries import TOKEN, sign
from app.testing.vote_api import VoteApi

SECRET = b"a secret of the site"
CODE, _, _ = make_plugin("votesite", "source")


class SignedBody(SourceContract):
    """A site that signs the raw body, as the scaffold's does."""

    __test__ = False
    plugin = "votesite"
    section = f'[plugins.votesite]\nsecrets = ["{SECRET.decode()}"]\n'
    fields = MappingProxyType({"id": "v1", "nickname": "Bob", "server": "1"})
    needs = ("id", "nickname")
    test_fields = MappingProxyType({"test": True})

    def sign(self, body: bytes, is_forged: bool = False) -> dict[str, str]:
        secret = b"another secret" if is_forged else SECRET
        return {"X-Signature": hmac.digest(secret, body, "sha256").hex()}


def test_it_works(add_plugin: Callable[..., str], open_service: Callable[..., Guerdon]) -> None:
    """A contract is held outside of pytest's own fixtures too."""
    add_plugin(CODE, "votesite")
    contract = SignedBody()
    contract.open(open_service)

    contract.test_a_vote_is_paid_once()


class TestScaffold(SignedBody):
    __test__ = True

    @pytest.fixture(autouse=True)
    def _drop(self, add_plugin: Callable[..., str]) -> None:
        add_plugin(CODE, "votesite")


class TestGamemonitoring(SourceContract):
    """Its signature is a field of the body, over the others; what it wants of a body it says itself."""

    plugin = "gamemonitoring"
    fields = MappingProxyType({"event_id": "v1", "event_type": "server.vote", "is_test": False})
    needs = ("event_id",)
    no_texts = tuple(
        one for one in NO_TEXTS if one not in (True, "\ud800")
    )  # "1"; what it cannot sign
    test_fields = MappingProxyType({"is_test": True})

    @pytest.fixture(autouse=True)
    def _section(self, vote_api: VoteApi) -> None:
        url = vote_api.url
        self.section = f'[plugins.gamemonitoring]\napi_url = "{url}"\ntokens = ["{TOKEN}"]\n'  # type: ignore[misc]

    def write_request(
        self, fields: Mapping[str, Any], signed: Signed = Signed.RIGHTLY
    ) -> tuple[bytes, dict[str, str]]:
        plain = {key: one for key, one in fields.items() if isinstance(one, str | int | bool)}
        token = "another token" if signed == Signed.FORGED else TOKEN
        signature = {} if signed == Signed.NOT else {"signature": sign(plain, token)}
        return json.dumps({**fields, **signature}).encode(), {}


SAYS_NOTHING = CODE.replace("is_signed(body, given, one)", "given")
PARSES_BLINDLY = CODE.replace("Vote().load(read_json_object(request, LIMIT))", "request.get_json()")


@pytest.mark.parametrize(
    ("code", "clause", "sentence"),
    [
        (
            SAYS_NOTHING,
            "test_another_signature_is_refused",
            "a vote that is forged signed is answered 204",
        ),
        (SAYS_NOTHING, "test_a_changed_byte_is_refused", "a body with byte 8 changed is"),
        (
            PARSES_BLINDLY,
            "test_a_missing_field_is_refused",
            "refuse what is no delivery by BadDelivery",
        ),
        (
            PARSES_BLINDLY,
            "test_what_is_no_text_is_refused",
            "refuse what is no delivery by BadDelivery",
        ),
    ],
)
def test_what_is_wrong_is_caught_and_its_author_told(
    code: str, clause: str, sentence: str, add_plugin: Callable[..., str],
    open_service: Callable[..., Guerdon],
) -> None:  # fmt: skip
    assert code != CODE
    add_plugin(code, "votesite")
    contract = SignedBody()
    contract.open(open_service)

    with pytest.raises(AssertionError, match=sentence):
        getattr(contract, clause)()
