# ruff: noqa: RUF001  (letters that look alike are what this file is about)
"""Players: found the same way on every database and in every table, and never guessed."""

from collections.abc import Callable
from typing import Any

import pytest

from app.errors import AmbiguousPlayer, UnknownPlayer
from app.guerdon import Guerdon
from app.hookspecs import Event, Player
from tests.conftest import REWARDS, add_player
from tests.sending import get_v1, post_vote

Open = Callable[..., Guerdon]

# stored, asked for, found by "exact", found by "casefold"
PAIRS = [
    ("Bob", "Bob", True, True),
    ("Bob", "bob", False, True),
    ("Bob", "Bòb", False, False),
    ("Zoë", "Zoë", True, True),
    ("Zoë", "ZOË", False, True),
    ("Zoë", "Zoe", False, False),
    ("Zoe\u0308", "Zoë", True, True),
    ("Zoë", "Zoe\u0308", True, True),
    ("ZOE\u0308", "zoë", False, True),
    ("Ấ", "A\u0301\u0302", False, False),
    ("\u1112\u1161\u11ab", "한", True, True),
    ("\u212b", "\u212b", True, True),
    ("\ufa19", "\ufa19", True, True),
    ("Straße", "STRASSE", False, True),
    ("strasse", "straße", False, True),
    ("STRAẞE", "straße", False, True),
    ("ﬁsh", "FISH", False, True),
    ("fish", "ﬁsh", False, True),
    ("Ὀδυσσεύς", "ὀδυσσεύσ", False, True),
    ("ΣΊΣΥΦΟΣ", "σίσυφος", False, True),
    ("ᾳ", "αι", False, False),
    ("αι", "ᾳ", False, True),
    ("İzmir", "i̇zmir", False, True),
    ("İzmir", "izmir", False, False),
    ("Izmir", "ızmir", False, False),
    ("ИВАН", "Иван", False, True),
    ("Ёлка", "елка", False, False),
    ("ᲐᲑ", "აბ", False, True),
    ("ᏸ", "Ᏸ", False, True),
    ("Kelvin", "kelvin", False, True),
    ("😀", "😀", True, True),
    ("😀", "😁", False, False),
    ("a😀B", "A😀b", False, True),
    ("Bob ", "Bob", True, True),
    ("  Bob   ", "Bob", True, True),
    (" Bob", "bob", False, True),
    ("Bob x", "Bob", False, False),
    ("x Bob", "Bob", False, False),
    (" 100%_| ", "100%_|", True, True),
    ("Bob", "Bob ", True, True),
    ("Bob", "\u2003Bob\t", True, True),
    ("a b", "ab", False, False),
    ("a\u200bb", "ab", False, False),
    ("a-b", "ab", False, False),
    ("Bob", "Bob%", False, False),
    ("B_b", "Bob", False, False),
    ("O'Brien\\", "O'Brien\\", True, True),
    ("``", "``", True, True),
    ("1", "01", False, False),
    ("1e0", "1", False, False),
]
GREEK_IOTA = ("ᾳ", "αι")  # equal by casefold; MariaDB's collation cannot know
LATIN1 = [
    "  Bob   ", " Bob", "Bob x", "x Bob", "Bob", "Zoë", "Izmir", "Straße", "strasse", "fish",
    "O'Brien\\", "1", "1e0", "B_b", "a-b", "``", "a b", "Bob ",
]  # fmt: skip
TABLES = ["own", "utf8mb4_general_ci", "utf8mb4_bin", "utf8mb3_general_ci", "latin1"]


def make_table(guerdon: Guerdon, collation: str, names: list[str]) -> None:
    """A studio's users, made by plain SQL; "latin1" leaves the character set to the server."""
    database = guerdon.database
    with database.connection_context():
        is_sqlite = database.family == "sqlite"
        end = "" if is_sqlite or collation == "latin1" else f" COLLATE {collation}"
        key = "INTEGER PRIMARY KEY" if is_sqlite else "INT AUTO_INCREMENT PRIMARY KEY"
        database.execute_sql(
            f"CREATE TABLE users (id {key}, nickname VARCHAR(64), uid INT,"
            f" balance DECIMAL(18,2) DEFAULT 0){end}"
        )
        for name in names:
            sql = f"INSERT INTO users (nickname) VALUES ({database.param})"
            database.execute_sql(sql, (name,))


