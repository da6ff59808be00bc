"""guerdon players export, erase, erase --again, erasures: as a person types them."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli.main import main
from app.database.models import LEDGER, OWN, Event, bind_models
from app.guerdon import Guerdon
from app.testing.players import add_player
from tests.privacy.conftest import ALIKE, DAY, NAME, RULES, read_scene, vote
from tests.world.traces import list_traces

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def run(full: Guerdon, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("GUERDON_CONFIG", str(full.config.path))

    def run(*words: str, answer: str = "") -> Result:
        result = CliRunner().invoke(main, ["players", *words], input=answer)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        bind_models(full.database, [*LEDGER, *OWN, *full.plugins.models])
        return result

    return run


def test_it_works(full: Guerdon, run: Callable[..., Result], tmp_path: Path) -> None:
    """What is exported is all that is his, and is gone once he is erased."""
    file = tmp_path / "export.json"
    assert run("export", NAME, "--to", str(file), "--by", "Ann").exit_code == 0
    [noted] = full.acts.list_acts().rows
    assert (noted.what, noted.person, noted.about) == ("export player", "Ann", f"player:{NAME}")
    told = json.loads(file.read_text())

    assert file.stat().st_mode & 0o77 == 0
    assert told["player"]["nickname"] == NAME
    assert told["player"]["items"] == {"gold": 1}
    assert len(told["events"]) == 10
    assert {one["nickname"] for one in told["grants"]} <= {NAME}
    assert [
        len(told[name]) > 0 for name in ("claims", "reports", "sends", "tallies", "limits")
    ] == [True] * 5
    assert told["inbox"][-1]["event_id"] == "dead-3"
    assert told["attempts"]
    assert told["plugin items: items"] == [{"name": "gold", "quantity": 1}]
    assert told["player"]["promo_codes"][0].startswith("code-")
    assert ALIKE not in json.dumps(told)
    assert "lease_token" not in json.dumps(told)

    refused = run("erase", NAME, answer="n\n")
    assert refused.exit_code == 1
    assert "events: 10" in refused.output
    assert list_traces(full, NAME, ALIKE)

    done = run("erase", NAME, "--by", "Ann", answer="y\n")
    assert done.exit_code == 0, done.output
    assert list_traces(full, NAME, ALIKE) == []
    [line] = run("erasures").output.splitlines()
    assert json.loads(line)["person"] == "Ann"
    assert run("export", NAME).exit_code == 1
    assert "nothing is kept" in run("erase", NAME, "--yes").output


@on_sqlite
def test_after_a_restore_it_is_done_again(
    full: Guerdon, run: Callable[..., Result], tmp_path: Path, database_url: str, clock: Any
) -> None:
    path = Path(database_url.removeprefix("sqlite:///"))
    backup = sqlite3.connect(tmp_path / "backup.db")
    with sqlite3.connect(path) as live:
        live.backup(backup)
    assert run("erase", NAME, "--yes").exit_code == 0
    before = read_scene(full)
    kept = tmp_path / "erasures.jsonl"
    kept.write_text(run("erasures").output)
    full.database.close_all()
    restored = sqlite3.connect(path)
    backup.backup(restored)
    restored.close()
    assert list_traces(full, NAME, ALIKE)
    full.database.close_all()

    again = run("erase", "--again", "--list", str(kept), "--yes")

    assert again.exit_code == 0, again.output
    assert list_traces(full, NAME, ALIKE) == []
    assert read_scene(full) == before
    pseudonym = json.loads(kept.read_text())["pseudonym"]
    with full.database.connection_context():
        assert Event.select().where(Event.nickname == pseudonym).exists()
    clock.advance(1)
    assert full.add_player(NAME) == NAME
    assert vote(full, "later", NAME, clock()).state == "settled"
    assert "cancel" not in run("erase", "--again", "--yes").output
    assert list_traces(full, NAME, ALIKE), "somebody else by now"


def test_keys_that_are_names_change_everywhere(
    open_service: Callable[..., Guerdon],
    clock: Any,
    database_url: str,
    add_plugin: Callable[..., str],
) -> None:
    """In a studio's own table, by nickname; its own row is for its plugin."""
    section = add_plugin("""
        from guerdon import hookimpl

        @hookimpl
        def erase_player(player, names, pseudonym, db):
            return db.execute_sql(f"DELETE FROM users WHERE nick = {db.param}", (player.nickname,)).rowcount
    """)
    columns = "".join(f'{one}_column = "nick"\n' for one in ("id", "nickname", "user_id"))
    more = f'[players]\ntable = "users"\n{columns}{section}'
    guerdon = open_service(rewards=RULES, more=more)
    with guerdon.database.connection_context():
        guerdon.database.execute_sql(
            "CREATE TABLE users (nick VARCHAR(255) PRIMARY KEY, gold DECIMAL(18, 2) NOT NULL DEFAULT 0)"
            + ("" if guerdon.database.family == "sqlite" else " ENGINE=InnoDB")
        )
        guerdon.database.execute_sql(f"INSERT INTO users (nick) VALUES ('{NAME}'), ('{ALIKE}')")
    for day in range(4):
        for one in (NAME, ALIKE):
            assert vote(guerdon, f"v{day}-{one}", one, clock() - (9 - day) * DAY).state == "settled"
    with guerdon.database.connection_context():
        kept = guerdon.database.execute_sql("SELECT player_id, SUM(votes) FROM guerdon_tallies"
                                            " GROUP BY player_id ORDER BY 2").fetchall()  # fmt: skip
    others = list_traces(guerdon, ALIKE)
    eraser = guerdon.make_eraser()

    plan = eraser.plan(NAME)
    eraser.run(plan, "tester", cancels=True)

    assert list_traces(guerdon, NAME, ALIKE) == []
    assert len(list_traces(guerdon, ALIKE)) == len(others)
    assert guerdon.bookkeeping.recounter.verify() == []
    pseudonym = plan.known.person.pseudonym
    with guerdon.database.connection_context():
        now = dict(guerdon.database.execute_sql(
            "SELECT player_id, SUM(votes) FROM guerdon_tallies GROUP BY player_id").fetchall())  # fmt: skip
    assert now == {pseudonym if one == NAME else one: votes for one, votes in kept}


