# ruff: noqa: RUF001  (letters that look alike are what this file is about)
"""Nicknames: what one may be, before a player, a claim or a line is made of it; whoever sends it."""

import re
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.database.models import Claim, OwnPlayer
from app.guerdon import Guerdon
from app.paying.settler import Work
from app.porch.errors import RefusedName
from app.porch.names import LONGEST, REFUSED, Names, clean_name, fold_name, is_slow
from app.porch.text import INVISIBLE, escape_text, shorten
from app.porch.types import Event
from app.testing.deliveries import get_v1, post_vote

Open = Callable[..., Guerdon]
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

# Chosen so that whatever is odd comes often: controls, directions, spaces, marks, wide and joined forms.
ODD = (
    "\0\t\n\r\x1b\x7f\x85\x9b\xa0\xad\u034f\u061c\u115f\u1160\u180e\u200b\u200d\u200e\u2028\u2029\u202e"
    "\u2066\u2800\u3000\u3164\ufe0f\ufeff\uffa0\uffff\ue000\ud800\udfff\U000e0001\U000e0100"
    "\u0301\u0308\u20dd\uff22\uff4f\uff42\ufb01\u2460\U0001d401\u1100\u1161\u0e33\u0587\u212b"
    " @;'\"\\/$`{}%&|<>#*,:."
)
LETTERS = st.sampled_from("abBé\u0430я李한1_.-") | st.sampled_from(ODD) | st.characters()
TEXTS = st.text(LETTERS, max_size=12)


def try_many(examples: int) -> Any:
    return settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )


def read(names: Names, nickname: str) -> str | None:
    """The nickname as it is compared; None for one that is refused."""
    try:
        return names.read(nickname)
    except RefusedName:
        return None


# As it comes; as it is compared where votes make players, and where they do not. None: refused.
NICKNAMES = [
    ("Bob", "Bob", "Bob"),
    (" Bob\t", "Bob", "Bob"),
    ("\u2003Bob\n", "Bob", "Bob"),
    ("Bob Smith", "Bob Smith", "Bob Smith"),
    ("Bob netherite_block 64", "Bob netherite_block 64", "Bob netherite_block 64"),
    ("_x.X-7_", "_x.X-7_", "_x.X-7_"),
    ("Zoe\u0308", "Zoë", "Zoë"),
    ("\u212b", "Å", "Å"),
    ("Иван", "Иван", "Иван"),
    ("李小龍", "李小龍", "李小龍"),
    ("\u1112\u1161\u11ab", "한", "한"),
    ("नमस्ते", "नमस्ते", "नमस्ते"),
    ("Սևակ", "Սևակ", "Սևակ"),
    ("น้ำ", "น้ำ", "น้ำ"),
    ("ㅋㅋ", "ㅋㅋ", "ㅋㅋ"),
    ("x" * 48, "x" * 48, "x" * 48),
    ("", None, None),
    (" \t", None, None),
    ("x" * 256, None, None),
    ("x" * 100_000, None, None),
    ("e\u0301" * 255, None, "é" * 255),
    # Refused everywhere.
    ("Bob 0\nop Mallory", None, None),
    ("Bob\0", None, None),
    ("\x1b[2J", None, None),
    ("\x9b2J", None, None),
    ("\x7f", None, None),
    ("\u200bBob", None, None),
    ("Bob\u202e", None, None),
    ("\ufeffBob", None, None),
    ("Bo\u00adb", None, None),
    ("\u2066Bob\u2069", None, None),
    ("B\u2028b", None, None),
    ("\ue000", None, None),
    ("\uffff", None, None),
    ("\ud800", None, None),
    ("\U000e0041Bob", None, None),
    # Refused where a player would be made.
    ("x" * 49, None, "x" * 49),
    ("Bob  Smith", None, "Bob  Smith"),
    ("Bob\u00a0Smith", None, "Bob\u00a0Smith"),
    ("Bob\u3000Smith", None, "Bob\u3000Smith"),
    ("@a", None, "@a"),
    ("😀", None, "😀"),
    ("\u3164", None, "\u3164"),
    ("Bob\ufe0f", None, "Bob\ufe0f"),
    ("Bo\u034fb", None, "Bo\u034fb"),
    ("\u2800", None, "\u2800"),
    ("\u0301", None, "\u0301"),
    ("a \u0301", None, "a \u0301"),
    ("_\u0332", None, "_\u0332"),
    ("Ｂｏｂ", None, "Ｂｏｂ"),
    ("𝐁𝐨𝐛", None, "𝐁𝐨𝐛"),
    ("ﬁsh", None, "ﬁsh"),
    ("ſam", None, "ſam"),
    ("ｶﾅ", None, "ｶﾅ"),
    ("\u1100", None, "\u1100"),
    ("²", None, "²"),
    ("Ⓑob", None, "Ⓑob"),
]


