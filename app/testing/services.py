"""A Guerdon for a test: a config and rules in its own folder, opened with the test's clock."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.testing.deliveries import API_KEY, TOKEN
from app.testing.players import add_player

REWARDS = """
[[rules]]
name = "every vote"
on = "server.vote"
give = [{ reward = "gold", amount = "100.00" }]
"""
ALL_PLUGINS = """
[plugins.gamemonitoring]
api_url = "{vote_api}"
tokens = ["{token}"]
[plugins.gold]
[plugins.items]
[plugins.roles]
[plugins.vip]
[plugins.promo_codes]
[plugins.claim_queue]
"""


class Services:
    """Opens Guerdons that share a folder, a database and a vote API; `close` ends them all."""

    def __init__(
        self, folder: Path, plugins: Path, url: str, vote_api: str, clock: Callable[[], int]
    ) -> None:
        """`plugins`: the folder of the studio's own; `url` of the database, `vote_api` of the votes."""
        self._folder = folder
        self._plugins = plugins
        self._url = url
        self._vote_api = vote_api
        self._clock = clock
        self._opened: list[Guerdon] = []

    def write_config(
        self, rewards: str = REWARDS, more: str = "", plugins: str = ALL_PLUGINS, url: str = ""
    ) -> Path:
        """Write a config and its rules; returns the config's path. `more` is TOML put at its end."""
        path = self._folder / "guerdon.toml"
        sections = plugins.format(vote_api=self._vote_api, token=TOKEN)
        path.write_text(
            f'[database]\nurl = "{url or self._url}"\n[api]\nkeys = ["{API_KEY}"]\n'
            f'[studio]\nplugins = "{self._plugins}"\n{sections}\n{more}\n'
        )
        (self._folder / "rewards.toml").write_text(rewards)
        return path

    def open(self, *args: Any, **kwargs: Any) -> Guerdon:
        """Open a migrated Guerdon; its player is Bob. Arguments are those of write_config."""
        guerdon = open_guerdon(self.write_config(*args, **kwargs), self._clock)
        self._opened.append(guerdon)
        guerdon.migrate()
        if guerdon.config.players.is_own:
            add_player(guerdon, "Bob")
        return guerdon

    def close(self) -> None:
        """End all that were opened."""
        for guerdon in self._opened:
            guerdon.close()