def find(guerdon: Guerdon, *names: str, **kwargs: str) -> list[Any]:
    """The nickname found for each name, or the class of the reason why none was."""
    events = [Event("s", "t", "i", nickname=name, **kwargs) for name in names]
    with guerdon.database.connection_context():
        found = guerdon.finder.find_players(events)
    answers = [found[number] for number in range(len(names))]
    return [one.nickname if isinstance(one, Player) else type(one) for one in answers]


def players(table: str, match: str, **more: str) -> str:
    settings = {"match": match} | more
    if table != "own":
        settings = {"table": "users"} | settings
    return "[players]\n" + "".join(f'{key} = "{value}"\n' for key, value in settings.items())


STUDIO_GOLD = '[plugins.gamemonitoring]\ntokens = ["t"]\n[plugins.gold]\ncolumn = "balance"\n'


@pytest.mark.parametrize("match", ["exact", "casefold"])
@pytest.mark.parametrize("table", TABLES)
def test_it_works(open_service: Open, table: str, match: str) -> None:
    """Every pair, alone in the table, is found or not: the same everywhere."""
    gold = STUDIO_GOLD if table != "own" else "[plugins.gold]"
    guerdon = open_service(rewards="", plugins=gold, more=players(table, match))
    if table != "own":
        make_table(guerdon, table, [])
    name = "users" if table != "own" else "players"
    is_latin1 = table == "latin1" and guerdon.database.family == "mysql"
    tried = 0
    for stored, asked, exactly, folded in PAIRS:
        if is_latin1 and stored not in LATIN1:
            continue
        if table == "own" and stored != stored.strip():
            continue  # nothing of ours puts such a one there
        if table == "utf8mb3_general_ci" and any(letter > "\uffff" for letter in stored):
            continue
        with guerdon.database.connection_context():
            guerdon.database.execute_sql(f"DELETE FROM {name}")
            if table == "own":
                add_player(guerdon, stored)
            else:
                sql = f"INSERT INTO users (nickname) VALUES ({guerdon.database.param})"
                guerdon.database.execute_sql(sql, (stored,))
        expected = exactly if match == "exact" else folded
        # Where only casefold makes them equal and no collation does, Python's own rule is asked.
        if (stored, asked) == GREEK_IOTA and match == "casefold":
            expected = table == "own" or guerdon.database.family == "sqlite"
        found = find(guerdon, asked)
        assert found == [stored if expected else UnknownPlayer], (stored, asked)
        assert find(guerdon, "Somebody 😀 else", "Кто-то", asked)[2:] == found
        tried += 1
    assert tried >= 12


@pytest.mark.parametrize("table", TABLES)
def test_two_that_match_are_never_guessed_between(open_service: Open, table: str) -> None:
    gold = STUDIO_GOLD if table != "own" else "[plugins.gold]"
    guerdon = open_service(rewards="", plugins=gold, more=players(table, "casefold"))
    names = ["Eve", "EVE", "Straße", "STRASSE", "Zoe", "Zoë"]
    if table == "own":
        with guerdon.database.connection_context():
            for name in names:
                add_player(guerdon, name)
    else:
        make_table(guerdon, table, names)

    assert find(guerdon, "eve", "strasse", "zoe", "ZOË", "eVe") == [
        AmbiguousPlayer, AmbiguousPlayer, "Zoe", "Zoë", AmbiguousPlayer,
    ]  # fmt: skip


def test_a_vote_for_one_of_two_equal_names_waits_and_says_so(
    open_service: Open, vote_api: Any
) -> None:
    guerdon = open_service(more=players("own", "casefold"))
    with guerdon.database.connection_context():
        add_player(guerdon, "BOB")

    reply = post_vote(guerdon, "v1")

    assert (reply.status_code, reply.text) == (503, '2 players are called "Bob"\n')


@pytest.mark.parametrize("match", ["exact", "casefold"])
@pytest.mark.parametrize("column", ["uid", "nickname"])
def test_an_event_without_nickname_finds_its_player_by_user_id(
    open_service: Open, match: str, column: str
) -> None:
    more = players("users", match, user_id_column=column)
    guerdon = open_service(rewards="", plugins=STUDIO_GOLD, more=more)
    make_table(guerdon, "utf8mb4_general_ci", ["7", "Bob"])
    with guerdon.database.connection_context():
        guerdon.database.execute_sql("UPDATE users SET uid = 7 WHERE nickname = 'Bob'")

    assert find(guerdon, "", user_id="7") == ["Bob" if column == "uid" else "7"]
    assert find(guerdon, "", user_id="8") == [UnknownPlayer]
    assert find(guerdon, " ", user_id="") == [UnknownPlayer]


