"""A real nginx on deploy/nginx.conf itself, with the ports, the certificate and the name of a test."""

import os
import pwd
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

AROUND = """
{user}
daemon off;
pid {folder}/nginx.pid;
events {{ }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    fastcgi_temp_path {folder}/fastcgi;
    proxy_temp_path {folder}/proxy;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/guerdon.conf;
}}
"""


class Nginx:
    """Listens with TLS on 127.0.0.1 and passes on to a port there."""

    def __init__(self, folder: Path, upstream: int, dashboard: int = 9) -> None:
        """`upstream` and `dashboard` are the ports of the service and of its dashboard."""
        self._path = shutil.which("nginx") or "/usr/sbin/nginx"
        require(Path(self._path).exists(), "nginx-light")
        self._folder, self.port = folder, find_free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.certificate = make_certificate(folder, "127.0.0.1")
        text = (ROOT / "deploy" / "nginx.conf").read_text()
        for old, new, times in (
            ("server 127.0.0.1:8000;", f"server 127.0.0.1:{upstream};", 1),
            ("server 127.0.0.1:8002;", f"server 127.0.0.1:{dashboard};", 1),
            ("listen 443 ssl;", f"listen 127.0.0.1:{self.port} ssl;", 2),
            ("/etc/ssl/your.host.pem", str(self.certificate), 1),
            ("/etc/ssl/your.host.key", str(self.certificate), 1),
            ("/etc/ssl/dashboard.your.host.pem", str(self.certificate), 1),
            ("/etc/ssl/dashboard.your.host.key", str(self.certificate), 1),
        ):
            assert text.count(old) == times, old
            text = text.replace(old, new)
        (folder / "guerdon.conf").write_text(text)
        name = pwd.getpwuid(os.geteuid()).pw_name
        user = f"user {name};" if os.geteuid() == 0 else ""
        (folder / "nginx.conf").write_text(AROUND.format(folder=folder, user=user))
        self._process: subprocess.Popen[bytes] | None = None

    def check(self) -> subprocess.CompletedProcess[str]:
        """What nginx says of the file."""
        command = [
            self._path,
            "-t",
            "-p",
            self._folder,
            "-e",
            "stderr",
            "-c",
            self._folder / "nginx.conf",
        ]
        return subprocess.run(command, check=False, capture_output=True, text=True)

    def start(self) -> None:
        log = self._folder / "nginx.log"
        command = [self._path, "-p", self._folder, "-e", log, "-c", self._folder / "nginx.conf"]
        with log.open("ab") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output)
        wait_until(self._is_up)

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "nginx.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def connect(self) -> ssl.SSLSocket:
        """A TLS connection for requests that no library would send."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        raw = socket.create_connection(("127.0.0.1", self.port), 30)
        return context.wrap_socket(raw, server_hostname="127.0.0.1")

    def talk(self, sent: bytes) -> bytes:
        """All that is answered to these bytes, which should ask for the connection's end."""
        answer = b""
        with self.connect() as client:
            client.sendall(sent)
            while some := client.recv(65536):
                answer += some
        return answer
