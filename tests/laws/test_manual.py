"""The manual's files are written and its commands run, in the order of the page, in a studio's own folder."""

import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

import app
from app.testing.ports import find_free_port
from app.testing.waiting import PATIENCE
from tests.world.browsing import Running
from tests.world.servers import ROOT

LONG = 900  # seconds: a page's contracts are held one after the other
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.S)
TOOLS = {"guerdon": "-m app.cli", "pytest": "-m pytest -p no:cacheprovider"}
PLACE = re.compile(r"# ((?:plugins|tests|config)/[\w/]+\.\w+)(, whole)?\n")


class Block(NamedTuple):
    """A piece of a page that is fenced, in its language."""

    language: str
    text: str


def read_blocks(page: str) -> list[Block]:
    return [Block(*found) for found in BLOCK.findall((ROOT / "docs" / page).read_text())]


class Reader:
    """Somebody who follows a page to the letter, on ports of his own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self._place = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / "run.log"
        tools = folder / "bin"
        tools.mkdir()
        for name, words in TOOLS.items():
            (tools / name).write_text(f'#!/bin/sh\nexec {sys.executable} -P {words} "$@"\n')
            (tools / name).chmod(0o755)
        outer = {name: one for name, one in os.environ.items() if not name.startswith("GUERDON_")}
        self._environment = outer | {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "GUERDON_BIND": f"127.0.0.1:{find_free_port()}",
            "GUERDON_PLAYGROUND_BIND": f"127.0.0.1:{find_free_port()}",
            "GUERDON_DASHBOARD_BIND": f"127.0.0.1:{find_free_port()}",
            "GUERDON_PLAYGROUND_DATABASE": str(folder / "playground.db"),
            **environment,
        }

    def follow(self, block: Block) -> None:
        if block.language == "sh":
            for line in block.text.splitlines():
                command, _, promised = line.partition("# →")
                self._type(command.strip(), promised.strip())
            return
        place = PLACE.match(block.text)
        assert place, f"where does this go?\n{block.text}"
        path = self._place / place[1]
        if block.language == "python" or place[2]:
            path.write_text(block.text)
        else:
            path.write_text(f"{path.read_text()}\n{block.text}")

    def _type(self, command: str, promised: str) -> None:
        """Have a command run, and look for what it is to say."""
        if command.startswith("guerdon run"):
            self._run(command)
            return
        done = subprocess.run(
            ["bash", "-ec", f'{command}\npwd >"{self._log.parent}/place"'], cwd=self._place,
            env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False, timeout=240,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}"
        assert promised in done.stdout, f"{command} does not say {promised!r}:\n{done.stdout}"
        self._place = Path((self._log.parent / "place").read_text().strip())

    def _run(self, command: str) -> None:
        """What runs until somebody ends it, once it is ready."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                shlex.split(command), cwd=self._place, env=self._environment, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        Running(self._process, "", "", "", self._log).wait_until_welcome()

    def end(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(PATIENCE)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    one = Reader(tmp_path)
    yield one
    one.end()


@pytest.mark.timeout(LONG)
def test_it_works(reader: Reader) -> None:
    """docs/plugins.md, from an empty folder to its last command."""
    blocks = read_blocks("plugins.md")
    assert len(blocks) > 20

    for block in blocks:
        reader.follow(block)


TABLES = """
CREATE TABLE users (id INTEGER PRIMARY KEY, nickname TEXT UNIQUE, balance DECIMAL(12, 2) DEFAULT 0);
CREATE TABLE gamemonitoring_webhooks (event_type TEXT, event_id TEXT, PRIMARY KEY (event_type, event_id));
INSERT INTO gamemonitoring_webhooks VALUES ('server.vote', 'paid-by-php');
"""


@pytest.mark.timeout(LONG)
def test_a_php_handler_is_left_behind(tmp_path: Path) -> None:
    """docs/from-php.md, with the tables that the platform's sample has, and the way back."""
    file = tmp_path / "game.db"
    with closing(sqlite3.connect(file)) as database:
        database.executescript(TABLES)
    reader = Reader(tmp_path, GUERDON_DATABASE_URL=f"sqlite:///{file}")

    *blocks, way_back = read_blocks("from-php.md")
    for block in blocks:
        reader.follow(block)

    with closing(sqlite3.connect(file)) as database:
        database.execute(
            "INSERT INTO guerdon_events (ordered_key, source, type, event_id, server_id, nickname, user_id,"
            " token, settled_at, data) VALUES (x'01', 'gamemonitoring', 'server.vote', 'ours', '', '', '',"
            " '', 1, '{}')"
        )
        database.execute(way_back.text.replace("INSERT IGNORE", "INSERT OR IGNORE"))
        known = database.execute("SELECT event_id FROM gamemonitoring_webhooks").fetchall()
    assert sorted(known) == [("ours",), ("paid-by-php",)]


def test_a_promise_that_is_not_kept_is_noticed(reader: Reader) -> None:
    with pytest.raises(AssertionError, match="does not say 'a fish'"):
        reader.follow(Block("sh", "echo a bird  # → a fish\n"))


def test_each_name_of_the_porch_is_in_the_manual() -> None:

    text = (ROOT / "docs" / "plugins.md").read_text()
    plain = {
        "Database",
        "Player",
        "Request",
        "Response",
        "Settings",
        "Http",
        "HttpAnswer",
        "Grant",
        "Reward",
    }
    missing = {name for name in app.__all__ if not re.search(rf"\b{name}\b", text)}

    assert missing - plain == set()
