"""The ledger's statements: as few as a batch needs, none larger than a database takes at once."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.database.opening import BYTES_AT_ONCE
from app.database.statements import ROWS_AT_ONCE, cut_rows
from app.guerdon import Guerdon
from app.paying.settler import Work
from app.porch.rounds import list_game_events
from tests.paying.test_settling import count_commits
from tests.world.books import settle
from tests.world.games import make_level_up
from tests.world.studio import list_reports, make_reporter

SIZES = st.lists(
    st.integers(0, 20) | st.integers(0, 2 * BYTES_AT_ONCE), max_size=3 * ROWS_AT_ONCE
)  # fmt: skip


def weigh(rows: list[tuple[Any, ...]]) -> int:
    return sum(len(value) for row in rows for value in row if isinstance(value, str | bytes))


def test_it_works() -> None:
    small, large = [(1, "x")] * (2 * ROWS_AT_ONCE + 1), [(1, b"x" * 500_000, None)] * 20

    assert [len(some) for some in cut_rows(small)] == [ROWS_AT_ONCE, ROWS_AT_ONCE, 1]
    assert [len(some) for some in cut_rows(large)] == [4] * 5
    assert list(cut_rows([])) == []


@given(sizes=SIZES)
def test_no_rows_are_lost_and_none_stand_together_that_are_too_much(sizes: list[int]) -> None:
    text = "x" * (2 * BYTES_AT_ONCE)
    rows = [(number, text[:size]) for number, size in enumerate(sizes)]

    pieces = list(cut_rows(rows))

    assert [row for some in pieces for row in some] == rows
    for some in pieces:
        assert 1 <= len(some) <= ROWS_AT_ONCE
        assert len(some) == 1 or weigh(some) <= BYTES_AT_ONCE


def test_events_and_reports_that_are_large_in_sum_are_one_commit(
    open_service: Callable[..., Guerdon],
    add_plugin: Callable[..., str],
    request: pytest.FixtureRequest,
) -> None:
    """20 MB of facts, as many in reports: MariaDB takes 16 MB in one statement."""
    source = make_reporter().replace('"at": event.occurred_at', '"data": event.data')
    guerdon = open_service(rewards="", plugins=add_plugin(source))
    bodies = [make_level_up(f"u{number}", custom={"x": "x" * 500_000}) for number in range(40)]
    works = [Work(list_game_events("level_up", body)) for body in bodies]
    outcomes: list[Any] = []

    commits = count_commits(guerdon, request, lambda: outcomes.extend(settle(guerdon, *works)))

    assert {(one.state, one.reason) for one in outcomes} == {("settled", "")}
    assert commits == 1
    assert sum(len(row.body) > 500_000 for row in list_reports(guerdon)) == 40
