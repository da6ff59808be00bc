"""Sites that post signed votes: each preset's own request, and what could be made of it by strangers."""

import hmac
import json
import re
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from app.guerdon import Guerdon
from app.porch.errors import ConfigError
from app.testing.clock import Clock
from app.testing.contracts.source import Signed, SourceContract
from plugins import vote_sites
from tests.plugins.sites import (
    FOLDER,
    NOW,
    RULES,
    SECRET,
    Sites,
    hash_text,
    read_presets,
    sign_body,
)

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PRESETS = read_presets("vote_sites")
HOUR = 3600


def write_site(name: str, *lines: str) -> str:
    said = ['preset = "gameserverlist"\nunsigned_voter = true'] if name == "gameserverlist" else []
    said = said or ([f'preset = "{name}"'] if name in PRESETS else [])
    return "\n".join(
        [f"[plugins.vote_sites.sites.{name}]", f'secret = "{SECRET}"', *said, *lines, ""]
    )


ALL = "[plugins.vote_sites]\n" + "".join(write_site(name) for name in PRESETS)


@pytest.fixture
def sites(open_service: Callable[..., Guerdon], clock: Clock) -> Sites:
    return Sites(open_service, clock, ALL)


def write_json(name: str, fields: Any, header: str = "", **more: str) -> dict[str, Any]:
    """A request whose header has the HMAC of its body, or the bare secret."""
    body = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()
    header = header or PRESETS[name].get("header", "")
    signed = sign_body(body) if PRESETS[name].get("signed") else SECRET
    given = {header: PRESETS[name].get("prefix", "") + signed} if header else {}
    return {"path": f"vote_sites/{name}", "data": body, "headers": {**given, **more},
            "content_type": "application/json"}  # fmt: skip


def write_form(name: str, **fields: str) -> dict[str, Any]:
    return {"path": f"vote_sites/{name}", "data": fields}


HYTALE = {"hytale_username": "Player123", "timestamp": 1700000000000, "server_slug": "abcdefg",
          "vote_id": "abc123def456"}  # fmt: skip
CHARTS = {"event": "vote", "voter": {"username": "Player123"}, "server_id": 31}
TOP = {"event": "vote", "serverId": "ckv1", "voteId": "ckv2", "player": "Pseudo123",
       "votedAt": "2026-06-22T03:00:00.000Z"}  # fmt: skip
GAME = {"event": "vote", "server_id": 12345, "server_key": "k", "timestamp": "2023-11-14T22:13:20Z",
        "voter": {"steam_id": "76561198012345678", "username": "Bob", "ip": "192.0.2.1"}}  # fmt: skip
