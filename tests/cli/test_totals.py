"""guerdon players import-totals: what its file may be, and whom it finds."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli.main import main
from app.cli.totals import make_importer
from app.counting.imported import Totals
from app.guerdon import Guerdon
from app.paying.totals_file import Row
from app.testing.players import add_player
from tests.counting.test_counting import make_rule
from tests.world.servers import ROOT

Open = Callable[..., Guerdon]
Run = Callable[..., Result]
HEADER = "nickname,votes,streak,last_vote\n"
ROW = make_rule("row", "streak = { every = 7 }") + make_rule("total", "count = { at = 10 }")
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "totals.csv"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: Path) -> Run:
    """Run the command on this text, or these bytes."""
    monkeypatch.setenv("GUERDON_CONFIG", str(tmp_path / "guerdon.toml"))

    def run(content: str | bytes, *words: str, input: str = "") -> Result:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        command = ["players", "import-totals", str(file), *words]
        result = CliRunner().invoke(main, command, input=input)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


def read_imported(guerdon: Guerdon) -> list[tuple[Any, ...]]:
    """Nickname, player and data of every import."""
    with guerdon.database.connection_context():
        rows = guerdon.database.execute_sql(
            "SELECT nickname, player_id, data FROM guerdon_events WHERE type = 'totals' ORDER BY id"
        ).fetchall()
    return [tuple(row) for row in rows]


def test_it_works(open_service: Open, run: Run) -> None:
    """The manual's own file."""
    guerdon = open_service(rewards=ROW)
    add_player(guerdon, "Eve")
    [manual] = re.findall(r"```csv\n(.*?)```", (ROOT / "docs" / "rules.md").read_text(), re.S)
    manual = manual.replace("2026-", "2025-")  # whatever this machine's clock shows

    done = run(manual, input="y\n")

    assert done.exit_code == 0, done.output
    assert done.stdout == (
        "would import 2 players with 450 votes\nImport them? [y/N]: y\nimported 2 players\n"
    )
    assert read_imported(guerdon) == [
        ("Bob", "1", '{"votes":412,"streak":7,"last_day":"2025-11-20"}'),
        ("Eve", "2", '{"votes":38,"streak":0,"last_day":null}'),
    ]


@on_sqlite
def test_who_says_no_imports_nothing(open_service: Open, run: Run) -> None:
    guerdon = open_service(rewards=ROW)

    done = run(HEADER + "Bob,3,,\n", input="n\n")

    assert done.exit_code == 1
    assert read_imported(guerdon) == []


FAULTS = [
    ("nick,votes\nBob,1\n", ['line 1: "nick": is no column', "line 1: nickname: this column is"]),
    ("nickname,votes,strek\nBob,1,1\n", [
        'line 1: "strek": is no column: take it out, or rename it; the columns are nickname, votes,'
        ' streak, last_vote, with commas between them; did you mean "streak"?',
    ]),
    ("nickname,votes,votes\nBob,1,1\n", ["line 1: votes: stands there twice"]),
    ("nickname;votes\nBob;1\n", ['line 1: "nickname;votes": is no column']),
    ("", ["line 1: nickname: this column is missing", "line 1: votes: this column is missing"]),
    (HEADER + "Bob,1\n", ["line 2: has 2 cells, and the header 4"]),
    (HEADER + "Bob,1,,,x\n", ["line 2: has 5 cells"]),
    (HEADER + "\n,1,,\n", ["line 3: nickname: is empty"]),
    (HEADER + "Bob,,,\n", ['line 2: votes: is "": write a whole number from 0 to 1000000000']),
    (HEADER + "Bob,-1,,\n", ["line 2: votes:"]),
    (HEADER + "Bob,1.5,,\n", ['line 2: votes: is "1.5"']),
    (HEADER + "Bob,1e3,,\n", ["line 2: votes:"]),
    (HEADER + "Bob,٣,,\n", ["line 2: votes:"]),
    (HEADER + "Bob,1000000001,,\n", ["line 2: votes:"]),
    (HEADER + "Bob,5000,3661,2024-01-01\n", ["line 2: streak:"]),
    (HEADER + "Bob,2,3,2024-01-01\n", ["line 2: streak: is 3 days with 2 votes"]),
    (HEADER + "Bob,3,3,\n", ["line 2: last_vote: is missing"]),
    ("nickname,votes,streak\nBob,3,3\n", ["line 2: last_vote: is missing"]),
    (HEADER + "Bob,3,3,2999-01-01\n", ["line 2: last_vote: is 2999-01-01, and today is"]),
    (HEADER + "Bob,3,0,2999-01-01\n", ["line 2: last_vote:"]),
    (HEADER + "Bob,3,3,1899-01-01\n", ["line 2: last_vote: is 1899-01-01: write a day since 1990"]),
    (HEADER + "Bob,3,3,20240101\n", ["line 2: last_vote:"]),
    (HEADER + "Bob,3,3,01.01.2024\n", ['line 2: last_vote: is "01.01.2024": write 2026-11-20']),
    (HEADER + "Bob,3,3,0001-01-01T00:00:00+14:00\n", ["line 2: last_vote:"]),
    (HEADER.encode() + b"B\xf6b,3,,\n", ["line 2: nickname: is no UTF-8"]),
    ((HEADER + "Bob,3,,\n").encode("utf-16"), ["line 1: ", "is no column"]),
    (HEADER + '"Bob"x,3,,\n', ["line 2: is no CSV"]),
    (HEADER + "Bob,3,,\n" + "x" * 20_000, ["line 3: is no CSV: it has more than 10,000 bytes"]),
    (HEADER + "Bob,3,,\nEve,3,,\n Bob ,4,,\n", [
        'line 4: nickname: "Bob" is the player of line 2 too: make them one',
    ]),
    (HEADER + "Nobody,3,,\nNobody,4,,\n", ['line 3: nickname: "Nobody" is the player of line 2']),
]  # fmt: skip


