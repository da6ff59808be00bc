"""Coming in by an OpenID provider: a stand-in that signs what it says, and lies where a test wants it to."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from app.config.dashboard import Person, Role
from app.dashboard.building import build_dashboard
from app.dashboard.people import make_mark
from app.dashboard.signing_in import limiter
from app.dashboard.slots import PROVIDER
from app.guerdon import Guerdon
from app.porch.fields import Secret
from app.testing.loopback import LoopbackServer

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
CONFIG = """
[dashboard]
address = "https://ops.example"
oidc.issuer = "{issuer}"
oidc.client_id = "guerdon"
oidc.client_secret = "a secret of ours"
oidc.people = [{{ subject = "1a2b", name = "anna", role = "act" }}]
"""

ANNA = Person("anna", Role.ACT, subject="1a2b")


class Provider:
    """Knows one person, whose claims a test may change; `asked` is what came for a token."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(65537, 2048)
        self.other = rsa.generate_private_key(65537, 2048)
        self.claims: dict[str, Any] = {}
        self.nonce = ""
        self.signs_with = self.key
        self.asked: dict[str, list[str]] = {}
        self.server = LoopbackServer(self._make_handler())

    def _make_handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.tell(provider.describe(self.path))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                provider.asked = parse_qs(body)
                self.tell(
                    {"token_type": "Bearer", "access_token": "x", "id_token": provider.sign()}
                )

            def tell(self, answer: Any) -> None:
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler

    def describe(self, path: str) -> Any:
        if path == "/jwks":
            public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
            return {"keys": [{**public, "kid": "1", "use": "sig", "alg": "RS256"}]}
        url = self.server.url
        return {
            "issuer": url, "authorization_endpoint": f"{url}/authorize", "token_endpoint": f"{url}/token",
            "jwks_uri": f"{url}/jwks", "id_token_signing_alg_values_supported": ["RS256"],
        }  # fmt: skip

    def sign(self) -> str:
        now = int(time.time())
        claims = {"iss": self.server.url, "aud": "guerdon", "sub": "1a2b", "iat": now, "exp": now + 60,
                  "nonce": self.nonce, **self.claims}  # fmt: skip
        return jwt.encode(claims, self.signs_with, "RS256", {"kid": "1"})


@pytest.fixture
def provider() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.server.end()


@pytest.fixture
def person(open_service: Callable[..., Guerdon], provider: Provider) -> Any:
    app = build_dashboard(open_service(more=CONFIG.format(issuer=provider.server.url)))
    app.testing = True
    limiter.reset()
    return app.test_client()


def come_back(person: Any, provider: Provider, state: str = "") -> Any:
    """Go to the provider, and come back with its code."""
    sent = person.get("/sign-in/oidc/begin?next=/about", base_url="https://ops.example")
    assert sent.status_code == 302
    asked = parse_qs(urlsplit(sent.location).query)
    assert asked["redirect_uri"] == ["https://ops.example/sign-in/oidc"]
    provider.nonce = asked["nonce"][0]
    path = f"/sign-in/oidc?code=c&state={state or asked['state'][0]}"
    return person.get(path, base_url="https://ops.example")


def test_it_works(person: Any, provider: Provider) -> None:
    shown = person.get("/sign-in", base_url="https://ops.example").text
    assert "/sign-in/oidc/begin" in shown
    assert "Password" not in shown

    answer = come_back(person, provider)

    assert (answer.status_code, answer.location) == (303, "/about")
    assert "anna" in person.get("/about", base_url="https://ops.example").text
    assert provider.asked["code_verifier"]


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "1a2b.evil"}, {"sub": "1A2B"}, {"sub": ""}, {"sub": "nobody", "email": "1a2b"},
        {"aud": "another"}, {"iss": "https://evil.example"}, {"exp": 1}, {"nonce": "another"},
    ],
    ids=lambda claims: "-".join(map(str, claims.items()))[:40],
)  # fmt: skip
def test_nobody_else_comes_in(person: Any, provider: Provider, claims: dict[str, Any]) -> None:
    provider.claims = claims
    if "nonce" in claims:
        provider.claims = {"nonce": "another"}

    answer = come_back(person, provider)

    assert answer.status_code == 403
    assert person.get("/about", base_url="https://ops.example").status_code == 302


def test_another_key_or_another_state_is_nobodys_word(person: Any, provider: Provider) -> None:
    assert come_back(person, provider, state="another").status_code == 403
    provider.signs_with = provider.other
    assert come_back(person, provider).status_code == 403
    assert person.get("/about", base_url="https://ops.example").status_code == 302
    provider.signs_with = provider.key
    assert come_back(person, provider).status_code == 303


def test_who_comes_back_without_the_cookie_is_asked_again_from_here(
    person: Any, provider: Provider
) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}

    answer = person.get("/sign-in/oidc?code=c&state=s", headers=link)

    assert answer.status_code == 200
    assert "http-equiv" in answer.text
    assert provider.asked == {}


def test_who_has_the_database_makes_no_session_of_it(person: Any, provider: Provider) -> None:
    """The key is there; what a session knows a person by is made with what the config alone has."""
    come_back(person, provider)
    base: dict[str, Any] = {"base_url": "https://ops.example"}
    with person.session_transaction(**base) as session:
        assert session["mark"] == make_mark(ANNA, Secret("a secret of ours", "ours"))
        session["mark"] = make_mark(ANNA, None)

    assert person.get("/about", **base).status_code == 302


def test_ways_that_were_begun_do_not_fill_the_cookie(person: Any, provider: Provider) -> None:
    """Browsers keep none that is longer than 4093 bytes, and its state with it."""
    for _ in range(9):
        answer = person.get(
            "/sign-in/oidc/begin?next=/about?" + secrets.token_hex(3000),
            base_url="https://ops.example",
        )
        assert len(answer.headers["Set-Cookie"]) < 2000

    assert come_back(person, provider).status_code == 303


def test_a_provider_that_is_slow_does_not_have_all_threads(person: Any, provider: Provider) -> None:
    with PROVIDER.take(), PROVIDER.take():
        begun = person.get("/sign-in/oidc/begin", base_url="https://ops.example")
        assert begun.status_code == 503

    assert come_back(person, provider).status_code == 303


def test_a_provider_that_does_not_answer_is_told_of(person: Any, provider: Provider) -> None:
    provider.server.end()

    answer = person.get("/sign-in/oidc/begin", base_url="https://ops.example")

    assert answer.status_code == 403
    assert "did not say who you are" in answer.text
