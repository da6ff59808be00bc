"""Toplists that call: each preset's documented call, and what strangers and voters could make of it."""

import json
import re
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from app.guerdon import Guerdon
from app.porch.errors import ConfigError
from app.testing.clock import Clock
from app.testing.contracts.source import Signed, SourceContract
from plugins import pingbacks
from tests.plugins.sites import FOLDER, RULES, SECRET, Sites, read_presets

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PRESETS = read_presets("pingbacks")
HOUR = 3600
KEYS = (
    "gtop100",
    "arena-top100",
    "rsps-list",
    "gaming-toplist",
    "mmtop200",
    "rspslist",
    "rune-ad",
    "scapepulse",
)
ADDRESS = "192.0.2.7"  # stands for a name, which this test does not look up


def write_site(name: str, *lines: str) -> str:
    """A section; those who are known by a name are known by an address here."""
    said = [f'preset = "{name}"'] if name in PRESETS else []
    said += [f'key = "{SECRET}"'] if name in KEYS else []
    by_name = any(not one[0].isdigit() for one in PRESETS.get(name, {}).get("senders", []))
    said += [f'senders = ["{ADDRESS}", "2001:db8::/32"]'] if by_name else []
    return "\n".join([f"[plugins.pingbacks.sites.{name}]", *said, *lines, ""])


ALL = '[plugins.pingbacks]\nuser_id_column = "nickname"\n' + "".join(map(write_site, PRESETS))


@pytest.fixture
def sites(open_service: Callable[..., Guerdon], clock: Clock) -> Sites:
    return Sites(open_service, clock, ALL)


def write_call(
    path: str, method: str = "GET", sender: str = "203.0.113.9", **more: Any
) -> dict[str, Any]:
    return {
        "path": f"pingbacks/{path}",
        "method": method,
        "environ_base": {"REMOTE_ADDR": sender},
        **more,
    }


GTOP = {"VoterIP": "203.0.113.5", "Successful": "0", "Reason": "Successful vote", "pingUsername": "Bob",
        "pingbackkey": SECRET}  # fmt: skip
CALLS: dict[str, dict[str, Any]] = {
    "gtop100": write_call("gtop100", "POST", data=GTOP),
    "xtremetop100": write_call("xtremetop100?custom=Bob&votingip=203.0.113.5", sender="199.59.160.122"),
    "topg": write_call("topg?p_resp=Bob&ip=203.0.113.5", sender=ADDRESS),
    "arena-top100": write_call(f"arena-top100?secret={SECRET}&voted=1&userip=203.0.113.5&userid=Bob"),
    "rsps-list": write_call(
        "rsps-list", "POST", data={"secret": SECRET, "voted": "1", "userip": "203.0.113.5", "userid": "Bob"}
    ),
    "top100arena": write_call("top100arena?postback=Bob", sender=ADDRESS),
    "gaming-toplist": write_call(f"gaming-toplist/{SECRET}?gtl_resp=Bob&ip=203.0.113.5"),
    "mmtop200": write_call(
        "mmtop200", "POST", ADDRESS,
        data={"postback_password": SECRET, "uid": "Bob", "ip_addr": "203.0.113.5", "vote_counted": "1"},
    ),
    "ontop500": write_call("ontop500", "POST", ADDRESS, data={"custom": "Bob", "status": "True"}),
    "arenatop100": write_call("arenatop100", "POST", ADDRESS, json={"success": True, "userId": "Bob"}),
    "rspslist": write_call(f"rspslist?user_ip=203.0.113.5&user_id=Bob&api_key={SECRET}"),
    "rune-ad": write_call(
        "rune-ad", "POST", json={"server_id": 3, "vote_id": 77, "ip": "Bob", "created_at": "2023-11-14"},
        headers={"X-Toplist-Callback-Token": SECRET},
    ),
    "scapepulse": write_call(f"scapepulse/{SECRET}?uid=a1b2c3d4e5f6g7h8&voter_name=Bob"),
}  # fmt: skip