def test_prefixes_and_casefold(open_service: Callable[..., Guerdon], clock: Any) -> None:
    """All spellings of one, and not the other whom a spelling would find first."""
    guerdon = open_service(
        rewards=RULES.replace("give {nickname} gold 3", "give gold"),
        more='[players]\nmatch = "casefold"\nprefixes = ["", "."]\n',
    )
    for one in (".Straße", "other"):
        add_player(guerdon, one)
    for number, one in enumerate(("strasse", ".STRASSE", "Straße", "other")):
        outcome = vote(guerdon, f"v{number}", one, clock() - DAY)
        assert outcome.state == "settled", outcome.reason
    eraser = guerdon.make_eraser()

    eraser.run(eraser.plan("STRASSE"), "tester", cancels=True)

    for one in ("strasse", "straße"):
        assert list_traces(guerdon, one) == []
    assert list_traces(guerdon, "other")


@pytest.mark.parametrize("words", [[], [NAME, "--again"], [NAME, "--list", "pyproject.toml"]])
def test_bad_input_is_said(run: Callable[..., Result], words: list[str]) -> None:
    assert run("erase", *words).exit_code == 2


def test_a_list_that_is_none_is_refused(run: Callable[..., Result], tmp_path: Path) -> None:
    file = tmp_path / "list"
    file.write_text("[1]\n")
    result = run("erase", "--again", "--list", str(file), "--yes")
    assert result.exit_code == 1
    assert "is not what" in result.output
