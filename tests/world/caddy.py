"""A real Caddy on deploy/Caddyfile itself, with the ports, the certificate and the names of a test."""

import os
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

from app.testing.ports import find_free_port
from app.testing.requiring import require
from app.testing.waiting import wait_until
from tests.network.test_tls import make_certificate
from tests.world.servers import ROOT

CADDYFILE = ROOT / "deploy" / "Caddyfile"


class Caddy:
    """Listens with TLS on 127.0.0.1 and passes on to the service's port and to the dashboard's."""

    def __init__(self, folder: Path, upstream: int, dashboard: int = 9) -> None:
        require(shutil.which("caddy"), "caddy")
        self._folder, self.port, other = folder, find_free_port(), find_free_port()
        self.dashboard_port = other
        self.url = f"https://127.0.0.1:{self.port}"
        self.certificate = make_certificate(folder, "127.0.0.1")
        tls = f"{{\n\tbind 127.0.0.1\n\ttls {self.certificate} {self.certificate}\n"
        text = CADDYFILE.read_text()
        for old, new in {
            "reverse_proxy 127.0.0.1:8000": f"reverse_proxy 127.0.0.1:{upstream}",
            "reverse_proxy 127.0.0.1:8002": f"reverse_proxy 127.0.0.1:{dashboard}",
            "{\n\tservers {": "{\n\tadmin off\n\tauto_https disable_redirects\n\tservers {",
            "\ndashboard.your.host {\n": f"\nhttps://:{other} {tls}",
            "\nyour.host {\n": f"\nhttps://:{self.port} {tls}",
        }.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        (folder / "Caddyfile").write_text(text)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        words = ["run", "--config", str(self._folder / "Caddyfile"), "--adapter", "caddyfile"]
        environment = os.environ | {"HOME": str(self._folder), "XDG_DATA_HOME": str(self._folder)}
        with (self._folder / "caddy.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["caddy", *words], stdout=log, stderr=log, env=environment
            )
        wait_until(self._is_up)

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "caddy.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def talk(self, sent: bytes) -> bytes:
        """All that is answered to these bytes, which should ask for the connection's end."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        raw = socket.create_connection(("127.0.0.1", self.port), 30)
        answer = b""
        with context.wrap_socket(raw, server_hostname="127.0.0.1") as client:
            client.sendall(sent)
            while some := client.recv(65536):
                answer += some
        return answer