def test_it_works(sites: Sites) -> None:
    """Each documented call is paid once, at each site by itself, and answered by OK as soon as it is kept."""
    for name, call in CALLS.items():
        for _ in range(2):
            assert sites.call(**call) == (200, "OK"), name
            sites.clock.advance(1)

    paid = [event for event in sites.events if event[5]]
    assert [event[0].rpartition(":")[2] for event in paid] == list(CALLS) == list(PRESETS)
    assert {event[2] or event[3] for event in paid} == {"Bob"}
    assert {json.loads(event[6])["site"] for event in paid} == set(PRESETS)
    assert "203.0.113" not in str(sites.events), "nobody needs the voter's address"


def write_batch(*votes: Any, key: str = SECRET) -> dict[str, Any]:
    return write_call(
        "gtop100", "POST", json={"siteid": 7, "pingbackkey": key, "Common": list(votes)}
    )


def write_vote(name: Any, success: Any = 0, **more: Any) -> list[dict[str, Any]]:
    return [{"ip": "203.0.113.5"}, {"success": success}, {"reason": "ok"}, {"pb_name": name}, *(
        {key: value} for key, value in more.items())]  # fmt: skip


def test_a_request_of_gtop100_brings_several_votes_each_by_itself(sites: Sites) -> None:
    """Who failed, is nobody, is unknown or is nonsense holds nobody else."""
    batch = write_batch(
        write_vote("Bob"), write_vote("Eve", "0", pb_id=1), write_vote("Player123", 1),
        write_vote("nobody here"), write_vote(""),
        write_vote(["Bob"]), write_vote("x" * 300), write_vote("a\0b"), [], ["Bob"], "Bob", 7,
        [{"success": 0}], write_vote(None), {"success": 0, "pb_name": "Pseudo123"},
    )  # fmt: skip
    for _ in range(2):
        assert sites.call(**batch) == (200, "OK")
        sites.clock.advance(2)

    assert sorted(event[2] for event in sites.events if event[5]) == ["Bob", "Eve", "Pseudo123"]
    assert set(sites.books.waiting.values()) == {'no player is called "nobody here"'}


@on_sqlite
def test_a_batch_is_known_by_its_key(sites: Sites) -> None:
    for key in ("", "S3cret", "another"):
        assert sites.call(**write_batch(write_vote("Bob"), key=key))[0] == 401
    assert sites.call(**write_batch())[0] == 200
    assert (
        sites.call(
            **write_call("gtop100", "POST", json={"pingbackkey": SECRET, "Common": {"a": 1}})
        )[0]
        == 400
    )
    assert sites.books.events == []


FAILURES: dict[str, tuple[str, tuple[Any, ...]]] = {
    "gtop100": ("Successful", ("1", "", " ", "-1", "true", "00", "ok")),
    "arena-top100": ("voted", ("0", "", "false", "2")),
    "rsps-list": ("voted", ("0", "", "-1")),
    "mmtop200": ("vote_counted", ("0", "", "false", "no")),
    "ontop500": ("status", ("False", "false", "0", "")),
    "arenatop100": ("success", (False, 0, "", "false", None, [], {"a": 1}, 2)),
}


def change(name: str, **fields: Any) -> dict[str, Any]:
    """A site's call with other fields."""
    call = dict(CALLS[name])
    if "?" in call["path"]:
        path, query = call["path"].split("?")
        given = dict(one.split("=") for one in query.split("&"))
        return {**call, "path": path, "query_string": {**given, **fields}}
    kind = "json" if "json" in call else "data"
    return {**call, kind: {**call[kind], **fields}}


def test_what_a_site_did_not_count_is_answered_as_done_and_pays_nothing(sites: Sites) -> None:
    """0 is good at gtop100, and bad at all others."""
    assert set(FAILURES) == {name for name in PRESETS if "success" in PRESETS[name]}
    for name, (field, values) in FAILURES.items():
        for value in values:
            assert sites.call(**change(name, **{field: value})) == (200, "OK"), (name, value)

    assert (sites.books.events, sites.books.waiting) == ([], {})
    for name in FAILURES:
        assert sites.call(**CALLS[name]) == (200, "OK")
    assert sites.books.grants == len(FAILURES)


