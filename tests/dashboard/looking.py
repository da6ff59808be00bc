"""A person who looks at the dashboard in Chromium: light, dark, on a phone, without JavaScript."""

import base64
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from selenium import webdriver
from selenium.webdriver.common.by import By

from app.testing.waiting import PATIENCE
from tests.world.running_dashboards import PASSWORD
from tests.world.servers import ROOT

AXE = (ROOT / "tests" / "vendored" / "axe" / "axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]
RUN_AXE = """
const done = arguments[arguments.length - 1];
axe.run(document, {runOnly: {type: "tag", values: arguments[0]}}).then(
  (found) => done(found.violations.map((one) => [one.id, one.nodes.map((node) => node.html.slice(0, 300))])),
  (error) => done([["axe failed", String(error)]]));
"""
READ_STATUS = "return performance.getEntriesByType('navigation')[0]?.responseStatus"
BUSY = "status of 503"
Found = TypeVar("Found")
LOOKS = {"light": ("light", 1280), "dark": ("dark", 1280), "phone": ("light", 360)}


class Looking:
    """A browser at a dashboard."""

    def __init__(self, browser: webdriver.Chrome, url: str) -> None:
        self.browser = browser
        self.url = url
        self._told: list[Any] = []  # by the console of pages that were loaded again

    def open(self, path: str) -> None:
        self.browser.get(f"{self.url}{path}")
        self._wait(lambda: not self._is_refused())

    def _is_refused(self) -> bool:
        """Whether the page said that the database is too busy for it; it is loaded again then, as it asks.

        A page has two seconds of the database: on a machine that runs other tests that may be too few.
        """
        status = self.browser.execute_script(READ_STATUS)
        if status != 503:
            return False
        lines = self.browser.get_log("browser")
        self._told += [line for line in lines if BUSY not in line["message"]]
        self.browser.refresh()
        return True

    def _wait(self, look: Callable[[], Found]) -> Found:
        """What is looked for, once it is there; who waits in vain is told what is on the page."""
        deadline = time.monotonic() + PATIENCE
        while not (found := look()):
            assert time.monotonic() < deadline, self.read("body")
            self._is_refused()
            time.sleep(0.1)
        return found

    def sign_in(self, name: str, password: str = PASSWORD) -> None:
        """By the form, as a person does."""
        self.browser.delete_all_cookies()
        self.open("/sign-in")
        self.browser.find_element(By.NAME, "name").send_keys(name)
        self.browser.find_element(By.NAME, "password").send_keys(password)
        self.press("main form button")
        self.wait_for("nav[aria-label]")

    def press(self, selector: str) -> None:
        """Click the first such element, as soon as it is there."""
        self.find(selector).click()

    def find(self, selector: str) -> Any:
        """The first such element, as soon as it is there; also without JavaScript."""
        return self._wait(lambda: self.browser.find_elements(By.CSS_SELECTOR, selector))[0]

    def find_path(self, path: str) -> Any:
        """As find, by an XPath, which knows words too."""
        return self._wait(lambda: self.browser.find_elements(By.XPATH, path))[0]

    def read(self, selector: str = "main") -> str:
        """What is to be seen of the first such element; "" where there is none."""
        script = "return document.querySelector(arguments[0])?.innerText ?? ''"
        return str(self.browser.execute_script(script, selector))

    def wait_for(self, selector: str, text: str = "") -> None:
        """Until the first such element has this text."""
        has_any = self.browser.find_elements
        self._wait(lambda: has_any(By.CSS_SELECTOR, selector) and text in self.read(selector))

    def dress(self, look: str) -> None:
        """As the page is in light, in dark, or on a phone; nothing of it moves."""
        scheme, width = LOOKS[look]
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def check_access(self, look: str) -> None:
        """axe finds nothing, and the page is no wider than its window."""
        self.dress(look)
        if not self.browser.execute_script("return Boolean(window.axe)"):
            self.browser.execute_script(AXE)
        found = self.browser.execute_async_script(RUN_AXE, RULES)
        assert found == [], f"{look}: {json.dumps(found, indent=1)}"
        width = self.browser.execute_script("return document.documentElement.scrollWidth")
        assert width <= LOOKS[look][1], f"{look}: {width} pixels wide"

    def check_quiet(self, allowed: str = "") -> None:
        """Nothing of a stranger ran, nobody else was asked, and of no error the console tells.

        But of one that says `allowed`; and that a page was busy which was loaded again.
        """
        assert self.browser.execute_script("return window.pwned") is None
        told = [line for line in (*self._told, *self.browser.get_log("browser"))
                if not allowed or allowed not in line["message"]]  # fmt: skip
        assert not told, told
        for address in self.list_requests():
            assert address.startswith((self.url, "data:", "chrome:", "about:")), address

    def forget(self) -> None:
        """What was before is of no concern."""
        self._told.clear()
        self.browser.get_log("browser")
        self.browser.get_log("performance")

    def list_requests(self) -> list[str]:
        """The addresses that the browser asked for since the last look."""
        lines = self.browser.get_log("performance")
        messages = [json.loads(line["message"])["message"] for line in lines]
        return [
            one["params"]["request"]["url"]
            for one in messages
            if one["method"] == "Network.requestWillBeSent"
        ]

    def take_picture(self, path: Path) -> None:
        """The whole page, as a PNG."""
        taken: Any = self.browser.execute_cdp_cmd(
            "Page.captureScreenshot", {"captureBeyondViewport": True}
        )
        path.write_bytes(base64.b64decode(taken["data"]))

    @contextmanager
    def without_javascript(self) -> Iterator[None]:
        switch = "Emulation.setScriptExecutionDisabled"
        self.browser.execute_cdp_cmd(switch, {"value": True})
        try:
            yield
        finally:
            self.browser.execute_cdp_cmd(switch, {"value": False})