VOTES: dict[str, tuple[dict[str, Any], tuple[Any, ...]]] = {
    "hytale-servers": (
        write_json("hytale-servers", HYTALE),
        ("abcdefg", "Player123", "", NOW * 1000),
    ),
    "hytalecharts": (
        write_json("hytalecharts", CHARTS) | {"headers": {
            "X-HytaleCharts-Timestamp": "1700000000",
            "X-HytaleCharts-Signature":
                "sha256=3da9b09338ce675da5c646d8dd98551acb894f094c67f721dde1fb516741bcec",
        }},
        ("31", "Player123", "", NOW * 1000),
    ),
    "top-server": (write_json("top-server", TOP), ("ckv1", "Pseudo123", "", 1782097200000)),
    "gameserverlist": (
        write_json("gameserverlist", {**GAME, "signature": sign_body(b"123452023-11-14T22:13:20Z")}),
        ("12345", "Bob", "76561198012345678", NOW * 1000),
    ),
    "xenforo": (
        write_json("xenforo", {"hash": hash_text("md5", f"{SECRET}_Bob_{NOW}"), "username": "Bob",
                               "user_id": 123, "vote_date": NOW, "vote_weight": 1}),
        ("", "Bob", "", NOW * 1000),
    ),
    "votepipe": (
        write_json("votepipe", {"event": "vote", "vote_id": "vt_550e8400", "voter_name": "Bob",
                                "provider": "hytalecharts", "received_at": "2023-11-14T22:13:20.5Z"}),
        ("", "Bob", "", NOW * 1000 + 500),
    ),
    "bestmine": (
        write_json("bestmine", {"type": "vote", "project_id": 123, "username": "Bob",
                                "timestamp": NOW * 1000, "signature": "its own"}),
        ("123", "Bob", "", NOW * 1000),
    ),
    "serversminecraft": (
        write_form("serversminecraft", username="Bob", time=f"{NOW}",
                   sign="35aef502d1aa0c522e10c7019d7d3fb7") | {"content_type": "multipart/form-data"},
        ("", "Bob", "", NOW * 1000),
    ),
    "mineserv": (
        write_form("mineserv", project="42", username="Bob", timestamp=f"{NOW}",
                   signature="32719d44de96c521937ef12bfa5c15847fe867b82b852b9043cd25992b9c06dc"),
        ("42", "Bob", "", NOW * 1000),
    ),
    "hotmc": (
        write_form("hotmc", nick="Bob", time=f"{NOW}", sign="d36a11b0c2a6d67f6191291afd92d2d6f55c3da2"),
        ("", "Bob", "", NOW * 1000),
    ),
    "topcraft": (
        write_form("topcraft", username="Bob", timestamp=f"{NOW}",
                   signature="d36a11b0c2a6d67f6191291afd92d2d6f55c3da2"),
        ("", "Bob", "", NOW * 1000),
    ),
    "minecraftrating": (
        write_form("minecraftrating", username="Bob", timestamp=f"{NOW}",
                   signature="d36a11b0c2a6d67f6191291afd92d2d6f55c3da2"),
        ("", "Bob", "", NOW * 1000),
    ),
    "mctop": (
        write_form("mctop", nickname="Bob", token="961806cf7810156177997a7e51d5bd8e"),
        ("", "Bob", "", None),
    ),
    "discordbotlist": (
        write_json("discordbotlist", {"admin": False, "avatar": "a", "username": "Bob", "id": "Bob"}),
        ("", "", "Bob", None),
    ),
    "discords": (
        write_json("discords", {"user": "Bob", "bot": "264", "type": "vote", "votes": {
            "totalVotes": 9, "votesMonth": 3, "hasVoted": ["157598993298227211"] * 20_000}}),
        ("264", "", "Bob", None),
    ),
    "infinity": (
        write_json("infinity", {"botID": "264", "userID": "Bob", "userName": "bob", "type": "vote"}),
        ("264", "", "Bob", None),
    ),
    "discordlist": (
        write_json("discordlist", {"site": "discordlist.space", "bot": "508", "timestamp": NOW * 1000,
                                   "user": {"id": "Bob", "username": "bob"}}),
        ("508", "", "Bob", NOW * 1000),
    ),
    "discollab": (
        write_json("discollab", {"guild_id": "77", "user_id": "Bob", "username": "bob", "times_voted": 5,
                                 "voted_on": "14/11/2023", "voted_on_iso": "2023-11-14T22:13:20.000Z",
                                 "is_test": False}),
        ("77", "", "Bob", NOW * 1000),
    ),
}  # fmt: skip


def test_it_works(sites: Sites) -> None:
    """Each preset is paid by its site's own request, once, whatever comes again, and answered by 200."""
    for name, (request, _) in VOTES.items():
        for _ in range(2):
            assert sites.call(**request) == (200, "OK"), name

    known = {event[0].rpartition(":")[2]: event for event in sites.events if event[5]}
    assert set(known) == set(VOTES) == set(PRESETS)
    for name, (_, expected) in VOTES.items():
        assert tuple(known[name][1:5]) == expected, name
        assert json.loads(known[name][6]) == {"site": name}