@pytest.mark.parametrize(("given_", "made", "found"), NICKNAMES, ids=lambda one: ascii(one)[:24])
def test_it_works(given_: str, made: str | None, found: str | None) -> None:
    assert read(Names(are_made=True), given_) == made
    assert read(Names(), given_) == found


@pytest.mark.parametrize("are_made", [True, False])
def test_a_pattern_decides_what_is_not_refused_anyway(are_made: bool) -> None:
    names = Names(re.compile(r"[@\w\n\u200b\u3164😀 ]{1,9}"), are_made=are_made)

    assert read(names, " @Bob ") == "@Bob"
    assert read(names, "a  😀") == "a  😀"
    assert read(names, "Ｂｏｂ") == "Ｂｏｂ"  # a studio that says so has such players
    assert read(names, "Zoe\u0308") == "Zoë"
    for refused in ("x" * 10, "a-b", "a\nb", "\u200b"):
        assert read(names, refused) is None
    assert read(names, "\u3164") == (None if are_made else "\u3164")


def test_a_prefix_of_the_studios_need_not_match() -> None:
    names = Names(re.compile("[A-Z][a-z]+"), ("", "*", "."))

    assert [read(names, one) for one in ("Bob", ".Bob", "*Bob", "-Bob", "..Bob", ".")] == [
        "Bob", ".Bob", "*Bob", None, None, None,
    ]  # fmt: skip
    assert read(Names(None, ("*",), are_made=True), "*Bob") == "*Bob"


def test_the_reason_names_what_is_wrong_and_shows_it_safely() -> None:
    def explain(nickname: str, **kwargs: Any) -> str:
        with pytest.raises(RefusedName) as caught:
            Names(**kwargs).read(nickname)
        return caught.value.reason

    assert explain("a\u202eb") == (
        '"a\\u202eb" is no nickname: it holds \\u202e, which is no character to be seen'
    )
    assert explain("x" * 256) == explain(" ") == "a nickname has 1 to 255 characters"
    assert explain("Ｂｏｂ", are_made=True).endswith('it is "Bob" in unusual characters')
    assert explain("@a", are_made=True).endswith(
        "it is not 1 to 48 letters, digits, _ . - and single spaces"
    )
    assert explain("ab", pattern=re.compile("a")).endswith("pattern of [players] does not match it")


@given(nickname=TEXTS, are_made=st.booleans())
@example(nickname="\u0344", are_made=False)  # two marks in NFC
@example(nickname="a\u2001", are_made=False)  # a space in NFC too
@try_many(1500)
def test_whatever_is_allowed_can_be_seen_and_has_one_spelling(
    nickname: str, are_made: bool
) -> None:
    names = Names(are_made=are_made)
    name = read(names, nickname)
    if name is None:
        return

    assert names.read(name) == name == unicodedata.normalize("NFC", name)
    assert name == name.strip()
    assert 0 < len(name) <= LONGEST
    assert not {unicodedata.category(letter) for letter in name} & set(REFUSED)
    assert names.read(unicodedata.normalize("NFD", nickname)) == name
    if are_made:
        assert escape_text(name) == name
        assert "  " not in name
        assert re.fullmatch(r"[\w .-]+", re.sub(r"\W", "", name) + "x")
        other = read(names, unicodedata.normalize("NFKC", name))
        assert other in (None, name) or re.search("[\u0587\u0e33\u0eb3\u0edc\u0edd]", name)


