"""Draws: the same for ever, fair, and another for another secret, rule or event."""

import hmac
from collections import Counter

import pytest

from app.rules.drawing import RANGE, draw_line, draw_number, find_commitment, find_fingerprint

SECRET = b"of this season"


def test_it_works() -> None:
    first = draw_line(SECRET, "box", "server.vote", "v1", [70, 25, 5])
    again = draw_line(SECRET, "box", "server.vote", "v1", [70, 25, 5])

    assert first == again
    assert 0 <= first.number < first.total == 100
    assert first.secret == find_fingerprint(SECRET) == find_commitment(SECRET)[:16]
    text = b'["draw 1","box","server.vote","v1",0]'
    assert first.number == int.from_bytes(hmac.digest(SECRET, text, "sha256")[:8]) % 100


def test_a_hundred_thousand_draws_are_as_likely_as_their_weights_say() -> None:
    """Chi-square with two degrees of freedom: a fair draw is beyond 13.8 once in a thousand times."""
    weights = [70, 25, 5]
    drawn = Counter(
        draw_line(SECRET, "box", "server.vote", f"v{number}", weights).line
        for number in range(100_000)
    )

    expected = [weight * 1000 for weight in weights]
    assert sum((drawn[line] - wanted) ** 2 / wanted for line, wanted in enumerate(expected)) < 13.8


@pytest.mark.parametrize(
    "other",
    [(b"another", "box", "v"), (SECRET, "another", "v"), (SECRET, "box", "w")],
    ids=["secret", "rule", "event"],
)
def test_another_secret_rule_or_event_draws_otherwise(other: tuple[bytes, str, str]) -> None:
    secret, rule, letter = other

    same = sum(
        draw_number(SECRET, ["draw 1", "box", "server.vote", f"v{n}", 0], 1000)
        == draw_number(secret, ["draw 1", rule, "server.vote", f"{letter}{n}", 0], 1000)
        for n in range(1000)
    )

    assert same < 10  # one in a thousand, by chance


def test_what_would_favour_the_low_numbers_is_passed_over() -> None:
    total = RANGE // 2 + 1  # every second number of 64 bits is beyond the fair range

    numbers = [draw_number(SECRET, ["draw 1", "r", "t", str(n), 0], total) for n in range(400)]

    assert all(0 <= number < total for number in numbers)
    assert 140 < sum(number < total // 2 for number in numbers) < 260
