"""Guerdon behind the nginx of deploy/nginx.conf, and what proxies say about a request."""

import json
import threading
from collections import Counter
from collections.abc import Iterator

import pytest
import requests

from app.testing.deliveries import API_KEY, make_delivery
from app.testing.vote_api import VoteApi
from tests.network.test_raw_sockets import Service, count, list_statuses
from tests.world.dashboards import USER_HEADERS, DashboardStandIn
from tests.world.nginx import Nginx

KEY = f"Authorization: Bearer {API_KEY}\r\n".encode()
END = b"Host: your.host\r\nConnection: close\r\n\r\n"


class Site:
    """The service, and nginx in front of it."""

    def __init__(self, service: Service, nginx: Nginx) -> None:
        self.service, self.nginx = service, nginx

    def vote(self, session: requests.Session, id: str, **headers: str) -> requests.Response:
        url, body = f"{self.nginx.url}/webhooks/gamemonitoring", make_delivery(id)
        certificate = str(self.nginx.certificate)
        return session.post(url, data=body, headers=headers, verify=certificate, timeout=30)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    vote_api, dashboard = VoteApi(), DashboardStandIn()
    service = Service(tmp_path_factory.mktemp("site"), vote_api)
    nginx = Nginx(tmp_path_factory.mktemp("nginx"), service.server.port, dashboard.port)
    nginx.start()
    yield Site(service, nginx)
    nginx.stop()
    service.server.stop()
    vote_api.close()
    dashboard.close()


def test_it_works(site: Site) -> None:
    with requests.Session() as session:
        answer = site.vote(session, "v1")
        assert (answer.status_code, answer.content) == (204, b"")
        url = f"{site.nginx.url}/v1/players/Bob"
        headers = {"Authorization": f"Bearer {API_KEY}"}
        certificate = str(site.nginx.certificate)
        assert session.get(url, headers=headers, verify=certificate).status_code == 404
        own = session.get(f"{site.service.server.url}/v1/players/Bob", headers=headers)
        assert own.json()["gold"] == "100.00"


