"""Fixtures of the reporters' tests: a platform, and the game server before it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.guerdon import Guerdon
from app.testing.platforms import Platform
from tests.world.game_server import GameServer


@pytest.fixture
def platform() -> Iterator[Platform]:
    platform = Platform()
    yield platform
    platform.close()


@pytest.fixture
def open_game(open_service: Callable[..., Guerdon]) -> Callable[..., GameServer]:
    """A game server at a Guerdon with these plugins' sections alone; no rule pays for anything."""

    def open_one(sections: str, rewards: str = "", **kwargs: Any) -> GameServer:
        return GameServer(open_service(rewards, plugins="", more=sections, **kwargs))

    return open_one
