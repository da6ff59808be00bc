"""Votes without a page: `guerdon trigger vote` and `guerdon sign`, here and at a live service."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from app.guerdon import Guerdon
from app.testing.books import read_books
from app.testing.deliveries import TOKEN, make_delivery
from app.testing.ports import find_free_port
from app.testing.waiting import wait_until
from tests.world.browsing import Running, run_guerdon
from tests.world.servers import ROOT


def run(*words: str, said: str | None = None, **environment: str) -> tuple[int, str]:
    """The exit code of a command, and what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *words], cwd=ROOT, check=False, timeout=60, input=said,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ | environment,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with run_guerdon(tmp_path_factory.mktemp("run")) as one:
        one.wait_until_welcome()
        yield one


def test_it_works(running: Running) -> None:
    """A vote by a player that is there, on the server that was named."""
    bind = urlsplit(running.playground).netloc

    code, said = run(
        "trigger", "vote", "--nickname", "Alice", "--server", "2", GUERDON_PLAYGROUND_BIND=bind
    )

    assert code == 0, said
    assert "by Alice on server 2: answered 204" in said
    assert "paid it, in one commit" in said
    assert "  gold: " in said


def test_a_vote_that_waits_says_why(running: Running) -> None:
    bind = urlsplit(running.playground).netloc

    _, said = run("trigger", "vote", "--nickname", "Nobody", GUERDON_PLAYGROUND_BIND=bind)

    assert "answered 503" in said
    assert "It is kept, and tried again" in said
    assert 'no player is called "Nobody"' in said


@pytest.mark.parametrize(
    ("nickname", "server"),
    [("", "1"), ("Alice", "x"), ("Alice", "-1"), ("Alice", "9" * 5000), ("A" * 256, "1")],
)
def test_what_is_no_vote_is_refused(running: Running, nickname: str, server: str) -> None:
    bind = urlsplit(running.playground).netloc

    code, said = run(
        "trigger", "vote", "--nickname", nickname, "--server", server, GUERDON_PLAYGROUND_BIND=bind
    )

    assert (code, said) == (1, "the playground answered 400\n")


@pytest.mark.parametrize("body", [[], "vote", 1, None, {"nickname": ["Alice"], "server": {}}])
def test_what_is_no_table_is_refused(running: Running, body: Any) -> None:
    answer = requests.post(f"{running.playground}/trigger", json=body, timeout=30)

    assert answer.status_code in (400, 415)


def test_a_service_with_another_key_is_said_to_have_one(running: Running, tmp_path: Path) -> None:
    """`guerdon playground` beside a service that was started apart: the vote is paid, and not seen."""
    bind = f"127.0.0.1:{find_free_port()}"
    environment = {
        "GUERDON_BIND": urlsplit(running.service).netloc, "GUERDON_PLAYGROUND_BIND": bind,
        "GUERDON_API_KEY": "another-key-than-its-own", "GUERDON_PLAYGROUND_DATABASE": f"{tmp_path}/p.db",
        "GAMEMONITORING_TOKEN": TOKEN,
    }  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "app.cli", "playground"], cwd=ROOT, env=os.environ | environment
    ) as playground:
        try:
            wait_until(
                lambda: "answered" in run("trigger", "vote", GUERDON_PLAYGROUND_BIND=bind)[1]
            )
            _, said = run("trigger", "vote", GUERDON_PLAYGROUND_BIND=bind)
        finally:
            playground.terminate()

    assert "answered 401" in said or "is GUERDON_API_KEY the same for both?" in said


def test_where_none_runs_it_says_what_to_start() -> None:
    bind = f"127.0.0.1:{find_free_port()}"

    code, said = run("trigger", "vote", GUERDON_PLAYGROUND_BIND=bind)

    assert (code, said) == (
        1,
        f"no playground answers at http://{bind}: start `guerdon run`, or say by"
        " GUERDON_PLAYGROUND_BIND where it is\n",
    )


def test_a_live_service_gets_a_test_and_its_answer_is_told_in_words(
    guerdon: Guerdon, start_gunicorn: Callable[..., Any], tmp_path: Path
) -> None:
    """The right token, another's, an address where nobody is, one that is none."""
    path = guerdon.config.path
    other = tmp_path / "other.toml"
    other.write_text(path.read_text().replace(TOKEN, "another token"))
    server = start_gunicorn(path, workers=1)

    def send(config: Path, to: str) -> tuple[int, str]:
        return run("trigger", "vote", "--to", to, GUERDON_CONFIG=str(config))

    right, wrong = send(path, server.url), send(other, server.url)
    nobody = send(path, f"http://127.0.0.1:{find_free_port()}")
    odd = send(path, "votes.example")

    assert right[0] == 0
    assert "the signature is right" in right[1]
    assert wrong[0] == nobody[0] == odd[0] == 1
    assert "401" in wrong[1]
    assert "another than the one of this config" in wrong[1]
    assert "no answer: is that its address?" in nobody[1]
    assert "is no address as https://votes.example" in odd[1]
    assert TOKEN not in "".join(said for _, said in (right, wrong, nobody, odd))
    assert read_books(guerdon).events == []


@pytest.mark.parametrize("how", ["file", "input", "flags"])
def test_what_is_signed_is_what_the_platform_would_send(
    write_config: Callable[..., Path], tmp_path: Path, how: str
) -> None:
    config = str(write_config())
    wanted = json.loads(make_delivery("v1"))
    fields = {key: value for key, value in wanted.items() if key != "signature"}
    (tmp_path / "vote.json").write_text(json.dumps(fields | {"signature": "of somebody else"}))
    words = {
        "file": [str(tmp_path / "vote.json")], "input": ["-"], "flags": ["--event-id", "v1"],
    }  # fmt: skip

    code, said = run("sign", *words[how], said=json.dumps(fields), GUERDON_CONFIG=config)

    assert (code, json.loads(said)) == (0, wanted)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[]", "what is signed is a JSON object"),
        ('{"event_id": 1.5}', "event_id: only texts, whole numbers, true and false can be signed"),
        ('{"event_id": null}', "event_id: only texts"),
        ("{", "cannot be read as JSON"),
    ],
)
def test_what_cannot_be_signed_is_said(
    write_config: Callable[..., Path], text: str, reason: str
) -> None:
    code, said = run("sign", "-", said=text, GUERDON_CONFIG=str(write_config()))

    assert code == 1
    assert reason in said
