"""docs/protocols.md is right: its commands give what it says, and so do the plugins that it describes."""

import base64
import hmac
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from app.porch.fields import Secret
from app.porch.json import read_json
from app.porch.signatures import sign_lines
from app.testing.requiring import require
from app.testing.vote_api import VoteApi, answer
from plugins import gamemonitoring
from tests.world.servers import ROOT

DOCUMENT = (ROOT / "docs" / "protocols.md").read_text()
TOKEN = "webhook-token-of-the-project"


def find_blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT, re.S)


def split_command(block: str) -> tuple[str, str]:
    """A command, and what the document says that it prints."""
    command, _, said = block.rpartition("# ")
    return command, said.strip()


def find_said(word: str) -> str:
    """What the one command with this word in it prints, by the document."""
    [said] = (split_command(block)[1] for block in find_blocks("sh") if word in block)
    return said


def test_it_works(client: Any, vote_api: VoteApi, write_config: Callable[..., Any]) -> None:
    """The delivery in the document is signed as its own command says, and as we verify it."""
    delivery = json.loads(find_blocks("json")[0])
    assert delivery["signature"] == find_said(TOKEN)
    secret = Secret(TOKEN, "the project's")
    assert gamemonitoring.find_token(delivery, [secret]) == "the project's"


@pytest.mark.parametrize("block", find_blocks("sh"))
def test_each_command_gives_what_the_document_says(block: str) -> None:
    require(shutil.which("openssl"), "openssl")
    command, said = split_command(block)
    done = subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True)
    assert done.stdout.split()[-1] == said


def test_sud_signs_as_the_document_says() -> None:
    lines = ["demo-app", "1700000000", "n0nce", b'{"report_type":"game_start"}']
    assert sign_lines(Secret("demo-app-secret", ""), lines, "sha1") == find_said("demo-app-secret")


def test_g123_and_your_own_url_are_told_as_the_document_says() -> None:
    assert base64.b64encode(b"my-app:my-secret").decode() == find_said("my-app:my-secret")
    signed = b'guerdon_1.1700000000.{"type":"event.settled"}'
    digest = hmac.digest(b"the-secret-after-whsec-decoded", signed, "sha256")
    assert base64.b64encode(digest).decode() == find_said("whsec")


def test_the_vote_in_the_document_is_a_vote() -> None:
    vote = json.loads(find_blocks("json")[1])["response"]
    event = gamemonitoring.read_vote("5f0c7a52-vote-1", vote)
    assert (event.nickname, event.server_id, event.user_id) == ("Alice", "1", "77")
    assert event.occurred_at == 1_700_000_000_000


def test_the_answers_in_the_document_are_the_answers(
    client: Any, vote_api: VoteApi, deliver: Callable[..., Any]
) -> None:
    """Row by row of its table, for those that one delivery shows."""
    rows = re.findall(r"^\| (.+?) \| (\d{3})(, `Retry-After`)? \|", DOCUMENT, re.M)
    said = {when: (int(status), bool(later)) for when, status, later in rows}
    assert len(said) == 14

    def check(when: str, response: Any) -> None:
        [row] = (answer for text, answer in said.items() if when in text)
        assert (response.status_code, "Retry-After" in response.headers) == row, when

    check("longer than 64 KiB", deliver(b"x" * 65537))
    check("not a JSON object", deliver(b"[]"))
    check("has two readings", deliver("v1", zone="&event_id=v9"))
    check("no token of the config", deliver("v1", signature="0" * 64))
    check("`is_test` is true", deliver("v1", is_test=True))
    check("`event_type` is not", deliver("v1", event_type="server.comment"))
    check("`event_id` is not 1 to 128", deliver("v 1"))
    vote_api.behave = lambda handler: answer(handler, 404, {})
    check("no usable vote", deliver("v2"))
    vote_api.behave = lambda handler: answer(handler, 200, {"response": {"nickname": "Nobody"}})
    check("there is no such player", deliver("v3"))
    vote = read_json(find_blocks("json")[1].encode())["response"] | {"id": "v4", "nickname": "Bob"}
    vote_api.behave = lambda handler: answer(handler, 200, {"response": vote})
    check("it is paid now", deliver("v4"))
    check("it is paid already", deliver("v4"))
