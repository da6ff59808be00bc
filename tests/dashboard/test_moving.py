"""What moves on a page: live parts, times, plots; and that nothing of it is needed."""

from collections.abc import Callable
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from app.testing.waiting import PATIENCE
from tests.dashboard.conftest import Scene
from tests.dashboard.looking import Looking
from tests.dashboard.screens import SCREENS
from tests.world.running_dashboards import PASSWORD, Session

ZONE = "Asia/Shanghai"


@pytest.fixture(scope="module")
def scene(make_scene: Callable[[str, str], Scene]) -> Scene:
    return make_scene("sqlite", "small")


@pytest.fixture
def looking(scene: Scene, look_at: Callable[..., Looking]) -> Any:
    """Somebody in Shanghai."""
    looking = look_at(scene)
    looking.forget()
    looking.browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ZONE})
    yield looking
    looking.browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ""})


def test_it_works(looking: Looking, scene: Scene) -> None:
    """What somebody else does is to be seen within seconds; what is open stays open."""
    looking.open(SCREENS["stuck event"](scene.ledger))
    looking.press("#data summary")
    looking.forget()
    other = Session(scene.dashboard.url)
    other.sign_in("anna")

    page = SCREENS["stuck event"](scene.ledger)
    other.send(page, "/event/retry", type=scene.ledger.type, id=scene.ledger.stuck)

    looking.wait_for("#live .steps", "a person had it tried again")
    assert looking.browser.find_element(By.ID, "data").get_attribute("open")
    assert "Last updated" in looking.read("#updated")
    looking.check_quiet()


def test_times_are_in_the_zone_of_the_viewer_or_in_utc_and_that_is_remembered(
    looking: Looking, scene: Scene
) -> None:
    looking.open(SCREENS["event"](scene.ledger))
    here = looking.read("#live time")
    assert looking.read("#zone") == f"Times in {ZONE}"

    looking.press("#zone button")

    utc = looking.read("#live time")
    assert here != utc
    assert utc[14:] == here[14:]  # minutes and seconds
    assert looking.read("#zone") == "Times in UTC"
    looking.open(SCREENS["report"](scene.ledger))
    assert looking.read("#zone") == "Times in UTC"
    looking.press("#zone button")


def test_nobody_is_asked_while_the_page_is_hidden(looking: Looking, scene: Scene) -> None:
    looking.open("/")
    script = (
        "Object.defineProperty(document, 'hidden', {configurable: true, get: () => arguments[0]})"
    )
    ask = "return performance.getEntriesByType('resource').filter((one) => one.name.endsWith('/')).length"
    looking.browser.execute_script(script.replace("arguments[0]", "true"))
    wait = "const done = arguments[arguments.length - 1]; setTimeout(done, 7000)"

    looking.browser.execute_async_script(wait)
    assert looking.browser.execute_script(ask) == 0

    looking.browser.execute_script(script.replace("arguments[0]", "false"))
    WebDriverWait(looking.browser, PATIENCE, 0.2).until(lambda one: one.execute_script(ask) > 0)


def test_a_dashboard_that_is_gone_is_told_of_in_red(looking: Looking, scene: Scene) -> None:
    looking.open("/")
    scene.dashboard.kill()

    looking.wait_for("#stale:not([hidden])", "not up to date")

    scene.dashboard.start()
    looking.wait_for("#updated:not([hidden])")
    looking.wait_for("#stale[hidden]")


def test_a_session_that_ended_is_told_of(looking: Looking, scene: Scene) -> None:
    looking.open("/")
    looking.browser.delete_all_cookies()

    looking.wait_for("#stale:not([hidden])", "Your session has ended")


def test_without_javascript_the_same_is_done(looking: Looking, scene: Scene, browser: Any) -> None:
    """Sign out and in, find an event, have it tried again."""
    with looking.without_javascript():
        looking.open("/")
        assert looking.find("#zone").text == "Times in UTC"
        looking.press(".who form button")
        looking.find("[name=name]").send_keys("anna")
        looking.find("[name=password]").send_keys(PASSWORD)
        looking.press("main form button")
        looking.find("[name=q]").send_keys("v102")
        looking.press(".find button")
        looking.press(".head .act button")

        assert looking.find(".done").text == "It is tried again at once."
        assert "waiting" in looking.find("h1").text


def test_a_link_in_a_chat_leads_to_the_page_though_the_cookie_is_strict(
    looking: Looking, scene: Scene, browser: Any
) -> None:
    address = f"{scene.dashboard.url}{SCREENS['dead report'](scene.ledger)}"
    browser.get(f"data:text/html,<a href='{address}'>look</a>")

    looking.press("a")

    looking.wait_for("h1", f"Report {scene.ledger.dead_report}")