@on_sqlite
@pytest.mark.parametrize(("content", "told"), FAULTS)
def test_a_fault_is_told_with_its_place_and_nothing_is_imported(
    open_service: Open, run: Run, file: Path, content: str | bytes, told: list[str]
) -> None:
    guerdon = open_service(rewards=ROW)
    add_player(guerdon, "Eve")

    done = run(content, "--yes")

    assert done.exit_code == 1
    for sentence in told:
        assert sentence in done.stderr
    assert all(line.startswith(f"{file}: line ") for line in done.stderr.splitlines()[:-1])
    assert done.stderr.endswith("\nnothing was imported\n")
    assert done.stdout == ""
    assert read_imported(guerdon) == []


@on_sqlite
def test_players_are_the_same_where_casefold_says_so(open_service: Open, run: Run) -> None:
    guerdon = open_service(rewards=ROW, more='[players]\nmatch = "casefold"')

    done = run(HEADER + "Bob,3,,\nBOB,4,,\nZed,1,,\nzed,1,,\n", "--yes")

    assert 'line 3: nickname: "BOB" is the player of line 2 too' in done.stderr
    assert 'line 5: nickname: "zed" is the player of line 4 too' in done.stderr
    assert read_imported(guerdon) == []


@on_sqlite
def test_twenty_faults_are_told_at_once(open_service: Open, run: Run) -> None:
    open_service(rewards=ROW)

    done = run(HEADER + "Bob,x,,\n" * 25, "--yes")

    lines = done.stderr.splitlines()
    assert len(lines) == 22
    assert lines[20:] == ["and 5 faults more", "nothing was imported"]


@on_sqlite
@pytest.mark.parametrize(
    ("zone", "starts", "said", "day"),
    [("Asia/Tokyo", "06:00", "2024-05-03", "2024-05-03"),
     ("Asia/Tokyo", "06:00", "2024-05-03 02:00:00", "2024-05-02"),
     ("Asia/Tokyo", "06:00", "2024-05-03T06:00", "2024-05-03"),
     ("Asia/Tokyo", "06:00", "2024-05-03T21:00:00Z", "2024-05-04"),
     ("Asia/Tokyo", "06:00", "2024-05-03T22:59:00+02:00", "2024-05-03")],
)  # fmt: skip
def test_a_time_is_of_the_day_that_the_calendar_says(
    open_service: Open, run: Run, zone: str, starts: str, said: str, day: str
) -> None:
    calendar = f'[calendar]\ntime_zone = "{zone}"\nday_starts = "{starts}"\n'
    guerdon = open_service(rewards=calendar + ROW)

    done = run(HEADER + f"Bob,3,3,{said}\n", "--yes")

    assert done.exit_code == 0, done.output
    [(_, _, data)] = read_imported(guerdon)
    assert f'"last_day":"{day}"' in data


@on_sqlite
def test_a_file_as_spreadsheets_write_it(open_service: Open, run: Run) -> None:
    """With a BOM, line breaks of Windows, quotes, columns in another order, and lines without anything."""
    guerdon = open_service(rewards=ROW)
    add_player(guerdon, "A, B")

    done = run(b'\xef\xbb\xbfvotes, nickname\r\n3,"Bob"\r\n,\r\n\r\n4,"A, B"\r\n', "--yes")

    assert done.stdout == "would import 2 players with 7 votes\nimported 2 players\n"
    assert [row[0] for row in read_imported(guerdon)] == ["Bob", "A, B"]


