"""Two Guerdons in one process: on one database both pay right, on two the second is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.porch.errors import ConfigError
from app.testing.books import read_books
from app.testing.deliveries import post_vote

Open = Callable[..., Guerdon]
ITEM = '[[rules]]\non = "server.vote"\ngive = [{ reward = "item", item = "sword" }]\n'
FAILING = ITEM.replace("}]", '}, { reward = "promo_code", pool = "empty" }]')
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def count_items(guerdon: Guerdon) -> int:
    with guerdon.database.connection_context():
        sql = "SELECT COALESCE(SUM(quantity), 0) FROM guerdon_items"
        return int(guerdon.database.execute_sql(sql).fetchone()[0])


def test_it_works(open_service: Open, write_config: Callable[..., Path]) -> None:
    """Two on one database: what a plugin's model writes is a part of the payment, in both."""
    first = open_service(rewards=FAILING)
    second = open_guerdon(write_config(rewards=FAILING), first.now)
    try:
        assert second.database is first.database
        assert [post_vote(one, "v1").status_code for one in (first, second)] == [503, 503]
        assert count_items(first) == 0
        second.close()
        assert post_vote(first, "v2").status_code == 503
        assert list(read_books(first).waiting) == ["v1", "v2"]
    finally:
        second.close()


def test_a_second_database_is_refused_until_the_first_is_closed(
    open_service: Open, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    first = open_service(rewards=ITEM)
    other = write_config(rewards=ITEM, url=f"sqlite:///{tmp_path}/other.db")

    with pytest.raises(ConfigError, match="this process has another database open"):
        open_guerdon(other)
    assert post_vote(first, "v1").status_code == 204
    assert count_items(first) == 1
    first.close()

    second = open_guerdon(other)
    second.migrate()
    assert count_items(second) == 0
    second.close()


@on_sqlite
def test_one_that_nobody_holds_any_more_stands_in_nobodys_way(
    write_config: Callable[..., Path], tmp_path: Path
) -> None:
    open_guerdon(write_config())
    other: Any = open_guerdon(write_config(url=f"sqlite:///{tmp_path}/other.db"))
    assert other.migrate()
    other.close()


@on_sqlite
def test_a_file_is_the_same_by_any_path(
    open_service: Open, write_config: Callable[..., Path], tmp_path: Path
) -> None:
    first = open_service()
    second = open_guerdon(write_config(url=f"sqlite:///{tmp_path}/./guerdon.db"))
    assert second.database is first.database
    second.close()
