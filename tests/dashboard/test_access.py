"""Who comes in, who may act, and what every answer says to browsers."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from app.config.dashboard import Dashboard, Role
from app.dashboard.addresses import is_own_path
from app.dashboard.building import build_dashboard
from app.dashboard.ended import MARK as ENDED
from app.dashboard.gate import HEADERS
from app.dashboard.keys import change_key
from app.dashboard.people import SESSION_LASTS, find_address, find_neighbours
from app.dashboard.signing_in import limiter
from app.dashboard.slots import PASSWORDS
from app.database.counter_models import Mark
from app.database.models import Waiting
from app.database.states import BoxState
from app.guerdon import Guerdon
from app.porch.fields import Secret
from app.testing.clock import Clock
from tests.dashboard.ledgers import Ledger, write_small
from tests.dashboard.screens import SCREENS
from tests.world.running_dashboards import HASH, PASSWORD, USERS, find_token

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.guerdon(more=USERS),
]
PROXIED = """
[dashboard]
proxies = ["10.1.0.0/16"]
user_header = "Remote-User"
header_users = [{ name = "anna", role = "act" }, { name = "luke", role = "look" }]
"""
ACTS = (
    "/event/retry", "/report/retry", "/acts/plan", "/act/start", "/act/stop", "/sign-out",
    "/reconciliation/compare", "/player/export", "/player/erase/plan", "/player/erase",
    "/claims/resolve",
)  # fmt: skip


def send(client: Any, page: str, path: str, fields: dict[str, str], **more: Any) -> Any:
    """POST a form with the token of a page."""
    token = find_token(client.get(page).text)
    return client.post(path, data={**fields, "csrf_token": token}, **more)


def sign_in(client: Any, name: str = "anna", password: str = PASSWORD) -> Any:
    client.delete_cookie("guerdon")
    return send(client, "/sign-in", "/sign-in", {"name": name, "password": password})


@pytest.fixture
def ledger(guerdon: Guerdon) -> Ledger:
    return write_small(guerdon)


def count_dead(guerdon: Guerdon) -> int:
    with guerdon.database.connection_context():
        return int(Waiting.select().where(Waiting.state == BoxState.DEAD).count())


def test_it_works(client: Any, guerdon: Guerdon, ledger: Ledger) -> None:
    """Signed in, a dead event is tried again by a form, and the page that follows says so."""
    answer = sign_in(client)
    assert (answer.status_code, answer.location) == (303, "/")
    page = SCREENS["stuck event"](ledger)

    answer = send(client, page, "/event/retry", {"type": ledger.type, "id": ledger.stuck})

    assert answer.status_code == 303
    assert "It is tried again at once." in client.get(answer.location).text
    assert count_dead(guerdon) == 1


@pytest.mark.parametrize("screen", SCREENS)
def test_a_stranger_is_asked_who_he_is_and_sees_nothing(
    client: Any, ledger: Ledger, screen: str
) -> None:
    path = SCREENS[screen](ledger)

    answer = client.get(path)

    assert answer.status_code == 302
    assert answer.location.startswith("/sign-in?next=")
    assert ledger.player not in client.get("/sign-in").text
    assert client.get(path, headers={"Part": "live"}).status_code == 401


@pytest.mark.parametrize("path", ACTS)
def test_nothing_is_done_for_a_stranger_nor_without_a_token(
    client: Any, guerdon: Guerdon, ledger: Ledger, path: str
) -> None:
    fields = {"type": ledger.type, "id": ledger.stuck}
    assert client.post(path, data=fields).status_code == 302  # to the form, and nothing done
    sign_in(client)

    assert client.post(path, data=fields).status_code == 400
    assert client.post(path, data={**fields, "csrf_token": "x"}).status_code == 400
    for site in ("cross-site", "same-site"):
        other = {"Sec-Fetch-Site": site}
        assert send(client, "/", path, fields, headers=other).status_code == 403

    assert count_dead(guerdon) == 2
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    ("page", "act"), [("stuck event", "/event/retry"), ("dead report", "/report/retry")]
)
def test_who_may_only_look_is_refused_where_it_acts(
    client: Any, guerdon: Guerdon, ledger: Ledger, page: str, act: str
) -> None:
    sign_in(client, "luke")
    shown = client.get(SCREENS[page](ledger))
    fields = {
        "type": ledger.type,
        "id": ledger.stuck if "event" in act else str(ledger.dead_report),
    }

    answer = send(client, "/", act, fields)

    assert act not in shown.text
    assert answer.status_code == 403
    assert "your role is" in answer.text
    assert count_dead(guerdon) == 2


def test_a_wrong_password_and_an_unknown_name_are_answered_alike(client: Any) -> None:
    def answer(name: str, password: str) -> tuple[int, str]:
        response = sign_in(client, name, password)
        return response.status_code, re.sub(r'value="[^"]*"', "", response.text)

    wrong = answer("anna", "another password")

    assert wrong == answer("nobody", PASSWORD) == answer("luke' OR 1=1", "") == answer("", "")
    assert wrong[0] == 403
    assert client.get("/").status_code == 302


def test_tries_are_limited_by_address_and_by_name(client: Any) -> None:
    def try_it(name: str, address: str) -> int:
        more = {"environ_base": {"REMOTE_ADDR": address}}
        return int(
            client.post("/sign-in", data={"name": name, "csrf_token": token}, **more).status_code
        )

    token = find_token(client.get("/sign-in").text)

    assert [try_it(f"n{number}", "10.0.0.1") for number in range(11)] == [403] * 10 + [429]
    tries = [try_it("anna", f"10.0.1.{number}") for number in range(21)]
    assert tries == [403] * 20 + [429]
    assert try_it("luke", "10.0.2.1") == 403
    limiter.reset()


def test_failed_tries_of_others_keep_nobody_out_of_a_browser_he_has_used(
    dashboard_app: Flask, client: Any
) -> None:
    def fail(name: str, address: str) -> int:
        fields, more = {"name": name, "password": "x"}, {"environ_base": {"REMOTE_ADDR": address}}
        return int(send(others, "/sign-in", "/sign-in", fields, **more).status_code)

    others = dashboard_app.test_client()
    sign_in(client)
    client.delete_cookie("guerdon")
    for number in range(21):
        fail("anna", f"10.0.1.{number}")
    for number in range(11):
        fail(f"n{number}", "127.0.0.1")
    assert (fail("anna", "10.0.9.9"), fail("luke", "127.0.0.1")) == (429, 429)

    assert sign_in(client, "luke").status_code == 429  # whom this browser does not know
    assert sign_in(client, "anna", "wrong").status_code == 403
    assert sign_in(client).status_code == 303
    client.delete_cookie("guerdon")
    tries = [sign_in(client, "anna", "wrong").status_code for _ in range(12)]
    assert 429 in tries  # it is no way to guess either


def test_as_many_passwords_are_checked_at_once_as_leave_threads_for_pages(client: Any) -> None:
    sign_in(client)
    stranger = client.application.test_client()
    send(client, "/about", "/sign-out", {})
    with PASSWORDS.take(), PASSWORDS.take():
        answer = sign_in(stranger)
        assert sign_in(client).status_code == 303  # a browser that is known is not in their line

    assert answer.status_code == 503
    assert "Others are at it just now" in answer.text
    assert sign_in(stranger).status_code == 303


def test_tries_are_counted_by_whom_they_come_from(dashboard_app: Flask) -> None:
    """Before all proxies that are believed, and of IPv6 by the network that one customer has."""

    def find(remote: str, said: str = "") -> str:
        with dashboard_app.test_request_context(
            headers={"X-Forwarded-For": said}, environ_base={"REMOTE_ADDR": remote}
        ):
            return find_address(dashboard)

    dashboard = Dashboard(proxies=("10.1.0.0/16", "2001:db8:1::/48"))
    assert find("10.2.0.1", "1.2.3.4") == "10.2.0.1"
    assert find("10.1.0.1", "9.9.9.9, 1.2.3.4") == "1.2.3.4"
    assert find("10.1.0.1", "9.9.9.9, 1.2.3.4, 10.1.0.2") == "1.2.3.4"
    assert find("::ffff:10.1.0.1", "1.2.3.4:5678") == "1.2.3.4"
    assert find("2001:db8:1::1", "[2001:db8::7]:443") == "2001:db8::7"
    for said in ("", "unknown", "1.2.3.4, <script>", "_hidden:1"):
        assert find("10.1.0.1", said) == "10.1.0.1"
    assert find_neighbours("2001:db8::7") == find_neighbours("2001:db8::ffff:1:2:3")
    assert find_neighbours("2001:db8:0:1::7") != find_neighbours("2001:db8::7")
    assert find_neighbours("::ffff:1.2.3.4") == find_neighbours("1.2.3.4") == "1.2.3.4"


def test_a_name_that_is_none_is_not_logged(client: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """It may be a password that was typed into the wrong field."""
    sign_in(client, "correct horse battery", "x")
    sign_in(client, "anna", "x")

    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [one["person"] for one in told if one["event"] == "not signed in"] == ["unknown", "anna"]


def test_a_session_ends_after_twelve_hours(client: Any, clock: Clock) -> None:
    sign_in(client)
    clock.advance(SESSION_LASTS / 1000 - 1)
    assert client.get("/about").status_code == 200

    clock.advance(2)

    assert client.get("/about").status_code == 302


def test_a_session_ends_everywhere_when_the_key_is_changed(
    dashboard_app: Flask, guerdon: Guerdon
) -> None:
    people = [dashboard_app.test_client(), dashboard_app.test_client()]
    for client in people:
        sign_in(client)
        assert client.get("/about").status_code == 200

    change_key(guerdon)

    assert [client.get("/about").status_code for client in people] == [302, 302]


def test_signing_out_ends_a_session_and_every_copy_of_its_cookie(
    dashboard_app: Flask, client: Any, guerdon: Guerdon, clock: Clock
) -> None:
    sign_in(client)
    copied, other = dashboard_app.test_client(), dashboard_app.test_client()
    copied.set_cookie("guerdon", client.get_cookie("guerdon").value)
    sign_in(other)
    assert copied.get("/about").status_code == 200

    answer = send(client, "/about", "/sign-out", {})

    assert answer.status_code == 303
    assert [one.get("/about").status_code for one in (client, copied, other)] == [302, 302, 200]
    clock.advance(SESSION_LASTS / 1000 + 1)
    sign_in(client)
    send(client, "/about", "/sign-out", {})
    with guerdon.database.connection_context():  # those that are over anyhow are not kept
        assert Mark.select().where(Mark.name.startswith(ENDED)).count() == 1


def test_who_signs_in_has_a_session_that_nobody_knew_before(
    dashboard_app: Flask, client: Any, ledger: Ledger
) -> None:
    """Neither its cookie, nor its token, nor another person's token."""
    before, token = dashboard_app.test_client(), find_token(client.get("/sign-in").text)
    before.set_cookie("guerdon", client.get_cookie("guerdon").value)
    client.post("/sign-in", data={"name": "anna", "password": PASSWORD, "csrf_token": token})
    sign_in(luke := dashboard_app.test_client(), "luke")
    fields = {"type": ledger.type, "id": ledger.stuck}

    assert before.get("/about").status_code == 302
    for known in (token, find_token(luke.get("/about").text)):
        answer = client.post("/event/retry", data={**fields, "csrf_token": known})
        assert answer.status_code == 400


