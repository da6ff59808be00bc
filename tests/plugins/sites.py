"""Requests as vote sites and toplists send them, and a service that has a section for each preset."""

import hashlib
import hmac
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from app import create_app
from app.guerdon import Guerdon
from app.testing.books import Books, read_books
from app.testing.players import add_player

FOLDER = Path(__file__).parents[2] / "plugins"
SECRET = "s3cret"
NOW = 1_700_000_000  # s, when the votes of the vectors were made
RULES = """
[[rules]]
on = "server.vote"
give = [{ reward = "gold", amount = "1.00" }]
"""


def read_presets(plugin: str) -> dict[str, dict[str, Any]]:
    return tomllib.loads((FOLDER / f"{plugin}.toml").read_text())


def hash_text(digest: str, text: str) -> str:
    return hashlib.new(digest, text.encode()).hexdigest()


def sign_body(body: bytes, secret: str = SECRET) -> str:
    return hmac.digest(secret.encode(), body, "sha256").hex()


class Sites:
    """A Guerdon at the time of the vectors, and its client."""

    def __init__(
        self, open_service: Callable[..., Guerdon], clock: Any, section: str, rules: str = RULES
    ) -> None:
        clock.now = NOW * 1000
        self.guerdon = open_service(rules, plugins="[plugins.gold]\n", more=section)
        for name in ("Player123", "Pseudo123", "Eve"):
            add_player(self.guerdon, name)
        self.client = create_app(self.guerdon).test_client()
        self.clock = clock

    def call(
        self, path: str, method: str = "POST", headers: Mapping[str, str] | None = None, **more: Any
    ) -> tuple[int, str]:
        """Status and text of the answer at /webhooks/<path>."""
        response = self.client.open(
            f"/webhooks/{path}", method=method, headers=dict(headers or {}), **more
        )
        assert response.status_code < 500, response.text
        return response.status_code, response.text.strip()

    @property
    def books(self) -> Books:
        return read_books(self.guerdon)

    @property
    def events(self) -> list[tuple[Any, ...]]:
        """Id, server, nickname, user id, time, earns, of all that is settled, in order."""
        sql = (
            "SELECT event_id, server_id, nickname, user_id, occurred_at, earns, data"
            " FROM guerdon_events ORDER BY id"
        )
        with self.guerdon.database.connection_context():
            return list(self.guerdon.database.execute_sql(sql).fetchall())
