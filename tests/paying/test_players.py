# ruff: noqa: RUF001  (letters that look alike are what this file is about)
"""Players: found the same way on every database and in every table, and never guessed."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from app import add_to_players, create_app, read_from_players
from app.database.models import Claim, OwnPlayer
from app.guerdon import Guerdon
from app.paying.settler import Work
from app.porch.errors import AmbiguousPlayer, UnknownPlayer
from app.porch.types import Event, Player
from app.testing.deliveries import API_KEY, get_v1, post_vote
from app.testing.players import add_player
from app.testing.services import REWARDS
from tests.world.books import make_work, settle

Open = Callable[..., Guerdon]
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

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


# What stands around a nickname in the studio's table, and before it.


def set_up_users(guerdon: Guerdon, names: list[str], index: str = "", pads: bool = True) -> None:
    """`pads`: the column's collation takes 'Bob ' for 'Bob' by itself."""
    strict = "general_nopad_ci" if guerdon.database.returns_rows else "0900_ai_ci"
    make_table(guerdon, f"utf8mb4_{'general_ci' if pads else strict}", names)
    if index:
        with guerdon.database.connection_context():
            guerdon.database.execute_sql(f"CREATE {index} INDEX by_nickname ON users (nickname)")


@pytest.mark.parametrize("pads", [True, False])
@pytest.mark.parametrize("index", ["", "UNIQUE"])
def test_spaces_around_a_nickname_in_a_table_change_nothing(
    open_service: Open, index: str, pads: bool
) -> None:
    guerdon = open_service(rewards="", plugins=STUDIO_GOLD, more=players("users", "exact"))
    padded = ["Bob ", "  Eve", " Ann  ", "Zoe\u0308 ", "Guest 1", "Guest 2", "x y ", "a'b% "]
    set_up_users(guerdon, padded, index, pads)

    assert find(guerdon, "Bob", "Eve", "Ann", "Zoë", "x y", "a'b%") == [
        "Bob ", "  Eve", " Ann  ", "Zoe\u0308 ", "x y ", "a'b% ",
    ]  # fmt: skip
    assert set(find(guerdon, "Guest", "1", "x", "y", "Bo", "Bob  x", "a'b_")) == {UnknownPlayer}


@pytest.mark.parametrize("match", ["exact", "casefold"])
@pytest.mark.parametrize("other", ["Zoe\u0308", " Zoë", "Zoë  "])
def test_a_name_that_is_there_in_two_spellings_is_never_guessed_between(
    open_service: Open, match: str, other: str
) -> None:
    guerdon = open_service(rewards="", plugins=STUDIO_GOLD, more=players("users", match))
    set_up_users(guerdon, ["Zoë", other, "Bob"])

    assert find(guerdon, "Zoë", "Zoe\u0308", " Zoë ", "Bob") == [AmbiguousPlayer] * 3 + ["Bob"]


@pytest.mark.parametrize("pads", [True, False])
def test_a_large_table_is_not_read_whole_for_its_spaces(open_service: Open, pads: bool) -> None:
    guerdon = open_service(rewards="", plugins=STUDIO_GOLD, more=players("users", "exact"))
    database, asked = guerdon.database, []
    set_up_users(guerdon, [f"player {number}" for number in range(400)], "UNIQUE", pads)
    execute = database.execute_sql

    def note(sql: str, params: Any = None) -> Any:
        asked.append((sql, params))
        return execute(sql, params)

    database.execute_sql = note  # type: ignore[method-assign]
    assert find(guerdon, "player 7", "nobody") == ["player 7", UnknownPlayer]
    del database.execute_sql  # type: ignore[method-assign]

    sql, params = asked[-1]
    with database.connection_context():
        explain = "EXPLAIN QUERY PLAN" if database.family == "sqlite" else "EXPLAIN"
        plan = " ".join(str(row) for row in database.execute_sql(f"{explain} {sql}", params))
    assert "by_nickname" in plan
    assert "SCAN found" not in plan
    assert "'ALL'" not in plan


PREFIXES = '[players]\nprefixes = ["", "."]\n'


@pytest.mark.parametrize("match", ["exact", "casefold"])
@pytest.mark.parametrize("table", ["own", "utf8mb4_general_ci"])
def test_prefixes_find_who_is_called_so_with_one(
    open_service: Open, match: str, table: str
) -> None:
    gold = STUDIO_GOLD if table != "own" else "[plugins.gold]"
    more = players(table, match) + 'prefixes = ["", "."]\n'
    guerdon = open_service(rewards="", plugins=gold, more=more)
    names = [".Bed", ".Eve", "Eve", "Java", "..Dots"]
    if table == "own":
        for name in names:
            add_player(guerdon, name)
    else:
        make_table(guerdon, table, names)

    assert find(guerdon, "Bed", ".Bed", "Java", ".Java", ".Dots", "Dots", "Eve", ".Eve") == [
        ".Bed", ".Bed", "Java", UnknownPlayer, "..Dots", UnknownPlayer, AmbiguousPlayer, ".Eve",
    ]  # fmt: skip
    expected = [".Bed", "Java"] if match == "casefold" else [UnknownPlayer] * 2
    assert find(guerdon, "bED", "jAVA") == expected