def test_a_session_is_over_with_another_password_and_knows_the_role_of_now(
    client: Any, guerdon: Guerdon, ledger: Ledger
) -> None:
    def change(**changes: Any) -> None:
        anna, luke = known.users
        now = replace(known, users=(replace(anna, **changes), luke))
        guerdon.config = replace(guerdon.config, dashboard=now)

    known = guerdon.config.dashboard
    sign_in(client)
    page = SCREENS["stuck event"](ledger)
    assert "Try again now" in client.get(page).text

    change(role=Role.LOOK)
    assert "Try again now" not in client.get(page).text
    change(password=Secret(HASH[:-1] + "0", "another"))
    assert client.get(page).status_code == 302


def test_what_a_browser_may_do(client: Any) -> None:
    answers = [client.get("/sign-in"), client.get("/none"), sign_in(client), client.get("/")]
    for answer in answers:
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert answer.headers["Cache-Control"] == "no-store"
    cookie = answers[2].headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Secure" not in cookie
    static = re.search(r'href="(/static/[^"]*css[^"]*)"', answers[3].text)
    assert static
    with client.get(static[1]) as answer:
        assert "immutable" in answer.headers["Cache-Control"]


def test_with_https_the_cookie_is_for_this_host_and_https_alone(
    open_service: Callable[..., Guerdon],
) -> None:
    more = USERS.replace("[dashboard]", '[dashboard]\naddress = "https://ops.example"')
    client = build_dashboard(open_service(more=more)).test_client()

    cookie = client.get("/sign-in", base_url="https://ops.example").headers["Set-Cookie"]

    assert cookie.startswith("__Host-guerdon=")
    assert "; Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


