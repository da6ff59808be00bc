"""[retention]: old rows lose their data, nothing is paid or counted wrongly by it, and it says up to when."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.cli.main import main
from app.database.models import LEDGER, Event, Report, bind_models
from app.failpoints import POINTS, VARIABLE
from app.guerdon import Guerdon
from app.history.reports import require_revivable, revive_rows
from app.opening import open_guerdon
from app.porch.errors import BadReport, GuerdonError
from tests.privacy.conftest import NAME, REPORTERS, RULES, fill, read_scene, vote
from tests.world.books import serve_once
from tests.world.piles import pile_reports
from tests.world.servers import ROOT

RETENTION_POINTS = tuple(point for point in POINTS if point.startswith("retention: "))
KEEP = '[retention]\ndata = "30 days"\n'
MORE_RULES = (
    RULES
    + """
[[rules]]
name = "by place"
on = "server.vote"
where = { ip = "203.0.113.9" }
count = { every = 2 }
give = [{ reward = "gold", amount = "1.00" }]
"""
)
LATE_RULE = MORE_RULES.replace(
    "count = { every = 2 }", "count = { every = 2 }\nwhen = { from = 2027-06-01 }"
)


@pytest.fixture
def kept(open_service: Callable[..., Guerdon], platform: Any, clock: Any) -> Guerdon:
    """Forty days after all was settled; then one more vote."""
    guerdon = open_service(rewards=RULES, more=KEEP + REPORTERS.replace("{platform}", platform.url))
    fill(guerdon, clock())
    clock.advance(40 * 86400)
    vote(guerdon, "young", NAME, clock())
    return guerdon


def strip(guerdon: Guerdon) -> int:
    count = 0
    while (some := guerdon.keeper.strip_some()) is not None:
        count += some
    return count


def test_it_works(kept: Guerdon) -> None:
    before = read_scene(kept)
    assert kept.keeper.count_old()["events"] > 10

    other = open_guerdon(kept.config.path, kept.now)
    serve_once(other)  # the dispatcher does it
    other.close()

    bind_models(kept.database, LEDGER)
    assert strip(kept) == 0
    assert kept.keeper.count_old() == {"events": 0, "reports": 0}
    assert read_scene(kept) == before
    assert kept.bookkeeping.recounter.verify() == []
    kept.bookkeeping.rebuild()
    assert read_scene(kept) == before
    with kept.database.connection_context():
        votes = {
            row.event_id: json.loads(row.data)
            for row in Event.select()
            if row.type == "server.vote"
        }
        reports = list(Report.select().where(Report.stripped_at.is_null(False)))
        sends = kept.database.execute_sql(
            "SELECT COUNT(*) FROM guerdon_sends WHERE report IN (SELECT id FROM guerdon_reports WHERE"
            " stripped_at IS NOT NULL)").fetchone()[0]  # fmt: skip
        waits = kept.database.execute_sql(
            "SELECT COUNT(*) FROM guerdon_inbox WHERE state = 'settled' AND source <> 'guerdon-rules'"
        ).fetchone()[0]
    assert votes["v0-0"] == {"rank": 1}
    assert votes["young"]["ip"] == "203.0.113.9"
    assert reports
    assert {bytes(one.body) for one in reports} == {b""}
    assert (sends, waits) == (0, 0)


@pytest.mark.parametrize("point", RETENTION_POINTS)
def test_a_kill_loses_and_repeats_nothing(kept: Guerdon, tmp_path: Path, point: str) -> None:
    """Killed at its first commit and at its second; what is left is done by the next."""
    scene, due = read_scene(kept), kept.keeper.count_old()
    points = tmp_path / "points"
    points.mkdir()
    kept.database.close_all()
    command = [sys.executable, "-m", "tests.world.stripping_alone", str(kept.config.path)]
    for _ in range(2):
        (points / point).touch()
        env = os.environ | {VARIABLE: str(points)}
        done = subprocess.run([*command, str(kept.now())], cwd=ROOT, env=env, check=False)
        assert done.returncode == -9

    assert strip(kept) == sum(due.values())
    assert read_scene(kept) == scene


def test_two_at_once_strip_each_row_once(kept: Guerdon) -> None:
    other = open_guerdon(kept.config.path, kept.now)
    due = kept.keeper.count_old()
    try:
        with ThreadPoolExecutor(2) as pool:
            counts = list(pool.map(strip, (kept, other)))
        assert sum(counts) == sum(due.values())
        assert kept.keeper.count_old() == {"events": 0, "reports": 0}
    finally:
        other.close()


def test_a_rule_that_asks_what_is_gone_is_refused(
    kept: Guerdon, write_config: Callable[..., Any], platform: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    strip(kept)
    more = KEEP + REPORTERS.replace("{platform}", platform.url)
    path = write_config(rewards=MORE_RULES, more=more)
    monkeypatch.setenv("GUERDON_CONFIG", str(path))
    guerdon = open_guerdon(path, kept.now)
    try:
        [fault] = [one for one in guerdon.inspect() if "by place" in one]
        assert "ip" in fault
        assert "2027-01-15" in fault
        with pytest.raises(GuerdonError, match="2027-01-15"):
            guerdon.bookkeeping.rebuild()
        with pytest.raises(GuerdonError, match="2027-01-15"):
            guerdon.bookkeeping.recounter.verify()
    finally:
        guerdon.close()
    tried = CliRunner().invoke(main, ["rules", "try", str(path.parent / "rewards.toml")])
    assert tried.exit_code == 1
    assert "2027-01-15" in tried.output
    write_config(rewards=LATE_RULE, more=more)
    guerdon = open_guerdon(path, kept.now)
    try:
        assert [one for one in guerdon.inspect() if "by place" in one] == []
    finally:
        guerdon.close()


def test_what_has_lost_its_data_is_not_repaid_and_not_sent(kept: Guerdon) -> None:
    strip(kept)
    repayer = kept.make_repayer("tester")
    with kept.database.connection_context():
        rows = [row.id for row in Event.select().where(Event.stripped_at.is_null(False))]
        report = Report.get(Report.stripped_at.is_null(False))
        Report.update(state="dead").where(Report.id == report.id).execute()
        kept.database.execute_sql("DELETE FROM guerdon_grants")
        with pytest.raises(BadReport, match="no body"):
            require_revivable(report.id)

    assert repayer.repay(rows) == []


def test_off_by_default(full: Guerdon) -> None:
    assert full.keeper.is_off
    assert full.keeper.strip_due() == 0


@pytest.mark.on_servers
def test_a_dead_report_that_is_sent_again_just_then_keeps_its_body(
    kept: Guerdon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes second waits, and finds what the first has done."""
    with kept.database.connection_context():
        Report.delete().execute()  # behind a young one nothing is looked at
    pile_reports(kept, 3)
    ask, threads = kept.database.execute_sql, []
    mine = Report.reporter == "studio"

    def revive() -> None:
        with kept.database.connection_context():
            ids = [row[0] for row in Report.select(Report.id).where(mine).tuples()]
            kept.database.transact(lambda is_retry: revive_rows(("dead",), kept.now(), ids))

    def ask_and_meet(sql: str, params: Any = None) -> Any:
        if sql.startswith("UPDATE guerdon_reports SET body") and not threads:
            threads.append(threading.Thread(target=revive))
            threads[0].start()
            threads[0].join(0.5)
        return ask(sql, params)

    monkeypatch.setattr(kept.database, "execute_sql", ask_and_meet)
    strip(kept)
    threads[0].join()

    with kept.database.connection_context():
        rows = [(row.state, bytes(row.body)) for row in Report.select().where(mine)]
    assert rows == [("dead", b"")] * 3  # it was too late for them
