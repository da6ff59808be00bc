"""The words of a rule: what they may be, what they are told to mean, and what is wrong with others."""

from pathlib import Path

import pytest

from app.porch.errors import ConfigError
from app.rules.gifts import RewardKind
from app.rules.reading import read_rules
from app.rules.sentences import say_ordinal, say_rule
from plugins.claim_queue import ClaimReward
from plugins.gold import Gold

KINDS = {"gold": RewardKind("gold", Gold), "claim": RewardKind("claim_queue", ClaimReward)}
GIVE = 'give = [{ reward = "gold", amount = "1.00" }]\n'
CLAIM = 'give = [{ reward = "claim", payload = { c = "say hello" } }]\n'


def write_rule(asks: str, gives: str = GIVE) -> str:
    return f'[[rules]]\nname = "it"\non = "server.vote"\n{asks}\n{gives}'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rewards.toml"


def list_faults(file: Path, text: str) -> list[str]:
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_rules(file, KINDS)
    return [fault.removeprefix(f"{file}: ") for fault in caught.value.faults]


SENTENCES = [
    ("", "on a server.vote: give gold (amount 1.00)."),
    ('count = { at = 1, in = "day" }', "the 1st one of the day of a player"),
    ("count = { every = 25 }", "every 25th one ever of a player"),
    ("count = { at = [50, 100] }", "the 50th and 100th one ever of a player"),
    ('count = { of = "site", at = 5, in = "day" }', "the 5th different site of the day of a player"),
    ("streak = { every = 7, may_miss = 1 }",
     "every 7th day in a row of a player, 1 day in a row may be missed"),
    ("streak = { at = 3, votes = 2 }", "the 3rd day in a row of a player, each with 2 of them"),
    ("party = { every = 50 }", "when there are 50 of everybody, for each who was part of it"),
    ('ranking = { in = "month", place = [2, 10], ties = "first" }',
     "when the month is over, for places 2 to 10 (who was first is before)"),
    ('limit = { player = "1 per 12 hours", all = "500 per month" }',
     "at most 1 per 12 hours for a player, at most 500 per month for all"),
    ('when = { from = 2026-12-01, to = 2026-12-31, days = ["sunday"], hours = ["18:00", "22:00"] }',
     "from 2026-12-01 until 2026-12-31, on Sunday, from 18:00 to 22:00"),
    ('where = { "player.role" = "member", level = { at_least = 10 } }',
     "where level is at least 10, where player.role is member"),
]  # fmt: skip


def test_it_works(file: Path) -> None:
    """A rule, read aloud."""
    file.write_text(
        write_rule(
            'server = ["2", "1"]\ncount = { every = 25 }',
            'give_one = [{ weight = 9, reward = "gold", amount = "5.00" }, { weight = 1 }]',
        )
    )

    [rule] = read_rules(file, KINDS).all

    assert say_rule(rule) == (
        '"it": on a server.vote, on servers 1 or 2, every 25th one ever of a player:'
        " give by lot 9 of 10 gold (amount 5.00) or 1 of 10 nothing."
    )


@pytest.mark.parametrize(("asks", "said"), SENTENCES)
def test_each_key_is_said(file: Path, asks: str, said: str) -> None:
    file.write_text(write_rule(asks))

    [rule] = read_rules(file, KINDS).all

    assert said in say_rule(rule)


@pytest.mark.parametrize(
    ("number", "said"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (112, "112th"), (101, "101st")],
)
def test_ordinals(number: int, said: str) -> None:
    assert say_ordinal(number) == said


