"""Every screen in a real browser, on a small ledger and on one that an enemy wrote."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.dashboard.conftest import Scene
from tests.dashboard.looking import LOOKS, Looking
from tests.dashboard.screens import FIND_NOTHING, SCREENS

SCENES = [("sqlite", "small"), ("sqlite", "hostile"), ("mariadb", "hostile")]


@pytest.fixture(scope="module", params=SCENES, ids="-".join)
def scene(request: Any, make_scene: Callable[[str, str], Scene]) -> Scene:
    return make_scene(*request.param)


@pytest.fixture(scope="module")
def looking(scene: Scene, look_at: Callable[..., Looking]) -> Looking:
    return look_at(scene)


def test_it_works(looking: Looking, scene: Scene) -> None:
    """From the first page, by a cause, to the events it is of, and to the story of one."""
    looking.open("/")

    assert "Votes can be paid." in looking.read()
    assert "events are dead" in looking.read()
    looking.press("#live tbody a[href^='/events']")
    looking.wait_for("main > form.filter")
    looking.press("tbody a[href^='/event?']")
    looking.wait_for("h1 .state")
    assert "Why it is not paid:" in looking.read()


@pytest.mark.parametrize("screen", SCREENS)
def test_a_screen_is_fit_for_everybody_and_runs_nothing_of_a_stranger(
    looking: Looking, scene: Scene, screen: str
) -> None:
    looking.forget()
    looking.open(SCREENS[screen](scene.ledger))

    for look in LOOKS:
        looking.check_access(look)
    looking.check_quiet("status of 404" if screen in FIND_NOTHING else "")


def test_the_form_to_sign_in_is_fit_for_everybody(
    browser: Any, scene: Scene, look_at: Callable[..., Looking]
) -> None:
    browser.delete_all_cookies()
    stranger = Looking(browser, scene.dashboard.url)
    stranger.open("/")

    for look in LOOKS:
        stranger.check_access(look)
    stranger.check_quiet()
    look_at(scene)
