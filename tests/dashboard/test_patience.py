"""A page whose statements take too long says so; how they are ended is tested where that is decided."""

from collections.abc import Callable
from typing import Any

import pytest

from app.dashboard.building import build_dashboard
from app.guerdon import Guerdon

# It takes hours.
ENDLESS = (
    "SELECT COUNT(*) FROM (WITH RECURSIVE n(i) AS"
    " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) SELECT i FROM n) AS counted"
)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_it_works(open_service: Callable[..., Guerdon]) -> None:
    guerdon = open_service()
    app = build_dashboard(guerdon)

    def show_slowly() -> Any:
        with guerdon.database.limit_time(0.05):
            return str(guerdon.database.execute_sql(ENDLESS).fetchone())

    app.add_url_rule("/slowly", "slowly", show_slowly)
    app.before_request_funcs[None].clear()  # for anybody
    answer = app.test_client().get("/slowly")

    assert answer.status_code == 503
    assert "This took too long" in answer.text