def test_the_vectors_are_signed_as_the_sites_sign() -> None:
    """Those of the hashes stand above in full; these are made here, and have to be the same."""
    for name, signature in (
        ("hytale-servers", "689c542338120dc26bc92843fa8d6347244a20eabfd975a6610f80ac8e3bdc1d"),
        ("top-server", "sha256=011d8bc381e9b5cc78927937f6aba40d6c43ed5b9403c70a56f18656dc14e213"),
    ):
        assert VOTES[name][0]["headers"][PRESETS[name]["header"]] == signature


@on_sqlite
@pytest.mark.parametrize("name", VOTES)
def test_what_is_not_signed_so_is_refused_and_nothing_of_it_is_kept(
    name: str, open_service: Callable[..., Guerdon], clock: Clock
) -> None:
    sites = Sites(open_service, clock, ALL)
    request, preset = VOTES[name][0], PRESETS[name]
    wrongs: list[dict[str, Any]] = []
    if "header" in preset:
        for wrong in ("", "0" * 64, "S3cret", "sha256=", "Bearer ", "Bearer Bearer s3cret", "\xfc"):
            headers = {**request["headers"], preset["header"]: wrong}
            wrongs.append({**request, "headers": headers})
        wrongs.append({**request, "headers": {}})
    else:
        field = preset["signature"]
        is_form = isinstance(request["data"], dict)
        body = request["data"] if is_form else json.loads(request["data"])
        for wrong in ("", "0" * 64, body[field][:-1], body[field] + "0", "\xfc"):
            changed = {**body, field: wrong}
            wrongs.append({**request, "data": changed if is_form else json.dumps(changed)})
        rest = {key: value for key, value in body.items() if key != field}
        wrongs.append({**request, "data": rest if is_form else json.dumps(rest)})

    for one in wrongs:
        assert sites.call(**one)[0] in (400, 401), one
    assert (sites.books.events, sites.books.waiting) == ([], {})


@on_sqlite
def test_where_nothing_stands_between_name_and_time_one_reading_of_them_is_paid(
    sites: Sites,
) -> None:
    """The signature of ("Bob", time) is that of ("Bob1", the rest of it), and of ("Bo", "b17...")."""
    text = f"Bob{NOW}"
    sign = hash_text("sha1", text + SECRET)
    for cut in range(1, len(text)):
        form = write_form("topcraft", username=text[:cut], timestamp=text[cut:], signature=sign)
        assert sites.call(**form)[0] == (200 if cut == 3 else 400), text[:cut]
    assert sites.books.grants == 1

    for name, cut in (("Ann0", 3), ("Ann20231114", 3), ("Ann170", 3), ("Ann17", 3)):
        text = f"{name}{NOW}"
        form = write_form("topcraft", username=text[:cut], timestamp=text[cut:],
                          signature=hash_text("sha1", text + SECRET))  # fmt: skip
        assert sites.call(**form)[0] in (400, 401), name
    assert sites.books.grants == 1


@on_sqlite
def test_both_readings_of_a_signature_have_one_key(
    open_service: Callable[..., Guerdon], clock: Clock
) -> None:
    """Were both of them times that are near enough, only the first would be paid."""
    sites = Sites(
        open_service, clock, "[plugins.vote_sites]\n" + write_site("topcraft", "max_age = 0")
    )
    text = "Bob170" + f"{NOW}"
    for cut in (6, 3):
        form = write_form("topcraft", username=text[:cut], timestamp=text[cut:],
                          signature=hash_text("sha1", text + SECRET))  # fmt: skip
        assert sites.call(**form)[0] == 200

    assert len(sites.books.events) + len(sites.books.waiting) == 1


@on_sqlite
def test_a_time_that_is_not_near_now_is_refused_where_it_keeps_readings_apart(sites: Sites) -> None:
    for away in (-25 * HOUR, 25 * HOUR):
        stamp = f"{NOW + away}"
        form = write_form(
            "hotmc", nick="Bob", time=stamp, sign=hash_text("sha1", f"Bob{stamp}{SECRET}")
        )
        status, reason = sites.call(**form)
        assert (status, "is the clock right?" in reason) == (401, True)
    stamp = f"{NOW - 23 * HOUR}"
    form = write_form(
        "hotmc", nick="Bob", time=stamp, sign=hash_text("sha1", f"Bob{stamp}{SECRET}")
    )
    assert sites.call(**form)[0] == 200


