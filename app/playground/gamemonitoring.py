"""A stand-in for GAMEMONITORING: it has votes, signs deliveries, lists votes, and answers GET /votes/<id>."""

import json
import threading
import time
import uuid
import zlib
from collections import OrderedDict
from typing import Any

from flask import Blueprint, Response, jsonify, request

from app.own_signature import sign

VOTES_KEPT = 1000
PAGE = 50  # votes of the list
WRONG_TOKEN = "the-token-of-somebody-else"  # noqa: S105 - its use is to be wrong


class Platform:
    """The platform's votes, its webhook token, and its bad moments."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._votes: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._lock = threading.Lock()
        self._fails_until = 0.0

    def record_vote(self, nickname: str, server_id: int) -> str:
        """Somebody votes; the id of the vote."""
        id_ = str(uuid.uuid4())
        vote = {
            "id": id_,
            "nickname": nickname,
            "server": {"id": server_id, "name": f"Server {server_id}"},
            "user": {"id": number_user(nickname), "name": nickname},
            "created_at": int(time.time()),
        }
        with self._lock:
            self._votes[id_] = vote
            while len(self._votes) > VOTES_KEPT:
                self._votes.popitem(last=False)
        return id_

    def find_vote(self, id_: str) -> dict[str, Any] | None:
        with self._lock:
            return self._votes.get(id_)

    def list_servers(self) -> list[str]:
        """The servers that somebody has voted on."""
        with self._lock:
            return sorted({str(one["server"]["id"]) for one in self._votes.values()})

    def list_votes(self, server_id: str, page: int) -> list[dict[str, Any]]:
        """A page of a server's votes, the latest first; pages begin at 1."""
        with self._lock:
            votes = [one for one in self._votes.values() if str(one["server"]["id"]) == server_id]
        votes.reverse()
        return votes[(page - 1) * PAGE : page * PAGE]

    def write_delivery(self, id_: str, is_test: bool = False, is_forged: bool = False) -> bytes:
        """The body of a delivery, signed; a forged one is signed with another token."""
        fields = {"event_id": id_, "event_type": "server.vote", "is_test": is_test}
        token = WRONG_TOKEN if is_forged else self._token
        return json.dumps({**fields, "signature": sign(fields, token)}).encode()

    def fail_for(self, seconds: float) -> None:
        """From now on GET /votes answers 500, for so long."""
        self._fails_until = time.time() + seconds

    @property
    def fails_until(self) -> float:
        """When GET /votes answers again, in seconds since the epoch; 0 when it does."""
        return self._fails_until if self._fails_until > time.time() else 0.0


def number_user(nickname: str) -> int:
    """The same number for the same nickname, as a platform would have it."""
    return zlib.crc32(nickname.encode()) % 90_000 + 10_000


def build_vote_api(platform: Platform) -> Blueprint:
    """GET /votes/<id>, in the documented shape, and GET /votes?server_id= with pages."""
    votes = Blueprint("votes", __name__)

    @votes.before_request
    def fail() -> tuple[Response, int] | None:
        if platform.fails_until:
            return jsonify(error={"code": 500, "message": "Internal Server Error"}), 500
        return None

    @votes.get("/votes")
    def list_votes() -> Response:
        page = max(request.args.get("page", 1, type=int), 1)
        items = platform.list_votes(request.args.get("server_id", ""), page)
        return jsonify(response={"items": items})

    @votes.get("/votes/<id_>")
    def show_vote(id_: str) -> Response | tuple[Response, int]:
        vote = platform.find_vote(id_)
        if vote is None:
            return jsonify(error={"code": 404, "message": "Vote not found"}), 404
        return jsonify(response=vote)

    return votes
