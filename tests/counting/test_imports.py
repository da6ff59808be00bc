"""Old totals and streaks from another plugin, imported by the command and counted as if always there."""

import random
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app import create_app
from app.cli.main import main
from app.counting.comparing import read_kept
from app.counting.imported import EVERY_VOTE
from app.counting.state import KINDS, Chain
from app.counting.streaks import build_chains
from app.counting.trial import Trial
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.testing.books import read_books
from app.testing.deliveries import API_KEY
from app.testing.players import add_player
from tests.counting.test_counting import make_rule, read_verdicts
from tests.world.books import make_work, settle

Open = Callable[..., Guerdon]
Import = Callable[..., str]
FIRST = date(2024, 2, 20)  # a Tuesday
NOON = 1_708_387_200_000 + 12 * 3_600_000  # ms; of that day, UTC
DAY = 86_400_000
HEADER = "nickname,votes,streak,last_vote"
TOTAL = make_rule("total", "count = { at = [10, 100] }")
ROW = make_rule("row", "streak = { every = 7 }")
MANY = (
    TOTAL
    + ROW
    + make_rule("patient", "streak = { every = 3, may_miss = 1 }")
    + make_rule("twice", "streak = { every = 2, votes = 2 }")
    + make_rule("weeks", 'streak = { every = 2, in = "week" }')
    + make_rule("first", 'count = { at = 1, in = "day" }')
    + make_rule("month", 'count = { every = 4, in = "month" }')
    + make_rule("there", 'server = "9"\ncount = { every = 2 }')
    + make_rule("sites", 'count = { at = 1, of = "site" }')
    + make_rule("once", 'count = { every = 2 }\nlimit = { player = "1 per week" }')
    + make_rule("party", "party = { every = 5 }")
    + make_rule("top", 'ranking = { in = "day", place = [1, 3] }')
)


@pytest.fixture
def import_totals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Import:
    """Import these lines; what the command says. `code` is its exit code."""
    monkeypatch.setenv("GUERDON_CONFIG", str(tmp_path / "guerdon.toml"))

    def run(*lines: str, header: str = HEADER, code: int = 0) -> str:
        file = tmp_path / "totals.csv"
        file.write_text("\n".join([header, *lines, ""]))
        return run_command("players", "import-totals", str(file), "--yes", code=code)

    return run


def run_command(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, words)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def name_day(number: int) -> str:
    return (FIRST + timedelta(days=number)).isoformat()


def vote(guerdon: Guerdon, id: str, day: int, **changes: Any) -> dict[str, Any]:
    """Settle one vote, so many days after the first; each rule's verdict by its name."""
    [outcome] = settle(guerdon, make_work(id, occurred_at=NOON + day * DAY, **changes))
    assert outcome.state == "settled", outcome.reason
    return read_verdicts(guerdon, id)


def read_counters(guerdon: Guerdon, player: str) -> dict[str, Any]:
    """All that is kept of a player, by what it is kept under without him."""
    with guerdon.database.connection_context():
        kept = read_kept(guerdon.database, [player])
    return {
        kind: {
            tuple(part for part in key if part != player): value
            for key, value in getattr(kept, kind).items()
        }
        for kind in KINDS
    }


def check_books(guerdon: Guerdon) -> None:
    """What is kept is what the ledger says, and what a trial of the same rules gives."""
    assert guerdon.bookkeeping.recounter.verify() == []
    before = [read_counters(guerdon, player) for player in ("1", "2")]
    guerdon.bookkeeping.rebuild()
    assert [read_counters(guerdon, player) for player in ("1", "2")] == before
    trial = Trial(guerdon.bookkeeping.complete(guerdon.programme))
    with guerdon.database.connection_context():
        trial.run(guerdon.database)
    counted = {name: one for name, one in trial.results.items() if name not in ("party", "top")}
    assert {name: (one.more, one.less) for name, one in counted.items()} == dict.fromkeys(
        counted, (0, 0)
    )


def test_it_works(open_service: Open, import_totals: Import) -> None:
    """The next vote has the next number, and goes on the streak."""
    guerdon = open_service(rewards=TOTAL + ROW)

    said = import_totals(f"Bob,8,6,{name_day(5)}")
    sixth, seventh = vote(guerdon, "a", 6), vote(guerdon, "b", 7)

    assert said == "would import 1 player with 8 votes\nimported 1 player\n"
    assert (sixth["total"]["why"], sixth["row"]["why"]) == ("9 of 10", "day 7 of 7")
    assert (seventh["total"]["why"], seventh["row"]["why"]) == ("10 of 10", "day 8 of 14")
    assert read_books(guerdon).gold["Bob"] == "2.00"
    check_books(guerdon)


