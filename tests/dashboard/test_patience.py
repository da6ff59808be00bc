"""A page's time at the database: a statement that takes longer is ended, and the page says so."""

from collections.abc import Callable
from typing import Any

import pytest

from app.dashboard.building import build_dashboard
from app.dashboard.patience import TookTooLong, limit_time
from app.guerdon import Guerdon

COUNT = (
    "SELECT COUNT(*) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})"
    " SELECT i FROM n) AS counted"
)
# They take hours.
ENDLESS = {
    "sqlite": COUNT.format(2_000_000_000),
    "mysql": "SELECT COUNT(*) FROM information_schema.columns AS a, information_schema.columns AS b,"
    " information_schema.columns AS c",
}


def test_it_works(guerdon: Guerdon, database_url: str) -> None:
    """And the connection is as it was: what took too long within may take as long afterwards."""
    database = guerdon.database
    with database.connection_context():
        with pytest.raises(TookTooLong), limit_time(database, 0.2):
            database.execute_sql(ENDLESS[database.family])

        rows = 900 if database.family == "mysql" else 300_000
        assert database.execute_sql(COUNT.format(rows)).fetchone()[0] == rows


def test_another_error_stays_what_it_is(guerdon: Guerdon, database_url: str) -> None:
    with (
        guerdon.database.connection_context(),
        pytest.raises(Exception, match="nonsense"),
        limit_time(guerdon.database),
    ):
        guerdon.database.execute_sql("SELECT nonsense")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_page_that_takes_too_long_says_so(open_service: Callable[..., Guerdon]) -> None:
    guerdon = open_service()
    app = build_dashboard(guerdon)

    def show_slowly() -> Any:
        with guerdon.database.connection_context(), limit_time(guerdon.database, 0.05):
            return str(guerdon.database.execute_sql(ENDLESS["sqlite"]).fetchone())

    app.add_url_rule("/sign-in/slowly", "signing.ask_who_slowly", show_slowly)
    app.before_request_funcs[None].clear()
    answer = app.test_client().get("/sign-in/slowly")

    assert answer.status_code == 503
    assert "This took too long" in answer.text