def test_a_prefix_is_for_nicknames_and_not_for_user_ids(open_service: Open) -> None:
    guerdon = open_service(rewards="", plugins="[plugins.gold]", more=PREFIXES)
    add_player(guerdon, ".7")

    assert find(guerdon, "", user_id="7") == [UnknownPlayer]
    assert find(guerdon, "", user_id=".7") == [".7"]


@pytest.mark.parametrize("match", ["exact", "casefold"])
def test_a_bedrock_player_is_not_made_a_second_time(
    open_service: Open, vote_api: Any, match: str
) -> None:
    more = players("own", match, unknown="create") + 'prefixes = ["", "."]\n'
    guerdon = open_service(more=more)
    add_player(guerdon, ".Bed")
    votes = {"v1": "Bed", "v2": ".Bed", "v3": "New", "v4": "New", "v5": ".Bob", "v6": "Bob"}
    vote_api.nickname = votes.__getitem__

    replies = {id: post_vote(guerdon, id) for id in votes}

    assert {id for id in votes if replies[id].status_code != 204} == {"v5"}
    # Else no vote as "Bob" could be told from one for him, from now on.
    assert replies["v5"].text == '".Bob" could be mistaken for the player "Bob"\n'
    with guerdon.database.connection_context():
        gold = {row.nickname: row.gold for row in OwnPlayer.select()}
    assert gold == {".Bed": 200, "New": 200, "Bob": 100}


def test_whoever_is_made_gets_the_first_prefix(open_service: Open, vote_api: Any) -> None:
    more = players("own", "exact", unknown="create") + 'prefixes = ["*", ""]\n'
    claim = '[[rules]]\non = "server.vote"\ngive = [{ reward = "claim", payload = { to = "{nickname}" } }]'
    guerdon = open_service(claim, more=more)
    vote_api.nickname = lambda id: {"v1": "New", "v2": "*New", "v3": "Bob"}[id]

    assert [post_vote(guerdon, id).status_code for id in ("v1", "v2", "v3")] == [204, 204, 204]

    with guerdon.database.connection_context():
        assert {row.nickname for row in OwnPlayer.select()} == {"Bob", "*New"}
        assert [row.payload for row in Claim.select()] == [
            '{"to":"*New"}', '{"to":"*New"}', '{"to":"Bob"}',
        ]  # fmt: skip


@on_sqlite
def test_whoever_was_made_and_is_not_the_only_one_meant_does_not_stay(open_service: Open) -> None:
    """Somebody makes ".New" at the same moment: seen only after we have made "New"."""
    more = players("own", "exact", unknown="create") + 'prefixes = ["", "."]\n'
    guerdon = open_service(more=more)
    rival = "SELECT '.New', '.new', 0, 0 WHERE NEW.nickname = 'New'"
    with guerdon.database.connection_context():
        guerdon.database.execute_sql(
            "CREATE TRIGGER quicker AFTER INSERT ON players BEGIN"
            f" INSERT INTO players (nickname, folded, gold, created_at) {rival}; END"
        )

    works = [make_work("v1"), make_work("v2", nickname="New"), make_work("v3", nickname="Other")]
    outcomes = settle(guerdon, *works)

    assert [one.state for one in outcomes] == ["settled", "waiting", "settled"]
    assert outcomes[1].reason == '2 players are called "New"'
    with guerdon.database.connection_context():
        names = [row.nickname for row in OwnPlayer.select().order_by(OwnPlayer.id)]
    assert names == ["Bob", ".New", "Other"]


# User ids are opaque: what they are is somebody else's to say.


@pytest.mark.parametrize("match", ["exact", "casefold"])
@pytest.mark.parametrize("uid", ["Ab3Xq", "aB3xQ ", " aB3xQ", "aB3xQ\u0308", "ab3xq", "\uff41B3xQ"])
def test_a_user_id_is_compared_by_code_point(open_service: Open, match: str, uid: str) -> None:
    more = players("users", match, user_id_column="nickname")
    guerdon = open_service(rewards="", plugins=STUDIO_GOLD, more=more)
    make_table(guerdon, "utf8mb4_general_ci", ["aB3xQ", "u\u0308"])

    assert find(guerdon, "", user_id=uid) == [UnknownPlayer]
    assert find(guerdon, "", user_id="aB3xQ") == ["aB3xQ"]
    assert find(guerdon, "", user_id="\u00fc") == [UnknownPlayer]


@pytest.mark.parametrize("match", ["exact", "casefold"])
def test_a_level_up_of_an_id_that_differs_pays_nobody(open_service: Open, match: str) -> None:
    rules = '[[rules]]\non = "level_up"\ngive = [{ reward = "gold", amount = "5.00" }]'
    more = players("users", match, user_id_column="code")
    guerdon = open_service(rules, plugins=STUDIO_GOLD, more=more)
    make_table(guerdon, "utf8mb4_general_ci", ["Alice"])
    database = guerdon.database
    with database.connection_context():
        database.execute_sql("ALTER TABLE users ADD COLUMN code VARCHAR(64)")
        database.execute_sql("UPDATE users SET code = 'aB3xQ'")
    events = [Event("s", "level_up", id, "1", user_id=id) for id in ("Ab3Xq", "aB3xQ")]

    outcomes = guerdon.settler.settle([Work([event]) for event in events])

    assert [outcome.state for outcome in outcomes] == ["waiting", "settled"]
    with database.connection_context():
        [balance] = database.execute_sql("SELECT balance FROM users").fetchone()
    assert float(balance) == 5


