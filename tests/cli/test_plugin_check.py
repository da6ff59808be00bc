"""guerdon plugin check: the contracts without a line of code, on what the scaffold writes and on worse."""

import hmac
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli.main import main

KINDS = {"votesite": "source", "chat": "reporter", "pets": "reward"}


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A studio's folder with a plugin of each kind, as `guerdon plugin new` writes them."""
    folder = tmp_path / "shop"
    run = CliRunner().invoke
    assert run(main, ["init", str(folder)]).exit_code == 0
    monkeypatch.chdir(folder)
    for name, kind in KINDS.items():
        made = run(main, ["plugin", "new", name, "--kind", kind, "--write"])
        assert made.exit_code == 0, made.output
    env = folder / ".env"  # which has one that nobody knows
    env.write_text(
        re.sub("VOTESITE_SECRET=.*", "VOTESITE_SECRET=a secret of the site", env.read_text())
    )
    return folder


def check(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {key: one for key, one in os.environ.items() if key != "GUERDON_CONFIG"}
    return subprocess.run(
        [sys.executable, "-P", "-m", "app.cli", "plugin", "check", *words], cwd=folder, text=True,
        env=environment, capture_output=True, check=False,
    )  # fmt: skip


def change(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / "plugins" / f"{name}.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def record(folder: Path, body: bytes, **headers: str) -> str:
    """A request as a site sent it, in a file as somebody who copied it has it."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in headers.items())
    path = folder / "delivery.txt"
    head = f"POST /webhooks/votesite HTTP/1.1\nHost: shop.example\n{lines}Content-Length: {len(body)}\n\n"
    path.write_bytes(head.encode() + body + b"\n")
    return str(path)


def sign(body: bytes) -> str:
    return hmac.digest(b"a secret of the site", body, "sha256").hex()


VOTE = b'{"id": "v1", "nickname": "Newcomer", "server": "1"}'


def test_it_works(studio: Path) -> None:
    """A reward: of the first rule that gives it."""
    done = check(studio, "pets")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok     kill -9 at each point of a payment; then the vote comes again." in done.stdout
    assert done.stdout.endswith("pets keeps its contract\n")


def test_a_reporter_is_tried_on_a_stand_in(studio: Path) -> None:
    """The address of its section is nobody's: were it asked, the reports would stay."""
    done = check(studio, "chat")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok     429 with Retry-After: nothing leaves before that." in done.stdout


def test_a_careless_reporter_is_told_why(studio: Path) -> None:
    change(studio, "chat", "if not 200 <= answer.status < 300:", "if answer.status == 999:")

    done = check(studio, "chat")

    assert done.returncode == 1
    assert "is taken for success: let send_report raise DeliveryError" in done.stdout


def test_a_reporter_that_knows_its_address_by_heart_is_not_tried(studio: Path) -> None:
    change(studio, "chat", "HttpAddress(", "fields.String(")

    done = check(studio, "chat")

    assert done.returncode == 1
    assert "[plugins.chat] has no address that could be a stand-in's" in done.stderr


def test_a_source_is_tried_by_strangers(studio: Path) -> None:
    done = check(studio, "votesite")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok     1 MiB." in done.stdout
    assert "With --delivery FILE" in done.stdout


def test_a_source_is_tried_with_what_was_recorded(studio: Path) -> None:
    done = check(studio, "votesite", "--delivery", record(studio, VOTE, X_Signature=sign(VOTE)))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok     The recorded vote is paid" in done.stdout
    assert "the site is answered 204, b''" in done.stdout
    assert (
        "-      Signed, but not whole.\n       not tried: it needs other deliveries" in done.stdout
    )
    assert "ok     The signature is over every byte of the body" in done.stdout
    assert "With --delivery" not in done.stdout


def test_a_recorded_vote_that_is_not_signed_rightly_is_told(studio: Path) -> None:
    done = check(studio, "votesite", "--delivery", record(studio, VOTE, X_Signature=sign(b"")))

    assert done.returncode == 1
    assert "answered [401, 401, 401]: is it as it was sent" in done.stdout


def test_a_source_that_believes_anybody_is_caught(studio: Path) -> None:
    change(studio, "votesite", "is_signed(body, given, one)", "given")

    done = check(studio, "votesite", "--delivery", record(studio, VOTE, X_Signature=sign(VOTE)))

    assert done.returncode == 1
    assert "fault  The signature is over every byte" in done.stdout


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nothing",), "has no section [plugins.nothing]"),
        (("gamemonitoring", "--delivery", "rewards.toml"), "no recorded request"),
        (("chat", "--answer", "{"), "--answer is no JSON"),
    ],
)
def test_what_cannot_be_tried_is_refused(
    studio: Path, words: tuple[str, ...], sentence: str
) -> None:
    words = tuple(str(studio / "config" / one) if one == "rewards.toml" else one for one in words)

    done = check(studio, *words)

    assert done.returncode == 1
    assert sentence in done.stderr


