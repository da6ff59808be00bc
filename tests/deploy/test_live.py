"""A studio goes live by the files of deploy/: their commands are run, in folders that stand for a machine."""

import json
import os
import re
import shlex
import shutil
import signal
import site
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from app.backups.notes import read_note
from app.config.reading import read_config
from app.testing.deliveries import make_delivery
from app.testing.ports import find_free_port
from app.testing.waiting import wait_until
from tests.serving.test_reloading import has_database
from tests.world.deploying import (
    DEPLOY,
    PROGRAM,
    STUDIO,
    UNITS,
    Unit,
    point_secrets,
    read_compose,
    read_dockerfile,
)
from tests.world.servers import ROOT

Start = Callable[..., "Service"]
SECRETS = {
    "database_url": "sqlite:///../var/guerdon.db",
    "api_key": "an-api-key-of-this-test",
    "gamemonitoring_token": "a-token-of-this-test",
}


@pytest.fixture
def studio(tmp_path: Path) -> Path:
    """A folder as /srv/guerdon is, with the config that is shipped; its secrets are files beside it."""
    folder = tmp_path / "srv"
    shutil.copytree(ROOT / "config", folder / "config")
    (folder / "var").mkdir()
    (tmp_path / "secrets").mkdir()
    for name, text in SECRETS.items():
        (tmp_path / "secrets" / name).write_text(f"{text}\n")
    return folder


def set_up(studio: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, place in point_secrets(environment, studio.parent / "secrets").items():
        monkeypatch.setenv(name, place)


def check_secrets(studio: Path) -> None:
    """The shipped config has each secret from its file, and its database in var."""
    config, faults = read_config(studio / "config" / "guerdon.toml")
    assert faults == []
    assert [key.reveal() for key in config.api.keys] == [SECRETS["api_key"]]
    assert config.database.url == f"sqlite:///{studio}/var/guerdon.db"


def run_guerdon(studio: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "app.cli", *words], cwd=studio, check=False,
        capture_output=True, text=True, env=os.environ | more,
    )  # fmt: skip


@pytest.fixture
def places(studio: Path) -> dict[str, str]:
    """Where what a unit names is here."""
    program = studio.parent / "guerdon"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m app.cli "$@"\n')
    program.chmod(0o755)
    return {PROGRAM: str(program), STUDIO: str(studio)}


class Service:
    """What a unit starts, told of by sd_notify as systemd is."""

    def __init__(self, unit: Unit, studio: Path, places: dict[str, str], **more: str) -> None:
        self.told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.told.bind(str(studio.parent / "notify"))
        self.told.settimeout(60)
        environment = os.environ | unit.environment | more
        environment |= point_secrets(unit.environment, studio.parent / "secrets")
        self.log = studio.parent / "log"
        [line] = unit.read("ExecStart")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                unit.read_command(line, places), cwd=studio, stdout=log, stderr=log,
                env=environment | {"NOTIFY_SOCKET": str(studio.parent / "notify")},
            )  # fmt: skip

    def list_workers(self) -> set[int]:
        pid = self.process.pid
        return {int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}

    def end(self) -> int:
        """Its exit code."""
        self.told.close()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@pytest.fixture
def start(studio: Path, places: dict[str, str]) -> Iterator[Callable[..., Service]]:
    """What a unit starts; it ends with the test."""
    started: list[Service] = []

    def start_one(unit: Unit, **more: str) -> Service:
        started.append(Service(unit, studio, places, **more))
        return started[-1]

    yield start_one
    for one in started:
        one.told.close()
        if one.process.poll() is None:
            one.end()


