"""The dashboard as it runs in production: `guerdon dashboard`, a process to be looked at, told and killed."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests

from app.testing.ports import find_free_port
from app.testing.waiting import wait_until

# Of "a long password": made once, since that takes a third of a second.
PASSWORD = "a long password"
HASH = (
    "scrypt:32768:8:1$9oOQOHthX0vmA8Yr$f96d379d343180d8356fd3e03072fda896a5"
    "70f304db00530dc7cbe9f3ae06e41425cf36da37d119915b38fe1dd99f8eb3d0cb41f6cfe0d875b553e4e68f4c31"
)
USERS = f"""
[dashboard]
users = [
  {{ name = "anna", password = "{HASH}", role = "act" }},
  {{ name = "luke", password = "{HASH}", role = "look" }},
]
"""


class Dashboard:
    """`guerdon dashboard` of a config, in a session of its own."""

    def __init__(self, config: Path, **environment: str) -> None:
        self.port = find_free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = config.parent / f"dashboard-{self.port}.log"
        self._environment = os.environ | {
            "GUERDON_CONFIG": str(config),
            "GUERDON_DASHBOARD_BIND": f"127.0.0.1:{self.port}",
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, wait: bool = True) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "app.cli", "dashboard"],
                env=self._environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        if wait:
            wait_until(self.is_alive)
        return self.process

    def is_alive(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        try:
            return requests.get(f"{self.url}/healthz", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def list_workers(self) -> list[int]:
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def kill(self) -> None:
        """kill -9 of all of it."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.terminate()
        code = self.process.wait(40)
        self.process = None
        return code


class Session:
    """A person at the dashboard without a browser: forms are read from pages, and sent."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = requests.Session()

    def read(self, path: str, **options: Any) -> requests.Response:
        return self.http.get(f"{self.url}{path}", timeout=30, **options)

    def send(self, page: str, path: str, **fields: str) -> requests.Response:
        """POST a form with the token that stands on a page."""
        fields["csrf_token"] = find_token(self.read(page).text)
        return self.http.post(f"{self.url}{path}", fields, allow_redirects=False, timeout=30)

    def sign_in(self, name: str, password: str = PASSWORD) -> requests.Response:
        return self.send("/sign-in", "/sign-in", name=name, password=password)


def find_token(page: str) -> str:
    """The token of a page's first form."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found, page[:2000]
    return found[1]