def test_a_reward_that_needs_another_plugin_has_it(studio: Path) -> None:
    """As one that also gives gold; and what it prints is no answer of the contract's."""
    change(
        studio, "pets", "    row.save()\n",
        "    row.save()\n    print('gold')\n"
        "    gold.grant_reward(Reward('gold', {'amount': Decimal('1.50')}), player, settings, batch)\n",
    )  # fmt: skip
    change(
        studio,
        "pets",
        "def grant_reward(reward: Reward, player: Player)",
        "def grant_reward(reward: Reward, player: Player, settings, batch)",
    )
    change(
        studio,
        "pets",
        "from guerdon import",
        "from decimal import Decimal\nfrom plugins import gold\nfrom guerdon import",
    )

    done = check(studio, "pets")

    assert done.returncode == 0, done.stdout + done.stderr


def test_what_a_reward_raised_is_told_with_its_line(studio: Path) -> None:
    change(studio, "pets", "    row.save()\n", "    {}['level']\n")

    done = check(studio, "pets")

    assert done.returncode == 1
    assert "KeyError: 'level'" in done.stdout
    assert "{}['level']" in done.stdout


TAKES_OVER = """
from dataclasses import replace
from guerdon import hookimpl
from plugins import gold

@hookimpl
def grant_reward(reward, player, settings, batch):
    if reward.kind != "gold":
        return None
    twice = replace(reward, params={"amount": reward.params["amount"] * 2})
    return gold.grant_reward(twice, player, settings, batch)
"""


def test_one_that_takes_a_reward_over_is_told_to_name_it(studio: Path) -> None:
    (studio / "plugins" / "double_gold.py").write_text(TAKES_OVER)
    with (studio / "config" / "guerdon.toml").open("a") as file:
        file.write("\n[plugins.double_gold]\n")

    unsaid, done = check(studio, "double_gold"), check(studio, "double_gold", "--reward", "gold")

    assert "double_gold gives rewards of others: say which, as --reward gold" in unsaid.stderr
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_recorded_test_delivery_is_said_to_be_one(studio: Path) -> None:
    body = VOTE.replace(b'"v1"', b'"v1", "test": true')

    done = check(studio, "votesite", "--delivery", record(studio, body, X_Signature=sign(body)))

    assert done.returncode == 1
    assert "it is answered 204 and pays nothing: a test delivery; record a vote" in done.stdout


def test_a_listener_has_no_contract(studio: Path) -> None:
    (studio / "plugins" / "listener.py").write_text(
        "from app import hookimpl\n\n\n@hookimpl\ndef event_settled(event):\n    pass\n"
    )
    with (studio / "config" / "guerdon.toml").open("a") as file:
        file.write("\n[plugins.listener]\n")

    assert "there is no contract for that" in check(studio, "listener").stderr
