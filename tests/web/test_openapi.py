"""/openapi.json tells of every route what it is and does, and /docs shows it, offline."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from openapi_spec_validator import validate
from selenium import webdriver
from selenium.webdriver.common.by import By

from app import create_app
from app.guerdon import Guerdon
from app.opening import open_guerdon
from app.porch.errors import ConfigError
from app.testing.deliveries import API_KEY
from app.testing.platforms import Platform
from app.testing.players import add_player
from app.web import examples
from app.web.schemas import Acknowledgement
from tests.world.browsing import Page, open_chromium
from tests.world.everything import RULES, point_at

KEY = {"Authorization": f"Bearer {API_KEY}"}
NOT_OF_THE_API = {"/static/<path:filename>", "/openapi.json", "/docs"}
PROBLEM = "application/problem+json"
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def platform() -> Iterator[Platform]:
    platform = Platform()
    yield platform
    platform.close()


@pytest.fixture
def guerdon(open_service: Callable[..., Guerdon], platform: Platform) -> Guerdon:
    return open_service(rewards=RULES, plugins=point_at(platform.url))


@pytest.fixture
def spec(client: Any) -> dict[str, Any]:
    described: dict[str, Any] = client.get("/openapi.json").get_json()
    return described


def list_operations(spec: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, item in spec["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]


def resolve(spec: dict[str, Any], response: dict[str, Any]) -> dict[str, Any]:
    name = response.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = spec["components"]["responses"][name] if name else response
    return found


def test_it_works(spec: dict[str, Any], app: Flask) -> None:
    validate(spec)
    routes = {
        (rule.rule, method.lower())
        for rule in app.url_map.iter_rules()
        if rule.rule not in NOT_OF_THE_API
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    described = {(path, method) for path, method, _ in list_operations(spec)}
    spelt = {path for path, _ in described}
    assert len(described) == len(routes) == 13
    for rule, method in routes:
        path = rule.replace("rest:", "").replace("int:", "").translate({60: "{", 62: "}"})
        assert path in spelt
        assert (path, method) in described


def test_every_operation_says_what_it_is_and_what_its_answers_look_like(
    spec: dict[str, Any],
) -> None:
    for path, _, operation in list_operations(spec):
        assert operation["summary"].endswith((".", "?"))
        assert operation["tags"][0] in {tag["name"] for tag in spec["tags"]}
        assert operation["security"] == ([{"key": []}] if path.startswith("/v1/") else [])
        for status, response in operation["responses"].items():
            full = resolve(spec, response)
            assert full["description"]
            content = full.get("content", {})
            assert bool(content) == (status != "204")
            assert all("schema" in part for part in content.values())
            if status[0] not in "45" or path == "/readyz":
                assert PROBLEM not in content
            elif path.startswith("/v1/"):
                assert set(content) == {PROBLEM}
            if status == "503" and path != "/readyz":
                assert "Retry-After" in full["headers"]
    names = [operation["operationId"] for _, _, operation in list_operations(spec)]
    assert len(set(names)) == len(names)


def test_every_field_of_an_answer_and_of_a_body_is_explained(spec: dict[str, Any]) -> None:
    plain = {"LevelUp.custom", "LevelUp.data", "Alive.alive", "Ready.ready"}
    for name, schema in spec["components"]["schemas"].items():
        for field, described in schema["properties"].items():
            is_explained = "description" in described or "$ref" in json.dumps(described)
            by_its_name = name in ("Result", "StartMessage", "SettleMessage")
            assert is_explained or by_its_name or f"{name}.{field}" in plain, f"{name}.{field}"


PETS = """
from marshmallow import Schema, fields
from app import hookimpl

class PlayerPets(Schema):
    pets = fields.List(fields.String(), metadata={"description": "their names"})

@hookimpl
def player_schema():
    return ANSWER

@hookimpl
def describe_player():
    return {"pets": ["Rex"], "unsaid": 1}