@on_sqlite
def test_a_missing_success_is_none(sites: Sites) -> None:
    for name, (field, _) in FAILURES.items():
        call = change(name)
        kind = next(one for one in ("query_string", "json", "data") if one in call)
        del call[kind][field]
        assert sites.call(**call) == (200, "OK")
    assert (sites.books.events, sites.books.waiting) == ([], {})


@on_sqlite
def test_a_call_without_the_key_is_refused(sites: Sites) -> None:
    fields = {name: PRESETS[name]["key_at"] for name in KEYS if "key_at" in PRESETS[name]}
    for name, field in fields.items():
        for wrong in ("", "S3cret", SECRET + "x", "\xfc", "x" * 300):
            assert sites.call(**change(name, **{field: wrong}))[0] in (400, 401), (name, wrong)
    for name in ("gaming-toplist", "scapepulse"):
        for wrong in ("", "/", "/another", f"/{SECRET}/more", f"/x/{SECRET}"):
            call = {**CALLS[name], "path": CALLS[name]["path"].replace(f"/{SECRET}", wrong)}
            assert sites.call(**call)[0] == 401, (name, wrong)
    for wrong in ({}, {"X-Toplist-Callback-Token": "another"}):
        assert sites.call(**{**CALLS["rune-ad"], "headers": wrong})[0] == 401
    assert (sites.books.events, sites.books.waiting) == ([], {})


@on_sqlite
def test_a_call_from_elsewhere_is_refused(sites: Sites) -> None:
    for name in PRESETS:
        if "senders" in PRESETS[name]:
            for sender in ("203.0.113.9", "127.0.0.1", "::1", "199.59.160.123"):
                elsewhere = {**CALLS[name], "environ_base": {"REMOTE_ADDR": sender}}
                assert sites.call(**elsewhere)[0] == 403, name
                forged = {
                    **elsewhere,
                    "headers": {"X-Forwarded-For": CALLS[name]["environ_base"]["REMOTE_ADDR"]},
                }
                assert sites.call(**forged)[0] == 403, "no proxy of ours said so"
    assert sites.books.events == []
    for sender in ("193.70.122.73", "2001:41d0:203:49::", "::ffff:199.59.160.122"):
        assert (
            sites.call(**{**CALLS["xtremetop100"], "environ_base": {"REMOTE_ADDR": sender}})[0]
            == 200
        )


@on_sqlite
def test_the_test_page_of_arena_top100_pays_nothing(sites: Sites) -> None:
    for name in ("arena-top100", "rsps-list"):
        assert sites.call(**change(name, secret="TEST")) == (200, "OK")
    assert sites.call(**change("rspslist", api_key="TEST"))[0] == 401
    assert (sites.books.events, sites.books.waiting) == ([], {})


@on_sqlite
def test_arena_top100_calls_by_get_and_by_post_and_is_paid_once(sites: Sites) -> None:
    fields = {"secret": SECRET, "voted": "1", "userip": "203.0.113.5", "userid": "Bob"}
    query = "&".join(f"{key}={value}" for key, value in fields.items())
    assert sites.call(**write_call(f"arena-top100?{query}"))[0] == 200
    assert sites.call(**write_call("arena-top100", "POST", data=fields))[0] == 200
    assert sites.call(**write_call(f"arena-top100?{query}", "POST", data=fields))[0] == 200

    assert sites.books.grants == 1


