"""A studio's own folder, as `guerdon init` makes it: every command works in it, and its tests pass."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from app.config.environment import load_environment
from app.scaffold.studio import find_command
from app.testing.deliveries import make_delivery
from app.testing.gunicorn import Gunicorn
from app.testing.ports import find_free_port
from tests.world.servers import ROOT

GUERDON = find_command()


def run(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command as it is typed in `folder`."""
    return subprocess.run(
        [GUERDON, *words], cwd=folder, check=False, timeout=120,
        capture_output=True, text=True, env=os.environ | environment,
    )  # fmt: skip


def succeed(folder: Path, *words: str, **environment: str) -> str:
    done = run(folder, *words, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def studio(tmp_path: Path) -> Path:
    succeed(tmp_path, "init", "shop")
    return tmp_path / "shop"


def test_it_works(studio: Path) -> None:
    """From nothing to a vote that is refused because its token is not the platform's yet."""
    succeed(studio, "migrate")
    checked = succeed(studio, "check", "--strict")
    plugins = succeed(studio, "plugins")

    assert "all is well" in checked
    assert "experience  (plugins/experience.py)" in plugins
    assert (studio / "var" / "guerdon.db").exists()
    tests = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    told = subprocess.run(tests, cwd=studio, check=False, capture_output=True, text=True)
    assert told.returncode == 0, told.stdout
    assert "14 passed" in told.stdout


@pytest.mark.parametrize("how", ["there", "folder", "config"])
def test_a_command_finds_it_by_each_of_three_ways(studio: Path, tmp_path: Path, how: str) -> None:
    """By being there, by -C, by GUERDON_CONFIG; the paths in its config mean the same each time."""
    config = str(studio / "config" / "guerdon.toml")
    where: dict[str, tuple[Path, list[str], dict[str, str]]] = {
        "there": (studio, [], {}),
        "folder": (tmp_path, ["-C", "shop"], {"GUERDON_CONFIG": "/elsewhere/guerdon.toml"}),
        "config": (tmp_path, [], {"GUERDON_CONFIG": config}),
    }
    folder, options, environment = where[how]

    succeed(folder, *options, "migrate", **environment)
    succeed(folder, *options, "players", "add", "Bob", **environment)

    assert "added Alice" in succeed(studio, "players", "add", "Alice")
    assert "there is a player Bob already" in run(studio, "players", "add", "Bob").stderr
    assert "experience" in succeed(folder, *options, "plugins", **environment)


def test_it_serves(studio: Path) -> None:
    """`guerdon serve` runs anywhere; what stands in .env is its token, and its plugin pays."""
    import requests  # noqa: PLC0415

    succeed(studio, "migrate")
    succeed(studio, "players", "add", "Bob")
    env = studio / ".env"
    token = env.read_text().rpartition("=")[2].strip()
    server = Gunicorn(studio / "config" / "guerdon.toml", workers=1, by_command=True)
    try:
        server.start()
        url = f"{server.url}/webhooks/gamemonitoring"
        statuses = [
            requests.post(url, make_delivery("v1", is_test=True, token=one), timeout=30).status_code
            for one in (token, "another token")
        ]
    finally:
        server.stop()

    assert statuses == [204, 401]


def test_secrets_are_its_own_and_nobody_elses(studio: Path, tmp_path: Path) -> None:
    succeed(tmp_path, "init", "other")

    both = [(tmp_path / name / ".env") for name in ("shop", "other")]

    assert [stat.S_IMODE(one.stat().st_mode) for one in both] == [0o600, 0o600]
    lines = [line for one in both for line in one.read_text().splitlines() if "=" in line]
    values = {line.partition("=")[2] for line in lines}
    assert len(lines) == len(values) == 4
    assert all(len(value) > 40 for value in values)
    assert ".env" in (studio / ".gitignore").read_text().splitlines()


def test_what_is_there_is_not_touched(studio: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in studio.rglob("*") if path.is_file()}

    again = run(tmp_path, "init", "shop")
    (studio / "config" / "guerdon.toml").unlink()
    half = run(tmp_path, "init", "shop")

    assert again.returncode == half.returncode == 1
    assert "is there already: nothing was written" in again.stderr
    assert "is there already: nothing was written" in half.stderr
    del before[studio / "config" / "guerdon.toml"]
    assert {path: path.read_bytes() for path in studio.rglob("*") if path.is_file()} == before


def test_the_environment_comes_before_its_file(studio: Path) -> None:
    succeed(studio, "migrate")

    done = run(studio, "check", GUERDON_API_KEY="short")

    assert "at least 16 characters" in done.stderr
    (studio / ".env").write_bytes(b"\xff")
    assert ".env: cannot be read" in run(studio, "check").stderr


def test_where_there_is_none_the_command_says_how_to_make_one(tmp_path: Path) -> None:
    done = run(tmp_path, "check")

    assert done.returncode == 1
    assert f"there is no such file in {tmp_path}" in done.stderr
    assert "guerdon init DIR" in done.stderr
    assert "guerdon -C DIR" in done.stderr


@pytest.mark.parametrize("name", ["guerdon.toml", "rewards.toml"])
def test_its_config_is_the_one_that_we_ship(name: str) -> None:
    """In the distribution there is no folder config: the template is a copy."""
    template = ROOT / "app" / "scaffold" / "templates" / "studio" / f"{name}.txt"

    assert template.read_text() == (ROOT / "config" / name).read_text()


def test_guerdon_run_knows_its_plugins_and_its_secrets(studio: Path) -> None:
    """It plays with a copy of the config that lies elsewhere."""
    with (studio / "config" / "guerdon.toml").open("a") as config:
        config.write('[plugins.chat]\nurl = { env = "CHAT_URL" }\n')
    succeed(studio, "plugin", "new", "chat", "--kind", "reporter")
    with (studio / ".env").open("a") as env:
        env.write("CHAT_URL=https://chat.example/hook\n")
    process = subprocess.Popen(
        [GUERDON, "run"], cwd=studio, stdout=subprocess.PIPE, text=True,
        env=os.environ | {
            "GUERDON_BIND": f"127.0.0.1:{find_free_port()}",
            "GUERDON_PLAYGROUND_BIND": f"127.0.0.1:{find_free_port()}",
            "GUERDON_DASHBOARD_BIND": f"127.0.0.1:{find_free_port()}",
        },
    )  # fmt: skip
    try:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        assert any("Open the playground and vote" in line for line in lines)
    finally:
        process.terminate()
        process.wait(60)
        assert process.stdout is not None
        process.stdout.close()


def test_the_playgrounds_copy_has_the_folders_secrets(tmp_path: Path) -> None:
    """What `guerdon run` says of its database can be typed also where .env has a plugin's secret."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / ".env").write_text("ONLY_THERE=a secret\n")
    environment: dict[str, str] = {}

    load_environment(tmp_path / "shop" / "var" / "playground.toml", environment)

    assert environment == {"ONLY_THERE": "a secret"}