def test_it_works(
    studio: Path, places: dict[str, str], start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """guerdon.service says when it is ready, takes votes, and reloads what is well and nothing else."""
    unit, bind = Unit("guerdon.service"), f"127.0.0.1:{find_free_port()}"
    set_up(studio, unit.environment, monkeypatch)
    assert run_guerdon(studio, "migrate").returncode == 0
    service = start(unit, GUERDON_BIND=bind)
    assert b"READY=1" in service.told.recv(4096), service.log.read_text()
    wait_until(lambda: requests.get(f"http://{bind}/readyz", timeout=30).status_code == 200)
    wait_until(lambda: all(map(has_database, service.list_workers())))
    before = service.list_workers()

    def reload() -> bool:
        """As systemd does: a command that fails ends it."""
        monkeypatch.setenv("GUERDON_BIND", bind)
        for line in unit.read("ExecReload"):
            words = unit.read_command(line.replace("$MAINPID", str(service.process.pid)), places)
            if subprocess.run(words, cwd=studio, check=False, capture_output=True).returncode:
                return False
        return True

    rules = studio / "config" / "rewards.toml"
    good = rules.read_text()
    rules.write_text(f"{good}\n[[rules]]\nname = 1\n")
    assert not reload()
    assert service.list_workers() == before
    rules.write_text(good)
    assert reload()
    wait_until(lambda: not service.list_workers() & before and len(service.list_workers()) == 2)
    body = make_delivery("t1", token=SECRETS["gamemonitoring_token"], is_test=True)
    url = f"http://{bind}/webhooks/gamemonitoring"
    assert requests.post(url, data=body, timeout=30).status_code == 204
    assert service.end() == 0


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_and_the_config_agree(
    name: str, studio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = Unit(name)
    files = {key: value for key, value in unit.environment.items() if key.endswith("_FILE")}
    assert unit.credentials == {one: f"/etc/guerdon/{one}" for one in SECRETS}
    assert set(files.values()) == {f"%d/{one}" for one in SECRETS}
    assert unit.read("WorkingDirectory") == [STUDIO]
    assert unit.read("ReadWritePaths") == [f"{STUDIO}/var"]

    set_up(studio, files, monkeypatch)
    check_secrets(studio)
    monkeypatch.delenv("GAMEMONITORING_TOKEN_FILE")
    assert run_guerdon(studio, "check").returncode == 1  # it is this that the config reads


@pytest.mark.parametrize("name", ["migrate", "service", "dashboard"])
def test_compose_and_the_config_agree(
    name: str, studio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = read_compose((DEPLOY / "compose.yaml").read_text())
    service = file["services"][name]
    assert {one["file"].rpartition("/")[2] for one in file["secrets"].values()} == {
        *SECRETS, "database_password",
    }  # fmt: skip
    set_up(studio, service["environment"], monkeypatch)
    check_secrets(studio)
    mounted = {re.sub(r"^\$\{.*?\}", "", place).split(":")[1] for place in service["volumes"]}
    assert mounted == {f"{STUDIO}/{one}" for one in ("config", "plugins", "var")}


def test_the_dispatcher_runs_alone(
    studio: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = Unit("guerdon-dispatch.service")
    set_up(studio, unit.environment, monkeypatch)
    assert run_guerdon(studio, "migrate").returncode == 0
    service = start(unit)
    wait_until(lambda: has_database(service.process.pid))
    assert service.end() == 0


def test_the_dashboard_says_when_it_is_ready(
    studio: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit, bind = Unit("guerdon-dashboard.service"), f"127.0.0.1:{find_free_port()}"
    set_up(studio, unit.environment, monkeypatch)
    assert run_guerdon(studio, "migrate").returncode == 0
    service = start(unit, GUERDON_DASHBOARD_BIND=bind)
    assert b"READY=1" in service.told.recv(4096), service.log.read_text()
    wait_until(lambda: requests.get(f"http://{bind}/healthz", timeout=30).status_code == 200)
    assert service.end() == 0


def test_each_night_a_backup_is_made_and_old_ones_go(
    studio: Path, places: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = Unit("guerdon-backup.service")
    set_up(studio, unit.environment, monkeypatch)
    assert run_guerdon(studio, "migrate").returncode == 0
    (old := studio / "var" / "backups").mkdir()
    (old / "old").touch()
    os.utime(old / "old", (0, 0))

    for setting in ("ExecStartPre", "ExecStart", "ExecStartPost"):
        [line] = unit.read(setting)
        words = unit.read_command(line, places)
        done = subprocess.run(words, cwd=studio, check=False, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), words

    [made] = old.iterdir()
    note = read_note(studio / "config" / "guerdon.toml")
    assert note is not None
    assert (made.name[:2], note.file) == ("20", str(made))


INSTALLS_DEBIAN = ("apt-get", "useradd")  # as root, of what an image alone has


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The folder in which the Dockerfile's steps were done; its words for the environment, by name.

    What the lock holds is not installed anew: it is that of these tests.
    """
    root = tmp_path_factory.mktemp("image")
    environment: dict[str, str] = {}
    for instruction, words in read_dockerfile((DEPLOY / "Dockerfile").read_text()):
        here = words.replace("/opt/guerdon", f"{root}/opt").replace(STUDIO, f"{root}/srv")
        folder = root / "build"
        folder.mkdir(exist_ok=True)
        if instruction == "COPY" and "--from=build" not in words:
            *sources, target = here.split()
            for source in sources:
                place = folder / target
                copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
                place.parent.mkdir(parents=True, exist_ok=True)
                copy(ROOT / source, place)
        elif instruction == "ENV":
            environment |= dict(word.split("=", 1) for word in shlex.split(here))
        elif instruction == "RUN" and "--require-hashes" in words:
            assert "requirements/run.txt" in words
            [packages] = Path(f"{root}/opt/lib").glob("python*/site-packages")
            ours = site.getsitepackages()[0]  # first: a venv brings a setuptools of its own
            (packages / "tests.pth").write_text(f"import sys; sys.path.insert(0, {ours!r})\n")
        elif instruction == "RUN" and not words.startswith(INSTALLS_DEBIAN):
            command = here.replace("python -m venv", f"{sys.executable} -m venv")
            done = subprocess.run(
                ["sh", "-ec", command], cwd=folder, check=False, capture_output=True
            )
            assert done.returncode == 0, done.stdout + done.stderr
    environment["PATH"] = environment["PATH"].replace("$PATH", os.environ["PATH"])
    return root, environment


def test_the_images_steps_make_a_service_that_its_health_check_finds(
    image: Any, tmp_path: Path
) -> None:
    root, environment = image
    (tmp_path / "var").mkdir()
    shutil.copytree(root / "srv" / "config", tmp_path / "config")
    steps = {step.instruction: step.words for step in read_dockerfile(
        (DEPLOY / "Dockerfile").read_text()
    )}  # fmt: skip
    assert environment["GUERDON_BIND"] == "0.0.0.0:8000"
    port = find_free_port()
    known = {
        **environment, "GUERDON_BIND": f"127.0.0.1:{port}", "HOME": str(tmp_path),
        "GUERDON_API_KEY": SECRETS["api_key"], "GAMEMONITORING_TOKEN": "x" * 20,
    }  # fmt: skip

    def start(*words: str) -> "subprocess.Popen[bytes]":
        entry = [f"{root}/opt/bin/{word}" for word in read_words(steps["ENTRYPOINT"])]
        with (tmp_path / "log").open("ab") as log:
            return subprocess.Popen(
                [*entry, *words], cwd=tmp_path, env=known, stdout=log, stderr=log
            )

    health = read_words(steps["HEALTHCHECK"].partition("CMD ")[2].replace(":8000", f":{port}"))

    def is_healthy() -> bool:
        return not subprocess.run(health, env=known, check=False, capture_output=True).returncode

    assert start("migrate").wait(60) == 0, (tmp_path / "log").read_text()
    assert not is_healthy()
    service = start(*read_words(steps["CMD"]))
    wait_until(is_healthy)
    service.send_signal(signal.SIGTERM)
    assert service.wait(60) == 0
    where = subprocess.run(
        [f"{root}/opt/bin/python", "-P", "-c", "import app; print(app.__file__)"],
        check=True, capture_output=True, text=True, cwd=tmp_path, env=known,
    )  # fmt: skip
    assert str(root) in where.stdout  # and not these tests' own


def read_words(text: str) -> list[str]:
    words: list[str] = json.loads(text)
    return words