def test_nothing_is_paid_for_what_was_imported(open_service: Open, import_totals: Import) -> None:
    guerdon = open_service(rewards=MANY)

    import_totals(f"Bob,99,14,{name_day(13)}")
    vote(guerdon, "next", 14, server_id="9")
    said = read_verdicts(guerdon, "next")

    assert (said["total"]["paid"], said["total"]["why"]) == (1, "100 of 100")
    assert {name for name in ("row", "patient", "twice") if said[name]["paid"]} == {"patient"}
    assert said["row"]["why"] == "day 15 of 21"
    assert said["twice"]["why"] == "1 of the 2 that make a day count"
    assert said["weeks"]["why"] == "week 1 of 2"
    assert (said["first"]["paid"], said["month"]["why"]) == (1, "1 of 4")
    assert said["there"]["why"] == "1 of 2"
    assert said["sites"]["paid"] == 1
    check_books(guerdon)


def test_a_late_vote_within_the_imported_days_changes_no_streak(
    open_service: Open, import_totals: Import
) -> None:
    guerdon = open_service(rewards=MANY)
    import_totals(f"Bob,20,6,{name_day(5)}")
    before = read_counters(guerdon, "1")["chains"]

    said = [vote(guerdon, f"v{number}", 3 + number // 3) for number in range(6)]

    assert {one["row"]["why"] for one in said} == {"the day is counted already"}
    assert {one["twice"]["why"] for one in said} == {"the day is counted already"}
    assert [one["first"]["paid"] for one in said] == [1, 0, 0, 1, 0, 0]
    after = read_counters(guerdon, "1")["chains"]
    weeks = next(iter(after.keys() - before.keys()))
    assert {key: one for key, one in after.items() if key != weeks} == before
    check_books(guerdon)


@pytest.mark.parametrize("seed", range(4))
def test_before_or_after_the_votes_it_counts_the_same(
    open_service: Open, import_totals: Import, seed: int
) -> None:
    """One player's totals come before his votes, the other's among or after the same ones."""
    dice = random.Random(seed)
    rules = MANY.replace('name = "once"', 'name = "once"\nwhen = { days = ["monday"] }')
    guerdon = open_service(rewards=rules)
    add_player(guerdon, "Eve")
    votes = [(dice.randrange(16), dice.choice("19")) for _ in range(24)]
    last, streak, middle = dice.randrange(4, 12), dice.randrange(1, 9), dice.randrange(25)
    totals = f"50,{streak},{name_day(last)}"

    import_totals(f"Bob,{totals}")
    for number, (day, server) in enumerate(votes):
        if number == middle:
            import_totals(f"Eve,{totals}")
        for name in ("Bob", "Eve"):
            vote(guerdon, f"{name}{number}", day, nickname=name, server_id=server)
    if middle == len(votes):
        import_totals(f"Eve,{totals}")

    bob, eve = read_counters(guerdon, "1"), read_counters(guerdon, "2")
    assert bob["tallies"] == eve["tallies"]
    assert bob["tallies"][EVERY_VOTE, "ever"].votes == 74
    assert strip_paid(bob["chains"]) == strip_paid(eve["chains"])
    first_day = FIRST.toordinal()
    days = {first_day + day for day, _ in votes}
    days |= {first_day + last - back for back in range(streak)}
    assert build_chains(days, 0) in strip_paid(bob["chains"])
    assert build_chains(days, 1) in strip_paid(bob["chains"])
    check_books(guerdon)


def strip_paid(chains: dict[Any, tuple[Chain, ...]]) -> list[tuple[Chain, ...]]:
    return [tuple(one._replace(paid={}) for one in some) for _, some in sorted(chains.items())]


def test_who_was_imported_is_not_imported_again(open_service: Open, import_totals: Import) -> None:
    guerdon = open_service(rewards=MANY, more='[players]\nmatch = "casefold"')
    add_player(guerdon, "Eve")
    import_totals("Bob,30,2,2024-02-01")

    again = import_totals("BOB,31,3,2024-02-02", "Eve,5,,")
    at_last = import_totals("bob,31,3,2024-02-02", "eve,5,,")

    assert again == (
        "would import 1 player with 5 votes; imported before, and left as they are: 1\n"
        "imported 1 player\n"
    )
    assert at_last == (
        "would import 0 players with 0 votes; imported before, and left as they are: 2\n"
    )
    assert vote(guerdon, "next", 0)["total"]["why"] == "31 of 100"
    check_books(guerdon)


def test_rules_that_are_added_later_know_it(
    open_service: Open, import_totals: Import, write_config: Callable[..., Path]
) -> None:
    """Also where no rule counted anything when it was imported."""
    open_service(rewards=make_rule("plain", ""))
    import_totals(f"Bob,9,6,{name_day(5)}")
    guerdon = open_guerdon(write_config(rewards=MANY))
    assert "1 players were counted by the rules" in guerdon.migrate()

    said = vote(guerdon, "next", 6)

    assert (said["total"]["why"], said["row"]["why"]) == ("10 of 10", "day 7 of 7")
    check_books(guerdon)
    guerdon.close()


def test_a_rules_past_is_paid_as_if_it_had_been_there(
    open_service: Open, import_totals: Import, tmp_path: Path
) -> None:
    guerdon = open_service(rewards=ROW)
    import_totals(f"Bob,9,6,{name_day(5)}")
    vote(guerdon, "seventh", 6)
    (tmp_path / "rewards.toml").write_text(ROW + TOTAL)
    run_command("migrate")

    said = run_command("rules", "backfill", "total", "--yes")

    assert '"total" would pay 1 time, to 1 player' in said
    assert read_books(guerdon).gold["Bob"] == "2.00"


def test_no_ranking_of_a_period_counts_it(open_service: Open, import_totals: Import) -> None:
    guerdon = open_service(rewards=ROW + make_rule("top", 'ranking = { in = "day" }'))
    add_player(guerdon, "Eve")
    import_totals(f"Bob,99,14,{name_day(0)}")
    vote(guerdon, "v1", 0, nickname="Eve")

    with guerdon.database.connection_context():
        table = guerdon.rankings.rank(EVERY_VOTE, f"day:{name_day(0)}", 5)

    assert [(one.player, one.votes) for one in table] == [("2", 1)]


def test_boards_and_v1_show_it(open_service: Open, import_totals: Import, clock: Any) -> None:
    clock.now = NOON + 6 * DAY
    guerdon = open_service(rewards=TOTAL)
    add_player(guerdon, "Eve")
    for number in range(3):
        vote(guerdon, f"e{number}", 6, nickname="Eve", server_id="1")
    vote(guerdon, "b1", 6, server_id="1")
    import_totals(f"Bob,8,6,{name_day(5)}")
    client = create_app(guerdon.config.path).test_client()

    def get(path: str) -> Any:
        headers = {"Authorization": f"Bearer {API_KEY}"}
        return client.get(f"/v1/{path}", headers=headers).get_json()

    shown = guerdon_shows(guerdon, "1")
    assert shown["votes"] == {"day": 1, "week": 1, "month": 1, "year": 1, "ever": 9}
    assert (shown["streak"]["length"], shown["streak"]["last_day"]) == (7, name_day(6))
    assert get("players/Bob")["votes"]["ever"] == 9
    assert get("leaderboards/ever") == [
        {"place": 1, "nickname": "Bob", "votes": 9}, {"place": 2, "nickname": "Eve", "votes": 3},
    ]  # fmt: skip
    assert [one["votes"] for one in get("leaderboards/ever?server=1")] == [3, 1]
    assert [one["votes"] for one in get("leaderboards/month?period=2024-02")] == [3, 1]
    assert [one["votes"] for one in get("leaderboards/year?period=2024")] == [3, 1]
    assert run_command("top", "--in", "ever") == "   1  Bob  9\n   2  Eve  3\n"


def guerdon_shows(guerdon: Guerdon, player: str) -> dict[str, Any]:
    with guerdon.database.connection_context():
        return guerdon.showing.describe_votes(player, guerdon.now())


def test_its_event_says_what_it_was(open_service: Open, import_totals: Import) -> None:
    open_service(rewards=TOTAL)
    import_totals(f"Bob,8,6,{name_day(5)}")

    said = run_command("events", "show", "totals", "1")

    assert "totals 1 from guerdon-rules: settled\n  nickname: Bob\n" in said
    assert (
        "8 votes of before, and 6 days in a row from 2024-02-20 to 2024-02-25; no rule pays" in said
    )
