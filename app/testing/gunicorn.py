"""The service as it runs in production: gunicorn and its workers, to be killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import requests

from app.testing.ports import find_free_port
from app.testing.waiting import wait_until


class Gunicorn:
    """What `guerdon serve` becomes, in a session of its own, so that all of it can be killed at once.

    `app` is what gunicorn serves, as "tests.world.senders:make_app(4000)", `settings` the module of its
    settings; `environment` is added. With `by_command` it is `guerdon serve` itself, which reads the config
    once more: most of a second.
    """

    def __init__(
        self,
        config: Path,
        workers: int = 2,
        log: Path | None = None,
        app: str = "app.serving.wsgi:app",
        by_command: bool = False,
        settings: str = "app.serving.settings",
        **environment: str,
    ) -> None:
        self.port = find_free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log or config.parent / f"gunicorn-{self.port}.log"
        self._environment = os.environ | {
            "GUERDON_CONFIG": str(config),
            "GUERDON_BIND": f"127.0.0.1:{self.port}",
            "WEB_CONCURRENCY": str(workers),
            **environment,
        }
        self._arguments = (
            ["app.cli", "serve"] if by_command else ["app.serving", "-c", f"python:{settings}", app]
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, wait: bool = True) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", *self._arguments],
                env=self._environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        if wait:
            wait_until(self.is_ready)

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def list_workers(self) -> list[int]:
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def kill_all(self) -> None:
        """kill -9 of the master and every worker."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """SIGTERM, as an init system would; SIGKILL when it does not end."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(40)
            self.process = None
        except subprocess.TimeoutExpired:
            self.kill_all()
