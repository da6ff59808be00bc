"""A vote site with a list, over a VoteApi: which votes it has, how it cuts them into pages, how it fails."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from app.testing.vote_api import VoteApi, answer


class VoteSite:
    """GET /votes?server_id=&page= beside GET /votes/<id>; the newest vote is the first of the list."""

    def __init__(self, api: VoteApi, page_size: int | None = 10) -> None:
        """`page_size` None: it knows no pages, and answers the same to any."""
        self.listed: list[dict[str, Any]] = []
        self.page_size = page_size
        self.asked: list[str] = []
        self.fail: Callable[[Any, int], bool] = lambda handler, page: False  # True: it has answered
        self._api = api
        api.behave = self._behave

    def add(self, id: Any, made_at: float | None, **changes: Any) -> None:
        """A vote made then (ms), by Bob on server 1."""
        vote = {"id": id, "nickname": "Bob", "server": {"id": 1}, "user": {"id": 7}}
        if made_at is not None:
            vote["created_at"] = made_at // 1000
        self._api.votes[id if isinstance(id, str) else repr(id)] = vote
        self.listed.insert(0, {**vote, **changes})

    def _behave(self, handler: Any) -> None:
        parts = urlsplit(handler.path)
        if not parts.query:
            id = parts.path.rpartition("/")[2]
            found = self._api.votes.get(id)
            answer(
                handler, 200 if found else 404, {"response": found} if found else {"error": "none"}
            )
            return
        query = parse_qs(parts.query)
        self.asked.append(parts.query)
        page = int(query.get("page", ["1"])[0]) or 1
        if self.fail(handler, page):
            return
        mine = [vote for vote in self.listed if str(vote["server"]["id"]) == query["server_id"][0]]
        if self.page_size is not None:
            mine = mine[(page - 1) * self.page_size : page * self.page_size]
        answer(handler, 200, {"response": {"items": mine}})