@pytest.mark.parametrize("unknown", ["fail", "hold"])
def test_who_cannot_be_found_is_told_and_the_others_go_on(
    open_service: Open, run: Run, unknown: str
) -> None:
    guerdon = open_service(rewards=ROW, more=f'[players]\nunknown = "{unknown}"')
    add_player(guerdon, "Eve")

    done = run(HEADER + "Zed,1,,\nBob,3,,\nA\u202eB,3,,\nEve,0,,\n", "--yes")

    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "would import 1 player with 3 votes; without a vote: 1; cannot be imported: 2",
        'line 2: "Zed": no player is called "Zed"',
        r'line 4: "A\u202eB": "A\u202eB" is no nickname: it holds \u202e, which is no character to be seen',
        "imported 1 player",
    ]
    assert [row[0] for row in read_imported(guerdon)] == ["Bob"]


def test_whoever_is_new_becomes_a_player(open_service: Open, run: Run) -> None:
    """Where votes make players; and is not imported again, by whatever spelling of his."""
    guerdon = open_service(rewards=ROW, more='[players]\nunknown = "create"\nmatch = "casefold"')

    done = run(HEADER + "Zed,1,,\nBob,3,,\nx  y,3,,\n", "--yes")
    again = run(HEADER + "zed,5,,\n", "--yes")

    assert done.exit_code == 1
    assert done.stdout.startswith(
        "would import 2 players with 4 votes; players to be created: 1; cannot be imported: 1\n"
        'line 4: "x  y": "x  y" is no nickname'
    )
    assert (
        again.stdout
        == "would import 0 players with 0 votes; imported before, and left as they are: 1\n"
    )
    assert sorted(row[:2] for row in read_imported(guerdon)) == [("Bob", "1"), ("Zed", "2")]


@on_sqlite
def test_a_player_whom_a_plugin_knows(
    open_service: Open, run: Run, add_plugin: Callable[..., str]
) -> None:
    section = add_plugin("""
        from app import NotReady, Player, hookimpl

        @hookimpl
        def find_player(event, db):
            if event.nickname == "ghost":
                raise NotReady("ghosts are late")
            return Player(1, "Bob") if event.nickname == "robert" else None
    """)
    guerdon = open_service(rewards=ROW, more=section)
    add_player(guerdon, "Eve")

    done = run(HEADER + "robert,3,,\nghost,1,,\nEve,2,,\n", "--yes")
    twice = run(HEADER + "robert,3,,\nBob,1,,\n", "--yes")

    assert 'line 3: "ghost": ghosts are late' in done.stdout
    assert [row[:2] for row in read_imported(guerdon)] == [("Bob", "1"), ("Eve", "2")]
    assert '"Bob" is the player of line 2 too' in twice.stderr


@pytest.mark.parametrize("rewards", [ROW, make_rule("plain", "")], ids=["counting", "plain"])
def test_who_goes_before_his_turn_comes_is_told_and_can_be_imported_once_he_is_back(
    open_service: Open, rewards: str
) -> None:
    guerdon = open_service(rewards=rewards)
    importer = make_importer(guerdon)
    add_player(guerdon, "Eve")
    rows = [Row(line, who, Totals(3)) for line, who in enumerate(("Bob", "Eve"), 2)]
    plan = importer.plan(rows)
    rename = "UPDATE players SET id = {} WHERE nickname = 'Eve'"
    with guerdon.database.connection_context():
        [(id,)] = guerdon.database.execute_sql("SELECT id FROM players WHERE nickname = 'Eve'")
        guerdon.database.execute_sql(rename.format(99))

    assert importer.run(plan.due) == (1, ['line 3: "Eve": the player is gone'])

    with guerdon.database.connection_context():
        guerdon.database.execute_sql(rename.format(id))
    assert importer.run(importer.plan(rows).due) == (1, [])
    assert [row[0] for row in read_imported(guerdon)] == ["Bob", "Eve"]


@on_sqlite
def test_many_players_take_several_commits(open_service: Open, run: Run) -> None:
    guerdon = open_service(rewards=ROW, more='[players]\nunknown = "create"')
    lines = [f"p{number},4000,{number * 18},2024-05-03\n" for number in range(200)]

    done = run(HEADER + "".join(lines), "--yes")

    assert done.exit_code == 0, done.output
    assert (
        "would import 200 players with 800,000 votes; players to be created: 200\n" in done.stdout
    )
    assert len(read_imported(guerdon)) == 200
    assert guerdon.bookkeeping.recounter.verify() == []


@on_sqlite
def test_a_database_that_is_not_fit_is_told_of(write_config: Callable[..., Path], run: Run) -> None:
    write_config(rewards=ROW)

    done = run(HEADER + "Bob,3,,\n", "--yes")

    assert done.exit_code == 1
    assert "run `guerdon migrate`" in done.stderr