@pytest.mark.guerdon(more=PROXIED)
def test_a_proxy_is_believed_at_its_address_alone(
    client: Any, guerdon: Guerdon, ledger: Ledger
) -> None:
    def ask(address: str, name: str) -> Any:
        return client.get(
            "/about", headers={"Remote-User": name}, environ_base={"REMOTE_ADDR": address}
        )

    assert "anna" in ask("10.1.2.3", "anna").text
    assert ask("10.2.2.3", "anna").status_code == 302
    assert ask("10.1.2.3", "Anna").status_code == 302
    assert ask("10.1.2.3", "anna,luke").status_code == 302
    assert "Password" not in client.get("/sign-in").text

    more: dict[str, Any] = {"headers": {}, "environ_base": {"REMOTE_ADDR": "10.1.2.3"}}
    more["headers"]["Remote-User"] = "anna"
    token = find_token(client.get(SCREENS["stuck event"](ledger), **more).text)
    fields = {"type": ledger.type, "id": ledger.stuck, "csrf_token": token}
    more["headers"]["Remote-User"] = "luke"
    assert client.post("/event/retry", data=fields, **more).status_code == 403
    more["headers"]["Remote-User"] = "anna"
    assert client.post("/event/retry", data=fields, **more).status_code == 303
    assert count_dead(guerdon) == 1


