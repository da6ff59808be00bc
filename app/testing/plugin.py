"""Guerdon's plugin of pytest: fixtures for whoever writes plugins of Guerdon.

pytest loads this file in every run where Guerdon is installed, so it loads nothing itself: a fixture
imports what it needs when a test asks for it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from flask.testing import FlaskClient

    from app.guerdon import Guerdon
    from app.network.client import Http
    from app.testing.books import Books
    from app.testing.clock import Clock
    from app.testing.platforms import Platform
    from app.testing.services import Services
    from app.testing.vote_api import VoteApi

MARK = (
    "guerdon(rewards, more): the rules of this test's `guerdon`, and further TOML of its config; {platform}"
    " in it is the address of the fixture `platform`"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """--guerdon-database: where the tests' tables are."""
    parser.getgroup("guerdon").addoption(
        "--guerdon-database", metavar="URL", default="sqlite",
        help="sqlite (the default); mariadb or mysql, one that is started for the tests; or"
        " mysql://user:password@host:port/ of a server on which they may make databases",
    )  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    """The marks that tests may have; and where a studio's `plugins.NAME` are, for tests that import one."""
    config.addinivalue_line("markers", MARK)
    if (config.rootpath / "config" / "guerdon.toml").is_file():
        from app.host.folder import use_folder

        use_folder(config.rootpath / "plugins")


@pytest.fixture(scope="session")
def guerdon_databases(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Iterator[Any]:
    """Makes fresh databases where --guerdon-database says."""
    from app.testing.databases import open_databases

    with open_databases(request.config.getoption("--guerdon-database"), tmp_path_factory) as made:
        yield made


@pytest.fixture
def guerdon_url(guerdon_databases: Any, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh, empty database."""
    with guerdon_databases.make(tmp_path) as url:
        yield url


@pytest.fixture
def guerdon_plugins(request: pytest.FixtureRequest) -> Path:
    """The folder of the plugins that are tested: plugins/ where pytest was started for."""
    return request.config.rootpath / "plugins"


@pytest.fixture
def clock() -> "Clock":
    """Guerdon's time: it stands still until `clock.advance(seconds)`."""
    from app.testing.clock import Clock

    return Clock()


@pytest.fixture
def vote_api() -> Iterator["VoteApi"]:
    """GAMEMONITORING's vote API: every vote is by Bob, on server 1, until `vote_api.votes` says otherwise."""
    from app.testing.vote_api import VoteApi

    api = VoteApi()
    yield api
    api.close()


@pytest.fixture
def platform() -> Iterator["Platform"]:
    """Whom reporters tell: `platform.requests` are all that came; `platform.behave` decides the answers."""
    from app.testing.platforms import Platform

    platform = Platform()
    yield platform
    platform.close()


@pytest.fixture
def http() -> Iterator["Http"]:
    """What `fetch_events` and `send_report` are given."""
    from app.network.client import Http

    http = Http()
    yield http
    http.close()


@pytest.fixture
def guerdon_services(
    tmp_path: Path, guerdon_plugins: Path, guerdon_url: str, vote_api: "VoteApi", clock: "Clock"
) -> Iterator["Services"]:
    """Writes configs and opens Guerdons on them."""
    from app.testing.services import Services

    services = Services(tmp_path, guerdon_plugins, guerdon_url, vote_api.url, clock)
    yield services
    services.close()


@pytest.fixture
def write_config(guerdon_services: "Services") -> Callable[..., Path]:
    """Write a config and its rules; returns the config's path. Arguments: rewards, more, plugins, url."""
    return guerdon_services.write_config


@pytest.fixture
def open_service(guerdon_services: "Services") -> Callable[..., "Guerdon"]:
    """Open a migrated Guerdon in this process; its player is Bob. Arguments are write_config's."""
    return guerdon_services.open


@pytest.fixture
def guerdon(request: pytest.FixtureRequest, open_service: Callable[..., "Guerdon"]) -> "Guerdon":
    """A Guerdon with the rules of the test's mark `guerdon`; without one, every vote earns 100.00 gold."""
    mark = request.node.get_closest_marker("guerdon")
    options = dict(mark.kwargs) if mark else {}
    if "{platform}" in options.get("more", ""):
        url = request.getfixturevalue("platform").url
        options["more"] = options["more"].replace("{platform}", url)
    return open_service(**options)


@pytest.fixture
def guerdon_client(guerdon: "Guerdon") -> "FlaskClient":
    """Flask's client of the service."""
    from app.web.building import build_app

    app = build_app(guerdon)
    app.testing = True
    return app.test_client()


@pytest.fixture
def sign() -> Callable[..., str]:
    """The signature of a delivery's fields, as GAMEMONITORING makes it."""
    from app.testing.deliveries import sign

    return sign


@pytest.fixture
def deliver(guerdon_client: "FlaskClient") -> Callable[..., Any]:
    """POST a delivery of a vote, signed unless bytes are given; returns the response."""
    from app.testing.deliveries import make_delivery

    def post(id: Any, **changes: Any) -> Any:
        body = id if isinstance(id, bytes) else make_delivery(id, **changes)
        return guerdon_client.post("/webhooks/gamemonitoring", data=body)

    return post


@pytest.fixture
def post_event(guerdon_client: "FlaskClient") -> Callable[..., Any]:
    """POST an event as a game server does, as post_event("level_up", uid="Bob", level=3); the response.

    What is not said is as in the examples of /docs.
    """
    from app.testing.deliveries import AUTHORIZED
    from app.web import examples

    def post(type: str, **fields: Any) -> Any:
        headers = {**AUTHORIZED, "Prefer": "wait=0"}
        body = {**getattr(examples, type.upper(), {}), **fields}
        return guerdon_client.post(f"/v1/events/{type}", json=body, headers=headers)

    return post


@pytest.fixture
def read_player(guerdon_client: "FlaskClient") -> Callable[..., Any]:
    """GET /v1/players: what a player has, with the receipts of what he was given."""
    from app.testing.deliveries import AUTHORIZED

    def read(nickname: str = "Bob") -> Any:
        response = guerdon_client.get(f"/v1/players/{nickname}", headers=AUTHORIZED)
        assert response.status_code == 200, response.text
        return response.get_json()

    return read


@pytest.fixture
def ask_v1(guerdon_client: "FlaskClient") -> Callable[[str], Any]:
    """GET a path of /v1 with the key: ask_v1("/events/server.vote/v1"), ask_v1("/reports/1")."""
    from app.testing.deliveries import AUTHORIZED

    def ask(path: str) -> Any:
        response = guerdon_client.get(f"/v1{path}", headers=AUTHORIZED)
        assert response.status_code == 200, response.text
        return response.get_json()

    return ask


@pytest.fixture
def send_reports(guerdon: "Guerdon") -> Callable[[], None]:
    """Send each report that is due by the clock, once, and wait for its end."""
    from app.testing.reports import send_reports

    return lambda: send_reports(guerdon)


@pytest.fixture
def books(guerdon: "Guerdon") -> Callable[[], "Books"]:
    """Read the ledger: settled events, how many grants, what waits and why, gold by nickname."""
    from app.testing.books import read_books

    return lambda: read_books(guerdon)