@on_sqlite
def test_separators_within_a_name_make_no_second_reading(sites: Sites) -> None:
    pairs = (
        ("serversminecraft", "username", "time", "sign", "md5", f"Bob|1|{NOW}|{SECRET}",
         ("Bob", f"1|{NOW}"), ("Bob|1", f"{NOW}")),
        ("xenforo", "username", "vote_date", "hash", "md5", f"{SECRET}_Bob_1_{NOW}",
         ("Bob", f"1_{NOW}"), ("Bob_1", f"{NOW}")),
        ("mineserv", "username", "timestamp", "signature", "sha256", f"42.{SECRET}.{NOW}.1.Bob",
         ("Bob", f"{NOW}.1"), ("1.Bob", f"{NOW}")),
    )  # fmt: skip
    for name, who, when, field, digest, text, forged, right in pairs:
        for (nickname, time), statuses in ((forged, (400, 401)), (right, (200,))):
            form = {who: nickname, when: time, field: hash_text(digest, text), "project": "42"}
            assert sites.call(**write_form(name, **form))[0] in statuses, (name, nickname)


@on_sqlite
def test_what_a_site_does_not_sign_makes_no_second_vote(sites: Sites) -> None:
    """XenForo signs the name and the time: with another user_id it is the same vote, and as heavy."""
    body = json.loads(VOTES["xenforo"][0]["data"])
    for user_id in (123, 124, "125"):
        changed = write_json("xenforo", {**body, "user_id": user_id, "vote_weight": 100})
        assert sites.call(**changed)[0] == 200

    assert (len(sites.events), sites.events[0][3]) == (1, "")


@on_sqlite
def test_a_lengthened_hash_is_no_name(sites: Sites) -> None:
    """Whoever can go on with a hash of sha256 has zeros in the name."""
    for odd in ("Bob\x80\0\0\x01admin", "Bob\n", "\x7fBob"):
        form = write_form("mineserv", project="42", username=odd, timestamp=f"{NOW}",
                          signature=hash_text("sha256", f"42.{SECRET}.{NOW}.{odd}"))  # fmt: skip
        assert sites.call(**form)[0] == 400
    assert sites.books.waiting == {}


def test_a_site_without_ids_pays_once_in_a_while_and_each_by_itself(sites: Sites) -> None:
    for name in ("mctop", "discordbotlist", "discords", "infinity"):
        assert sites.call(**VOTES[name][0])[0] == 200
    for wait, paid in (
        (0, 4),
        (HOUR, 4),
        (4 * HOUR, 4),
        (2 * HOUR, 7),
        (12 * HOUR, 10),
        (HOUR, 11),
    ):
        sites.clock.advance(wait)
        for name in ("mctop", "discordbotlist", "discords", "infinity"):
            assert sites.call(**VOTES[name][0])[0] == 200
        assert sites.books.grants == paid, f"{wait} s later"


@on_sqlite
def test_retries_of_hytalecharts_with_another_timestamp_are_one_vote(sites: Sites) -> None:
    for stamp in (NOW, NOW + 1, NOW + 5):
        body = json.dumps(CHARTS).encode()
        signed = sign_body(f"{stamp}.".encode() + body)
        headers = {"X-HytaleCharts-Timestamp": f"{stamp}", "X-HytaleCharts-Signature": signed}
        assert sites.call("vote_sites/hytalecharts", data=body, headers=headers)[0] == 200
    headers["X-HytaleCharts-Timestamp"] = f"{NOW}"
    assert sites.call("vote_sites/hytalecharts", data=body, headers=headers)[0] == 401

    assert [event[5] for event in sites.events] == [1, 0, 0]


TESTS = {
    "top-server": {"event": "TEST"}, "hytalecharts": {"event": "test"}, "discords": {"type": "test"},
    "infinity": {"type": "TEST"}, "discollab": {"is_test": True}, "bestmine": {"type": "test"},
    "votepipe": {"event": "test"},
}  # fmt: skip


