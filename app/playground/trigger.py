"""Votes without a page: `guerdon trigger vote` here, or as a test delivery at a live service; and signing."""

import json
import time
from typing import Any
from urllib.parse import urlsplit

import requests
from flask import Blueprint, Response, abort, jsonify, request

from app.guerdon import Guerdon
from app.own_signature import find_token
from app.playground import words
from app.playground.actions import Playground
from app.playground.choice import LONGEST_NICKNAME, Choice
from app.playground.courier import DELIVERY_PATIENCE, Courier, Reply, open_session
from app.playground.gamemonitoring import Platform
from app.playground.journal import Entry, is_open
from app.porch.errors import GuerdonError

PATH = "/trigger"
PATIENCE = 3.0  # seconds for a vote to be settled
LONGEST_NUMBER = 18  # digits of a server's
LIVE = {
    0: "no answer: is that its address?",
    204: "the signature is right, and it is up; a test pays nothing",
    401: "its token is another than the one of this config",
    404: "nothing takes votes there",
    503: "it is up, but cannot pay now",
}


def build_trigger(playground: Playground) -> Blueprint:
    """POST /trigger: a vote as JSON, and what became of it."""
    trigger = Blueprint("trigger", __name__)

    @trigger.post(PATH)
    def vote() -> Response:
        fields = request.get_json()
        asked = fields if isinstance(fields, dict) else {}
        nickname, server = str(asked.get("nickname", "")).strip(), str(asked.get("server", ""))
        is_number = server.isascii() and server.isdecimal() and len(server) <= LONGEST_NUMBER
        if not 0 < len(nickname) <= LONGEST_NICKNAME or not is_number:
            abort(400, "a vote has a nickname and the number of a server")
        entry = playground.deliver_vote("A vote that was triggered", Choice(nickname, server))
        deadline = time.monotonic() + PATIENCE
        while is_open(entry) and entry.reply.status < 500 and time.monotonic() < deadline:
            playground.journal.follow()
            time.sleep(0.05)
        playground.journal.follow()
        return jsonify(describe(entry))

    return trigger


def describe(entry: Entry) -> dict[str, Any]:
    """What became of a delivery, as the command tells it."""
    grants = (entry.event or {}).get("grants", [])
    return {
        "id": entry.vote_id,
        "status": entry.reply.status,
        "said": entry.reply.text,
        "verdict": str(words.VERDICTS[entry.state]),
        "reason": (entry.event or {}).get("last_error") or "",
        "grants": [f"{grant['reward']}: {json.dumps(grant['receipt'])}" for grant in grants],
    }


def ask_playground(address: str, nickname: str, server: str) -> dict[str, Any]:
    """Have the playground at this address deliver a vote. Raises GuerdonError where it does not run."""
    try:
        with open_session() as session:
            answer = session.post(
                address + PATH,
                json={"nickname": nickname, "server": server},
                timeout=DELIVERY_PATIENCE,
            )
            if answer.status_code != 200:
                raise GuerdonError(f"the playground answered {answer.status_code}")
            told: dict[str, Any] = answer.json()
    except requests.RequestException:
        raise GuerdonError(
            f"no playground answers at {address}: start `guerdon run`, or say by GUERDON_PLAYGROUND_BIND"
            " where it is"
        ) from None
    return told


def send_test(guerdon: Guerdon, to: str) -> tuple[Reply, str]:
    """A signed test delivery to the service at `to`; its reply, and what that means in words."""
    parts = urlsplit(to)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise GuerdonError(f"{to} is no address as https://votes.example")
    body = Platform(find_token(guerdon)).write_delivery("guerdon-test", is_test=True)
    reply = Courier(f"{parts.scheme}://{parts.netloc}", "").deliver(body)
    return reply, LIVE.get(reply.status, "see its log")