PATHS = [
    "/v1/players/Bob",
    "//v1/players/Bob",
    "/./v1/players/Bob",
    "/%76%31/players/Bob",
    "/webhooks/../v1/players/Bob",
    "/webhooks/./../v1/players/Bob",
    "/webhooks//../v1/players/Bob",
    "/webhooks/%2e%2e/v1/players/Bob",
    "/webhooks/%2e./v1/players/Bob",
    "/webhooks/..%2fv1/players/Bob",
    "/webhooks%2f..%2fv1%2fplayers%2fBob",
    "/webhooks/%252e%252e/v1/players/Bob",
    "/webhooks/..%252fv1/players/Bob",
    "/webhooks/..;/v1/players/Bob",
    "/webhooks/x/../../v1/players/Bob",
    "/webhooks/x%00/../../v1/players/Bob",
    "/webhooks/..\\v1\\players\\Bob",
    "/webhooks/v1/players/Bob",
    "/v1/players/Bob?/webhooks/",
    "/v1/players/Bob#/webhooks/",
    "/v1/players/Bob/../../../webhooks/../v1/players/Bob",
    "/v1/players/../../webhooks/../v1/players/Bob",
    "/readyz",
    "/webhooks/../readyz",
    "/docs",
    "/openapi.json",
    "https://your.host/v1/players/Bob",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("prefix", ["", "/webhooks", "/v1/players/../../webhooks"])
def test_nothing_but_webhooks_is_reached_from_outside(path: str, prefix: str, site: Site) -> None:
    headers = KEY + (f"SCRIPT_NAME: {prefix}\r\n".encode() if prefix else b"")
    answer = site.nginx.talk(b"GET " + path.encode() + b" HTTP/1.1\r\n" + headers + END)

    assert b"Bob" not in answer.partition(b"\r\n\r\n")[2]
    assert list_statuses(answer)[0] in (400, 404, 405), answer


def test_a_webhook_reached_through_dots_gets_the_path_that_nginx_matched(site: Site) -> None:
    body = make_delivery("dots")
    paths = ["/v1/players/../../webhooks/gamemonitoring", "/webhooks//./gamemonitoring"]
    for path in paths:
        head = f"POST {path} HTTP/1.1\r\nHost: your.host\r\nConnection: close\r\n".encode()
        assert list_statuses(site.nginx.talk(count(len(body), body, head))) == [204], path


SAID_BY_PROXIES = [
    {"SCRIPT_NAME": "/webhooks"},
    {"SCRIPT-NAME": "/webhooks"},
    {"PATH_INFO": "/v1/players/Bob"},
    {"REMOTE_USER": "root"},
    {"X-Script-Name": "/webhooks"},
    {"X-Forwarded-Prefix": "/webhooks"},
    {"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "off"},
    {"X-Forwarded-Proto": "http", "X-Forwarded-Protocol": "ssl"},
    {"X-Forwarded-Proto": "https,http"},
    {"X-Forwarded-Host": "evil.example", "X-Forwarded-Port": "1", "Forwarded": "proto=https"},
    {"X-Forwarded-For": "not an address\x80"},
    {"X-Original-URL": "/v1/players/Bob", "X-Rewrite-URL": "/v1/players/Bob"},
    {"X-HTTP-Method-Override": "GET"},
]


@pytest.mark.parametrize("said", SAID_BY_PROXIES, ids=str)
@pytest.mark.parametrize("is_direct", [True, False])
def test_what_a_proxy_says_neither_breaks_a_vote_nor_opens_v1(
    said: dict[str, str], is_direct: bool, site: Site, request: pytest.FixtureRequest
) -> None:
    talk = site.service.talk if is_direct else site.nginx.talk
    lines = "".join(f"{name}: {value}\r\n" for name, value in said.items()).encode("latin-1")
    body = make_delivery("proxied")
    vote = b"POST /webhooks/gamemonitoring HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + lines
    hidden = b"GET /webhooks/v1/players/Bob HTTP/1.1\r\n" + KEY + lines + END

    assert list_statuses(talk(count(len(body), body, vote))) == [204]
    answer = talk(hidden)
    assert list_statuses(answer) == [404]
    assert b"Bob" not in answer.partition(b"\r\n\r\n")[2]


def test_no_vote_is_lost_right_after_refused_bodies(site: Site) -> None:
    junk, url = b"x" * 200_000, f"{site.nginx.url}/webhooks/gamemonitoring"
    votes: Counter[int] = Counter()
    refused: Counter[int] = Counter()

    def work(worker: int) -> None:
        with requests.Session() as session:
            for number in range(50):
                certificate = str(site.nginx.certificate)
                answer = session.post(url, data=junk, verify=certificate, timeout=30)
                refused[answer.status_code] += 1
                for more in range(3):
                    id_ = f"after-{worker}-{number}-{more}"
                    votes[site.vote(session, id_).status_code] += 1

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert votes == {204: 600}
    assert refused == {413: 200}


def test_a_refusal_is_logged_with_the_address_it_came_from(site: Site) -> None:
    site.service.talk(count(2, b"{}", b"POST /webhooks/gamemonitoring HTTP/1.1\r\nHost: x\r\n"))

    lines = [line for line in site.service.server.log.read_text().splitlines() if "refused" in line]
    assert {json.loads(line).get("address", "127.0.0.1") for line in lines} == {"127.0.0.1"}
    assert any("address" in json.loads(line) for line in lines)


def test_the_dashboard_has_a_name_of_its_own(site: Site) -> None:
    said = dict.fromkeys(USER_HEADERS, "root") | {"X-Forwarded-For": "10.9.9.9"}
    certificate = str(site.nginx.certificate)

    def get(path: str, host: str) -> requests.Response:
        headers = {**said, "Host": host}
        return requests.get(
            f"{site.nginx.url}{path}", headers=headers, verify=certificate, timeout=30
        )

    found = get("/players?nickname=Bob", "dashboard.your.host").json()
    assert found["path"] == "/players?nickname=Bob"
    assert (found["host"], found["x-forwarded-for"]) == ("dashboard.your.host", "127.0.0.1")
    assert "root" not in found.values()
    for path in (
        "/metrics",
        "/metrics?x=1",
        "//metrics",
        "/./metrics",
        "/%6detrics",
        "/a/../metrics",
    ):
        assert get(path, "dashboard.your.host").status_code == 404
    assert get("/players", "your.host").status_code == 404