def change(name: str, **fields: Any) -> dict[str, Any]:
    changed = write_json(name, {**json.loads(VOTES[name][0]["data"]), **fields})
    if name == "hytalecharts":
        signed = sign_body(b"1700000000." + changed["data"])
        changed["headers"] = {
            "X-HytaleCharts-Timestamp": "1700000000",
            "X-HytaleCharts-Signature": signed,
        }
    return changed


@on_sqlite
def test_a_test_is_answered_as_done_and_pays_nothing(sites: Sites) -> None:
    for name, fields in TESTS.items():
        assert sites.call(**change(name, **fields)) == (200, "OK"), name

    assert (sites.books.events, sites.books.waiting) == ([], {})


@on_sqlite
def test_what_is_no_vote_is_answered_as_done_and_pays_nothing(sites: Sites) -> None:
    for name in ("top-server", "hytalecharts", "discords", "votepipe", "bestmine"):
        kind = PRESETS[name]["type"]
        assert sites.call(**change(name, **{kind: "review"})) == (200, "OK"), name

    assert (sites.books.events, sites.books.waiting) == ([], {})


@on_sqlite
def test_hostile_fields_are_refused_by_name(sites: Sites) -> None:
    odd: tuple[Any, ...] = ([], {}, True, 1.5, "x" * 256, "a\0b", "\ud800", " ", ["Bob"])
    for name, field in (
        ("hytale-servers", "hytale_username"), ("hytale-servers", "vote_id"),
        ("top-server", "voteId"), ("bestmine", "username"), ("discollab", "times_voted"),
        ("discords", "user"), ("votepipe", "vote_id"),
    ):  # fmt: skip
        for value in odd:
            body = json.loads(VOTES[name][0]["data"]) | {field: value}
            raw = json.dumps(body).encode()
            request = write_json(name, {}) | {"data": raw}
            if PRESETS[name].get("signed"):
                prefix = PRESETS[name].get("prefix", "")
                request["headers"] = {PRESETS[name]["header"]: prefix + sign_body(raw)}
            status, reason = sites.call(**request)
            assert (status, field in reason) == (400, True), (name, field, value, reason)
    assert sites.books.waiting == {}


@on_sqlite
def test_nobody_gets_a_field_in_that_no_preset_asks_for(sites: Sites) -> None:
    form = VOTES["topcraft"][0]["data"]
    extra = {"": "999", "user_id": "999", "server": "9", "server_id": "9", "type": "test"}
    assert sites.call(**write_form("topcraft", **form, **extra))[0] == 200

    assert tuple(sites.events[0][1:4]) == ("", "Bob", "")


@on_sqlite
def test_a_form_may_stand_in_the_query_and_the_first_of_a_name_counts(sites: Sites) -> None:
    query = f"username=Bob&username=Eve&timestamp={NOW}&signature={VOTES['topcraft'][0]['data']['signature']}"

    assert sites.call(f"vote_sites/topcraft/?{query}")[0] == 200
    assert sites.events[0][2] == "Bob"


@on_sqlite
def test_there_is_one_way_in_to_each_site(sites: Sites) -> None:
    data = VOTES["mctop"][0]["data"]

    for path in (
        "vote_sites",
        "vote_sites/",
        "vote_sites/nobody",
        "vote_sites/mctop/more",
        "vote_sites//mctop",
    ):
        assert sites.call(path, data=data)[0] == 404
    assert sites.call("vote_sites/mctop", "GET", query_string=data)[0] in (404, 405)
    assert sites.call("vote_sites/hotmc", data=data)[0] in (400, 401), "another site's"
    assert sites.call("vote_sites/mctop/", data=data)[0] == 200