"""


def test_what_plugins_add_to_a_player_is_described_by_themselves(
    open_service: Callable[..., Guerdon], add_plugin: Callable[..., str]
) -> None:
    section = add_plugin(PETS.replace("ANSWER", "PlayerPets"))
    client = create_app(open_service(plugins=section, rewards="")).test_client()

    spec: Any = client.get("/openapi.json").get_json()

    described = spec["components"]["schemas"]["PlayerAnswer"]["properties"]
    # Nothing of a plugin that is off.
    assert set(described) == {"nickname", "votes", "streak", "grants", "pets"}
    assert described["pets"]["description"] == "their names"
    player: Any = client.get("/v1/players/Bob", headers=KEY).get_json()
    told = {name: player[name] for name in player if name not in ("votes", "streak")}
    assert told == {"nickname": "Bob", "grants": [], "pets": ["Rex"], "unsaid": 1}


def test_a_description_that_is_none_stops_the_start(
    open_service: Callable[..., Guerdon], add_plugin: Callable[..., str]
) -> None:
    with pytest.raises(ConfigError, match=r"player_schema\(\) must return a marshmallow Schema"):
        open_service(plugins=add_plugin(PETS.replace("ANSWER", "{}")), rewards="")


def test_the_sources_are_those_that_are_switched_on(
    spec: dict[str, Any], write_config: Callable[..., Path]
) -> None:
    operation = spec["paths"]["/webhooks/{source}"]["post"]
    assert operation["parameters"][0]["schema"]["enum"] == ["gamemonitoring", "sud"]
    assert "a signed delivery names a vote" in operation["description"]

    guerdon = open_guerdon(write_config(rewards="", plugins="[plugins.gold]"))
    none = create_app(guerdon).test_client().get("/openapi.json").get_json()
    validate(none)
    operation = none["paths"]["/webhooks/{source}"]["post"]
    assert "enum" not in operation["parameters"][0]["schema"]
    guerdon.close()


@pytest.mark.parametrize("type", ["level_up", "game_start", "game_settle"])
def test_the_example_of_an_event_is_taken_as_it_is(
    type: str, spec: dict[str, Any], client: Any, guerdon: Guerdon
) -> None:
    for nickname in ("123", "u1"):
        add_player(guerdon, nickname)
    operation = spec["paths"][f"/v1/events/{type}"]["post"]
    example = operation["requestBody"]["content"]["application/json"]["example"]

    response = client.post(f"/v1/events/{type}", json=example, headers=KEY)

    assert response.status_code == 200, response.text
    assert response.get_json()["grants"]


def test_the_examples_of_claims_are_taken_as_they_are(client: Any) -> None:
    assert client.post("/v1/claims/lease", json=examples.LEASE, headers=KEY).status_code == 200
    assert Acknowledgement().load(examples.ACKNOWLEDGEMENT)


class Docs(Page):
    """The page as an engineer has it in his browser."""

    def __init__(self, browser: webdriver.Chrome, address: str) -> None:
        self.browser, self.address = browser, address
        browser.get(f"{address}/docs")

    def prefer(self, scheme: str) -> None:
        """As somebody whose system is light, or dark."""
        wanted = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", wanted)

    def measure_brightness(self) -> float:
        """Of what is behind the text: 0 is black, 1 white."""
        script = """const canvas = document.createElement("canvas").getContext("2d");
            for (const one of [document.documentElement, document.body]) {
              canvas.fillStyle = getComputedStyle(one).backgroundColor;
              canvas.fillRect(0, 0, 1, 1);
            }
            return [...canvas.getImageData(0, 0, 1, 1).data]"""
        red, green, blue, alpha = self.browser.execute_script(script)
        return (red + green + blue) / 765 if alpha else 1.0

    def list_shown(self) -> set[tuple[str, str]]:
        script = """return [...document.querySelectorAll(".opblock")].map(one => [
            one.querySelector(".opblock-summary-path").dataset.path,
            one.querySelector(".opblock-summary-method").innerText.toLowerCase()])"""
        return {(path, method) for path, method in self.browser.execute_script(script)}


def test_docs_shows_every_operation_and_asks_nobody_else(
    guerdon: Guerdon, spec: dict[str, Any], start_gunicorn: Callable[..., Any], tmp_path: Path
) -> None:
    server = start_gunicorn(tmp_path / "guerdon.toml", workers=1)
    with open_chromium(tmp_path / "profile") as browser:
        page = Docs(browser, server.url)
        wanted = {(path, method) for path, method, _ in list_operations(spec)}
        page.wait(lambda: page.list_shown() == wanted)
        assert "Guerdon" in page.read(".info .title")

        # One of them, tried out: the page is allowed to ask the service that it came from.
        browser.find_element(By.CSS_SELECTOR, "[data-path='/healthz']").click()
        for button in (".try-out__btn", ".execute"):
            page.wait(lambda button=button: browser.find_elements(By.CSS_SELECTOR, button))
            browser.find_element(By.CSS_SELECTOR, button).click()
        page.wait(lambda: '"alive": true' in page.read(".live-responses-table .response"))
        page.check_quiet()

        assert page.measure_brightness() > 0.9
        page.prefer("dark")
        page.wait(lambda: page.measure_brightness() < 0.2)
        page.prefer("light")
        page.wait(lambda: page.measure_brightness() > 0.9)


def test_what_docs_is_made_of_is_here_with_its_licence_and_says_where_it_is_from(
    client: Any,
) -> None:
    page = client.get("/docs").text
    assert "://" not in page
    for name in ("swagger-ui.css", "swagger-ui-bundle.js"):
        assert f'"/static/swagger-ui/{name}"' in page
        with client.get(f"/static/swagger-ui/{name}") as response:
            assert response.status_code == 200
    folder = Path(__file__).parent.parent.parent / "app" / "static" / "swagger-ui"
    assert "Apache License" in (folder / "LICENSE").read_text()
    assert "SmartBear" in (folder / "NOTICE").read_text()
    version = (folder / "README.md").read_text().split()[2].rstrip(",")
    assert f'"{version}"' in (folder / "swagger-ui-bundle.js").read_text()