def test_a_site_without_ids_pays_again_when_one_may_vote_again(sites: Sites) -> None:
    """A rolling window, a little shorter than the site's: also across midnight, and for each voter alone."""
    windows = {
        name: preset["not_within"] for name, preset in PRESETS.items() if "not_within" in preset
    }
    assert set(PRESETS) - set(windows) == {"rune-ad", "scapepulse"}, "they have ids"
    for name in windows:
        assert sites.call(**CALLS[name])[0] == 200
    for wait, allowed in ((5 * HOUR, 5 * HOUR), (7 * HOUR, 12 * HOUR)):
        sites.clock.advance(wait)
        before = sites.books.grants
        for name in windows:
            assert sites.call(**CALLS[name])[0] == 200
        assert sites.books.grants - before == sum(window <= allowed for window in windows.values())
    assert sites.books.grants == 2 * len(windows)
    assert sites.call(**change("topg", p_resp="Eve"))[0] == 200
    assert sites.books.grants == 2 * len(windows) + 1


@on_sqlite
def test_a_site_with_ids_is_paid_once_for_each_for_ever(sites: Sites) -> None:
    for wait in (0, 1, 400 * 24 * HOUR):
        sites.clock.advance(wait)
        for name in ("rune-ad", "scapepulse"):
            assert sites.call(**CALLS[name])[0] == 200
    assert sites.books.grants == 2
    assert sites.call(**change("scapepulse", uid="another"))[0] == 200
    assert sites.call(**change("scapepulse", uid=""))[0] == 400, "it says no id"
    assert sites.books.grants == 3


@on_sqlite
def test_a_vote_by_nobody_is_answered_as_done_and_pays_nothing(sites: Sites) -> None:
    for name in PRESETS:
        for voter in ("", "  "):
            field = PRESETS[name]["voter"].split("|")[0]
            assert sites.call(**change(name, **{field: voter})) == (200, "OK"), name
    assert sites.call(**change("scapepulse", voter_name="anonymous")) == (200, "OK")
    assert (sites.books.events, sites.books.waiting) == ([], {})


@on_sqlite
def test_a_voter_who_edits_his_name_names_somebody_or_nobody(sites: Sites) -> None:
    """The name went out in a link: what comes back may be anything, and is one player's name or none."""
    for odd in ("a\0b", "a\nb", "x" * 256, "\x7f"):
        assert sites.call(**change("topg", p_resp=odd))[0] == 400, odd
    for odd in (
        "<script>",
        "'; DROP TABLE players; --",
        "../../etc",
        "Bob:topg",
        "%00",
        "{secret}",
        "\u202eboB",
    ):
        status, _ = sites.call(**change("topg", p_resp=odd))
        assert status in (200, 400), odd
    assert sites.books.grants == 0
    assert sites.call(**change("topg", p_resp="Bob"))[0] == 200
    assert sites.books.grants == 1


@on_sqlite
def test_there_is_one_way_in_to_each_site(sites: Sites) -> None:
    for path in ("", "nobody", "/topg", "topg2"):
        assert sites.call(**{**CALLS["topg"], "path": f"pingbacks/{path}?p_resp=Bob"})[0] == 404
    for method in ("PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"):
        assert sites.call(**{**CALLS["topg"], "method": method})[0] in (200, 404, 405)
    assert sites.books.events == []
    assert sites.call(**{**CALLS["topg"], "path": "pingbacks/topg/?p_resp=Bob"})[0] == 200


@on_sqlite
def test_no_cache_answers_for_us(sites: Sites) -> None:
    response = sites.client.get(f"/webhooks/pingbacks/rspslist?user_id=Bob&api_key={SECRET}")
    assert response.headers["Cache-Control"] == "no-store"


BY_HAND = """
[plugins.pingbacks.sites.mine]
key = "s3cret"
key_header = "X-Key"
senders = ["192.0.2.0/24"]
voter = "who.account"
voter_is = "user_id"
success = "ok"
counted = ["yes"]
id = "no"
server_id = "survival"
"""


@on_sqlite
def test_a_site_nobody_knows_is_said_by_hand(
    open_service: Callable[..., Guerdon], clock: Clock
) -> None:
    sites = Sites(open_service, clock, BY_HAND)
    body = {"no": 7, "ok": "YES", "who": {"account": "Bob"}}
    call = write_call("mine", "POST", ADDRESS, json=body, headers={"X-Key": SECRET})
    assert sites.call(**call) == (200, "OK")
    assert sites.call(**{**call, "headers": {}})[0] == 401
    assert sites.call(**{**call, "environ_base": {"REMOTE_ADDR": "203.0.113.9"}})[0] == 403

    assert [event[:5] for event in sites.events] == [("7:mine", "survival", "", "Bob", None)]