@on_sqlite
def test_senders_may_be_named_beside_a_secret(
    open_service: Callable[..., Guerdon], clock: Clock
) -> None:
    section = "[plugins.vote_sites]\n" + write_site("mctop", 'senders = ["192.0.2.7"]')
    sites = Sites(open_service, clock, section)

    assert sites.call(**VOTES["mctop"][0]) == (403, "127.0.0.1 is none of this site's senders")
    from_there = {"environ_base": {"REMOTE_ADDR": "192.0.2.7"}}
    assert sites.call(**VOTES["mctop"][0], **from_there)[0] == 200


BY_HAND = """
[plugins.vote_sites.sites.mine]
secret = "s3cret"
header = "X-Sign"
digest = "sha1"
signed = "{timestamp}.{body}"
timestamp = "X-Time"
nickname = "who.name"
time = "when"
server_id = "survival"
id = ["no"]
type = "what"
votes = ["voted"]
tests = ["dry"]
"""


@on_sqlite
def test_a_site_nobody_knows_is_said_by_hand(
    open_service: Callable[..., Guerdon], clock: Clock
) -> None:
    sites = Sites(open_service, clock, BY_HAND)
    for what, number in (("voted", 7), ("dry", 8), ("left", 9)):
        body = json.dumps(
            {"what": what, "no": number, "who": {"name": "Bob"}, "when": NOW}
        ).encode()
        signed = hmac.digest(b"s3cret", b"12." + body, "sha1").hex()
        assert (
            sites.call("vote_sites/mine", data=body, headers={"X-Sign": signed, "X-Time": "12"})[0]
            == 200
        )

    assert [event[:5] for event in sites.events] == [("7:mine", "survival", "Bob", "", NOW * 1000)]


WHOLE = 'secret = "s"\nheader = "H"\nnickname = "n"\nid = ["i"]'
FAULTS = {
    'preset = "hytale-server"\nsecret = "s"': 'preset: is none of .*did you mean "hytale-servers"?',
    'preset = "hytale-servers"': r"\[sites.x\] secret: is missing: set secret = { env = \"NAME\" }",
    'preset = "hytale-servers"\nsecret = { env = "NOBODY" }': "secret: the environment variable NOBODY",
    'preset = "mctop"\nsecret = "s"\nnot_within = "1 day"': "not_within: must be a whole number",
    'preset = "mctop"\nsecret = "s"\nnot_within = 9999999': "not_within",
    'preset = "mctop"\nsecret = "s"\nnicknam = "n"': 'nicknam: .*; did you mean "nickname"',
    'preset = "gameserverlist"\nsecret = "s"': "unsigned_voter: .*Set it to true",
    'secret = "s"\nnickname = "n"\nid = ["i"]': "header: is missing: name the header, or by `signature`",
    'secret = "s"\nheader = "H"\nid = ["i"]': "nickname: is missing",
    'secret = "s"\nheader = "H"\nnickname = "n"': "id: is missing: name the fields .* not_within",
    f'{WHOLE}\nsigned = "body"': 'signed: must be as "{body}"',
    f'{WHOLE}\nsigned = "{{x}}{{body}}"': "signed: must be as",
    f'{WHOLE}\nsigned = "{{timestamp}}{{body}}"': "timestamp: is missing",
    'secret = "s"\nheader = "H"\nnickname = "n"\ntime = "t"\nsigned = "{t}{secret}"': "unsigned_voter: ",
    f'{WHOLE}\ndigest = "sha3"': "digest: ",
}  # fmt: skip


@on_sqlite
@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_section_is_told_by_its_setting_and_what_to_do(
    fault: str, open_service: Callable[..., Guerdon]
) -> None:
    section = f"[plugins.vote_sites.sites.x]\n{fault}\n"

    with pytest.raises(ConfigError, match=rf"\[plugins.vote_sites\].*{FAULTS[fault]}"):
        open_service(more=section)


@on_sqlite
@pytest.mark.parametrize(
    "section", ["[plugins.vote_sites]\n", "[plugins.vote_sites]\nsites = {}\n"]
)
def test_a_section_without_sites_is_told_how_to_have_one(
    section: str, open_service: Callable[..., Guerdon]
) -> None:
    with pytest.raises(
        ConfigError, match=r"sites: is missing: a site is a section \[plugins.vote_sites.sites"
    ):
        open_service(more=section)


