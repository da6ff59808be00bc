"""The playground as a person has it: `guerdon run`, and a headless Chromium to look at its pages."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import SessionNotCreatedException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

from app.testing.ports import find_free_port
from app.testing.requiring import require
from app.testing.waiting import PATIENCE
from tests.world.servers import ROOT

GUERDON = Path(sys.executable).with_name("guerdon")
WINDOW = "--window-size=1280,1000"
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
]  # fmt: skip


@dataclass
class Running:
    """A `guerdon run` in a process group of its own."""

    process: subprocess.Popen[bytes]
    service: str
    playground: str
    dashboard: str
    log: Path

    def wait_until_welcome(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while "Ctrl-C ends all" not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)

    def is_group_gone(self) -> bool:
        """True when no process is left, not even a worker of gunicorn."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                os.killpg(self.process.pid, 0)
            except ProcessLookupError:
                return True
            time.sleep(0.1)
        return False


@contextmanager
def run_guerdon(directory: Path, *options: str, **environment: str) -> Iterator[Running]:
    """`guerdon run` with the shipped config, quicker retries, and everything of its own."""
    shutil.copytree(ROOT / "config", directory / "config")
    config = directory / "config" / "guerdon.toml"
    text = re.sub(r"(?m)^retry_delays = .*$", "retry_delays = [2, 2]", config.read_text())
    config.write_text(text)
    ports = find_free_port(), find_free_port(), find_free_port()
    service, playground, dashboard = (f"http://127.0.0.1:{port}" for port in ports)
    names = ("GUERDON_", "GAMEMONITORING_", "WEB_CONCURRENCY", "GUNICORN_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(names)} | {
        "TMPDIR": str(directory),
        "GUERDON_CONFIG": str(config),
        "GUERDON_PLAYGROUND_DATABASE": f"{directory}/playground.db",
        "GUERDON_BIND": f"127.0.0.1:{ports[0]}",
        "GUERDON_PLAYGROUND_BIND": f"127.0.0.1:{ports[1]}",
        "GUERDON_DASHBOARD_BIND": f"127.0.0.1:{ports[2]}",
        **environment,
    }
    log = directory / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [GUERDON, "run", *options], cwd=ROOT, env=env,
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        yield Running(process, service, playground, dashboard, log)
    finally:
        with suppress(ProcessLookupError):  # it ended by itself
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        print(log.read_text(errors="replace"))  # pytest shows it where the test fails


def begin_browser(options: webdriver.ChromeOptions, driver: str | None) -> webdriver.Chrome:
    """chromedriver gives it a minute to start, which a busy machine may need: it may try three times."""
    for _ in range(2):
        with suppress(SessionNotCreatedException):
            return webdriver.Chrome(options, Service(driver))
    return webdriver.Chrome(options, Service(driver))


@contextmanager
def open_chromium(profile: Path) -> Iterator[webdriver.Chrome]:
    """A browser with an empty profile; it notes what it asks for and what goes wrong."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    require(binary and driver, "chromium with its driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*FLAGS, WINDOW, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = begin_browser(options, driver)
    try:
        yield browser
    finally:
        browser.quit()


class Page:
    """What a person sees, at a path of the playground."""

    def __init__(self, browser: webdriver.Chrome, running: Running, path: str) -> None:
        self.browser = browser
        self.address = running.playground
        browser.get(f"{running.playground}{path}")

    def read(self, selector: str) -> str:
        """The text of the first such element, read in one step: the page may replace it any time."""
        script = "return document.querySelector(arguments[0])?.innerText ?? ''"
        return str(self.browser.execute_script(script, selector))

    def wait(self, condition: Callable[[], Any], seconds: float = PATIENCE) -> None:
        WebDriverWait(self.browser, seconds, 0.1).until(lambda _: condition())

    def measure_on_a_phone(self) -> int:
        """How wide the page is on a screen of 360 pixels."""
        metrics = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        try:
            width = self.browser.execute_script("return document.documentElement.scrollWidth")
        finally:
            self.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        return int(width)

    def list_requests(self) -> list[dict[str, Any]]:
        """What the browser asked for since the last look: url, method, headers."""
        messages = [
            json.loads(line["message"])["message"] for line in self.browser.get_log("performance")
        ]
        sent = "Network.requestWillBeSent"
        return [one["params"]["request"] for one in messages if one["method"] == sent]

    def check_quiet(self) -> None:
        """No error in the console, and not one request to anywhere else."""
        assert self.browser.get_log("browser") == []
        for request in self.list_requests():
            own = (self.address, "data:", "chrome:", "about:")
            assert request["url"].startswith(own), request["url"]
