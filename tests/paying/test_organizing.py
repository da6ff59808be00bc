"""What is organized in the inbox's loop: whoever fails at it keeps no vote waiting."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from app.database.models import Waiting
from app.guerdon import Guerdon
from app.porch.errors import DatabaseUnavailable
from tests.world.piles import pile_events


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_it_works(guerdon: Guerdon, monkeypatch: pytest.MonkeyPatch) -> None:
    """An organizer whose statements take too long does not starve the inbox, nor the others."""
    calls = []

    def fail() -> int:
        calls.append("failed")
        raise DatabaseUnavailable("the database does not answer")

    def go_on() -> int:
        calls.append("went on")
        return 0

    monkeypatch.setattr(guerdon.dispatcher, "_organizers", [fail, go_on])
    monkeypatch.setattr("app.dispatcher.REST", 1e9, raising=False)
    pile_events(guerdon, 20, "w", state="ready", due_at=0)

    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            guerdon.dispatcher.serve_once(pool)

    with guerdon.database.connection_context():
        assert Waiting.select().where(Waiting.attempts > 1).count() == 20
    assert calls == ["failed", "went on", "went on"]