@on_sqlite
def test_a_rule_may_ask_for_the_source_and_the_site(
    open_service: Callable[..., Guerdon], clock: Clock
) -> None:
    asked = RULES.replace("give", 'source = "vote_sites"\nwhere = { site = "topcraft" }\ngive')
    sites = Sites(open_service, clock, ALL, asked)
    for name in ("topcraft", "hotmc"):
        assert sites.call(**VOTES[name][0])[0] == 200

    assert (sites.books.grants, len(sites.books.events)) == (1, 2)


def test_the_page_of_sources_tells_of_every_preset_and_setting() -> None:
    page = (FOLDER.parent / "docs" / "sources.md").read_text()
    part = page.split(": vote_sites\n")[1].split("\n## ")[0]
    for name, preset in PRESETS.items():
        assert re.search(rf"\| `{name}` \|.*\| {preset['sure']} \|\n", part), name
    settings = set(vote_sites.Site._declared_fields) - {"preset", "secret"}
    assert {one for one in settings if f"`{one}`" not in part} == set()


def test_the_docstring_says_how_sure_each_preset_is() -> None:
    told = " ".join((vote_sites.__doc__ or "").split())
    _, a, b, c = (part.rstrip(".").split(", ") for part in
                  told.replace(" A, as the", "|A, as the").replace(" B, as", "|B, as")
                  .replace(" C, as", "|C, as").split("|"))  # fmt: skip
    said = {one.split(": ")[-1].rstrip("."): sure for sure, part in zip("ABC", (a, b, c), strict=True)
            for one in part if one not in "ABC"}  # fmt: skip
    assert {name: preset["sure"] for name, preset in PRESETS.items()} == {
        name: sure for name, sure in said.items() if name in PRESETS
    }


@on_sqlite
class TestHytaleServers(SourceContract):
    plugin, path, reply = "vote_sites", "hytale-servers", 200
    section = "[plugins.vote_sites]\n" + write_site("hytale-servers")
    fields: ClassVar[Any] = {**HYTALE, "hytale_username": "Bob"}
    needs = ("vote_id", "hytale_username")

    def sign(self, body: bytes, is_forged: bool = False) -> dict[str, str]:
        return {"X-Webhook-Signature": sign_body(body, "another" if is_forged else SECRET)}


@on_sqlite
class TestVotePipe(SourceContract):
    """A bare secret; and what a test of it is."""

    plugin, path, reply, signs_body = "vote_sites", "votepipe", 200, False
    section = "[plugins.vote_sites]\n" + write_site("votepipe")
    fields: ClassVar[Any] = {
        "event": "vote",
        "vote_id": "vt_1",
        "voter_name": "Bob",
        "provider": "p",
    }
    needs = ("vote_id", "voter_name")
    test_fields: ClassVar[Any] = {"event": "test"}

    def sign(self, body: bytes, is_forged: bool = False) -> dict[str, str]:
        return {"Authorization": "Bearer " + ("another" if is_forged else SECRET)}


@on_sqlite
class TestXenForo(SourceContract):
    """A hash in the body; what it does not sign means nothing."""

    plugin, path, reply, signs_body = "vote_sites", "xenforo", 200, False
    section = "[plugins.vote_sites]\n" + write_site("xenforo")
    fields: ClassVar[Any] = {"username": "Bob", "vote_date": Clock().now // 1000}
    needs = ("username", "vote_date")

    def write_request(
        self, fields: Any, signed: Signed = Signed.RIGHTLY
    ) -> tuple[bytes, dict[str, str]]:
        secret = "another" if signed == Signed.FORGED else SECRET
        text = f"{secret}_{fields.get('username')}_{fields.get('vote_date')}"
        given = {} if signed == Signed.NOT else {"hash": hash_text("md5", ascii(text))}
        if text.isascii() and given:
            given = {"hash": hash_text("md5", text)}
        return json.dumps({**fields, **given}).encode(), {}