FAULTS = {
    'preset = "gtop10"\nkey = "s"': 'preset: is none of gtop100, .*did you mean "gtop100"',
    'preset = "gtop100"': "key: is missing, and so are `senders`: .*env = \"NAME\"",
    'preset = "scapepulse"': "key: is missing, .* put it behind the name in the address",
    'preset = "gtop100"\nkey = { env = "NOBODY" }': "key: the environment variable NOBODY is not set",
    'preset = "rune-ad"\nkey = "s"': "user_id_column: is missing: this site says only from which address",
    'key = "s"\nid = "i"': "voter: is missing",
    'key = "s"\nvoter = "v"': "id: is missing: .* not_within",
    'key = "s"\nvoter = "v"\nid = "i"\nsuccess = "ok"': "counted: is missing",
    'key = "s"\nvoter = "v"\nid = "i"\nvoter_is = "name"': "voter_is: ",
    'preset = "topg"\nserver = "1"': "server: is not a setting we know",
}  # fmt: skip


@on_sqlite
@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_section_is_told_by_its_setting_and_what_to_do(
    fault: str, open_service: Callable[..., Guerdon]
) -> None:
    with pytest.raises(ConfigError, match=rf"\[plugins.pingbacks\].*{FAULTS[fault]}"):
        open_service(more=f"[plugins.pingbacks.sites.x]\n{fault}\n")


@on_sqlite
def test_a_rule_may_ask_for_the_source_and_the_site(
    open_service: Callable[..., Guerdon], clock: Clock
) -> None:
    asked = RULES.replace("give", 'source = "pingbacks"\nwhere = { site = "topg" }\ngive')
    sites = Sites(open_service, clock, ALL, asked)
    for name in ("topg", "rspslist"):
        assert sites.call(**CALLS[name])[0] == 200

    assert (sites.books.grants, len(sites.books.events)) == (1, 2)


def test_the_page_of_sources_tells_of_every_preset_and_setting() -> None:
    page = (FOLDER.parent / "docs" / "sources.md").read_text()
    part = page.split(": pingbacks\n")[1].split("\n## ")[0]
    for name, preset in PRESETS.items():
        assert re.search(rf"\| `{name}` \|.*\| {preset['sure']} \|\n", part), name
    settings = set(pingbacks.Site._declared_fields) - {"preset", "secret"}
    assert {one for one in settings if f"`{one}`" not in part} == set()


def test_the_docstring_says_how_sure_each_preset_is() -> None:
    told = " ".join((pingbacks.__doc__ or "").split())
    documented, integrated = told.split("B, as several integrators do it: ")
    sure = dict.fromkeys(
        documented.split("as the site documents it: ")[1].rstrip(". ").split(", "), "A"
    )
    sure |= dict.fromkeys(integrated.rstrip(".").split(", "), "B")
    assert {name: preset["sure"] for name, preset in PRESETS.items()} == sure


@on_sqlite
class TestGtop100(SourceContract):
    """A key in the body, which signs nothing; what names nobody is answered as done."""

    plugin, path, reply, signs_body = "pingbacks", "gtop100", 200, False
    section = "[plugins.pingbacks]\n" + write_site("gtop100")
    fields: ClassVar[Any] = {"siteid": 7, "success": 0, "pb_name": "Bob"}

    def write_request(
        self, fields: Any, signed: Signed = Signed.RIGHTLY
    ) -> tuple[bytes, dict[str, str]]:
        key = "another" if signed == Signed.FORGED else SECRET
        given = {} if signed == Signed.NOT else {"pingbackkey": key}
        return json.dumps({**fields, **given}).encode(), {}