FAULTS = [
    ("cuont = { every = 2 }", 'cuont: is not a setting we know; did you mean "count"?'),
    ("count = { every = 0 }", "[count] every: must be a whole number of at least 1"),
    ("count = { at = 0 }", "[count] at: must be a whole number of at least 1, or a list of them"),
    ("count = { at = [2, 2] }", "[count] at: has a number twice"),
    ("count = { every = 2.5 }", "[count] every: must be a whole number of at least 1"),
    ("count = {}", "count: says either at, as [50, 100], or every, as 25"),
    ("count = { at = 1, every = 2 }", "count: says either at, as [50, 100], or every, as 25"),
    ('count = { at = 1, in = "moth" }',
     '[count] in: must be of day, week, month, year, season, ever; did you mean "month"?'),
    ('count = { at = 1, of = "sit" }',
     '[count] of: must be of votes, site; did you mean "site"?'),
    ('count = { every = 2, of = "site" }', 'count: of = "site" counts different sites: say at, as at = 5'),
    ('count = { at = 1, in = "season" }', 'count: in = "season" needs the rule\'s own when, with from'),
    ("count = { at = 1 }\nstreak = { every = 2 }",
     "streak: cannot stand beside count: write two rules, which may give the same"),
    ("streak = { every = 2, in = \"year\" }", "[streak] in: must be of day, week, month"),
    ("streak = { every = 2, may_miss = -1 }", "[streak] may_miss: must be a whole number of at least 0"),
    ("party = { every = 0 }", "[party] every: must be a whole number of at least 1"),
    ('party = { every = 2, to = "all" }', "[party] to: must be of voters, server"),
    ('party = { every = 2, to = "server" }',
     'party: to = "server" needs server = "…": who gets what it gives'),
    ('ranking = { in = "ever" }', "[ranking] in: must be of day, week, month, year, season"),
    ('ranking = { in = "month", place = [3, 2] }',
     "ranking: place is a number, as 1, or two, as [2, 10], both included"),
    ('ranking = { in = "season" }\nwhen = { from = 2026-12-01 }',
     'ranking: in = "season" needs the rule\'s own when, with from and to'),
    ("limit = {}", 'limit: limits nothing: say player or all, as "1 per day"'),
    ('limit = { player = "COOLDOWN" }',
     'limit: player must be as "1 per day" (of day, week, month, year, season, ever), or "1 per 12 hours";'
     ' it is "COOLDOWN"'),
    ('limit = { all = "0 per day" }',
     'limit: all must be as "1 per day" (of day, week, month, year, season, ever), or "1 per 12 hours";'
     ' it is "0 per day"'),
    ("when = {}", "when: asks nothing: say from, to, days or hours, or leave it out"),
    ("when = { from = 2026-12-31, to = 2026-12-01 }", "when: from is later than to: it would never hold"),
    ("when = { from = 5 }", "[when] from: must be a day, as 2026-12-31"),
    ('when = { days = ["funday"] }',
     "when: days are of monday, tuesday, wednesday, thursday, friday, saturday, sunday"),
    ('when = { hours = ["18:00"] }', 'when: hours are two, as ["18:00", "22:00"]'),
    ('when = { hours = ["18", "22:00"] }', '[when] hours[0]: must be an hour, as "18:00"'),
    ('when = { from = 5 }\nlimit = { player = "1 per season" }', "[when] from: must be a day, as 2026-12-31"),
]  # fmt: skip


@pytest.mark.parametrize(("asks", "fault"), FAULTS)
def test_what_is_wrong_is_named_with_file_rule_and_key(file: Path, asks: str, fault: str) -> None:
    assert list_faults(file, write_rule(asks)) == [f'rule 1 "it": {fault}']


TO_SERVER = 'server = "1"\nparty = { every = 2, to = "server" }'
UNFIT = [
    (TO_SERVER, GIVE, 'reward "gold": is for a player, and to = "server" pays none'),
    (TO_SERVER, CLAIM.replace("hello", "{nickname}"), 'reward "claim": payload: a server has no {nickname}'),
    (TO_SERVER + '\nlimit = { player = "1 per day" }', CLAIM,
     'limit: player limits a player, and to = "server" pays none: say all'),
    (TO_SERVER + '\nwhere = { "player.role" = "x" }', CLAIM,
     'where: player.… asks a player, and to = "server" pays none'),
    ("", 'give_one = [{ weight = 0, reward = "gold", amount = "1.00" }]\n',
     "give_one[1]: weight must be a whole number of at least 1, as { weight = 70, reward = \"gold\", ... }"),
    ("", "", 'give: is missing: write give = [{ reward = "gold", ... }]'),
]  # fmt: skip


@pytest.mark.parametrize(("asks", "gives", "fault"), UNFIT)
def test_what_cannot_be_given_so_is_refused(file: Path, asks: str, gives: str, fault: str) -> None:
    assert list_faults(file, write_rule(asks, gives)) == [f'rule 1 "it": {fault}']


OF_FILES = [
    ('[calendar]\ntime_zone = "Europe/Berln"\n',
     '[calendar] time_zone: "Europe/Berln" is no time zone: write one of the IANA, as "Europe/Berlin"'),
    ('[calendar]\nday_starts = "6"\n', '[calendar] day_starts: must be an hour, as "18:00"'),
    ('[calendar]\nweek_starts = "mon"\n',
     "[calendar] week_starts: must be of monday, tuesday, wednesday, thursday, friday, saturday, sunday;"
     ' did you mean "monday"?'),
    ('[[budgets]]\nname = "b"\nreward = "gold"\nsum = "amount"\nat_most = "lots"\n',
     '[budgets] at_most[0]: must be as "1000000.00 per month" (of day, week, month, year, ever)'),
    ('[[budgets]]\nname = "b"\nreward = "silver"\nsum = "amount"\nat_most = "5 per day"\n',
     'budget 1 "b": reward: no plugin that is switched on gives "silver" (there are: claim, gold)'),
    ('[[budgets]]\nname = "b"\nreward = "gold"\nsum = "amuont"\nat_most = "5 per day"\n',
     'budget 1 "b": sum: rule "it": gold has no number amuont'),
]  # fmt: skip


@pytest.mark.parametrize(("table", "fault"), OF_FILES)
def test_what_is_wrong_with_the_rest_of_the_file(file: Path, table: str, fault: str) -> None:
    assert list_faults(file, write_rule("") + table) == [fault]