def test_a_link_from_elsewhere_is_asked_again_with_the_cookie(client: Any) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}

    answer = client.get("/event?type=server.vote&id=v1%22%3E", headers=link)

    assert answer.status_code == 200
    assert 'content="0; url=/event?type=server.vote&amp;id=v1%22%3E"' in answer.text
    answer = client.get(
        "/sign-in", headers=link
    )  # nor has it a new session in the place of one's own
    assert ("refresh" in answer.text, "Set-Cookie" in answer.headers) == (True, False)
    for path in ("/%5Cevil.example/", "/%09/evil.example", "/%5C%5Cevil.example"):
        answer = client.get(path, headers=link)
        assert (answer.status_code, "refresh" in answer.text) == (302, False)
        assert answer.location.startswith("/sign-in?")


def test_one_is_led_back_to_pages_of_ours_alone(client: Any) -> None:
    good = ["/", "/event?type=a&id=//b", "/player?name=%0d%0a"]
    bad = [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:x",
        "//[x",
        "/\\[x",
        "",
        "/a\r\nb",
    ]

    assert [is_own_path(path) for path in good] == [True] * 3
    assert [is_own_path(path) for path in bad] == [False] * 8
    answer = send(client, "/sign-in", "/sign-in?next=//evil.example",
                  {"name": "anna", "password": PASSWORD})  # fmt: skip
    assert answer.location == "/"


def test_a_refusal_is_a_page_with_the_way_back(client: Any, ledger: Ledger) -> None:
    sign_in(client)

    for path, status in (("/none", 404), ("/report?id=99", 404), ("/report?id=x", 404),
                         ("/leaderboards?unit=never", 404), ("/event/retry", 405)):  # fmt: skip
        answer = client.get(path)
        assert answer.status_code == status
        assert "To the first page" in answer.text
    answer = send(client, "/", "/event/retry", {"type": "none", "id": "none"})
    assert (answer.status_code, "No such event waits" in answer.text) == (409, True)
    answer = send(client, "/", "/report/retry", {"id": str(ledger.report)})
    assert (answer.status_code, "was delivered" in answer.text) == (409, True)