@given(text=st.text(LETTERS, max_size=80))
@try_many(800)
def test_whatever_is_escaped_is_one_line_of_visible_characters(text: str) -> None:
    shown = escape_text(text)

    assert shown.isprintable()
    assert not INVISIBLE.search(shown)
    assert len(shorten(text)) <= 62
    assert shorten(text).isprintable()
    if text.isprintable() and not INVISIBLE.search(text):
        assert shown == text


def test_what_cannot_be_seen_is_spelt_and_letters_stay() -> None:
    assert escape_text("\x1b[2J\r\n\x9b\u202e\u3164\ud800\U000e0001") == (
        "\\x1b[2J\\r\\n\\x9b\\u202e\\u3164\\ud800\\U000e0001"
    )
    for name in ("Zoë", "Ёлка", "李", "नमस्ते", "😀", 'a "b" \\'):
        assert escape_text(name) == name


def test_names_are_one_players_if_they_differ_in_spelling_alone() -> None:
    assert (
        fold_name(" Zoe\u0308 ", "exact") == fold_name("Zoë", "exact") != fold_name("ZOË", "exact")
    )
    assert fold_name("ZOE\u0308", "casefold") == fold_name("zoë", "casefold")
    assert fold_name("J\u030c", "casefold") == fold_name("\u01f0", "casefold")


@given(one=TEXTS, match=st.sampled_from(["exact", "casefold"]))
@try_many(500)
def test_what_names_have_in_common_does_not_depend_on_their_form(one: str, match: str) -> None:
    forms = {unicodedata.normalize(form, one) for form in ("NFC", "NFD")} | {
        f" {one} ",
        clean_name(one),
    }

    assert len({fold_name(form, match) for form in forms}) == 1


@pytest.mark.parametrize("pattern", ["(a+)+", r"(\w+\s?)+", "(?:[A-Z]+)*x", ".*.*.*.*x", "(я|я)+"])
def test_a_pattern_that_never_ends_is_found_out(pattern: str) -> None:
    assert is_slow(re.compile(pattern))


@pytest.mark.parametrize(
    "pattern",
    ["[A-Za-z0-9_]{3,16}", r"\w{1,48}", r"[^\W_](?:[ ._-]?[^\W_]){0,47}", ".*", "Bob|Eve"],
)
def test_a_pattern_as_people_write_them_is_not(pattern: str) -> None:
    assert not is_slow(re.compile(pattern))


# The way of a vote.


CLAIMS = """
[[rules]]
on = "server.vote"
give = [
  { reward = "gold", amount = "1.00" },
  { reward = "claim", payload = { command = "give {nickname} diamond 1", to = "{nickname}" } },
]
[[rules]]
on = "level_up"
give = [{ reward = "gold", amount = "1.00" }]
"""
CREATE = '[players]\nunknown = "create"\n'


