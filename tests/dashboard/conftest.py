"""A dashboard that runs on a ledger, and a browser to look at it with; both once for a file of tests."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.dashboard.building import build_dashboard
from app.dashboard.signing_in import limiter
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.testing.clock import Clock
from app.testing.players import add_player
from app.testing.waiting import PATIENCE
from tests.dashboard.ledgers import Ledger, write_hostile, write_small
from tests.dashboard.looking import Looking
from tests.world.browsing import open_chromium
from tests.world.running_dashboards import USERS, Dashboard
from tests.world.servers import ROOT

CONFIG = """
[database]
url = "{url}"
[studio]
plugins = "{root}/plugins"
[plugins.gamemonitoring]
tokens = ["a token of the tests"]
[plugins.gold]
[plugins.items]
[plugins.promo_codes]
"""
REWARDS = """
[[budgets]]
name = "gold of a day"
reward = "gold"
sum = "amount"
at_most = "10000 per day"
[[rules]]
name = "every vote"
on = "server.vote"
give = [{ reward = "gold", amount = "100.00" }]
[[rules]]
name = "vote party"
on = "server.vote"
party = { every = 50 }
limit = { all = "40 per day" }
give = [{ reward = "item", item = "cake", quantity = 1 }]
"""


@dataclass
class Scene:
    """A dashboard in a process of its own, and what is in its ledger."""

    dashboard: Dashboard
    ledger: Ledger
    config: Path


@pytest.fixture
def dashboard_app(guerdon: Guerdon) -> Iterator[Flask]:
    """The dashboard in this process. Not called `app`: pytest-flask would have all its requests be one."""
    limiter.reset() if limiter.initialized else None
    app = build_dashboard(guerdon)
    app.testing = True
    yield app
    assert app.extensions["errands"].stop(PATIENCE)


@pytest.fixture
def client(dashboard_app: Flask) -> Any:
    """A stranger, until he signs in."""
    return dashboard_app.test_client()


@pytest.fixture
def clock() -> Clock:
    """Guerdon's time."""
    return Clock()


@pytest.fixture(scope="module")
def make_scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str, str], Scene]]:
    """A running dashboard on a database of this kind, with this ledger."""
    running: list[Dashboard] = []

    def make(kind: str, ledger: str) -> Scene:
        folder = tmp_path_factory.mktemp("dashboard")
        url = f"sqlite:///{folder}/guerdon.db"
        if kind != "sqlite":
            server: Any = request.getfixturevalue(kind)
            url = server.url(server.create_database())
        config = folder / "guerdon.toml"
        config.write_text(CONFIG.format(url=url, root=ROOT) + USERS)
        (folder / "rewards.toml").write_text(REWARDS)
        guerdon = open_guerdon(config)
        guerdon.migrate()
        add_player(guerdon, "Bob")
        written = {"small": write_small, "hostile": write_hostile}[ledger](guerdon)
        guerdon.close()
        running.append(Dashboard(config))
        running[-1].start()
        return Scene(running[-1], written, config)

    yield make
    for dashboard in running:
        dashboard.kill()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with open_chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def look_at(browser: Any) -> Callable[..., Looking]:
    """Somebody who is signed in at a scene's dashboard."""

    def look(scene: Scene, name: str = "anna") -> Looking:
        looking = Looking(browser, scene.dashboard.url)
        looking.sign_in(name)
        return looking

    return look
