"""POST /webhooks/gamemonitoring, through real HTTP to a vote API and a real database."""

from collections.abc import Callable
from typing import Any

Deliver = Callable[..., Any]


def test_it_works(deliver: Deliver, read_gold: Callable[..., str], ask: Any) -> None:
    response = deliver("9824cabb-2203-437e-9b6c-aba43dde3e4b")

    assert response.status_code == 204
    assert response.data == b""
    assert read_gold() == "100.00"
    assert ask("/v1/players/Bob")["gold"] == "100.00"


def test_the_same_delivery_again_pays_nothing_and_asks_nobody(
    deliver: Deliver, read_gold: Callable[..., str], vote_api: Any
) -> None:
    for _ in range(3):
        assert deliver("v1").status_code == 204

    assert read_gold() == "100.00"
    assert vote_api.asked == ["v1"]