@pytest.mark.parametrize("match", ["exact", "casefold"])
@pytest.mark.parametrize(("id_column", "user_id_column"), [("id", "id"), ("nickname", "nickname")])
def test_a_table_may_have_one_column_for_two(
    open_service: Open, match: str, id_column: str, user_id_column: str
) -> None:
    more = players("users", match, id_column=id_column, user_id_column=user_id_column)
    guerdon = open_service(rewards="", plugins=STUDIO_GOLD, more=more)
    make_table(guerdon, "utf8mb4_general_ci", ["9", "Bob"])

    assert find(guerdon, "Bob", "9", "8") == ["Bob", "9", UnknownPlayer]
    user_id = "2" if user_id_column == "id" else "Bob"
    assert find(guerdon, "", user_id=user_id) == ["Bob"]
    assert find(guerdon, "", user_id="8") == [UnknownPlayer]


@pytest.mark.parametrize("match", ["exact", "casefold"])
def test_a_player_without_a_nickname_disturbs_nobody(open_service: Open, match: str) -> None:
    more = players("users", match, user_id_column="uid")
    guerdon = open_service(rewards="", plugins=STUDIO_GOLD, more=more)
    make_table(guerdon, "utf8mb4_general_ci", [None, "Bob", None])  # type: ignore[list-item]
    with guerdon.database.connection_context():
        guerdon.database.execute_sql("UPDATE users SET uid = 5 WHERE id = 1")

    assert find(guerdon, "Bob", "None") == ["Bob", UnknownPlayer]
    assert find(guerdon, "", user_id="5") == [""]


def test_a_large_batch_is_looked_up_whole(open_service: Open) -> None:
    guerdon = open_service(rewards="")
    names = [f"player {number}" for number in range(1200)]
    with guerdon.database.atomic():
        for name in names:
            add_player(guerdon, name)

    assert find(guerdon, *names, "nobody") == [*names, UnknownPlayer]


@pytest.mark.parametrize("unknown", ["fail", "hold", "create"])
@pytest.mark.parametrize("match", ["exact", "casefold"])
def test_a_vote_for_an_unknown_player_fails_waits_or_makes_one(
    open_service: Open, vote_api: Any, unknown: str, match: str
) -> None:
    guerdon = open_service(more=players("own", match, unknown=unknown))
    vote_api.nickname = lambda id: {"v1": "Новый", "v2": "НОВЫЙ"}[id]

    first, second = post_vote(guerdon, "v1"), post_vote(guerdon, "v2")

    expected = {"fail": 503, "hold": 204, "create": 204}[unknown]
    assert (first.status_code, second.status_code) == (expected, expected)
    state = get_v1(guerdon, "/events/server.vote/v1")["state"]
    assert state == ("settled" if unknown == "create" else "waiting")
    if unknown == "create":
        gold = get_v1(guerdon, "/players/Новый")["gold"]
        assert gold == ("100.00" if match == "exact" else "200.00")
    else:
        assert first.text == ('no player is called "Новый"\n' if unknown == "fail" else "")


def test_a_nickname_outside_the_tables_alphabet_is_simply_unknown(
    open_service: Open, vote_api: Any
) -> None:
    """MariaDB refuses to compare a latin1 column with such a name: one vote would stop a batch."""
    plugins = STUDIO_GOLD.replace('"t"]', '"{token}"]\napi_url = "{vote_api}"')
    more = players("users", "exact", unknown="hold")
    guerdon = open_service(REWARDS, plugins=plugins, more=more)
    make_table(guerdon, "latin1", ["Bob", "??"])
    vote_api.nickname = lambda id: {"v1": "Bob", "v2": "Ио", "v3": "😀"}[id]

    assert [post_vote(guerdon, f"v{number}").status_code for number in (1, 2, 3)] == [204] * 3

    events = [get_v1(guerdon, f"/events/server.vote/v{number}") for number in (1, 2, 3)]
    assert [event["state"] for event in events] == ["settled", "waiting", "waiting"]
    assert events[1]["last_error"] == 'no player is called "Ио"'