@on_sqlite
@pytest.mark.parametrize("match", ["exact", "casefold"])
def test_whatever_comes_in_a_claim_is_its_template_and_a_player_has_an_allowed_name(
    open_service: Open, match: str
) -> None:
    guerdon = open_service(CLAIMS, more=f'{CREATE}match = "{match}"\n')
    names, number = guerdon.config.players.names, 0

    @given(nicknames=st.lists(TEXTS, min_size=1, max_size=3), uid=TEXTS)
    @example(nicknames=["Bob 0\nop Mallory"], uid=" u1")
    @example(nicknames=["Bob netherite_block 64", "@a"], uid="u1")
    @example(nicknames=["{nickname}", "{event_id}"], uid="U1")
    @try_many(250)
    def pay(nicknames: list[str], uid: str) -> None:
        nonlocal number
        number += 1
        events = [
            Event("gamemonitoring", "server.vote", f"v{number}-{place}", "1", nickname or uid)
            for place, nickname in enumerate(nicknames)
        ]
        events.append(Event("game-server", "level_up", f"l{number}", "1", user_id=uid))
        outcomes = guerdon.settler.settle([Work([event]) for event in events])
        for event, outcome in zip(events, outcomes, strict=True):
            assert outcome.state in ("settled", "waiting")
            assert outcome.reason.isprintable()
            if outcome.state == "settled":
                asked = event.nickname or event.user_id
                [player] = {grant.player for grant in outcome.grants}
                assert fold_name(player.nickname, match) == fold_name(asked, match)

    pay()
    with guerdon.database.connection_context():
        made = [row.nickname for row in OwnPlayer.select()]
        payloads = [row.payload for row in Claim.select()]
    assert [name for name in made if read(names, name) != name] == []
    assert len({fold_name(name, match) for name in made}) == len(made)
    assert len(made) > 5
    assert len(payloads) > 5
    for payload in payloads:
        assert re.fullmatch(
            r'\{"command":"give ([A-Za-z0-9_.-]{1,48}) diamond 1","to":"\1"\}', payload
        )


@pytest.mark.parametrize("unknown", ["fail", "hold", "create"])
def test_a_vote_with_a_refused_nickname_waits_with_the_reason_and_is_paid_to_nobody(
    open_service: Open, vote_api: Any, unknown: str
) -> None:
    guerdon = open_service(CLAIMS, more=f'[players]\nunknown = "{unknown}"\n')
    hostile = ["Bob 0\nop Mallory", "\u200bBob", "Bob\u202e", "\ufeff", "Bob\0"]
    vote_api.nickname = lambda id: hostile[int(id[1:])]

    replies = [post_vote(guerdon, f"v{number}") for number in range(len(hostile))]

    assert {reply.status_code for reply in replies} == {204 if unknown == "hold" else 503}
    for number, name in enumerate(hostile):
        event = get_v1(guerdon, f"/events/server.vote/v{number}")
        assert event["state"] == "waiting"
        assert event["last_error"].startswith(f"{shorten(name)} is no nickname: it holds")
    with guerdon.database.connection_context():
        assert [row.nickname for row in OwnPlayer.select()] == ["Bob"]
        assert Claim.select().count() == 0


def test_a_vote_that_earns_nothing_waits_too_if_its_nickname_is_refused(
    open_service: Open, vote_api: Any
) -> None:
    """No ledger, no reporter and no page is given such a name as one that somebody has."""
    guerdon = open_service("")
    vote_api.nickname = lambda id: {"v1": "Bob\x1b[2J", "v2": "Somebody"}[id]

    assert [post_vote(guerdon, id).status_code for id in ("v1", "v2")] == [503, 204]


def test_spellings_of_one_name_make_one_player(open_service: Open, vote_api: Any) -> None:
    guerdon = open_service(
        CLAIMS.replace('command = "give {nickname} diamond 1", ', ""), more=CREATE
    )
    spellings = ["é", "e\u0301", " é ", "\u00e9\u2003"]
    vote_api.nickname = lambda id: spellings[int(id[1:])]

    assert {post_vote(guerdon, f"v{number}").status_code for number in range(4)} == {204}

    assert get_v1(guerdon, "/players/e\u0301")["gold"] == "4.00"
    with guerdon.database.connection_context():
        assert [row.nickname for row in OwnPlayer.select().order_by(OwnPlayer.id)] == ["Bob", "é"]
        assert {row.payload for row in Claim.select()} == {'{"to":"é"}'}