@pytest.mark.parametrize("match", ["exact", "casefold"])
def test_an_id_that_is_no_nickname_makes_nobody_and_breaks_no_batch(
    open_service: Open, match: str
) -> None:
    rules = '[[rules]]\non = "level_up"\ngive = [{ reward = "gold", amount = "5.00" }]'
    more = players("own", match, unknown="create")
    guerdon = open_service(rules, plugins="[plugins.gold]", more=more)
    ids = [" u1", "u1 ", "u1", "u\u200b1", "e\u0301", "@a", "bob", "Bob", "U1"]
    events = [Event("s", "level_up", f"l{place}", "1", user_id=id) for place, id in enumerate(ids)]

    reasons = {}
    for _ in range(2):  # as a retry finds it
        for id, outcome in zip(ids, settle_in_one_commit(guerdon, events), strict=True):
            reasons[id] = outcome.reason if outcome.state == "waiting" else ""

    stands = " is no nickname as it stands, so no player is made of it"
    assert reasons[" u1"] == f'" u1"{stands}'
    assert reasons["u1 "] == f'"u1 "{stands}'
    assert reasons["e\u0301"] == f'"e\u0301"{stands}'
    assert "\\u200b" in reasons["u\u200b1"]
    assert "single spaces" in reasons["@a"]
    mistaken = {"bob", "U1"} if match == "casefold" else set()
    assert {id for id in ("bob", "U1") if "could be mistaken for" in reasons[id]} == mistaken
    assert reasons["u1"] == reasons["Bob"] == ""
    with guerdon.database.connection_context():
        made = {row.nickname for row in OwnPlayer.select()}
    assert made == {"Bob", "u1"} | ({"bob", "U1"} - mistaken)


def settle_in_one_commit(guerdon: Guerdon, events: list[Event]) -> list[Any]:
    """The outcomes; fails if the batch fell apart into a transaction for each."""
    begun, transact = [], guerdon.database.transact

    def count(*args: Any) -> Any:
        begun.append(args)
        return transact(*args)

    guerdon.database.transact = count  # type: ignore[method-assign]
    try:
        outcomes = guerdon.settler.settle([Work([event]) for event in events])
    finally:
        del guerdon.database.transact  # type: ignore[method-assign]
    assert len(begun) <= 2  # the second finds what was settled before
    return outcomes


def test_what_a_table_of_old_holds_is_found_though_nobody_could_be_made_so(
    open_service: Open, vote_api: Any
) -> None:
    """A name that came in parts before names had one form: found by either, and not made again."""
    guerdon = open_service(more=players("own", "exact", unknown="create"))
    add_player(guerdon, "Zoe\u0308")
    vote_api.nickname = lambda id: {"v1": "Zoë", "v2": "Zoe\u0308"}[id]

    assert [post_vote(guerdon, id).status_code for id in ("v1", "v2")] == [204, 204]

    player = get_v1(guerdon, "/players/Zoë")
    assert (player["nickname"], player["gold"]) == ("Zoe\u0308", "200.00")


def test_a_refused_name_is_not_found_and_says_why(open_service: Open) -> None:
    guerdon = open_service(more=players("own", "exact", pattern="[A-Za-z]+"))
    client = create_app(guerdon).test_client()
    headers = {"Authorization": f"Bearer {API_KEY}"}

    for path, reason in (
        ("Bob%00", "it holds \\x00, which is no character to be seen"),
        ("%E2%80%AEBob", "it holds \\u202e, which is no character to be seen"),
        ("Bob7", "the pattern of [players] does not match it"),
        ("x" * 300, "a nickname has 1 to 255 characters"),
    ):
        answer = client.get(f"/v1/players/{path}", headers=headers)
        assert answer.status_code == 404
        assert answer.get_json()["detail"].endswith(reason)
    assert client.get("/v1/players/%20Bob", headers=headers).status_code == 200


def test_a_players_column_is_read_exactly(open_service: Callable[..., Guerdon]) -> None:
    guerdon = open_service()
    players = guerdon.config.players
    with guerdon.database.connection_context():
        [[id_]] = guerdon.database.execute_sql("SELECT id FROM players").fetchall()
        bob = Player(id_, "Bob")
        add_to_players(guerdon.database, players, "gold", {id_: Decimal("4900.10")})

        assert read_from_players(guerdon.database, players, "gold", bob) == Decimal("4900.10")
        assert read_from_players(guerdon.database, players, "nickname", bob) == "Bob"
        with pytest.raises(UnknownPlayer, match="Nobody is gone"):
            read_from_players(guerdon.database, players, "gold", Player(0, "Nobody"))
