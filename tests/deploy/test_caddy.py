"""Guerdon behind the Caddy of deploy/Caddyfile: deliveries go through, and nothing else does."""

import threading
from collections import Counter
from collections.abc import Iterator

import pytest
import requests

from app.testing.deliveries import API_KEY, make_delivery
from app.testing.vote_api import VoteApi
from tests.network.test_raw_sockets import Service, count, list_statuses
from tests.serving.test_nginx import END, KEY, PATHS, SAID_BY_PROXIES
from tests.world.caddy import Caddy
from tests.world.dashboards import USER_HEADERS, DashboardStandIn


class Site:
    """The service, and Caddy in front of it and of what stands for its dashboard."""

    def __init__(self, service: Service, caddy: Caddy) -> None:
        self.service, self.caddy = service, caddy

    def vote(self, session: requests.Session, id: str) -> int:
        url, body = f"{self.caddy.url}/webhooks/gamemonitoring", make_delivery(id)
        answer = session.post(url, data=body, verify=str(self.caddy.certificate), timeout=30)
        return answer.status_code


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    vote_api, dashboard = VoteApi(), DashboardStandIn()
    service = Service(tmp_path_factory.mktemp("site"), vote_api)
    caddy = Caddy(tmp_path_factory.mktemp("caddy"), service.server.port, dashboard.port)
    caddy.start()
    yield Site(service, caddy)
    caddy.stop()
    service.server.stop()
    vote_api.close()
    dashboard.close()


def test_it_works(site: Site) -> None:
    with requests.Session() as session:
        assert site.vote(session, "v1") == 204
    own = f"{site.service.server.url}/v1/players/Bob"
    headers = {"Authorization": f"Bearer {API_KEY}"}
    assert requests.get(own, headers=headers, timeout=30).json()["gold"] == "100.00"


@pytest.mark.parametrize("path", PATHS)
def test_nothing_but_webhooks_is_reached_from_outside(path: str, site: Site) -> None:
    answer = site.caddy.talk(b"GET " + path.encode() + b" HTTP/1.1\r\n" + KEY + END)

    assert b"Bob" not in answer.partition(b"\r\n\r\n")[2]
    assert list_statuses(answer)[0] in (400, 404, 405), answer


def test_what_a_proxy_is_told_neither_breaks_a_vote_nor_opens_v1(site: Site) -> None:
    for said in SAID_BY_PROXIES:
        lines = "".join(f"{name}: {value}\r\n" for name, value in said.items()).encode("latin-1")
        body = make_delivery("proxied")
        vote = b"POST /webhooks/gamemonitoring HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + lines
        assert list_statuses(site.caddy.talk(count(len(body), body, vote))) == [204], said
        answer = site.caddy.talk(b"GET /webhooks/v1/players/Bob HTTP/1.1\r\n" + KEY + lines + END)
        assert list_statuses(answer) == [404], said


def test_no_vote_is_lost_among_refused_bodies(site: Site) -> None:
    """Nor on a connection that Guerdon closes while Caddy keeps it."""
    votes: Counter[int] = Counter()

    def work(worker: int) -> None:
        with requests.Session() as session:
            for number in range(40):
                url = f"{site.caddy.url}/webhooks/gamemonitoring"
                certificate = str(site.caddy.certificate)
                session.post(url, data=b"x" * 200_000, verify=certificate, timeout=30)
                votes[site.vote(session, f"among-{worker}-{number}")] += 1

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert votes == {204: 160}


def test_the_dashboard_has_a_name_of_its_own(site: Site) -> None:
    address, certificate = f"https://127.0.0.1:{site.caddy.dashboard_port}", site.caddy.certificate
    said = dict.fromkeys(USER_HEADERS, "root") | {"X-Forwarded-For": "10.9.9.9"}

    def get(url: str) -> requests.Response:
        return requests.get(url, headers=said, verify=str(certificate), timeout=30)

    found = get(f"{address}/players?nickname=Bob").json()
    assert found["path"] == "/players?nickname=Bob"
    assert found["host"] == f"127.0.0.1:{site.caddy.dashboard_port}"
    assert found["x-forwarded-for"] == "127.0.0.1"
    assert "root" not in found.values()
    assert get(f"{address}/metrics").status_code == 404
    assert get(f"{site.caddy.url}/players").status_code == 404
